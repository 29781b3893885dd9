package correlate

import (
	"cmp"
	"html"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"
	nethtml "golang.org/x/net/html"

	"github.com/traffic-exporter/traffic_exporter/internal/importer/exchange"
	"github.com/traffic-exporter/traffic_exporter/internal/importer/sensitive"
)

// header adds the value of a header of the response, or, of a Location, the parts of the URL.
func (a *adder) header(h exchange.Field) {
	switch name := strings.ToLower(h.Name); name {
	case "location", "content-location":
		a.location(h)
	case "set-cookie", "content-type", "content-length", "date", "server", "cache-control", "expires", "last-modified", "vary", "via", "age", "alt-svc",
		"content-encoding", "transfer-encoding", "connection", "keep-alive", "strict-transport-security":
	default:
		a.add(h.Value, h.Name, rankHeader, always(Capture{Header: h.Name}))
	}
}

// location adds the segments and the parameters of a Location.
func (a *adder) location(h exchange.Field) {
	u, err := url.Parse(h.Value)
	if err != nil {
		return
	}
	for _, s := range urlValues(h.Value, u) {
		a.add(s.value, s.name, rankHeader, func() (Capture, bool) {
			re, ok := a.x.pattern(h.Value, s.at, len(s.raw), 0)
			return Capture{Header: h.Name, Regex: re}, ok
		})
	}
}

// part is a value in a URL: as it is, as it is written, at an offset, and what it goes by.
type part struct {
	value, raw, name string
	at               int
}

// urlValues returns the segments of the path and the values of the query of a URL, as far as they can be
// found in its text.
func urlValues(text string, u *url.URL) []part {
	var all []part
	add := func(raw, name string) {
		value, err := url.QueryUnescape(raw)
		// An escape cannot be taken back by a capture.
		if at := strings.Index(text, raw); raw != "" && at >= 0 && err == nil && value == raw {
			all = append(all, part{value: value, raw: raw, name: name, at: at})
		}
	}
	last := ""
	for s := range strings.SplitSeq(u.EscapedPath(), "/") {
		add(s, last)
		last = s
	}
	for pair := range strings.SplitSeq(u.RawQuery, "&") {
		name, value, _ := strings.Cut(pair, "=")
		add(value, name)
	}
	return all
}

// json adds all strings and numbers of a document.
func (a *adder) json(body string) {
	if !gjson.Valid(body) {
		return
	}
	a.walk(body, gjson.Parse(body), nil, a.context)
}

// maxDepth bounds how deep values are looked for.
const maxDepth = 30

func (a *adder) walk(body string, v gjson.Result, path []string, context string) {
	if a.room == 0 || len(path) > maxDepth {
		return
	}
	switch {
	case v.IsObject():
		v.ForEach(func(key, value gjson.Result) bool {
			if a.x.detector.Value(key.Str) == sensitive.None {
				a.leafOrMore(body, value, append(slices.Clip(path), escapePath(key.Str)), key.Str, context)
			}
			return a.room > 0
		})
	case v.IsArray():
		elements := v.Array()
		names := a.elementNames(elements)
		for i, value := range elements {
			a.leafOrMore(body, value, append(slices.Clip(path), cmp.Or(names[i], strconv.Itoa(i))), context, context)
			if a.room == 0 {
				return
			}
		}
	default:
		a.leafOrMore(body, v, []string{"@this"}, context, context)
	}
}

// elementNames returns components of a path by which elements of a list are found wherever they stand; empty
// for those that are known by their position alone. An element is known by a field that names it, if the
// client sends that name itself and no other element has it.
func (a *adder) elementNames(elements []gjson.Result) []string {
	all := make([]string, len(elements))
	count := map[string]int{}
	for i, e := range elements {
		if !e.IsObject() {
			continue
		}
		e.ForEach(func(key, value gjson.Result) bool {
			if value.Type != gjson.String || !naming(key.Str) || !a.x.isWord(value.Str) {
				return true
			}
			component := "#(" + key.Str + `=="` + value.Str + `")`
			if count[component]++; all[i] == "" {
				all[i] = component
			}
			return true
		})
	}
	for i, component := range all {
		if count[component] > 1 {
			all[i] = ""
		}
	}
	return all
}

