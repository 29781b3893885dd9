package script

import (
	"encoding/json"
	"errors"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestTemplatesAreRead(t *testing.T) {
	for _, tc := range []struct {
		text string
		refs []string
	}{
		{"", nil},
		{"plain", nil},
		{"{{ a }}", []string{"a"}},
		{"{{a}}{{ b.c.d }}", []string{"a", "b.c.d"}},
		{"x {{ a | raw }} y {{ b | base64 | raw }}", []string{"a", "b"}},
		{`{"a":{"b":1}}`, nil},
		{"{{ list.#(name==\"x\").id }}", []string{"list.#(name==\"x\").id"}},
	} {
		got := parse(t, tc.text)
		var refs []string
		for _, r := range got.Refs() {
			refs = append(refs, r.String())
		}
		if strings.Join(refs, " ") != strings.Join(tc.refs, " ") {
			t.Errorf("%q uses %q, want %q", tc.text, refs, tc.refs)
		}
		if got.String() != tc.text {
			t.Errorf("%q is told as %q", tc.text, got)
		}
	}
}

func TestMistakesInTemplatesHaveAPlace(t *testing.T) {
	for _, tc := range []struct {
		text, want string
		offset     int
	}{
		{"a {{ b", "{{ without }}", 2},
		{"{{ }}", "no name between {{ and }}", 0},
		{"x{{ 1a }}", `"1a" is no name: names are letters, digits and _`, 1},
		{"{{ a-b }}", `"a-b" is no name: names are letters, digits and _`, 0},
		{"{{ a. }}", `nothing follows the dot of "a."`, 0},
		{"{{ a | upper }}", `unknown filter "upper": there are raw and base64`, 0},
		{"{{ a + 1 }}", `"a + 1" is no name: names are letters, digits and _`, 0},
	} {
		_, err := ParseTemplate(tc.text)
		mistake, ok := errors.AsType[*SyntaxError](err)
		if !ok || mistake.Text != tc.want || mistake.Offset != tc.offset {
			t.Errorf("%q: %v, want %q at %d", tc.text, err, tc.want, tc.offset)
		}
	}
}

func TestValuesAreEncodedForTheirPlace(t *testing.T) {
	hostile := fixed(String("a b/c?d=e&f#g%h\"i\\j\n\x01é{{ x }}+~*"))
	for _, tc := range []struct {
		place Place
		want  string
	}{
		{PlacePath, "a%20b%2Fc%3Fd%3De%26f%23g%25h%22i%5Cj%0A%01%C3%A9%7B%7B%20x%20%7D%7D%2B~%2A"},
		{PlaceQuery, "a%20b%2Fc%3Fd%3De%26f%23g%25h%22i%5Cj%0A%01%C3%A9%7B%7B%20x%20%7D%7D%2B~%2A"},
		{PlaceForm, "a+b%2Fc%3Fd%3De%26f%23g%25h%22i%5Cj%0A%01%C3%A9%7B%7B+x+%7D%7D%2B%7E*"},
		{PlaceJSON, `a b/c?d=e&f#g%h\"i\\j\n\u0001é{{ x }}+~*`},
		{PlaceText, hostile.Text},
	} {
		bound, _ := parse(t, "{{ v }}").Bind(anyScope)
		got, err := bound.Append(nil, tc.place, hostile)
		if err != nil || string(got) != tc.want {
			t.Errorf("place %d: %q, %v, want %q", tc.place, got, err, tc.want)
		}
	}
}

func TestHeadersAndRawValuesRefuseWhatWouldEndThem(t *testing.T) {
	for _, tc := range []struct {
		text, value string
		place       Place
		ok          bool
	}{
		{"{{ v }}", "plain \t text é", PlaceHeader, true},
		{"{{ v }}", "a\r\nX: y", PlaceHeader, false},
		{"{{ v }}", "a\x00", PlaceHeader, false},
		{"{{ v | raw }}", "a/b;c", PlacePath, true},
		{"{{ v | raw }}", "a b", PlacePath, false},
		{"{{ v | raw }}", "a?b", PlacePath, false},
		{"{{ v | raw }}", "a=b&c", PlaceQuery, true},
		{"{{ v | raw }}", "a#b", PlaceQuery, false},
		{"{{ v | raw }}", "a\r\nb", PlaceQuery, false},
	} {
		bound, _ := parse(t, tc.text).Bind(anyScope)
		_, err := bound.Append(nil, tc.place, fixed(String(tc.value)))
		if (err == nil) != tc.ok {
			t.Errorf("%s of %q at %d: %v", tc.text, tc.value, tc.place, err)
		}
	}
}

func TestJSONKeepsTypes(t *testing.T) {
	for _, tc := range []struct {
		value Value
		text  string
		want  string
	}{
		{Int(7), `{"a":"{{ v }}"}`, `{"a":7}`},
		{Int(7), `{"a":"no {{ v }}"}`, `{"a":"no 7"}`},
		{String("7"), `["{{ v }}"]`, `["7"]`},
		{FromJSON(`{"x":[1,null]}`), `{"a":"{{ v }}","b":"{{ v.x }}"}`, `{"a":{"x":[1,null]},"b":[1,null]}`},
		{FromJSON("true"), `"{{ v }}"`, `true`},
		{String(`"},{"`), `{"a":"{{ v }}","b":"-{{ v }}-"}`, `{"a":"\"},{\"","b":"-\"},{\"-"}`},
		{String("x"), `{"a":{},"b":[],"c":"{{ v }}"}`, `{"a":{},"b":[],"c":"x"}`},
	} {
		d, err := document(t, tc.text).Bind(anyScope)
		if err != nil {
			t.Fatal(err)
		}
		got, err := d.Append(nil, fixed(tc.value))
		if err != nil || string(got) != tc.want {
			t.Errorf("%s with %q: %s, %v, want %s", tc.text, tc.value.Text, got, err, tc.want)
		}
	}
}

// FuzzEncoding holds that whatever a value is, it comes back as what it was from where it was
// put, and adds nothing to the structure there.
func FuzzEncoding(f *testing.F) {
	for _, seed := range []string{"", "a b", "x=y&z", "\"}]", "\r\nX: y", "{{ a }}", "\xff\xfe", "..", "%2e%2e/", "é\u2028", "+"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		v := fixed(String(value))
		bound := func(text string) Template {
			b, err := parse(t, text).Bind(anyScope)
			if err != nil {
				t.Fatal(err)
			}
			return b
		}
		path, _ := bound("/a/{{ v }}/b").Append(nil, PlacePath, v)
		segments := strings.Split(string(path), "/")
		if back, err := url.PathUnescape(segments[2]); err != nil || back != value || len(segments) != 4 {
			t.Errorf("path %q: %q, %v", path, back, err)
		}
		query, _ := bound("k={{ v }}&l=1").Append(nil, PlaceQuery, v)
		if keys, err := url.ParseQuery(string(query)); err != nil || len(keys) != 2 || keys.Get("k") != value {
			t.Errorf("query %q: %v, %v", query, keys, err)
		}
		form, _ := bound("k={{ v }}&l=1").Append(nil, PlaceForm, v)
		if keys, err := url.ParseQuery(string(form)); err != nil || len(keys) != 2 || keys.Get("k") != value {
			t.Errorf("form %q: %v, %v", form, keys, err)
		}
		d, err := document(t, `{"k":"{{ v }}","l":"<{{ v }}>","m":1}`).Bind(anyScope)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := d.Append(nil, v)
		var back map[string]any
		want := strings.ToValidUTF8(value, "\ufffd")
		if unread := json.Unmarshal(text, &back); unread != nil || len(back) != 3 {
			t.Errorf("JSON %q: %v", text, unread)
		} else if utf8.ValidString(value) && (back["k"] != want || back["l"] != "<"+want+">") {
			t.Errorf("JSON %q: %q, want %q", text, back, want)
		}
		header, err := bound("x {{ v }}").Append(nil, PlaceHeader, v)
		if clean := !strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }); (err == nil) != clean {
			t.Errorf("header %q: %v", header, err)
		}
	})
}

// FuzzParseTemplate holds that templates are read or refused, and printed as they were written.
func FuzzParseTemplate(f *testing.F) {
	f.Add("a {{ b.c | raw }} d")
	f.Fuzz(func(t *testing.T, text string) {
		parsed, err := ParseTemplate(text)
		if err != nil {
			return
		}
		if parsed.String() != text {
			t.Errorf("%q is told as %q", text, parsed)
		}
		for _, r := range parsed.Refs() {
			if !ValidName(r.Name) || !strings.HasPrefix(text[r.Offset:], "{{") {
				t.Errorf("%q: %+v", text, r)
			}
		}
	})
}
