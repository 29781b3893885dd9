package httpreq

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/uri"
	"github.com/traffic-exporter/traffic_exporter/internal/script"
)

// named are the values of templates by the numbers that names gives them.
type named []script.Value

func (n named) Value(i int) (script.Value, error) { return n[i], nil }
func (named) Slot() script.Slot                   { return script.Slot{Hash: 42} }

// names knows a, b and c.
func names(name string) (int, bool) { return int(name[0] - 'a'), len(name) == 1 && name[0] <= 'c' }

// template returns a bound template.
func template(tb testing.TB, text string) script.Template {
	tb.Helper()
	t, err := script.ParseTemplate(text)
	if err == nil {
		t, err = t.Bind(names)
	}
	if err != nil {
		tb.Fatal(err)
	}
	return t
}

func jsonDocument(tb testing.TB, text string) script.Document {
	tb.Helper()
	d, err := script.ParseDocument(text)
	if err == nil {
		d, err = d.Bind(names)
	}
	if err != nil {
		tb.Fatal(err)
	}
	return d
}

func address(tb testing.TB, text string) uri.URI {
	tb.Helper()
	u, err := uri.Parse(text)
	if err != nil {
		tb.Fatal(err)
	}
	return u
}

// draftTo returns a draft with a path and a query.
func draftTo(tb testing.TB, path, query string) Draft {
	tb.Helper()
	success, err := NewStatuses(StatusRange{First: 200, Last: 299})
	if err != nil {
		tb.Fatal(err)
	}
	return Draft{
		Entry: Entry{URL: address(tb, "http://example.org:8080/"), Expect: success},
		Path:  template(tb, path), Query: template(tb, query), HasQuery: query != "",
	}
}

// try compiles a draft and renders it, twice to the same place.
func try(tb testing.TB, d *Draft, v named) (*Prepared, error) {
	tb.Helper()
	if err := d.Compile(); err != nil {
		tb.Fatal(err)
	}
	var r Rendered
	first := d.Render(&r, v, nil)
	before := string(r.Body) + r.URL.String()
	if err := d.Render(&r, v, nil); (err == nil) != (first == nil) || before != string(r.Body)+r.URL.String() {
		tb.Errorf("the second time: %v and %q, the first time %v and %q", err, string(r.Body)+r.URL.String(), first, before)
	}
	return &r.Prepared, first
}

