package config

import (
	"errors"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
)

// capturesOf checks the captures of a request.
func (t *traffic) capturesOf(path string, captures Named[Capture], sc *scope) {
	for _, e := range captures {
		at := join(path, e.Name)
		if !t.given(at) || t.bad[at] {
			continue
		}
		if other, taken := sc.lookup(e.Name); taken {
			t.fail(at, "found the name %s, which %s already", e.Name, other.what)
			continue
		}
		t.capture(at, e.Value)
	}
}

func (v validator) capture(path string, c Capture) {
	var sources []string
	for _, key := range []string{"json", "header", "cookie", "body"} {
		if v.given(join(path, key)) {
			sources = append(sources, key)
		}
	}
	regex := join(path, "regex")
	switch {
	case len(sources) > 1:
		v.fail(path, "found %s, expected only one source", list(sources, "and"))
	case len(sources) == 0 && !v.given(regex):
		if v.complete(path) {
			v.fail(path, "found no source, expected one of json, regex, header, cookie or body")
		}
	case v.given(regex) && slices.Contains(sources, "json"):
		v.fail(regex, "found together with json, expected it alone or with header, cookie or body")
	}
	if at := join(path, "body"); v.given(at) && !c.Body {
		v.fail(at, "found false, expected true: to do without, leave the key out")
	}
	if at := join(path, "json"); v.given(at) {
		v.jsonPath(at, c.JSON, v.found(at))
	}
	if v.given(regex) {
		v.regex(regex, c.Regex)
	}
}

// jsonPath checks a path of gjson, which takes what it cannot read for the name of a field.
// found is how it is shown.
func (v validator) jsonPath(at, path, found string) {
	switch {
	case path == "":
		v.fail(at, "found an empty path, expected one such as items.0.id, or @this for all of it")
	case strings.HasPrefix(path, "$."):
		v.fail(at, "found the path %s, which is JSONPath, expected gjson's syntax, such as %s", found, fromJSONPath(found))
	case strings.Contains(path, "{{"):
		v.fail(at, "found a placeholder, expected a path that is fixed")
	}
}

// fromJSONPath returns what a path that begins as JSONPath does most likely is in gjson.
func fromJSONPath(path string) string {
	return strings.NewReplacer("$.", "", "[*]", ".#", "[", ".", "]", "").Replace(path)
}

// regex checks a regular expression.
func (v validator) regex(at, text string) {
	if text == "" {
		v.fail(at, "found an empty string, expected a regular expression")
		return
	}
	_, err := regexp.Compile(text)
	if broken, ok := errors.AsType[*syntax.Error](err); ok {
		v.fail(at, "found %s, which is no regular expression (RE2): %s", v.found(at), broken.Code)
	}
}

// expect checks the expectations of a response, and returns the templates in them.
func (v validator) expect(path string, e Expect) []located {
	var all []located
	for _, h := range e.Headers {
		all = append(all, v.check(join(join(path, "headers"), h.Name), h.Value, "header")...)
	}
	for _, c := range e.Cookies {
		all = append(all, v.check(join(join(path, "cookies"), c.Name), c.Value, "cookie")...)
	}
	for _, j := range e.JSON {
		at := join(join(path, "json"), j.Name)
		if v.given(at) {
			v.jsonPath(at, j.Name, quote(j.Name))
		}
		all = append(all, v.check(at, j.Value, "json")...)
	}
	if e.Body != nil {
		all = append(all, v.check(join(path, "body"), *e.Body, "body")...)
	}
	if e.Size != nil {
		v.size(join(path, "size"), *e.Size)
	}
	return all
}

// check checks the conditions for one value and returns the templates in them.
func (v validator) check(path string, c Check, what string) []located {
	if !v.given(path) || v.bad[path] {
		return nil
	}
	keys := c.given()
	if len(keys) == 0 && v.complete(path) && !v.given(join(path, "matches")) {
		v.fail(path, "found no condition, expected one such as {exists: true}")
	}
	if at := join(path, "exists"); c.Exists != nil && !*c.Exists && len(keys) > 1 {
		v.fail(at, "found false together with other conditions, expected it alone")
	}
	if at := join(path, "matches"); v.given(at) && v.ok(at) {
		v.regex(at, c.Matches)
	}
	if low, high := join(path, "at_least"), join(path, "at_most"); c.AtLeast != nil && c.AtMost != nil && v.ok(low, high) && *c.AtLeast > *c.AtMost {
		v.fail(low, "found %s, expected at most at_most, which is %s", v.found(low), v.location(high).text)
	}
	if what == "body" || what == "message" {
		hint := ""
		if what == "body" {
			hint = ": write size beside body for its length"
		}
		for _, key := range []string{"exists", "at_least", "at_most"} {
			if at := join(path, key); v.given(at) {
				v.fail(at, "found %s of a %s, expected equals, not, contains, not_contains, matches or one_of%s", key, what, hint)
			}
		}
	}
	return v.compared(path, c, what)
}

// compared checks the values of a check and returns the templates in them.
func (v validator) compared(path string, c Check, what string) []located {
	var all []located
	one := func(at string, j *JSON) {
		if j == nil {
			return
		}
		if !v.given(at) {
			at = path // A value that is not in a mapping.
		}
		if what != "json" && (strings.HasPrefix(j.Text, "{") || strings.HasPrefix(j.Text, "[") || j.Text == "null") {
			v.fail(at, "found %s, but a %s is a string: expected one", kindOfText(j.Text), what)
		}
		all = append(all, j.templates()...)
	}
	one(join(path, "equals"), c.Equals)
	one(join(path, "not"), c.Not)
	for i := range c.OneOf {
		one(element(join(path, "one_of"), i), &c.OneOf[i])
	}
	if c.Contains != nil {
		all = append(all, located{path: join(path, "contains"), t: c.Contains.Template})
	}
	if c.NotContains != nil {
		all = append(all, located{path: join(path, "not_contains"), t: c.NotContains.Template})
	}
	return all
}

func kindOfText(json string) string {
	switch json[0] {
	case '{':
		return "a mapping"
	case '[':
		return "a list"
	default:
		return "nothing"
	}
}

func (v validator) size(path string, s SizeCheck) {
	if s == (SizeCheck{}) && v.complete(path) {
		v.fail(path, "found no condition, expected one such as {at_most: 1MiB}")
	}
	if low, high := join(path, "at_least"), join(path, "at_most"); s.AtLeast != nil && s.AtMost != nil && v.ok(low, high) && *s.AtLeast > *s.AtMost {
		v.fail(low, "found %s, expected at most at_most, which is %s", v.found(low), v.location(high).text)
	}
}
