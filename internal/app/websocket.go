package app

import (
	"fmt"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/config"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/websocket"
	"github.com/traffic-exporter/traffic_exporter/internal/script"
)

// newWebSocket makes the client of requests that are exchanges over WebSockets.
func newWebSocket(sc config.Scenario, p part, in surroundings) (protocol.Client, error) {
	o := websocket.Options{
		HTTP:         httpOptions(sc, p, in),
		Subprotocols: sc.WebSocketConfig.Subprotocols, MaxMessage: int64(sc.WebSocketConfig.MaxMessageBytes),
	}
	for _, s := range p.entries {
		o.Expect = append(o.Expect, s.closings)
	}
	o.HTTP.Protocol = httpreq.HTTP1
	return websocket.New(o)
}

// closeCodes translates the codes with which the connection of an exchange may be closed.
func closeCodes(r *config.Request) websocket.Codes {
	var codes websocket.Codes
	for _, s := range r.Expect.Status {
		codes = append(codes, websocket.CodeRange{First: s.Low, Last: s.High})
	}
	return codes
}

// handshake returns what all handshakes have that open WebSockets.
func handshake() (httpreq.Entry, error) {
	all, err := httpreq.NewStatuses(httpreq.StatusRange{First: 100, Last: 599})
	return httpreq.Entry{Expect: all, KeepsRedirects: true}, err
}

// turns translates the turns of an exchange.
func (x *mixer) turns(r *config.Request) []script.Turn {
	var all []script.Turn
	for i, t := range r.Exchange {
		name := func(kind string) string { return fmt.Sprintf("exchange[%d].%s", i, kind) }
		switch {
		case t.Send != nil:
			all = append(all, x.send(*t.Send))
		case t.Receive != nil:
			all = append(all, x.receive(name("receive"), *t.Receive))
		case t.Ping != nil:
			all = append(all, script.Ping{Name: name("ping"), Within: time.Duration(t.Ping.Within)})
		case t.Close != nil && x.rehearses: // We close.
		case t.Close != nil:
			all = append(all, script.Closing{Name: name("close"), Within: time.Duration(t.Close.Within)})
		case t.Pause != nil:
			all = append(all, pause(*t.Pause))
		}
	}
	return all
}

// send translates a message to send.
func (x *mixer) send(s config.Send) script.Send {
	switch s.Kind() {
	case "json":
		return script.Send{JSON: optional(s.JSON)}
	case "binary":
		return script.Send{Base64: optionalText(s.Binary)}
	case "file":
		return script.Send{Content: x.files.content(s.File)}
	default:
		return script.Send{Text: optionalText(s.Text)}
	}
}

// receive translates a message to wait for.
func (x *mixer) receive(name string, r config.Receive) script.Receive {
	out := script.Receive{Name: name, Within: time.Duration(r.Within), Captures: x.captures(r.Capture)}
	if x.rehearses {
		return out // Any message will do.
	}
	for _, c := range r.JSON {
		out.Checks = append(out.Checks, check("json "+c.Name, script.Part{JSON: c.Name}, c.Value))
	}
	if r.Text != nil {
		out.Checks = append(out.Checks, check("text", script.Part{}, *r.Text))
	}
	return out
}