// naming reports whether a field of that name says which thing an object is.
func naming(key string) bool {
	return slices.Contains([]string{"sku", "slug", "code", "name", "title", "symbol", "label", "item", "product"}, key)
}

// isWord reports whether a value is a word that the client sends, so that it is in the configuration
// anyway. Such words do not come from responses.
func (x *Index) isWord(value string) bool {
	return strings.Trim(value, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_") == "" && !Traceable(value) && x.sends(value)
}

// leafOrMore adds a string or a number, or the content of an object or a list. An id is known by the
// thing that it names: the name of the field around it, or what the request was about.
func (a *adder) leafOrMore(body string, v gjson.Result, path []string, key, context string) {
	if v.IsObject() || v.IsArray() {
		if key == "" {
			key = context
		}
		a.walk(body, v, path, key)
		return
	}
	if v.Type != gjson.String && v.Type != gjson.Number {
		return
	}
	if stem(key) == "id" || stem(key) == "uuid" || stem(key) == "key" {
		key = context
	}
	text := v.String()
	if v.Type == gjson.Number {
		text = v.Raw
	}
	at := strings.Join(path, ".")
	want := v.String()
	a.number = v.Type == gjson.Number
	defer func() { a.number = false }()
	a.add(text, key, rankJSON, func() (Capture, bool) {
		return Capture{JSON: at}, gjson.Get(body, at).String() == want
	})
}

// escapePath returns a key as a component of a path of gjson.
func escapePath(key string) string {
	var b strings.Builder
	for _, c := range []byte(key) {
		if strings.IndexByte(`.*?|#@!{}[]()=<>%\:"'~^`, c) >= 0 {
			b.WriteByte('\\')
		}
		b.WriteByte(c)
	}
	return b.String()
}

// html adds the values of a page that its forms and links send: those of hidden fields, whatever they
// look like, of meta elements, and parts of URLs.
func (a *adder) html(body string) {
	z := nethtml.NewTokenizer(strings.NewReader(body))
	at := 0
	for a.room > 0 {
		kind := z.Next()
		raw := string(z.Raw())
		if kind == nethtml.ErrorToken {
			return
		}
		if kind == nethtml.StartTagToken || kind == nethtml.SelfClosingTagToken {
			a.tag(body, raw, at, z.Token())
		}
		at += len(raw)
	}
}

// tag adds what a tag has, which begins at an offset.
func (a *adder) tag(body, raw string, at int, t nethtml.Token) {
	attribute := map[string]string{}
	for _, one := range t.Attr {
		attribute[one.Key] = one.Val
	}
	switch t.Data {
	case "input", "button":
		a.named(body, raw, "name", attribute["name"], "value", attribute["value"])
	case "meta":
		a.named(body, raw, "name", attribute["name"], "content", attribute["content"])
	}
	for _, key := range []string{"href", "action", "src", "data-url"} {
		value := attribute[key]
		u, err := url.Parse(value)
		begin := strings.Index(raw, html.EscapeString(value))
		if value == "" || err != nil || begin < 0 {
			continue
		}
		escaped := html.EscapeString(value)
		for _, p := range urlValues(escaped, u) {
			a.add(p.value, p.name, rankHTML, func() (Capture, bool) {
				re, ok := a.x.pattern(body, at+begin+p.at, len(p.raw), at)
				return Capture{Regex: re}, ok
			})
		}
	}
}

// named adds the value of an element that has a name, in whatever order its attributes are.
func (a *adder) named(body, raw, nameKey, name, valueKey, value string) {
	if name == "" || value == "" || a.x.detector.Value(name) != sensitive.None {
		return
	}
	first, second := attributeOf(raw, nameKey, name), attributeOf(raw, valueKey, value)
	if first == "" || second == "" {
		return
	}
	quote := second[len(valueKey)+1 : len(valueKey)+2]
	group := regexp.QuoteMeta(valueKey+"="+quote) + "([^" + quote + "]*)"
	expr := regexp.QuoteMeta(first) + "[^>]*?" + group
	if strings.Index(raw, second) < strings.Index(raw, first) {
		expr = group + quote + "[^>]*?" + regexp.QuoteMeta(first)
	}
	escaped := second[len(valueKey)+2 : len(second)-1]
	a.add(value, name, rankHTML, func() (Capture, bool) {
		return Capture{Regex: expr, Unescape: escaped != value}, matches(body, expr, escaped)
	})
}

// attributeOf returns how an attribute with quotes is written in a tag; empty if it is not.
func attributeOf(raw, key, value string) string {
	for _, quote := range []string{`"`, `'`} {
		for _, text := range []string{value, html.EscapeString(value)} {
			if written := key + "=" + quote + text + quote; strings.Contains(raw, written) && !strings.Contains(text, quote) {
				return written
			}
		}
	}
	return ""
}

// matches reports whether the first group of a regular expression is first that value in a string.
func matches(text, expr, value string) bool {
	re, err := regexp.Compile(expr)
	if err != nil {
		return false
	}
	m := re.FindStringSubmatch(text)
	return len(m) == 2 && m[1] == value
}

// text adds the opaque parts of a string, such as a token in a script.
func (a *adder) text(body string) {
	begin := -1
	for i := 0; i <= len(body) && a.room > 0; i++ {
		inside := i < len(body) && wordByte(body[i])
		if inside && begin < 0 {
			begin = i
		}
		if !inside && begin >= 0 {
			a.word(body, begin, i)
			begin = -1
		}
	}
}

func (a *adder) word(body string, begin, end int) {
	value := body[begin:end]
	if len(value) < shortest || len(value) > maxValue || !IsOpaque(value) || a.knows(value) {
		return
	}
	a.add(value, "", rankText, func() (Capture, bool) {
		re, ok := a.x.pattern(body, begin, end-begin, 0)
		return Capture{Regex: re}, ok
	})
}

// knows reports whether this response is a source of the value already.
func (a *adder) knows(value string) bool {
	return slices.ContainsFunc(a.x.sources[value], func(e occurrence) bool { return e.exchange == a.n })
}

// wordByte reports whether a character may stand in a token.
func wordByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("_-.~+", c) >= 0
}

