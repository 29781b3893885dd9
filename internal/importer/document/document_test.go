package document_test

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/traffic-exporter/traffic_exporter/internal/config"
	"github.com/traffic-exporter/traffic_exporter/internal/importer/document"
	"github.com/traffic-exporter/traffic_exporter/internal/script"
)

// parse reads a configuration as the program does, with one environment variable.
func parse(t *testing.T, f document.File) (*config.Config, string) {
	t.Helper()
	text, err := f.Encode()
	if err != nil {
		t.Fatal(err)
	}
	env := func(name string) (string, bool) { return "from-env", name == "SECRET" }
	cfg, err := config.Parse("written.yaml", text, env, nil)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return cfg, string(text)
}

func TestAConfigurationIsWritten(t *testing.T) {
	list := &document.Request{Name: "list", URL: document.Literal("/items"), Status: []int{200}, Capture: []document.Capture{
		{Name: "id", Value: document.One("json", document.String("items.0.id")), Comment: []string{"or another"}},
	}}
	f := document.File{
		Comment: []string{"Written by a test.", "Second line\nwhich: breaks"},
		Data:    []document.Data{{Name: "words", Rows: document.Strings([]string{"one", "yes", "1"}).Content, Random: true}},
		Scenarios: []document.Scenario{{
			Name: "shop", Rate: document.String("1/m"), Poisson: true, TimeZone: "Europe/Berlin", BaseURL: document.Literal("http://shop.example"),
			Headers:   []document.Field{{Name: "Accept", Value: document.Literal("*/*")}, {Name: "X-Key", Value: document.Env("SECRET")}},
			Variables: []document.Variable{{Name: "word", Value: document.One("row", document.String("words")), Comment: []string{"one of those seen"}}},
			Entries: []document.Entry{
				{Name: "visit", Weight: 3, Cookies: true, Comment: []string{"a journey"}, Steps: []document.Step{
					{Request: list},
					{Pause: 1500 * time.Millisecond, PauseTo: 2 * time.Second},
					{Request: &document.Request{
						Name: "add", Method: "POST", URL: document.Join(document.Literal("/items/"), document.Placeholder("id")),
						Query: []document.Field{{Name: "a", Value: document.Literal("1")}, {Name: "a", Value: document.Placeholder("word")}},
						Body:  document.Body{Form: []document.Field{{Name: "n", Value: document.Literal("007")}}},
					}},
					{Request: list},
					{Repeat: &document.Repeat{Name: "row", Data: "words", Steps: []document.Step{{Request: &document.Request{Name: "look", URL: document.Join(document.Literal("/look/"), document.Placeholder("row"))}}}}},
				}},
				{Weight: 1, Request: &document.Request{Name: "upload", Method: "PUT", URL: document.Literal("/file"), Comment: []string{"random"}, Body: document.Body{Random: 100}}},
				{Request: &document.Request{Name: "ask", Method: "POST", URL: document.Literal("/graphql"), Body: document.Body{GraphQL: &document.GraphQL{Query: document.Literal("query Q($a: Int) {user{name}}"), Operation: "Q", Variables: document.One("a", document.Int(1))}}}},
				{Request: &document.Request{Name: "parts", Method: "POST", URL: document.Literal("/parts"), Body: document.Body{Multipart: []document.Part{{Name: "photo", Filename: "a.jpg", Type: "image/jpeg", Text: document.Literal("x")}}}}},
			},
		}},
	}
	_, text := parse(t, f)
	for _, want := range []string{
		"# Written by a test.\n# Second line which: breaks\n",
		"- &list\n", "- *list\n", "- pause: {from: 1500ms, to: 2s}", "# or another\n", "X-Key: '${SECRET}'", `n: "007"`, `rows: [one, yes, "1"]`, `url: "/items/{{ id }}"`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
}

// value returns what a template of the scenario s stands for, with the few variables there are.
func value(t *testing.T, text string) string {
	t.Helper()
	if _, err := script.ParseTemplate(text); err != nil {
		t.Fatalf("%q is no template: %v", text, err)
	}
	known := strings.NewReplacer("{{ x }}", "X", "{{ "+document.BraceName+" }}", "{", "{{ "+document.DollarName+" }}", "$")
	return known.Replace(text)
}

// Whatever a recording holds arrives in the request as it was.
func TestTextsAreReadAsTheyWere(t *testing.T) {
	for _, text := range hardTexts() {
		plain := document.Literal(text)
		cfg, _ := parse(t, oneRequest(&document.Request{Name: "r", Method: "POST", URL: document.Literal("/"), Body: document.Body{Text: &plain}}))
		if sent := string(cfg.Scenarios[0].Requests[0].Body.Bytes()); sent != text {
			t.Errorf("%q is sent as %q", text, sent)
		}
		for _, c := range []struct {
			t    document.Text
			want string
		}{
			{document.Join(plain, document.Placeholder("x"), plain), text + "X" + text},
			{document.Join(plain, document.Env("SECRET"), plain, plain), text + "from-env" + text + text},
		} {
			r := &document.Request{Name: "r", Method: "POST", URL: document.Literal("/"), Body: document.Body{Form: []document.Field{{Name: "f", Value: c.t}}}}
			cfg, yaml := parse(t, oneRequest(r))
			if got := value(t, cfg.Scenarios[0].Requests[0].Body.Form[0].Value.Texts[0].String()); got != c.want {
				t.Errorf("%q is read as %q from\n%s", c.want, got, yaml)
			}
		}
	}
}

func TestJSONKeepsNumbersAndKeys(t *testing.T) {
	const in = `{"z":1.50,"a":[true,null,12345678901234567890,-1e5,"{{ x }}",{}],"yes":"no","n":7}`
	n, err := document.JSON([]byte(in), func(path []string, v string, _ bool) document.Text {
		if strings.Join(path, ".") == "n" {
			return document.Placeholder("x")
		}
		return document.Literal(v)
	})
	if err != nil {
		t.Fatal(err)
	}
	r := &document.Request{Name: "r", Method: "POST", URL: document.Literal("/"), Body: document.Body{JSON: n}}
	cfg, _ := parse(t, oneRequest(r))
	got := value(t, strings.ReplaceAll(cfg.Scenarios[0].Requests[0].Body.JSON.Text, `\"`, `"`))
	if want := strings.Replace(in, `"n":7`, `"n":"X"`, 1); got != want {
		t.Errorf("the body is %s, want %s", got, want)
	}
}

func TestJSONThatCannotBeWrittenIsRefused(t *testing.T) {
	for _, in := range []string{"", "{", `{"a":1}{}`, `{"a":1,"a":2}`, `{"{{ x }}":1}`, `{"${X}":1}`, strings.Repeat("[", 200) + strings.Repeat("]", 200)} {
		if n, err := document.JSON([]byte(in), nil); err == nil {
			t.Errorf("%q is taken as %v", in, n)
		}
	}
}

func FuzzTexts(f *testing.F) {
	for _, text := range hardTexts() {
		f.Add(text, text)
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		if !utf8.ValidString(a) || !utf8.ValidString(b) {
			return
		}
		text := document.Join(document.Literal(a), document.Placeholder("x"), document.Literal(b), document.Env("SECRET"), document.Literal(a), document.Literal(b))
		r := &document.Request{Name: "r", Method: "POST", URL: document.Literal("/"), Comment: []string{a, b}, Body: document.Body{Form: []document.Field{{Name: "f", Value: text}}}}
		file := oneRequest(r)
		file.Comment = []string{b, a}
		cfg, yaml := parse(t, file)
		if got, want := value(t, cfg.Scenarios[0].Requests[0].Body.Form[0].Value.Texts[0].String()), a+"X"+b+"from-env"+a+b; got != want {
			t.Errorf("%q is read as %q from\n%s", want, got, yaml)
		}
	})
}

func hardTexts() []string {
	return []string{
		"", "plain", "yes", "1", "null", "~", "- a", "a: b", "#", "*a", "&a", "!tag", "{a", "[a", "\"q\"", "'q'", "a\nb\n", "\n a", "é€😀", "tab\t", "\x00\x7f",
		"{{ name }}", "{{", "}}", "{{{", "${HOME}", "$${HOME}", "$$", "$", "%", "@", "`", "2026-11-28", "0x10", "1e3", "<<", " lead", "trail ", "\u0085\u2028",
	}
}

func oneRequest(r *document.Request) document.File {
	return document.File{Scenarios: []document.Scenario{{
		Name: "s", Rate: document.String("1/s"), BaseURL: document.Literal("http://a.example"),
		Variables: []document.Variable{{Name: "x", Value: document.One("one_of", document.Strings([]string{"X"}))}},
		Entries:   []document.Entry{{Request: r}},
	}}}
}