func rendered(tb testing.TB, d *Draft, v named) *Prepared {
	tb.Helper()
	p, err := try(tb, d, v)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

func TestDraftsAreRendered(t *testing.T) {
	v := named{script.String("x y/z"), script.Int(7), script.FromJSON(`{"k":[1,2]}`)}
	form := FormBody{
		{Name: "a b", Value: template(t, "{{ a }}&c")},
		{Name: "j", JSON: func() *script.Document { d := jsonDocument(t, `"{{ c }}"`); return &d }()},
	}
	for _, tc := range []struct {
		name   string
		change func(*Draft)
		want   string // method, URL, fields and body by line
	}{
		{"nothing more", func(*Draft) {}, "GET http://example.org:8080/p/x%20y%2Fz?n=7\n"},
		{"a field that varies", func(d *Draft) {
			d.Fields = []protocol.Field{{Name: "X-Fixed", Value: "1"}}
			d.Varying = []VaryingField{{Name: "X-A", Value: template(t, "<{{ a }}>")}}
		}, "GET http://example.org:8080/p/x%20y%2Fz?n=7\nX-Fixed: 1\nX-A: <x y/z>\n"},
		{"JSON", func(d *Draft) {
			d.Method, d.Body = http.MethodPost, JSONBody{Document: jsonDocument(t, `{"a":"{{ a }}","b":"{{ b }}","c":"{{ c.k }}"}`)}
		}, "POST http://example.org:8080/p/x%20y%2Fz?n=7\nContent-Length: 33\n\n" + `{"a":"x y/z","b":7,"c":[1,2]}` + ""},
		{"JSON with changes", func(d *Draft) {
			d.Body = JSONBody{Document: jsonDocument(t, `"{{ c }}"`), Set: []SetField{{"k.0", jsonDocument(t, `"{{ a }}"`)}, {"n", jsonDocument(t, `{"b":"{{ b }}"}`)}}}
		}, "GET http://example.org:8080/p/x%20y%2Fz?n=7\nContent-Length: 31\n\n" + `{"k":["x y/z",2],"n":{"b":7}}`},
		{
			"a form", func(d *Draft) { d.Method, d.Body = http.MethodPost, form },
			"POST http://example.org:8080/p/x%20y%2Fz?n=7\nContent-Length: 49\n\na+b=x+y%2Fz%26c&j=%7B%22k%22%3A%5B1%2C2%5D%7D",
		},
		{"basic authentication", func(d *Draft) {
			d.Auth = &DraftAuth{Basic: true, User: template(t, "{{ b }}"), PasswordFile: func() string { return "pw" }}
		}, "GET http://example.org:8080/p/x%20y%2Fz?n=7\nAuthorization: Basic Nzpwdw==\n"},
		{"a token", func(d *Draft) {
			d.Auth = &DraftAuth{Scheme: "Bearer", Credentials: template(t, "t{{ b }}")}
		}, "GET http://example.org:8080/p/x%20y%2Fz?n=7\nAuthorization: Bearer t7\n"},
		{
			"text", func(d *Draft) { d.Body = TextBody{Template: template(t, "<{{ a }}>")} },
			"GET http://example.org:8080/p/x%20y%2Fz?n=7\nContent-Length: 7\n\n<x y/z>",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := draftTo(t, "/p/{{ a }}", "n={{ b }}")
			tc.change(&d)
			p := rendered(t, &d, v)
			var b strings.Builder
			b.WriteString(p.Method + " " + p.URL.String() + "\n")
			for _, f := range p.Fields {
				b.WriteString(f.Name + ": " + f.Value + "\n")
			}
			if len(p.Body) > 0 {
				b.WriteString("\n" + string(p.Body))
			}
			if got := withoutLength(b.String()); got != withoutLength(tc.want) {
				t.Errorf("%s\nwant %s", got, tc.want)
			}
			for _, f := range p.Fields {
				if f.Name == "Authorization" && !f.Secret || f.Name == "Authorization" && !p.Authorized {
					t.Error("the credential is no secret, or another one follows")
				}
			}
		})
	}
}

// withoutLength leaves the length out, which the length of the body says.
func withoutLength(text string) string {
	head, body, _ := strings.Cut(text, "\n\n")
	var lines []string
	for line := range strings.SplitSeq(head, "\n") {
		if !strings.HasPrefix(line, "Content-Length: ") {
			lines = append(lines, line)
		}
	}
	return strings.TrimSpace(strings.Join(lines, "\n") + "\n\n" + body)
}

func TestAURLThatATargetSentLeadsToNamedOriginsOnly(t *testing.T) {
	for _, tc := range []struct{ location, want string }{
		{"http://example.org:8080/next?x=1", "http://example.org:8080/next?x=1&n=7"},
		{"/login?execution=1&tab=a%20b", "http://example.org:8080/login?execution=1&tab=a%20b&n=7"},
		{"https://friend.example/", "https://friend.example/?n=7"},
		{"//friend.example/", ""},
		{"http://evil.example/", ""},
		{"http://example.org/", ""},
		{"http://example.org:8080@evil.example/", ""},
		{"https://example.org:8080/", ""},
		{"javascript:alert(1)", ""},
		{"http://friend.example:443/", ""},
	} {
		d := draftTo(t, "/", "n={{ b }}")
		whole := template(t, "{{ a }}")
		d.Whole, d.Allowed = &whole, []string{"http://example.org:8080", "https://friend.example:443"}
		p, err := try(t, &d, named{script.String(tc.location), script.Int(7)})
		if tc.want == "" {
			if err == nil {
				t.Errorf("%q leads to %s", tc.location, p.URL)
			}
			continue
		}
		if err != nil || p.URL.String() != tc.want || p.Authority != p.URL.Authority() {
			t.Errorf("%q: %v, %v, want %s", tc.location, p, err, tc.want)
		}
	}
	d := draftTo(t, "/", "")
	whole := template(t, "{{ a }}")
	d.Whole = &whole
	if _, err := try(t, &d, named{script.String("http://evil.example/")}); !errors.Is(err, ErrOrigin) {
		t.Errorf("%v, want %v", err, ErrOrigin)
	}
}

