// Package exchange is the model that all recordings are read into: a request, and the response
// to it if there was one. Bodies are bounded. Nothing here decides what becomes of an exchange.
package exchange

import (
	"bytes"
	"cmp"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// The bounds of a recording.
const (
	// MaxBody bounds the kept part of a body, in bytes.
	MaxBody = 1 << 20
	// MaxCount bounds the exchanges of a recording.
	MaxCount = 10_000
	// MaxTotal bounds what a recording keeps of all bodies, in bytes.
	MaxTotal = 256 << 20
)

// Exchange is a request and its response. Safe for concurrent use as long as nobody changes it.
type Exchange struct {
	Request  Request
	Response Response
	// Start is when the request was sent, and Took how long it was until the response had ended; both
	// are zero if that is not known.
	Start time.Time
	Took  time.Duration
}

// Request is a recorded request.
type Request struct {
	Method string
	// URL is absolute, without user info.
	URL    *url.URL
	Header Header
	Body   Body
	// FollowRedirects says that the client followed redirects, so that the response to them is not one
	// to this request.
	FollowRedirects bool
	// Notes say what of the request cannot be imported, a sentence each.
	Notes []string
}

// Response is a recorded response. Its Status is 0 if there was none.
type Response struct {
	Status int
	Header Header
	Body   Body
}

// Body is the kept part of a body.
type Body struct {
	Data []byte
	// Truncated says that Data is not all of it.
	Truncated bool
}

// Field is a header field, or a parameter of a form or a query.
type Field struct {
	Name, Value string
}

// Header are header fields in the order in which they came.
type Header []Field

// Get returns the value of the first field of that name, whatever its case; empty if there is none.
func (h Header) Get(name string) string {
	for _, f := range h {
		if strings.EqualFold(f.Name, name) {
			return f.Value
		}
	}
	return ""
}

// Add appends a field.
func (h *Header) Add(name, value string) { *h = append(*h, Field{name, value}) }

// MediaType returns the media type of Content-Type in lower case, without parameters; empty if there is none.
func (h Header) MediaType() string {
	text := h.Get("Content-Type")
	media, _, err := mime.ParseMediaType(text)
	if err != nil {
		media, _, _ = strings.Cut(strings.ToLower(text), ";")
	}
	return strings.TrimSpace(media)
}

// Cookies returns the cookies that a request carries.
func (h Header) Cookies() []*http.Cookie {
	var all []*http.Cookie
	for _, f := range h {
		if strings.EqualFold(f.Name, "Cookie") {
			some, _ := http.ParseCookie(f.Value) // One that cannot be read is sent by no browser.
			all = append(all, some...)
		}
	}
	return all
}

// SetCookies returns the cookies that a response sets.
func (h Header) SetCookies() []*http.Cookie {
	var all []*http.Cookie
	for _, f := range h {
		if !strings.EqualFold(f.Name, "Set-Cookie") {
			continue
		}
		// Recorders join several fields by line breaks.
		for line := range strings.SplitSeq(f.Value, "\n") {
			if c, err := http.ParseSetCookie(strings.TrimSpace(line)); err == nil {
				all = append(all, c)
			}
		}
	}
	return all
}

// FromHTTP returns the fields of an http.Header, sorted by name.
func FromHTTP(h http.Header) Header {
	var all Header
	for name, values := range h {
		for _, v := range values {
			all.Add(name, v)
		}
	}
	slices.SortStableFunc(all, func(a, b Field) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

// Keep returns a body of data. It keeps no more than MaxBody.
func Keep(data []byte) Body {
	if len(data) > MaxBody {
		return Body{Data: bytes.Clone(data[:MaxBody]), Truncated: true}
	}
	return Body{Data: data}
}

// IsJSON reports whether a media type is JSON, such as application/problem+json.
func IsJSON(media string) bool {
	return media == "application/json" || strings.HasSuffix(media, "+json") || media == "text/json"
}

// Fields returns the parameters of a form or a query in their order. Escapes that are broken stay as
// they are.
func Fields(encoded string) []Field {
	var all []Field
	for pair := range strings.SplitSeq(encoded, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		all = append(all, Field{unescape(name), unescape(value)})
	}
	return all
}

func unescape(s string) string {
	if plain, err := url.QueryUnescape(s); err == nil {
		return plain
	}
	return s
}

// Sort sorts exchanges by the time at which their requests were sent. Those of the same time keep
// their order.
func Sort(all []Exchange) {
	slices.SortStableFunc(all, func(a, b Exchange) int { return a.Start.Compare(b.Start) })
}
