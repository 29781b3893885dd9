package plan

import (
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/importer/correlate"
	"github.com/traffic-exporter/traffic_exporter/internal/importer/document"
	"github.com/traffic-exporter/traffic_exporter/internal/importer/sensitive"
)

// captureKey is a capture of the response to an exchange.
type captureKey struct {
	exchange int
	capture  correlate.Capture
}

// tracer finds out where the values of requests come from. Leaves are looked at in the order of their
// requests.
type tracer struct {
	p     *planner
	index *correlate.Index
	// sent is the number of the first exchange whose request had a value.
	sent map[string]int
	// captured are the names of captures, placeholders those of variables by what they stand for.
	captured     map[captureKey]string
	placeholders map[string]string
}

// leaf puts placeholders in the place of what comes from a response or is made up by the client.
func (t *tracer) leaf(d *draft, l *leaf) {
	if d.body.kind == bodyGraphQL && l.path == "query" || l.value == "" {
		return
	}
	if name, ok := t.whole(d, l); ok {
		l.set(document.Placeholder(name))
		return
	}
	if l.place == inPart && len(l.value) > maxSearched || l.number {
		return
	}
	if token := l.credentials(); token != "" {
		if s, found := t.index.Find(token, []string{"token"}, t.sent[token]); found {
			l.set(document.Join(document.Literal(strings.TrimSuffix(l.value, token)), document.Placeholder(t.capture(s, "token"))))
			return
		}
	}
	l.replace(func(text string) []replacement {
		var all []replacement
		for _, m := range wordPattern().FindAllStringIndex(text, -1) {
			word := text[m[0]:m[1]]
			if !correlate.IsOpaque(word) {
				continue
			}
			if s, found := t.index.Find(word, nil, t.sent[word]); found {
				all = append(all, replacement{m[0], m[1], document.Placeholder(t.capture(s, ""))})
			}
		}
		return all
	})
}

// credentials returns what stands behind the scheme of an Authorization, such as a bearer token, which
// may be short (RFC 9110, section 11.4); empty if there is nothing or more than that.
func (l *leaf) credentials() string {
	scheme, token, _ := strings.Cut(l.value, " ")
	if l.place != inHeader || !strings.EqualFold(l.name, "Authorization") || scheme == "" || strings.ContainsAny(token, " ,") {
		return ""
	}
	return token
}

// maxSearched bounds the texts in which words are looked for, in bytes.
const maxSearched = 64 << 10

// wordPattern matches possible tokens within a string.
func wordPattern() *regexp.Regexp { return regexp.MustCompile(`[\w.~+/=-]{8,}`) }

// words returns the parts of a value that may be tokens.
func words(value string) []string {
	if len(value) > maxSearched {
		return nil
	}
	return wordPattern().FindAllString(value, -1)
}

// whole returns the name of the placeholder for a whole value.
func (t *tracer) whole(d *draft, l *leaf) (string, bool) {
	if name, known := t.placeholders[l.value]; known && l.place != inText {
		return name, true
	}
	names := l.names
	if l.name != "" {
		names = append([]string{l.name}, names...)
	}
	if s, found := t.index.Find(l.value, names, t.sent[l.value]); found && (!l.number || s.Number) {
		name := t.capture(s, l.name)
		if l.place == inJSON && !l.number && s.Number {
			return t.asString(d, name), true
		}
		return name, true
	}
	return t.madeUp(d, l)
}

// capture returns the name of a capture, which it adds to the request whose response has the value.
func (t *tracer) capture(s correlate.Source, otherwise string) string {
	key := captureKey{s.Exchange, s.Capture}
	if name, known := t.captured[key]; known {
		return name
	}
	word := s.Name
	if word == "" {
		word = otherwise
	}
	name := t.p.names.identifier(correlate.Singular(strings.ToLower(strings.TrimPrefix(word, "X-"))), "captured")
	t.captured[key] = name
	c := document.Capture{Name: name, Value: captureNode(s.Capture)}
	if s.Others > 0 {
		c.Comment = []string{"The value was in " + count(s.Others, "other place") + " of responses, too."}
	}
	from := t.p.drafts[s.Exchange]
	from.captures = append(from.captures, c)
	return name
}

// asString returns the name of a variable that is a captured number as a string.
func (t *tracer) asString(d *draft, name string) string {
	text := t.p.names.unique(name + "_text")
	d.variables = append(d.variables, document.Variable{Name: text, Value: document.One("text", document.String("{{ "+name+" }}"))})
	return text
}

// madeUp returns the name of a variable for what clients make up themselves: UUIDs that are sent to change
// something, and the present time.
func (t *tracer) madeUp(d *draft, l *leaf) (string, bool) {
	switch {
	case sensitive.IsUUID(l.value) && t.sent[l.value] == d.n && (l.place == inHeader || unsafeMethod(d.e.Request.Method)):
		name := t.p.names.identifier(l.name, "id")
		t.placeholders[l.value] = name
		t.p.variables = append(t.p.variables, document.Variable{
			Name: name, Value: document.String("uuid"), Comment: []string{"In no response before it was sent: the client made it up, so each slot has another one."},
		})
		return name, true
	case l.place == inQuery || l.place == inForm:
		return t.time(d, l)
	default:
		return "", false
	}
}

// clockSkew is how far the clocks of a client and of what recorded it may be apart.
const clockSkew = 10 * time.Minute

// time returns the name of the variable for the present time, if the value was that.
func (t *tracer) time(d *draft, l *leaf) (string, bool) {
	n, err := strconv.ParseInt(l.value, 10, 64)
	if err != nil || d.e.Start.IsZero() {
		return "", false
	}
	for format, at := range map[string]time.Time{"unix": time.Unix(n, 0), "unix_ms": time.UnixMilli(n)} {
		if at.Sub(d.e.Start).Abs() > clockSkew {
			continue
		}
		key := "time " + format
		if t.placeholders[key] == "" {
			t.placeholders[key] = t.p.names.unique("now_" + format)
			t.p.variables = append(t.p.variables, document.Variable{
				Name: t.placeholders[key], Value: document.One("time", document.One("format", document.String(format))), Comment: []string{"The recording had the time here."},
			})
		}
		return t.placeholders[key], true
	}
	return "", false
}

// unsafeMethod reports whether requests of a method may change something (RFC 9110, section 9.2.1).
func unsafeMethod(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		return false
	default:
		return true
	}
}