// oneCookie is a Jar.
type oneCookie struct{}

func (oneCookie) SetCookies(uri.URI, []protocol.Field) {}
func (oneCookie) Cookies(uri.URI) string               { return "sid=1" }

func TestCookiesAreInOneField(t *testing.T) {
	for _, own := range []string{"", "theme=dark"} {
		d := draftTo(t, "/", "")
		want := "sid=1"
		if own != "" {
			d.Fields = []protocol.Field{{Name: "cookie", Value: own}}
			want = own + "; sid=1"
		}
		if err := d.Compile(); err != nil {
			t.Fatal(err)
		}
		var r Rendered
		for range 2 { // What the draft has itself must not grow.
			if err := d.Render(&r, named{}, oneCookie{}); err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range r.Fields {
				if isCookie(f) {
					got = append(got, f.Value)
				}
			}
			if len(got) != 1 || got[0] != want {
				t.Errorf("cookies %q, want %q", got, want)
			}
		}
	}
}

func TestAValueCannotLeaveItsSegment(t *testing.T) {
	for path, values := range map[string][]string{
		"/a/{{ a }}/b":    {".", ".."},
		"/a/.{{ a }}/b":   {".", ""},
		"/{{ a }}{{ b }}": {"."},
	} {
		for _, value := range values {
			d := draftTo(t, path, "")
			if p, err := try(t, &d, named{script.String(value), script.String(value)}); err == nil {
				t.Errorf("%s with %q leads to %s", path, value, p.URL)
			}
		}
	}
	d := draftTo(t, "/a/../b", "") // What the file says itself is its own affair.
	if _, err := try(t, &d, named{}); err != nil {
		t.Error(err)
	}
}

func TestDotSegments(t *testing.T) {
	for path, want := range map[string]bool{
		"/": false, "/a/b": false, "/.": true, "/..": true, "/../": true, "/a/./b": true, "/a/%2e%2E/b": true, "/a/.%2e": true,
		"/...": false, "/.a": false, "/a.": false, "/..;x=1/b": true, "/a;..": false, "//": false, "/%2": false, "/%2e": true, "/a%2e": false,
	} {
		if got := hasDotSegment([]byte(path)); got != want {
			t.Errorf("%s: %t, want %t", path, got, want)
		}
	}
}

// FuzzDraft holds that whatever values are, a request has the structure that the file gave it.
func FuzzDraft(f *testing.F) {
	for _, seed := range []string{"x", "a b&c=d", "\r\nX: y", "../../", "%2e", "{{ b }}", `"},{"`, "----boundary", "\x00\xff"} {
		f.Add(seed, seed)
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		v := named{script.String(a), script.String(b)}
		d := draftTo(t, "/p/{{ a }}/q/{{ b }}", "x={{ a }}&y={{ b }}")
		d.Method = http.MethodPost
		d.Varying = []VaryingField{{Name: "X-A", Value: template(t, "v {{ a }}")}}
		d.Body = JSONBody{Document: jsonDocument(t, `{"a":"{{ a }}","b":["{{ b }}"]}`)}
		p, err := try(t, &d, v)
		if err != nil {
			return
		}
		u, err := url.ParseRequestURI(p.URL.Target)
		if err != nil || p.URL.Addr() != "example.org:8080" {
			t.Fatalf("target %q: %v", p.URL.Target, err)
		}
		if segments := strings.Split(u.EscapedPath(), "/"); len(segments) != 5 {
			t.Errorf("path %q", u.EscapedPath())
		}
		if q, err := url.ParseQuery(u.RawQuery); err != nil || len(q) != 2 || q.Get("x") != a || q.Get("y") != b {
			t.Errorf("query %q: %v", u.RawQuery, err)
		}
		var body struct {
			A string
			B []string
		}
		decoder := json.NewDecoder(strings.NewReader(string(p.Body)))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&body); err != nil || len(body.B) != 1 {
			t.Errorf("body %q: %v", p.Body, err)
		}
		for _, field := range p.Fields {
			if strings.ContainsAny(field.Value, "\r\n\x00") {
				t.Errorf("header %q: %q", field.Name, field.Value)
			}
		}
		if len(p.Fields) != 2 {
			t.Errorf("fields %v", p.Fields)
		}
	})
}

