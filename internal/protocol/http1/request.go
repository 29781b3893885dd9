package http1

import (
	"fmt"
	"net/http"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
)

// entry is a request of the mix, serialised as far as it is the same each time.
type entry struct {
	*httpreq.Prepared

	host *host
	// head is the request line and the fields that do not change, without the empty line.
	head []byte
	// method is what of the request's method decides how its response ends.
	method method
}

// newEntry serialises a request. closes says that it asks for the end of its connection.
func newEntry(p *httpreq.Prepared, h *host, closes bool) entry {
	target, auth := h.target(p)
	b := fmt.Appendf(nil, "%s %s HTTP/1.1\r\nHost: %s\r\n", p.Method, target, p.Authority)
	if auth != "" {
		b = fmt.Appendf(b, "%s: %s\r\n", proxyAuthorization, auth)
	}
	for _, f := range p.Fields {
		b = fmt.Appendf(b, "%s: %s\r\n", f.Name, f.Value)
	}
	if closes {
		b = append(b, closeField...)
	}
	return entry{Prepared: p, host: h, head: b, method: methodOf(p.Method)}
}

// proxyAuthorization is the field that says to a proxy who asks.
const proxyAuthorization = "Proxy-Authorization"

// target returns what a request asks the host for: in absolute form, and with who asks, where a
// proxy forwards it (RFC 9112, section 3.2.2).
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
}

// append appends a request as it goes over the wire.
func (w writer) append(b []byte, e *entry, r protocol.Request, now time.Time) []byte {
	b = append(b, e.head...)
	if w.Slot {
		b = append(b, httpreq.SlotHeader+": "...)
		b = httpreq.AppendSlot(b, r)
		b = append(b, "\r\n"...)
	}
	if w.Trace.Traced(r) {
		b = append(b, httpreq.TraceHeader+": "...)
		b = httpreq.AppendTraceparent(b, r, w.Trace)
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
