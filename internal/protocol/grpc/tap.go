package grpc

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/inflate"
)

// leanTap is an exchange at which nobody looks: its response is checked, and its beginning kept if somebody may
// look when it has ended.
type leanTap exchange

var _ protocol.FieldTap = (*leanTap)(nil)

// Connection implements protocol.Tap.
func (*leanTap) Connection(protocol.Connection) {}

// Request implements protocol.Tap. What came before was the response to an earlier attempt.
func (x *leanTap) Request(protocol.Head, []byte) {
	x.sent = true
	x.got.reset()
	x.kept.reset()
}

// Field implements protocol.FieldTap.
func (x *leanTap) Field(name, value []byte) {
	x.got.field(name, value)
	x.kept.field(name, value)
}

// Response implements protocol.Tap.
func (x *leanTap) Response(h protocol.Head) {
	if (*exchange)(x).responded(h.Status) {
		x.kept.reset()
	}
}

// Body implements protocol.Tap.
func (x *leanTap) Body(p []byte) {
	x.got.body(p, x.most)
	x.kept.data(p)
}

// responded takes the end of a head; status is 0 for trailers. It reports whether the response is an interim one.
// Nothing of an interim response counts.
func (x *exchange) responded(status int) (interim bool) {
	switch {
	case status == 0:
	case status < http.StatusOK:
		x.got.reset()
		return true
	default:
		x.got.http = status
	}
	return false
}

// wholeTap is an exchange that somebody looks at. The request is shown as it is sent, with its
// messages as JSON, and the response when it has ended.
type wholeTap exchange

var _ protocol.Tap = (*wholeTap)(nil)

// Connection implements protocol.Tap.
func (x *wholeTap) Connection(c protocol.Connection) {
	if x.outer != nil {
		x.outer.Tap.Connection(c)
	}
}

// Request implements protocol.Tap.
func (x *wholeTap) Request(h protocol.Head, body []byte) {
	x.sent = true
	x.got.reset()
	x.fields, x.encoding, x.body = nil, "", nil
	if x.outer != nil {
		x.outer.Tap.Request(h, (*exchange)(x).readableRequest(body))
	}
}

// readableRequest returns the messages of a request as JSON, or as they are if that cannot be.
func (x *exchange) readableRequest(body []byte) []byte {
	messages, err := split(body, gzipName, maxFile, inflate.NewBudget(maxFile, maxFile))
	if err != nil {
		return body
	}
	text, err := x.method.requests(messages)
	if err != nil {
		return body
	}
	return text
}

// Response implements protocol.Tap.
func (x *wholeTap) Response(h protocol.Head) {
	for _, f := range h.Fields {
		x.got.field([]byte(f.Name), []byte(f.Value))
		if f.Name == encodingName {
			x.encoding = f.Value
		}
	}
	(*exchange)(x).responded(h.Status)
	if h.Status == 0 || h.Status >= http.StatusOK {
		x.fields = append(x.fields, h.Fields...)
	}
}

// Body implements protocol.Tap.
func (x *wholeTap) Body(p []byte) {
	x.got.body(p, x.most)
	x.body = append(x.body, p...)
}

// show shows the response to a tap. If its messages cannot be read, it shows those before the first bad one and fails.
func (x *exchange) show(to protocol.Tap) error {
	if x.got.http == 0 {
		return nil
	}
	h := protocol.Head{Line: "HTTP/2.0 " + strconv.Itoa(x.got.http), Status: x.got.http, Fields: x.fields}
	if !x.got.hasStatus {
		to.Response(h)
		if len(x.body) > 0 {
			to.Body(x.body)
		}
		return nil
	}
	h.Line = "gRPC " + x.got.code.String()
	if text := decodeMessage(x.got.message); text != "" {
		h.Line += ": " + text
	}
	for i := range h.Fields {
		x.readable(&h.Fields[i])
	}
	messages, err := split(x.body, x.encoding, x.most, x.budget())
	var text []byte
	if len(messages) > 0 || x.streams() {
		var failed error
		if text, failed = x.method.responses(messages); err == nil {
			err = failed
		}
	}
	to.Response(h)
	if len(text) > 0 {
		to.Body(text)
	}
	return err
}

// budget is how much may come of the response.
func (x *exchange) budget() inflate.Budget { return inflate.NewBudget(len(x.body), x.client.whole) }

// readable decodes the value of a field that is encoded.
func (x *exchange) readable(f *protocol.Field) {
	switch f.Name {
	case messageName:
		f.Value = decodeMessage([]byte(f.Value))
	case detailsName:
		if text, ok := details(f.Value, x.method.schema); ok {
			f.Value = text
		}
	}
	f.Value = strings.ToValidUTF8(f.Value, "\uFFFD")
}
