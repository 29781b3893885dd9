package websocket

import (
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
)

// longestLog bounds the log of an exchange for a tap that asks for it at its end: this many bytes
// of its first messages. Each message counts for some more.
const (
	longestLog = 64 << 10
	perMessage = 64
)

// messageLog keeps messages.
type messageLog struct {
	keeps    bool
	messages []logged
	size     int
}

type logged struct {
	protocol.Message

	sent bool
}

// add keeps a message, if there is room.
func (l *messageLog) add(m protocol.Message, sent bool) {
	if l.size += len(m.Data) + perMessage; l.keeps && l.size <= longestLog {
		l.messages = append(l.messages, logged{m, sent})
	}
}

// saw shows a message to the taps of the exchange.
func (x *exchange) saw(m protocol.Message, sent bool) {
	x.log.add(m, sent)
	protocol.ShowMessage(x.call.Tap, m, sent)
}

// show shows the connection and the request to a tap, which may be nil.
func (x *exchange) show(tap protocol.Tap) {
	if tap != nil {
		tap.Connection(x.ready.Facts(false))
		tap.Request(x.request, nil)
	}
}

// showLate shows the whole exchange to a tap that is asked for when it has ended, as only then it is
// known whether it is worth it.
func (x *exchange) showLate(res protocol.Result) {
	if !x.asked {
		return
	}
	late := x.call.Join(res.Reason, time.Now())
	if late == nil {
		return
	}
	x.show(late)
	if x.response.Status != 0 {
		late.Response(x.response)
	}
	if len(x.refusal) > 0 {
		late.Body(x.refusal)
	}
	for _, m := range x.log.messages {
		protocol.ShowMessage(late, m.Message, m.sent)
	}
}
