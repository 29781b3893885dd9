package script

import "testing"

func TestSecretsAreHiddenInAllTheirSpellings(t *testing.T) {
	text := func(s string) Source { return Made{Template: Literal(s)} }
	p := compile(t, []Variable{
		{Name: "token", Source: text(`a+b/"c"<d>`)},
		{Name: "token_of_more", Source: text(`a+b/"c"<d>&more`)},
		{Name: "password", Source: text("123")},
		{Name: "secret", Source: OneOf{Options: []Document{document(t, `{"a":["long enough",7],"b":12345}`)}}},
		{Name: "plain", Source: text("nothing to hide")},
	}, Request{})
	j := begin(p, slot(0))
	for i := range 5 {
		if _, err := j.Value(i); err != nil {
			t.Fatal(err)
		}
	}
	for in, want := range map[string]string{
		`x a+b/"c"<d> y`:                  "x <hidden> y",
		`a+b/"c"<d>&more`:                 "<hidden>",
		"a%2Bb%2F%22c%22%3Cd%3E":          "<hidden>",
		`{"t":"a+b/\"c\"<d>"}`:            `{"t":"<hidden>"}`,
		"a+b/&#34;c&#34;&lt;d&gt;":        "<hidden>",
		"Basic YStiLyJjIjxkPg==":          "Basic <hidden>",
		"123, 7 and nothing to hide":      "123, 7 and nothing to hide",
		"it is long enough at 12345":      "it is <hidden> at <hidden>",
		"long+enough and long%20enough":   "<hidden> and <hidden>",
		"what begins like one: a+b/\"c\"": "what begins like one: a+b/\"c\"",
	} {
		if got := j.Hide(in); got != want {
			t.Errorf("%s is shown as %s, want %s", in, got, want)
		}
	}
}