func TestMultipartIsReadAsItWasMeant(t *testing.T) {
	body := MultipartBody{Boundary: "b", Parts: []Part{
		{Name: `na"me`, Text: template(t, "{{ a }}")},
		{Name: "file", File: &FileBody{Content: func() string { return "content\r\n" }}, FileName: "a.txt", Type: "text/plain"},
	}}
	out, err := body.Append(nil, named{script.String("x y")})
	if err != nil {
		t.Fatal(err)
	}
	_, params, err := mime.ParseMediaType("multipart/form-data; boundary=" + body.Boundary)
	if err != nil {
		t.Fatal(err)
	}
	r := multipart.NewReader(strings.NewReader(string(out)), params["boundary"])
	for _, want := range []struct{ name, file, typ, content string }{
		{"na%22me", "", "", "x y"}, {"file", "a.txt", "text/plain", "content\r\n"},
	} {
		part, err := r.NextPart()
		if err != nil {
			t.Fatal(err)
		}
		content, _ := io.ReadAll(part)
		if part.FormName() != want.name || part.FileName() != want.file || part.Header.Get("Content-Type") != want.typ || string(content) != want.content {
			t.Errorf("part %q, file %q, %q: %q, want %+v", part.FormName(), part.FileName(), part.Header, content, want)
		}
	}
	if _, err := r.NextPart(); !errors.Is(err, io.EOF) {
		t.Errorf("after the last part: %v", err)
	}
	if _, err := body.Append(nil, named{script.String("--b--")}); !errors.Is(err, errBoundary) {
		t.Errorf("a part with the boundary: %v", err)
	}
}

func TestRandomBodiesAreGenerated(t *testing.T) {
	d := draftTo(t, "/upload", "")
	d.Method, d.Random = "POST", 1<<40
	if err := d.Compile(); err != nil {
		t.Fatal(err)
	}
	var r Rendered
	if err := d.Render(&r, named{}, nil); err != nil {
		t.Fatal(err)
	}
	last := protocol.Field{Name: "Content-Length", Value: "1099511627776"}
	if len(r.Body) > 0 || r.Generated() != 1<<40 || r.Fields[len(r.Fields)-1] != last {
		t.Errorf("%d bytes are held, %d generated, fields %v", len(r.Body), r.Generated(), r.Fields)
	}
}

// typical is a draft with two values at four places, and the values.
func typical(tb testing.TB) (*Draft, script.Values) {
	tb.Helper()
	d := draftTo(tb, "/item/{{ a }}", "n={{ b }}")
	d.Body = JSONBody{Document: jsonDocument(tb, `{"a":"{{ a }}","b":"{{ b }}","text":"some text that does not vary"}`)}
	if err := d.Compile(); err != nil {
		tb.Fatal(err)
	}
	return &d, named{script.String("0PUK6V6EV0"), script.Int(7)}
}

func TestARequestIsRenderedWithOneAllocation(t *testing.T) {
	d, v := typical(t)
	var r Rendered
	if n := testing.AllocsPerRun(100, func() { _ = d.Render(&r, v, nil) }); n > 1 {
		t.Errorf("%v allocations, want 1", n)
	}
}

func BenchmarkRender(b *testing.B) {
	d, v := typical(b)
	b.ReportAllocs()
	var r Rendered
	for b.Loop() {
		if err := d.Render(&r, v, nil); err != nil {
			b.Fatal(err)
		}
	}
}
