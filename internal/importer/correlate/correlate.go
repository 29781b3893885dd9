// Package correlate finds out where values of requests come from: which of them a response before
// had, and how a capture gets them out of such a response again.
package correlate

import (
	"cmp"
	"net/url"
	"slices"
	"strings"

	"github.com/traffic-exporter/traffic_exporter/internal/importer/exchange"
	"github.com/traffic-exporter/traffic_exporter/internal/importer/fold"
	"github.com/traffic-exporter/traffic_exporter/internal/importer/sensitive"
)

// The bounds of an index.
const (
	// maxOccurrences bounds the values that are known.
	maxOccurrences = 500_000
	// maxPerBody bounds those of one body.
	maxPerBody = 20_000
	// maxSources bounds the places that are known of one value.
	maxSources = 8
	// maxValue bounds the values themselves, in bytes.
	maxValue = 8 << 10
)

// shortest is how many characters a value has at least that is known by its look alone.
const shortest = 8

// Capture is how a value is got out of a response: one of JSON, Regex, Header, Cookie and Body, but that
// Regex may stand on top of Header.
type Capture struct {
	// JSON is a path of gjson.
	JSON string
	// Regex is a regular expression whose first group is the value.
	Regex          string
	Header, Cookie string
	Body           bool
	// Unescape says that the value has to be unescaped as HTML has it.
	Unescape bool
}

// Source is where a value stood.
type Source struct {
	// Exchange is the number of the exchange whose response had it.
	Exchange int
	Capture  Capture
	// Name is what it goes by there, such as the name of its field; it may be empty.
	Name string
	// Number says that it is a number of JSON there, and not a string.
	Number bool
	// Others says in how many other places of responses it stood.
	Others int
}

// occurrence is a place where a value stands.
type occurrence struct {
	exchange int
	name     string
	rank     int
	number   bool
	// capture returns how it is got out of there; ok is false if no capture finds it. That takes time, so
	// it is called only for values that come back.
	capture func() (c Capture, ok bool)
}

// The ranks of sources: the lower ones are preferred.
const (
	rankCookie = iota
	rankJSON
	rankHeader
	rankHTML
	rankText
)

// Index knows the values of responses. Add responses in the order of their exchanges. Not safe for
// concurrent use.
type Index struct {
	sources  map[string][]occurrence
	entries  int
	detector *sensitive.Detector
	sends    func(string) bool
}

// NewIndex returns an empty index. sends reports whether the client sends a value that is neither secret nor
// personal.
func NewIndex(d *sensitive.Detector, sends func(value string) bool) *Index {
	return &Index{sources: map[string][]occurrence{}, detector: d, sends: sends}
}

// Add adds the values of the response of the nth exchange.
func (x *Index) Add(n int, e *exchange.Exchange) {
	a := adder{x: x, n: n, context: lastWord(e.Request.URL), room: maxPerBody}
	for _, c := range e.Response.Header.SetCookies() {
		a.add(c.Value, c.Name, rankCookie, always(Capture{Cookie: c.Name}))
	}
	for _, h := range e.Response.Header {
		a.header(h)
	}
	if e.Response.Body.Truncated || len(e.Response.Body.Data) == 0 {
		return
	}
	body, media := string(e.Response.Body.Data), e.Response.Header.MediaType()
	switch {
	case exchange.IsJSON(media):
		a.json(body)
	case media == "text/html" || media == "application/xhtml+xml":
		a.html(body)
		a.text(body)
	case strings.HasPrefix(media, "text/"), strings.HasSuffix(media, "/xml"), strings.HasSuffix(media, "+xml"), media == "":
		if whole := strings.TrimSpace(body); whole == body && len(whole) <= 256 && !strings.ContainsAny(whole, " \n\t") {
			a.add(whole, a.context, rankText, always(Capture{Body: true}))
		}
		a.text(body)
	}
}

// lastWord returns the last word of a URL's path: what /api/orders/17 is about is orders.
func lastWord(u *url.URL) string {
	segments := strings.Split(strings.Trim(u.Path, "/"), "/")
	for _, s := range slices.Backward(segments) {
		if s != "" && !fold.IsValue(s) {
			return s
		}
	}
	return ""
}

