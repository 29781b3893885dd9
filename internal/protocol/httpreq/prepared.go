package httpreq

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/uri"
	"github.com/traffic-exporter/traffic_exporter/internal/script"
)

// Prepared is a request with all done that is the same each time that it is sent. The
// versions of HTTP differ in how they write it, and in nothing else. It is immutable. As the
// Message of a protocol.Call it is sent in place of an entry.
type Prepared struct {
	Method string
	// URL is where it goes.
	URL uri.URI
	// Authority is the value of Host or :authority.
	Authority string
	// Fields are the header in the order of the file and with its spelling, then User-Agent
	// and Content-Length; without Host, and without what varies.
	Fields []protocol.Field
	// Body is sent with it, unless Source, if not nil, generates the body.
	Body   []byte
	Source Source
	// Authorized says that the fields have an Authorization, so that the client's own is not
	// sent.
	Authorized bool
	// Idempotent says that it may be sent twice when nobody knows what became of it.
	Idempotent bool
	// Expect are the statuses that are no failure.
	Expect Statuses
	// KeepsRedirects says that a redirect is the response, whatever the options say.
	KeepsRedirects bool
	// Streams says that the end of the body is that of its stream.
	Streams bool
	// Talk, if not nil, is the exchange of messages on the connection that the request upgrades.
	Talk Talk
	// Jar, if not nil, receives the cookies of responses, and is asked for those of
	// redirects.
	Jar Jar
}

// Fails reports whether a response's status makes the request a failure, as far as its head
// shows: an interim response does not, nor a redirect that is followed.
func (p *Prepared) Fails(status int) bool {
	return status >= http.StatusOK && !p.Expect.Contains(status) && (p.KeepsRedirects || !redirects(status))
}

// Payload is a body that is sent with an entry in place of its own, as the Message of a
// protocol.Call. The entry has to be one that Streams, and its body is not changed once it is
// sent. Clients of HTTP/2 alone know it.
type Payload struct{ Body []byte }

// Talk sends the messages on a connection on which both sides send messages, and judges those received. Calls
// do not overlap, and come between Start and Done of the request's call. See script.Talk.
type Talk interface {
	// Next returns what comes next. It fails on a message that cannot be made.
	Next() (script.Say, error)
	// Hear reports whether a message is the one that is waited for. It fails on one that is too much to keep.
	Hear(data []byte) (bool, error)
	// Missed returns the error that the expected message did not come.
	Missed() error
}

var _ Talk = (*script.Talk)(nil)

// Jar keeps the cookies of one user (RFC 6265). Calls do not overlap.
type Jar interface {
	// SetCookies takes the cookies that a response to a request for a URL sets.
	SetCookies(u uri.URI, response []protocol.Field)
	// Cookies returns the value of the Cookie field of a request for a URL; empty for none.
	Cookies(u uri.URI) string
}

// Prepare returns the entry as a request. It fails on what cannot be sent.
func (e Entry) Prepare(userAgent string) (Prepared, error) {
	p := Prepared{
		Method: e.MethodOrGet(), URL: e.URL, Authority: e.URL.Authority(), Body: e.Body, Source: e.Source,
		Expect: e.Expect, KeepsRedirects: e.KeepsRedirects, Streams: e.Streams,
	}
	agent := false
	for _, f := range e.Fields {
		f.Value = strings.Trim(f.Value, " \t")
		switch {
		case strings.EqualFold(f.Name, "Host"):
			authority, err := uri.ASCIIHostPort(f.Value)
			if err != nil {
				return Prepared{}, fmt.Errorf("header %q: %w", f.Name, err)
			}
			p.Authority = authority
			continue
		case ownedByUs(f.Name):
			return Prepared{}, fmt.Errorf("header %q: belongs to the connection or follows from the body", f.Name)
		case strings.EqualFold(f.Name, "User-Agent"):
			agent = true
			if f.Value == "" {
				continue // It asks for none.
			}
		case strings.EqualFold(f.Name, "Authorization"):
			p.Authorized = true
		}
		p.Fields = append(p.Fields, f)
	}
	if !agent && userAgent != "" {
		p.Fields = append(p.Fields, protocol.Field{Name: "User-Agent", Value: userAgent})
	}
	body := p.Upload()
	switch {
	case e.Streams:
		p.Fields = append(p.Fields, protocol.Field{Name: "TE", Value: "trailers"})
	case body.Len() > 0 || statesLength(p.Method):
		p.Fields = append(p.Fields, protocol.Field{Name: contentLength, Value: strconv.FormatInt(body.Len(), 10)})
	}
	p.Idempotent = idempotent(p.Method, p.Fields)
	return p, nil
}

