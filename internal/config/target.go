package config

import (
	"errors"
	"fmt"
	"strings"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol/uri"
	"github.com/traffic-exporter/traffic_exporter/internal/script"
)

// Target is where a request goes: a fixed origin with templates for the rest, or a whole URL
// that a placeholder stands for.
type Target struct {
	// Origin has the scheme, the host and the port; its own target is /.
	Origin uri.URI
	// Path begins with a slash. Its own text is escaped as it goes over the wire; the
	// values of placeholders still need encoding.
	Path script.Template
	// Query is the one that the URL has itself, in the same form, without the question mark; HasQuery
	// says that there is one, which may be empty.
	Query    script.Template
	HasQuery bool
	// WholeQuery is Query and what the request's query adds, in the same form.
	WholeQuery script.Template
	// Whole, if not nil, is all of the URL: one placeholder. The query is added to it.
	Whole *script.Template
}

// errFixedHost is a placeholder where none may be.
var errFixedHost = maskedError("found a placeholder in the scheme, host or port: the host of a URL is fixed")

// tokens are placeholders that have been replaced by words which mean nothing in a URL.
type tokens struct {
	text   string
	prefix string
	// sources are the placeholders with their braces.
	sources []string
}

// tokenize replaces placeholders by words that do not occur in the text, are made of
// unreserved characters and cannot be a part of an escape.
func tokenize(text string) (tokens, error) {
	t, err := script.ParseTemplate(text)
	if err != nil {
		return tokens{}, err
	}
	k := tokens{prefix: "zq"}
	for n := 0; strings.Contains(strings.ToLower(text), k.prefix); n++ {
		k.prefix = fmt.Sprintf("zq%dq", n)
	}
	var out strings.Builder
	at := 0
	for i, ref := range t.Refs() {
		end := ref.Offset + strings.Index(text[ref.Offset:], "}}") + 2
		out.WriteString(text[at:ref.Offset] + k.word(i))
		k.sources = append(k.sources, text[ref.Offset:end])
		at = end
	}
	out.WriteString(text[at:])
	k.text = out.String()
	return k, nil
}

func (k tokens) word(i int) string { return fmt.Sprintf("%s%dz", k.prefix, i) }

// restore puts the placeholders back.
func (k tokens) restore(text string) script.Template {
	for i, source := range k.sources {
		text = strings.Replace(text, k.word(i), source, 1)
	}
	t, err := script.ParseTemplate(text)
	if err != nil {
		panic(fmt.Sprintf("template of %q: %v", text, err)) // Each of its placeholders has been read already.
	}
	return t
}

// readTarget reads an absolute URL with placeholders. An error names the expected syntax.
func readTarget(text string) (Target, error) {
	k, err := tokenize(text)
	if err != nil {
		return Target{}, err
	}
	scheme, rest, absolute := cutScheme(k.text)
	if absolute && strings.Contains(strings.ToLower(scheme+"://"+authorityOf(rest)), k.prefix) {
		return Target{}, errFixedHost
	}
	u, err := readURL(k.text)
	if err != nil {
		return Target{}, err
	}
	origin, err := uri.Parse(scheme + "://" + authorityOf(rest) + "/")
	if err != nil {
		return Target{}, err
	}
	path, query, hasQuery := strings.Cut(u.Target, "?")
	t := Target{Origin: origin, Path: k.restore(path), Query: k.restore(query), HasQuery: hasQuery}
	t.WholeQuery = t.Query
	return t, nil
}

// joinURL returns a URL relative to a base.
func joinURL(base, relative string) string {
	return strings.TrimSuffix(base, "/") + relative
}

// addQuery adds the request's own keys to the query.
func (t *Target) addQuery(query Named[[]Template]) {
	if len(query) == 0 {
		return
	}
	var text strings.Builder
	text.WriteString(t.Query.String())
	for _, e := range query {
		for _, value := range e.Value {
			if text.Len() > 0 {
				text.WriteByte('&')
			}
			text.WriteString(encode(script.PlaceQuery, e.Name) + "=" + encodeLiterals(value.Template))
		}
	}
	t.WholeQuery = mustParse(text.String())
}

// mustParse reads a template that is made of templates and of texts without braces.
func mustParse(text string) script.Template {
	t, err := script.ParseTemplate(text)
	if err != nil {
		panic(fmt.Sprintf("template %q: %v", text, err))
	}
	return t
}

// encodeLiterals percent-encodes the text of a template, and leaves its placeholders as they
// are.
func encodeLiterals(t script.Template) string {
	var out strings.Builder
	text, at := t.String(), 0
	for _, ref := range t.Refs() {
		end := ref.Offset + strings.Index(text[ref.Offset:], "}}") + 2
		out.WriteString(encode(script.PlaceQuery, text[at:ref.Offset]) + text[ref.Offset:end])
		at = end
	}
	return out.String() + encode(script.PlaceQuery, text[at:])
}

// encode returns a string as values are encoded for a place.
func encode(place script.Place, text string) string {
	return string(script.AppendEncoded(nil, place, text))
}

// fixed returns the URL of a target without placeholders.
func (t Target) fixed(text string) (uri.URI, error) {
	if !t.varies() && t.WholeQuery.String() != t.Query.String() {
		text, _, _ = strings.Cut(text, "?")
		text += "?" + t.WholeQuery.String()
	}
	return uri.Parse(text)
}

// varies reports whether there are placeholders.
func (t Target) varies() bool {
	return t.Whole != nil || t.Path.Varies() || t.WholeQuery.Varies()
}

// resolve returns where a request's URL leads: relative ones follow base.
func (u URL) resolve(base string) (t Target, text string, err error) {
	whole, err := script.ParseTemplate(u.text)
	if err != nil {
		return Target{}, "", err
	}
	if _, single := whole.Single(); single {
		return Target{Whole: &whole}, "", nil
	}
	t, err = readTarget(u.text)
	if !errors.Is(err, errRelative) {
		return t, u.text, err
	}
	if base == "" {
		return Target{}, "", expectedError(URL{}.expectation())
	}
	if !strings.HasPrefix(u.text, "/") && !strings.HasPrefix(u.text, "?") {
		return Target{}, "", expectedError("an absolute URL, or a path that begins with / and follows base_url")
	}
	joined := joinURL(base, u.text)
	if strings.HasPrefix(u.text, "?") {
		joined = base + u.text
	}
	t, err = readTarget(joined)
	return t, joined, err
}
