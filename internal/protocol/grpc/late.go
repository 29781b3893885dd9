package grpc

import (
	"encoding/binary"
	"strings"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
)

// How much of a response is kept at which nobody looks yet, in bytes: its fields and its body. Somebody may ask
// for it when it has failed.
const (
	maxKeptFields = 8 << 10
	maxKeptBody   = 4 << 10
)

// kept is the beginning of a response, as bytes that are used again for the next one.
type kept struct {
	// on says that the response is kept.
	on bool
	// fields are names and values, each behind its length in two bytes.
	fields, body []byte
}

// reset forgets the response.
func (k *kept) reset() { k.fields, k.body = k.fields[:0], k.body[:0] }

// field keeps a field, if it is none of the protocol's own.
func (k *kept) field(name, value []byte) {
	if k.on && name[0] != ':' && len(k.fields)+len(name)+len(value)+4 <= maxKeptFields {
		k.fields = appendCounted(appendCounted(k.fields, name), value)
	}
}

// data keeps a piece of the body.
func (k *kept) data(p []byte) {
	if k.on {
		k.body = append(k.body, p[:min(len(p), maxKeptBody-len(k.body))]...)
	}
}

func appendCounted(b, text []byte) []byte {
	return append(binary.BigEndian.AppendUint16(b, uint16(len(text))), text...)
}

// all returns the fields.
func (k *kept) all() []protocol.Field {
	var all []protocol.Field
	next := func(b []byte) (text string, rest []byte) {
		n := 2 + int(binary.BigEndian.Uint16(b))
		return string(b[2:n]), b[n:]
	}
	for b := k.fields; len(b) > 0; {
		var f protocol.Field
		f.Name, b = next(b)
		f.Value, b = next(b)
		all = append(all, f)
	}
	return all
}

// showLate shows a call that has ended to a late tap, if there is one. The tap is shown no connection, and only the
// beginning of a response that nobody looked at before.
func (x *exchange) showLate(r protocol.Result) {
	if !x.sent {
		return
	}
	looked := x.outer.Tap != nil
	late := x.outer.Join(r.Reason, r.Done)
	if late == nil {
		return
	}
	if !looked {
		x.fields, x.body = x.kept.all(), x.kept.body
		x.encoding = fieldOf(x.fields, encodingName)
	}
	late.Request(x.head(r), x.readableRequest(x.requestBody()))
	_ = x.show(late) // The result already has any error of the response.
}

// fieldOf returns the value of the first field of a name; empty if there is none.
func fieldOf(fields []protocol.Field, name string) string {
	for _, f := range fields {
		if f.Name == name {
			return f.Value
		}
	}
	return ""
}

// requestBody returns the messages as they were sent.
func (x *exchange) requestBody() []byte {
	if p, ok := x.call.Message.(*httpreq.Prepared); ok {
		return p.Body
	}
	return x.method.payload.Body
}

// head returns the head of the request as it was sent, but for the credentials of a client, which are hidden
// anyway.
func (x *exchange) head(r protocol.Result) protocol.Head {
	c := x.client
	p, ok := x.call.Message.(*httpreq.Prepared)
	if !ok {
		p = &c.prepared[x.outer.Request.Entry]
	}
	h := protocol.Head{Line: p.Method + " " + p.Target() + " HTTP/2.0", Fields: p.OnWire(c.varying, x.outer.Request, r.Sent)}
	for i := range h.Fields {
		f := &h.Fields[i]
		if f.Name = strings.ToLower(f.Name); f.Name == "host" {
			f.Name = ":authority"
		}
	}
	return h
}
