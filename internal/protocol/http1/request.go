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
	method     method
	// closes says that the request asks for the end of its connection.
	closes bool
	// shown is the request as it is shown to people.
	shown *http.Request
	// idempotent says that the request may be sent again when nobody knows what became of
	// it.
	idempotent bool
}

// newEntry serialises an entry.
func newEntry(e httpmix.Entry, o httpmix.Options) entry {
	header := e.BaseHeader(o.UserAgent)
	maps.DeleteFunc(header, func(name string, _ []string) bool { return isFraming(name) })
	closes := hasToken(header.Values("Connection"), "close")
	if !o.KeepAlive && !closes {
		if was := strings.Join(header.Values("Connection"), ", "); was != "" {
			header.Set("Connection", was+", close")
		} else {
			header.Set("Connection", "close")
		}
	}
	verb := e.MethodOrGet()
	var b bytes.Buffer
	b.WriteString(verb + " " + target(e) + " HTTP/1.1\r\nHost: " + authority(e) + "\r\n")
	for _, name := range slices.Sorted(maps.Keys(header)) {
		for _, value := range header[name] {
			value = strings.Trim(value, " \t")
			if name != "User-Agent" || value != "" { // An empty one asks for none.
				b.WriteString(name + ": " + value + "\r\n")
			}
		}
	}
	if len(e.Body) > 0 || verb == http.MethodPost || verb == http.MethodPut || verb == http.MethodPatch {
		b.WriteString("Content-Length: " + strconv.Itoa(len(e.Body)) + "\r\n")
	}
	return entry{
		head:       b.Bytes(),
		authorized: header.Get("Authorization") != "",
		body:       e.Body,
		expect:     e.Expect,
		method:     methodOf(verb),
		closes:     closes,
		shown:      &http.Request{Method: verb, URL: e.URL, Host: authority(e), Header: header},
		idempotent: isIdempotent(verb, header),
	}
}

// target returns what the request line asks for.
func target(e httpmix.Entry) string {
	if e.Method == http.MethodConnect && e.URL.Path == "" {
		return authority(e)
	}
	// A space in a query is the only one that package url leaves as it is.
	return strings.ReplaceAll("/"+strings.TrimPrefix(e.URL.RequestURI(), "/"), " ", "%20")
}

// authority returns the value of Host: without a zone, which is nobody else's business
// (RFC 6874, section 4), and without the colon of an empty port.
func authority(e httpmix.Entry) string {
	a := strings.TrimSuffix(e.Authority(), ":")
	if end := strings.LastIndexByte(a, ']'); strings.HasPrefix(a, "[") && end > 0 {
		if zone := strings.LastIndexByte(a[:end], '%'); zone > 0 {
			return a[:zone] + a[end:]
		}
	}
	return a
}

// isFraming reports whether a field tells where the body ends, which we know better.
func isFraming(name string) bool {
	switch http.CanonicalHeaderKey(name) {
	case "Content-Length", "Transfer-Encoding", "Trailer":
		return true
	}
	return false
}

// hasToken reports whether a list has the token, in any case.
func hasToken(values []string, token string) bool {
	for _, value := range values {
		for t := range strings.SplitSeq(value, ",") {
			if strings.EqualFold(strings.TrimSpace(t), token) {
				return true
			}
		}
	}
	return false
}

// methodOf returns what of a method matters to its answer.
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
	httpmix.Varying
}

// append appends a request as it goes over the wire.
func (w writer) append(b []byte, e *entry, r protocol.Request, now time.Time) []byte {
	b = append(b, e.head...)
	if w.Slot {
		b = append(b, httpmix.SlotHeader+": "...)
		b = httpmix.AppendSlot(b, r)
		b = append(b, "\r\n"...)
	}
	if w.Trace.Traced(r) {
		b = append(b, httpmix.TraceHeader+": "...)
		b = httpmix.AppendTraceparent(b, r, w.Trace)
		b = append(b, "\r\n"...)
	}
	if auth := w.Auth.Get(now); len(auth) > 0 && !e.authorized {
		b = append(b, "Authorization: "...)
		b = append(b, auth[0]...)
		b = append(b, "\r\n"...)
	}
	b = append(b, "\r\n"...)
	return append(b, e.body...)
}
