package config

import (
	"strings"
)

// body checks a request's body.
func (t *traffic) body(path string, r *Request) {
	at := join(path, "body")
	if !t.given(at) || t.bad[at] || r.Body.text != nil {
		return
	}
	b := r.Body
	switch kinds := b.kinds(); {
	case len(kinds) > 1:
		t.fail(at, "found %s, expected only one kind of body", list(kinds, "and"))
		return
	case b.Set != nil && b.JSON == nil:
		t.fail(join(at, "set"), "found without json, which it changes")
		return
	case len(kinds) == 0:
		if t.complete(at) {
			t.fail(at, "found no kind of body, expected one of verbatim, json, form, multipart, file, random, graphql, message or remote_write")
		}
		return
	}
	t.kindFits(at, join(path, "url"), r)
	for _, e := range b.Set {
		one := join(join(at, "set"), e.Name)
		t.jsonPath(one, e.Name, quote(e.Name))
		if strings.ContainsAny(e.Name, "#@*?|") {
			t.fail(one, "found the path %s, expected one to a single value, such as items.0.id", quote(e.Name))
		}
	}
	if b.Multipart != nil {
		t.multipart(join(at, "multipart"), b.Multipart)
		if t.s.HeadersOf(r).Get("Content-Type") != b.ContentType() {
			t.fail(join(at, "multipart"), "found together with the header Content-Type, but that of multipart has a boundary: leave the header out")
		}
	}
	if g := b.GraphQL; g != nil {
		query := below(at, "graphql.query")
		switch {
		case g.Query == "" && t.ok(query):
			t.fail(query, "found an empty string, expected a query")
		case strings.Contains(g.Query, "{{"):
			t.fail(query, "found a placeholder, expected a query that is fixed: write graphql: {query: ..., variables: {...}} for what changes")
		}
		if op := below(at, "graphql.operation_name"); strings.Contains(g.OperationName, "{{") {
			t.fail(op, "found a placeholder, expected a name that is fixed")
		}
	}
}

func (t *traffic) multipart(path string, parts []Part) {
	for i, p := range parts {
		at := element(path, i)
		file, text := join(at, "file"), join(at, "text")
		switch {
		case t.bad[at]:
			continue
		case t.given(file) && t.given(text):
			t.fail(text, "found together with file, expected only one of them")
		case !t.given(file) && !t.given(text) && t.complete(at):
			t.fail(at, "found no content, expected file or text")
		}
		if n := join(at, "name"); p.Name == "" && t.given(n) {
			t.fail(n, "found an empty string, expected the name of a field")
		}
		for key, value := range map[string]string{"name": p.Name, "filename": p.Filename, "type": p.Type} {
			if strings.Contains(value, "{{") {
				t.fail(join(at, key), "found a placeholder, expected text that is fixed")
			}
			if !headerValue(value) {
				t.fail(join(at, key), "found line breaks, other control characters or spaces around it, expected what a header can carry")
			}
		}
	}
}