const contentLength = "Content-Length"

// ownedByUs reports whether a field is not for entries to set: it concerns the connection
// (RFC 9110, section 7.6.1), or says where the body ends.
func ownedByUs(name string) bool {
	switch strings.ToLower(name) {
	case "connection", "proxy-connection", "keep-alive", "transfer-encoding", "upgrade", "te", "trailer", "content-length", "expect":
		return true
	}
	return false
}

// statesLength reports whether a request states the length of its body even if it has none
// (RFC 9110, section 8.6).
func statesLength(method string) bool {
	return method == http.MethodPost || method == http.MethodPut || method == http.MethodPatch
}

// idempotent reports whether a request may be sent twice (RFC 9110, section 9.2.2), which a
// field with a value may say of any.
func idempotent(method string, fields []protocol.Field) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace, http.MethodPut, http.MethodDelete:
		return true
	}
	for _, f := range fields {
		if f.Value != "" && isIdempotencyKey(f.Name) {
			return true
		}
	}
	return false
}

func isIdempotencyKey(name string) bool {
	return strings.EqualFold(name, "Idempotency-Key") || strings.EqualFold(name, "X-Idempotency-Key")
}

// MessageOf returns the message that a call sends in place of its entry; nil for the entry.
// The mix has n entries. It fails on an entry that does not exist, and on a message that is
// no *Prepared.
func MessageOf(call *protocol.Call, n int) (*Prepared, error) {
	if i := call.Request.Entry; i < 0 || i >= n {
		return nil, fmt.Errorf("entry %d: %w", i, ErrNoEntry)
	}
	if call.Message == nil {
		return nil, nil //nolint:nilnil // No message is what most calls have.
	}
	p, ok := call.Message.(*Prepared)
	if !ok {
		return nil, fmt.Errorf("message of type %T: %w", call.Message, ErrNoMessage)
	}
	return p, nil
}

// OnWire returns the fields of the request in the order in which they are sent, for people
// and taps: Host, its own, what more a client adds to each request, and those that vary.
func (p *Prepared) OnWire(v Varying, r protocol.Request, now time.Time, more ...protocol.Field) []protocol.Field {
	fields := []protocol.Field{{Name: "Host", Value: p.Authority}}
	fields = append(fields, p.Fields...)
	fields = append(fields, more...)
	if v.Slot {
		fields = append(fields, protocol.Field{Name: SlotHeader, Value: string(AppendSlot(nil, r))})
	}
	if v.Traced(&r) {
		fields = append(fields, protocol.Field{Name: TraceHeader, Value: string(AppendTraceparent(nil, r))})
	}
	if auth := v.Auth.Get(now); len(auth) > 0 && !p.Authorized {
		fields = append(fields, protocol.Field{Name: "Authorization", Value: auth[0], Secret: true})
	}
	return fields
}

// EachField calls f with the fields of the request as HTTP/2 and HTTP/3 name them (RFC 9113, section
// 8.3.1; RFC 9114, section 4.3.1), in order, without those that vary.
func (p *Prepared) EachField(f func(name, value string)) {
	f(":method", p.Method)
	f(":authority", p.Authority)
	f(":scheme", p.URL.Scheme)
	f(":path", p.Target())
	for _, field := range p.Fields {
		f(strings.ToLower(field.Name), field.Value)
	}
}

// PseudoHead returns the head of the request as HTTP/2 and HTTP/3 send it, for taps: its line has the
// version as HTTP/1.1 would write it, and :authority stands in place of Host.
func (p *Prepared) PseudoHead(version string, v Varying, r protocol.Request, now time.Time) protocol.Head {
	h := protocol.Head{Line: p.Method + " " + p.Target() + " " + version, Fields: p.OnWire(v, r, now), Generated: p.Generated()}
	for i := range h.Fields {
		f := &h.Fields[i]
		if f.Name = strings.ToLower(f.Name); f.Name == "host" {
			f.Name = ":authority"
		}
	}
	return h
}

// Head returns the head of the request as far as it is known before it is sent, for people.
func (p *Prepared) Head() protocol.Head {
	return protocol.Head{Line: p.Method + " " + p.URL.Target, Fields: append([]protocol.Field{{Name: "Host", Value: p.Authority}}, p.Fields...)}
}

// Target returns what the request asks for.
func (p *Prepared) Target() string { return p.URL.Target }
