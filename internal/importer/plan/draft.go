package plan

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/http/httpguts"

	"github.com/traffic-exporter/traffic_exporter/internal/importer/document"
	"github.com/traffic-exporter/traffic_exporter/internal/importer/exchange"
	"github.com/traffic-exporter/traffic_exporter/internal/importer/sensitive"
)

// place is where a value stands in a request.
type place int

const (
	inPath place = iota
	inQuery
	inHeader
	inUser
	inPassword
	inForm
	inJSON
	inPart
	inText
)

// String returns what a value there is called.
func (p place) String() string {
	return [...]string{"segment of the path", "parameter", "header", "user name", "password", "form field", "JSON field", "part", "text"}[p]
}

// leaf is a value of a request.
type leaf struct {
	place place
	// name is what it goes by; of a segment of the path it is the segment before it.
	name string
	// names are further names, for finding where it comes from.
	names []string
	value string
	// raw is how a segment is written in the URL.
	raw string
	// path is where it is in JSON, number that it is a number there.
	path   string
	number bool
	// pieces are what it is made of, at first its value as it is.
	pieces []piece
}

// piece is a part of a value: text as it is, or what stands for it.
type piece struct {
	text string
	// other, if not nil, stands for it.
	other *document.Text
}

func newLeaf(at place, name, value string) *leaf {
	return &leaf{place: at, name: name, value: value, pieces: []piece{{text: value}}}
}

// literal reports whether the value is sent as it was recorded.
func (l *leaf) literal() bool { return len(l.pieces) == 1 && l.pieces[0].other == nil }

// set puts something in the place of the whole value.
func (l *leaf) set(t document.Text) { l.pieces = []piece{{text: l.value, other: &t}} }

// replace puts something in the place of what find returns of each piece that is still as it was.
func (l *leaf) replace(find func(text string) []replacement) {
	var out []piece
	for _, p := range l.pieces {
		if p.other != nil {
			out = append(out, p)
			continue
		}
		last := 0
		for _, r := range find(p.text) {
			if r.start > last {
				out = append(out, piece{text: p.text[last:r.start]})
			}
			out = append(out, piece{text: p.text[r.start:r.end], other: &r.by})
			last = r.end
		}
		if last < len(p.text) || last == 0 {
			out = append(out, piece{text: p.text[last:]})
		}
	}
	l.pieces = out
}

// replacement stands for a part of a string.
type replacement struct {
	start, end int
	by         document.Text
}

// text returns the text to send.
func (l *leaf) text() document.Text {
	if l.place == inPath && l.literal() {
		return document.Literal(escapeURL(l.raw))
	}
	var all []document.Text
	for _, p := range l.pieces {
		switch {
		case p.other != nil:
			all = append(all, *p.other)
		case l.place == inPath:
			all = append(all, document.Literal(url.PathEscape(p.text)))
		default:
			all = append(all, document.Literal(p.text))
		}
	}
	return document.Join(all...)
}

// escapeURL escapes what cannot stand in a URL of the configuration as it is.
func escapeURL(s string) string {
	return strings.NewReplacer("{", "%7B", "}", "%7D", " ", "%20", "#", "%23", "\t", "%09").Replace(s)
}

// draft is a request on its way into the configuration.
type draft struct {
	n int
	e *exchange.Exchange
	// origin is empty for the one that the scenario has anyway.
	origin  string
	path    []*leaf
	query   []*leaf
	headers []*leaf
	// basic are the user name and the password; nil if there are none.
	basic []*leaf
	body  body
	// captures are what later requests need of the response; variables are drawn for this request.
	captures  []document.Capture
	variables []document.Variable
	comments  []string
}

// leaves returns all values.
func (d *draft) leaves() []*leaf {
	return slices.Concat(d.path, d.query, d.headers, d.basic, d.body.leaves)
}

func newDraft(n int, e *exchange.Exchange, p *planner) *draft {
	d := &draft{n: n, e: e, comments: slices.Clone(e.Request.Notes)}
	if origin := originOf(e.Request.URL); origin != p.origin {
		d.origin = origin
	}
	d.target(e.Request.URL, p)
	for _, h := range e.Request.Header {
		d.header(h, p)
	}
	d.cookie(p)
	d.body = newBody(e.Request, p.detector)
	if d.body.note != "" {
		d.comments = append(d.comments, d.body.note)
	}
	if d.body.impliedType(e.Request.Header.Get("Content-Type")) {
		d.headers = slices.DeleteFunc(d.headers, func(l *leaf) bool { return strings.EqualFold(l.name, "Content-Type") })
	}
	if len(e.Response.Header.SetCookies()) > 0 {
		p.cookies = true
	}
	return d
}

