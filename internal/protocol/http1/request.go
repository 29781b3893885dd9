package http1

import (
	"net/http"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
)

// entry is a request, with where it goes.
type entry struct {
	*httpreq.Prepared

	host *host
	// head is the request line and the fields that do not change, without the empty line: of a
	// request of the mix, which is serialised once. It is nil for one that is sent once.
	head []byte
	// method is what of the request's method decides how its response ends.
	method method
}

// newEntry returns an entry of the mix, serialised as far as it is the same each time.
func (c *Client) newEntry(p *httpreq.Prepared) entry {
	e := entry{Prepared: p, host: c.hostOf(p.URL), method: methodOf(p.Method)}
	e.head = c.writer.appendHead(nil, &e)
	return e
}

// appendHead appends the request line and the fields that do not change.
func (w writer) appendHead(b []byte, e *entry) []byte {
	target, auth := e.host.target(e.Prepared)
	b = append(b, e.Method...)
	b = append(b, ' ')
	b = append(b, target...)
	b = append(b, " HTTP/1.1\r\n"...)
	b = appendField(b, "Host", e.Authority)
	if auth != "" {
		b = appendField(b, proxyAuthorization, auth)
	}
	for i := range e.Fields {
		b = appendField(b, e.Fields[i].Name, e.Fields[i].Value)
	}
	if w.closes {
		b = append(b, closeField...)
	}
	return b
}

func appendField(b []byte, name, value string) []byte {
	b = append(b, name...)
	b = append(b, ": "...)
	b = append(b, value...)
	return append(b, "\r\n"...)
}

// proxyAuthorization is the field with the credentials for a proxy.
const proxyAuthorization = "Proxy-Authorization"

// target returns the target of a request to the host. Where a proxy forwards the request, it is
// in absolute form and comes with the credentials (RFC 9112, section 3.2.2).
func (h *host) target(p *httpreq.Prepared) (target, authorization string) {
	auth, forwards := h.origin.Forwards()
	if !forwards {
		return p.Target(), ""
	}
	return p.URL.Scheme + "://" + p.URL.Authority() + p.Target(), auth
}

// closeField asks for the end of the connection.
const closeField = "Connection: close\r\n"

// methodOf returns what of a method matters to its response.
func methodOf(verb string) method {
	switch verb {
	case http.MethodHead:
		return methodHead
	case http.MethodConnect:
		return methodConnect
	default:
		return methodAny
	}
}

// writer appends requests.
type writer struct {
	httpreq.Varying

	// closes says that requests ask for the end of their connection.
	closes bool
}

// append appends a request as it goes over the wire.
func (w writer) append(b []byte, e *entry, r protocol.Request, now time.Time) []byte {
	if e.head != nil {
		b = append(b, e.head...)
	} else {
		b = w.appendHead(b, e)
	}
	if w.Slot {
		b = append(b, httpreq.SlotHeader+": "...)
		b = httpreq.AppendSlot(b, r)
		b = append(b, "\r\n"...)
	}
	if w.Traced(&r) {
		b = append(b, httpreq.TraceHeader+": "...)
		b = httpreq.AppendTraceparent(b, r)
		b = append(b, "\r\n"...)
	}
	if auth := w.Auth.Get(now); len(auth) > 0 && !e.Authorized {
		b = append(b, "Authorization: "...)
		b = append(b, auth[0]...)
		b = append(b, "\r\n"...)
	}
	b = append(b, "\r\n"...)
	return append(b, e.Body...)
}
