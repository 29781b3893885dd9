package http1

import (
	"bytes"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpmix"
)

// entry is a request of the mix, serialised as far as it is the same each time.
type entry struct {
	host *host
	// head is the request line and the fields that do not change, without the empty line.
	head []byte
	// authorized says that the head has an Authorization of the entry's own.
	authorized bool
	body       []byte
	expect     httpmix.Statuses
	isHead     bool
	// shown is the request as it is shown to people.
	shown *http.Request
	// idempotent says that the request may be sent again when nobody knows what became of
	// it.
	idempotent bool
}

// newEntry serialises an entry.
func newEntry(e httpmix.Entry, o httpmix.Options) entry {
	method := e.MethodOrGet()
	header := e.BaseHeader(o.UserAgent)
	var b bytes.Buffer
	b.WriteString(method + " /" + strings.TrimPrefix(e.URL.RequestURI(), "/") + " HTTP/1.1\r\nHost: " + e.Authority() + "\r\n")
	for _, name := range slices.Sorted(maps.Keys(header)) {
		for _, value := range header[name] {
			if name != "User-Agent" || value != "" { // An empty one asks for none.
				b.WriteString(name + ": " + value + "\r\n")
			}
		}
	}
	if len(e.Body) > 0 || method == http.MethodPost || method == http.MethodPut || method == http.MethodPatch {
		b.WriteString("Content-Length: " + strconv.Itoa(len(e.Body)) + "\r\n")
	}
	if !o.KeepAlive {
		b.WriteString("Connection: close\r\n")
	}
	return entry{
		head:       b.Bytes(),
		authorized: header.Get("Authorization") != "",
		body:       e.Body,
		expect:     e.Expect,
		isHead:     method == http.MethodHead,
		shown:      &http.Request{Method: method, URL: e.URL, Host: e.Authority(), Header: header},
		idempotent: isIdempotent(method, header),
	}
}

// isIdempotent reports whether a request may be sent twice (RFC 9110, section 9.2.2),
// which a field may say of any.
func isIdempotent(method string, header http.Header) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace, http.MethodPut, http.MethodDelete:
		return true
	}
	return header.Get("Idempotency-Key") != "" || header.Get("X-Idempotency-Key") != ""
}

// writer appends requests.
type writer struct {
	slot  bool
	trace httpmix.TraceMode
	auth  *httpmix.Credential
}

// append appends a request as it goes over the wire.
func (w writer) append(b []byte, e *entry, r protocol.Request, now time.Time) []byte {
	b = append(b, e.head...)
	if w.slot {
		b = append(b, httpmix.SlotHeader+": "...)
		b = httpmix.AppendSlot(b, r)
		b = append(b, "\r\n"...)
	}
	if w.trace.Traced(r) {
		b = append(b, httpmix.TraceHeader+": "...)
		b = httpmix.AppendTraceparent(b, r, w.trace)
		b = append(b, "\r\n"...)
	}
	if auth := w.auth.Get(now); len(auth) > 0 && !e.authorized {
		b = append(b, "Authorization: "...)
		b = append(b, auth[0]...)
		b = append(b, "\r\n"...)
	}
	b = append(b, "\r\n"...)
	return append(b, e.body...)
}