// target takes the path and the query apart.
func (d *draft) target(u *url.URL, p *planner) {
	before := ""
	for raw := range strings.SplitSeq(strings.TrimPrefix(u.EscapedPath(), "/"), "/") {
		value, err := url.PathUnescape(raw)
		if err != nil {
			value = raw
		}
		l := newLeaf(inPath, before, value)
		l.raw = raw
		d.path = append(d.path, l)
		before = value
	}
	for _, f := range exchange.Fields(u.RawQuery) {
		if p.detector.Value(f.Name) != sensitive.None || f.Name == "" {
			d.comments = append(d.comments, "A parameter is left out whose name is personal or secret.")
			continue
		}
		d.query = append(d.query, newLeaf(inQuery, f.Name, f.Value))
	}
}

// header takes over a header that a client has to send by itself.
func (d *draft) header(h exchange.Field, p *planner) {
	switch name := strings.ToLower(h.Name); {
	case strings.HasPrefix(name, ":"), ownHeader(name), !utf8.ValidString(h.Value), !httpguts.ValidHeaderFieldValue(h.Value), !headerName(h.Name), p.detector.Value(h.Name) != sensitive.None:
	case !p.o.Headers && browserHeader(name, h.Value):
	case name == "authorization" && d.basicAuth(h.Value):
	default:
		d.headers = append(d.headers, newLeaf(inHeader, h.Name, strings.TrimSpace(h.Value)))
	}
}

// basicAuth takes the user name and the password out of a header of basic authentication (RFC 7617).
func (d *draft) basicAuth(value string) bool {
	scheme, encoded, _ := strings.Cut(value, " ")
	plain, err := base64.StdEncoding.DecodeString(strings.TrimSpace(encoded))
	user, password, found := strings.Cut(string(plain), ":")
	if !strings.EqualFold(scheme, "Basic") || err != nil || !found || !utf8.Valid(plain) || user == "" {
		return false
	}
	d.basic = []*leaf{newLeaf(inUser, "user", user), newLeaf(inPassword, "password", password)}
	return true
}

// cookie takes over the cookies that no response of the recording had set.
func (d *draft) cookie(p *planner) {
	var own []string
	for _, c := range d.e.Request.Header.Cookies() {
		set := slices.ContainsFunc(p.drafts, func(before *draft) bool {
			return slices.ContainsFunc(before.e.Response.Header.SetCookies(), func(o *http.Cookie) bool { return o.Name == c.Name })
		})
		if !set && !analytics(c.Name) {
			own = append(own, fmt.Sprintf("%s=%s", c.Name, c.Value))
		}
	}
	if len(own) > 0 {
		d.headers = append(d.headers, newLeaf(inHeader, "Cookie", strings.Join(own, "; ")))
	}
}

// headerName reports whether a header may have that name, which the configuration has to hold as a key.
func headerName(name string) bool {
	return httpguts.ValidHeaderFieldName(name) && !strings.Contains(name, "$")
}

// ownHeader reports whether the client sends a header of that name itself, or must not.
func ownHeader(name string) bool {
	switch name {
	case "host", "content-length", "connection", "keep-alive", "proxy-connection", "proxy-authorization", "transfer-encoding", "te", "trailer", "upgrade",
		"cookie", "accept-encoding", "traceparent", "tracestate", "traffic-slot", "expect", "http2-settings",
		"if-none-match", "if-modified-since", "if-match", "if-unmodified-since", "if-range":
		return true
	default:
		return false
	}
}

// browserHeader reports whether a header is one that browsers and proxies add to all requests.
func browserHeader(name, value string) bool {
	switch name {
	case "user-agent", "accept-language", "origin", "referer", "cache-control", "pragma", "dnt", "priority", "upgrade-insecure-requests", "via",
		"forwarded", "x-real-ip", "x-client-data", "save-data", "purpose":
		return true
	case "accept":
		return value == "*/*" || strings.Contains(value, ",")
	default:
		return strings.HasPrefix(name, "sec-") || strings.HasPrefix(name, "x-forwarded-") || strings.HasPrefix(name, "x-datadog-") || strings.HasPrefix(name, "x-b3-")
	}
}

// analytics reports whether a cookie is one by which visitors are counted.
func analytics(name string) bool {
	return slices.ContainsFunc([]string{"_ga", "_gid", "_gat", "_gcl", "_fbp", "_hj", "_pk_", "_uet", "ajs_", "amplitude", "mp_", "optimizely", "OptanonConsent", "__utm", "_clck", "_clsk"},
		func(prefix string) bool { return strings.HasPrefix(name, prefix) })
}