// adder adds the values of one response.
type adder struct {
	x       *Index
	n       int
	context string
	room    int
	// number says that the added value is a number of JSON.
	number bool
}

// add adds a value. Values that are words alone are too common to be known again.
func (a *adder) add(value, name string, rank int, capture func() (Capture, bool)) {
	if a.room == 0 || a.x.entries >= maxOccurrences || len(value) > maxValue || !Traceable(value) {
		return
	}
	if known := a.x.sources[value]; len(known) < maxSources {
		a.room--
		a.x.entries++
		a.x.sources[value] = append(known, occurrence{exchange: a.n, name: name, rank: rank, number: a.number, capture: capture})
	}
}

// always returns what finds a value in any case.
func always(c Capture) func() (Capture, bool) { return func() (Capture, bool) { return c, true } }

// Traceable reports whether a value may be one that came from a response: it has a digit, or looks random.
func Traceable(value string) bool {
	return value != "" && (strings.ContainsAny(value, "0123456789") || IsOpaque(value))
}

// IsOpaque reports whether a value is one of a kind, so that it is the same thing wherever it stands: long
// enough, and not made of words.
func IsOpaque(value string) bool {
	if len(value) < shortest || strings.ContainsAny(value, " \t\n") {
		return false
	}
	if sensitive.IsUUID(value) {
		return true
	}
	digits, letters, changes := 0, 0, 0
	var last rune
	for _, c := range value {
		var class rune
		switch {
		case '0' <= c && c <= '9':
			digits++
			class = '0'
		case 'a' <= c && c <= 'z':
			letters++
			class = 'a'
		case 'A' <= c && c <= 'Z':
			letters++
			class = 'A'
		}
		if class != 0 && last != 0 && class != last {
			changes++
		}
		last = class
	}
	switch {
	case letters == 0:
		return digits == len(value)
	case digits == 0:
		return len(value) >= 16 && changes > len(value)/3
	default:
		return changes >= 2 || digits >= 6
	}
}

// Find returns where a value of a request came from. names are what it goes by in the request; sent is
// the number of the first exchange whose request had it: what the client sent first does not come from a
// response.
func (x *Index) Find(value string, names []string, sent int) (Source, bool) {
	var found []occurrence
	places := 0
	for _, e := range x.sources[value] {
		if e.exchange >= sent {
			continue
		}
		places++
		if IsOpaque(value) || agree(e.name, names) {
			found = append(found, e)
		}
	}
	slices.SortStableFunc(found, func(a, b occurrence) int { return cmp.Or(a.rank-b.rank, a.exchange-b.exchange) })
	for _, e := range found {
		if c, ok := e.capture(); ok {
			return Source{Exchange: e.exchange, Capture: c, Name: e.name, Number: e.number, Others: places - 1}, true
		}
	}
	return Source{}, false
}

// agree reports whether a name in a response and one in a request mean the same, such as orderId and order.
func agree(name string, names []string) bool {
	a := stem(name)
	return len(a) > 1 && slices.ContainsFunc(names, func(other string) bool {
		b := stem(other)
		return len(b) > 1 && (a == b || len(b) > 2 && strings.HasSuffix(a, b) || len(a) > 2 && strings.HasSuffix(b, a))
	})
}

// stem returns a name in the singular, without what says that it is an identifier.
func stem(name string) string {
	name = strings.NewReplacer("_", "", "-", "", ".", "", "[", "", "]", "").Replace(strings.ToLower(name))
	for _, end := range []string{"uuid", "id", "number", "no", "key"} {
		if bare := strings.TrimSuffix(name, end); bare != name && len(bare) > 1 {
			name = bare
			break
		}
	}
	return Singular(name)
}

// Singular returns a word of a path in the singular, as far as its ending shows it.
func Singular(word string) string {
	switch {
	case strings.HasSuffix(word, "ies") && len(word) > 4:
		return strings.TrimSuffix(word, "ies") + "y"
	case strings.HasSuffix(word, "ss"), strings.HasSuffix(word, "us"), strings.HasSuffix(word, "is"), len(word) < 4:
		return word
	default:
		return strings.TrimSuffix(word, "s")
	}
}