// The lengths of what stands before a value in a pattern, in bytes.
const shortestPrefix, longestPrefix = 4, 80

// pattern returns a regular expression whose first group is the value at an offset of a string, by what
// stands before it on its line, from an offset on. The shortest that finds it is taken, from the begin of a word.
func (x *Index) pattern(text string, at, length, from int) (string, bool) {
	group := `(.+)`
	if end := at + length; end < len(text) {
		group = "([^" + classOf(text[end]) + `\s]+)`
	}
	value := text[at : at+length]
	tried := 0
	for begin := at - shortestPrefix; begin >= max(from, at-longestPrefix) && tried < 6; begin-- {
		if text[begin] == '\n' {
			break
		}
		if begin > 0 && wordByte(text[begin]) && wordByte(text[begin-1]) || text[begin] >= 0x80 {
			continue
		}
		prefix := text[begin:at]
		if x.detector.Value(prefix) != sensitive.None {
			break
		}
		tried++
		if expr := regexp.QuoteMeta(prefix) + group; matches(text, expr, value) {
			return expr, true
		}
	}
	return "", false
}

// classOf returns a character as it is written in a class of a regular expression.
func classOf(c byte) string {
	if c >= 0x80 || c <= ' ' {
		return ""
	}
	if strings.IndexByte(`\]^-[`, c) >= 0 {
		return `\` + string(c)
	}
	return string(c)
}
