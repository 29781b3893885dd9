package http2

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpmix"
)

// entry is a request of the mix with all done that can be done ahead.
type entry struct {
	index  int
	origin *origin
	// fields are the ids of its fixed fields, in order, and size what they count of the
	// server's limit.
	fields []uint32
	size   int
	body   []byte
	expect httpmix.Statuses
	// credential says that the client's own is to be sent.
	credential bool
	// repeatable says that it does no harm to send it twice.
	repeatable bool
	// noBody says that its answer has none, whatever its head says.
	noBody bool
	// shown is the request as people read it.
	shown *http.Request
}

// fieldSet makes one field of all that are the same.
type fieldSet struct {
	tables *tables
	fields []field
	ids    map[[2]string]uint32
}

// id returns the id of the field.
func (s *fieldSet) id(name, value string) uint32 {
	key := [2]string{name, value}
	id, known := s.ids[key]
	if !known {
		id = uint32(len(s.fields))
		never := name == "authorization" || name == "proxy-authorization"
		s.fields = append(s.fields, newField(s.tables, name, value, never))
		s.ids[key] = id
	}
	return id
}

// prepare returns the entries with all done that can be done ahead, without origins.
func (s *fieldSet) prepare(o httpmix.Options) ([]entry, error) {
	entries := make([]entry, 0, len(o.Entries))
	for i, e := range o.Entries {
		prepared, err := s.entry(i, e, o.UserAgent)
		if err != nil {
			return nil, fmt.Errorf("entry %d: %w", i, err)
		}
		entries = append(entries, prepared)
	}
	return entries, nil
}

// entry returns one entry.
func (s *fieldSet) entry(index int, e httpmix.Entry, userAgent string) (entry, error) {
	// The request is for people only, but its making refuses what cannot be sent.
	shown, err := http.NewRequestWithContext(context.Background(), e.Method, e.URL.String(), bytes.NewReader(e.Body))
	if err != nil {
		return entry{}, err
	}
	shown.Host, shown.Header = e.Authority(), e.BaseHeader(userAgent)
	authority, err := httpguts.PunycodeHostPort(shown.Host)
	if err != nil {
		return entry{}, fmt.Errorf("host %q: %w", shown.Host, err)
	}
	x := entry{
		index:      index,
		body:       e.Body,
		expect:     e.Expect,
		credential: shown.Header.Values("Authorization") == nil,
		repeatable: repeatable(shown),
		noBody:     shown.Method == http.MethodHead,
		shown:      shown,
	}
	s.add(&x, ":method", shown.Method)
	s.add(&x, ":authority", authority)
	if shown.Method != http.MethodConnect {
		s.add(&x, ":scheme", shown.URL.Scheme)
		s.add(&x, ":path", pathOf(shown.URL))
	}
	return x, s.header(&x, shown.Header)
}

// add adds a fixed field to the entry.
func (s *fieldSet) add(x *entry, name, value string) {
	id := s.id(name, value)
	x.fields = append(x.fields, id)
	x.size += s.fields[id].size
}

// header adds the entry's header, in the order of its names.
func (s *fieldSet) header(x *entry, h http.Header) error {
	for _, key := range slices.Sorted(maps.Keys(h)) {
		name := strings.ToLower(key)
		if !httpguts.ValidHeaderFieldName(name) {
			return fmt.Errorf("header %q: invalid name", key)
		}
		for _, value := range h[key] {
			if !httpguts.ValidHeaderFieldValue(value) {
				return fmt.Errorf("header %q: invalid value", key)
			}
			if !leftOut(name, value) {
				s.add(x, name, value)
			}
		}
	}
	if n := len(x.body); n > 0 || tellsLength(x.shown.Method) {
		s.add(x, "content-length", strconv.Itoa(n))
	}
	return nil
}

// leftOut reports whether a field is not sent: it concerns a connection of HTTP/1, or is
// said otherwise, or is the user agent that is not to be sent.
func leftOut(name, value string) bool {
	switch name {
	case "host", "content-length", "connection", "proxy-connection", "keep-alive", "transfer-encoding", "upgrade":
		return true
	case "te":
		return value != "trailers"
	case "user-agent":
		return value == ""
	}
	return false
}

// tellsLength reports whether a request tells the length of its body even if it has
// none.
func tellsLength(method string) bool {
	return method == http.MethodPost || method == http.MethodPut || method == http.MethodPatch
}

// repeatable reports whether it does no harm to send the request twice.
func repeatable(r *http.Request) bool {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		return true
	}
	return r.Header.Values("Idempotency-Key") != nil || r.Header.Values("X-Idempotency-Key") != nil
}

// pathOf returns what to ask the server for.
func pathOf(u *url.URL) string {
	if u.Path == "*" && u.RawQuery == "" {
		return "*"
	}
	return u.RequestURI()
}

// addressOf returns where to connect to for an entry.
func addressOf(e httpmix.Entry) (string, error) {
	addr, _ := e.Origin()
	return httpguts.PunycodeHostPort(addr)
}
