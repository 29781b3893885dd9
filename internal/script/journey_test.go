package script

import (
	"fmt"
	"math"
	"regexp"
	"strings"
	"testing"
	"time"
)

// story runs a journey to its end and returns it as a line: the requests by their numbers
// and their filled-in templates, and pauses.
func story(t *testing.T, p *Program, s Slot, texts []string, responses ...Response) string {
	t.Helper()
	j := begin(p, s)
	var log []string
	for sent := 0; ; {
		m, err := j.Next()
		if err != nil {
			log = append(log, fmt.Sprintf("%d fails (%v)", m.Request, err))
			j.End()
			continue
		}
		switch m.Kind {
		case MoveEnd:
			return strings.Join(log, ", ")
		case MovePause:
			log = append(log, "waits "+m.Pause.String())
			continue
		default:
		}
		text, err := parse(t, texts[m.Request]).Bind(p.Scope(m.Request))
		if err != nil {
			t.Fatal(err)
		}
		out, err := text.Text(j)
		if err != nil {
			log = append(log, fmt.Sprintf("%d fails (%v)", m.Request, err))
			j.End()
			continue
		}
		log = append(log, fmt.Sprintf("%d %s", m.Request, out))
		var r Response
		if sent < len(responses) {
			r = responses[sent]
		}
		sent++
		switch v := j.Receive(&r); {
		case v.Err != nil && j.GoesOn():
			log = append(log, fmt.Sprintf("goes on (%v)", v.Err))
		case v.Err != nil:
			log = append(log, fmt.Sprintf("ends (%v, without %v)", v.Err, j.Rest()))
			j.End()
		case v.End:
			log = append(log, fmt.Sprintf("is done (without %v)", j.Rest()))
			j.End()
		}
	}
}

func body(text string) Response { return Response{Body: text} }

func TestJourneys(t *testing.T) {
	list := Capture{Name: "list", Part: Part{JSON: "items"}}
	id := Capture{Name: "id", Part: Part{JSON: "id"}}
	five := 5.0
	for _, tc := range []struct {
		name      string
		variables []Variable
		steps     []Step
		texts     []string
		responses []Response
		want      string
	}{
		{
			name:  "requests and pauses follow one another",
			steps: []Step{Request{}, Pause{From: time.Second, To: time.Second}, Request{}},
			texts: []string{"a", "b"},
			want:  "0 a, waits 1s, 1 b",
		},
		{
			name:      "a captured value is used later, and the latest counts",
			steps:     []Step{Request{Captures: []Capture{id}}, Request{Captures: []Capture{id}}, Request{}},
			texts:     []string{"a", "b {{ id }}", "c {{ id }}"},
			responses: []Response{body(`{"id":1}`), body(`{"id":"x"}`)},
			want:      "0 a, 1 b 1, 2 c x",
		},
		{
			name:      "what is missing fails",
			steps:     []Step{Request{Captures: []Capture{id}}, Request{}, Choose{Options: []Option{{1, []Step{Request{}}}}}, Repeat{From: 2, To: 2, Steps: []Step{Request{}}}},
			texts:     []string{"a", "b", "c", "d"},
			responses: []Response{body(`{}`)},
			want:      "0 a, ends (capture id: the response does not hold it, without [1 3])",
		},
		{
			name:      "JSON that is nested without an end is none",
			steps:     []Step{Request{Captures: []Capture{id}}, Request{}},
			texts:     []string{"a", "b"},
			responses: []Response{body(strings.Repeat("[", 10_000_000))},
			want:      "0 a, ends (capture id: the response does not hold it, without [1])",
		},
		{
			name:      "or ends the journey well",
			steps:     []Step{Request{Captures: []Capture{{Name: "id", Part: id.Part, OrEnd: true}}}, Request{}},
			texts:     []string{"a", "b"},
			responses: []Response{body(`no JSON`)},
			want:      "0 a, is done (without [1])",
		},
		{
			name:      "or is lived with",
			steps:     []Step{Request{Captures: []Capture{id}, GoesOn: true}, Request{}},
			texts:     []string{"a", "b"},
			responses: []Response{body(`{}`)},
			want:      "0 a, goes on (capture id: the response does not hold it), 1 b",
		},
		{
			name:      "a check that does not hold ends it",
			steps:     []Step{Request{Checks: []Check{{Name: "json n", Part: Part{JSON: "n"}, AtLeast: &five}}}, Request{}},
			texts:     []string{"a", "b"},
			responses: []Response{body(`{"n":4.5}`)},
			want:      `0 a, ends (json n: "4.5" is less than 5, without [1])`,
		},
		{
			name:      "each element of a captured list",
			steps:     []Step{Request{Captures: []Capture{list}}, Repeat{All: true, Each: []Each{{Name: "item", List: "list"}}, Steps: []Step{Request{}}}},
			texts:     []string{"a", "b {{ item.n }}"},
			responses: []Response{body(`{"items":[{"n":1},{"n":2},{"n":3}]}`)},
			want:      "0 a, 1 b 1, 1 b 2, 1 b 3",
		},
		{
			name:      "in turn, from the begin again",
			steps:     []Step{Request{Captures: []Capture{list}}, Repeat{From: 3, To: 3, Each: []Each{{Name: "item", List: "list"}}, Steps: []Step{Request{}}}},
			texts:     []string{"a", "b {{ item }}"},
			responses: []Response{body(`{"items":["x","y"]}`)},
			want:      "0 a, 1 b x, 1 b y, 1 b x",
		},
		{
			name:      "a loop over no list fails as its first request",
			steps:     []Step{Request{Captures: []Capture{list}}, Repeat{All: true, Each: []Each{{Name: "item", List: "list"}}, Steps: []Step{Request{}}}},
			texts:     []string{"a", "b"},
			responses: []Response{body(`{"items":{}}`)},
			want:      `0 a, 1 fails (repeat over "list": its value is no list, or an empty one)`,
		},
		{
			name:  "loops within loops",
			steps: []Step{Repeat{From: 2, To: 2, Steps: []Step{Request{}, Repeat{From: 2, To: 2, Steps: []Step{Request{}}}}}},
			texts: []string{"a", "b"},
			want:  "0 a, 1 b, 1 b, 0 a, 1 b, 1 b",
		},
		{
			name:  "a loop without turns",
			steps: []Step{Repeat{From: 0, To: 0, Steps: []Step{Request{}}}, Request{}},
			texts: []string{"a", "b"},
			want:  "1 b",
		},
		{
			name:  "one of several, by weight",
			steps: []Step{Choose{Options: []Option{{0, []Step{Request{}}}, {5, []Step{Request{}}}, {0, nil}}}, Request{}},
			texts: []string{"a", "b", "c"},
			want:  "1 b, 2 c",
		},
		{
			name:      "variables of the slot stay, those of a step are drawn each time",
			variables: []Variable{{"v", IntRange{From: 0, To: 999}}},
			steps:     []Step{Repeat{From: 2, To: 2, Steps: []Step{Request{Variables: []Variable{{"w", IntRange{From: 0, To: 999}}}}}}},
			texts:     []string{"{{ v }} {{ w }}"},
			want:      "0 183 161, 0 183 949",
		},
		{
			name:  "what is used before it is captured fails",
			steps: []Step{Choose{Options: []Option{{1, []Step{Request{}}}, {0, []Step{Request{Captures: []Capture{id}}}}}}, Request{}},
			texts: []string{"a", "b", "c {{ id }}"},
			want:  "0 a, 2 fails ({{ id }}: nothing was captured under this name yet)",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := compile(t, tc.variables, tc.steps...)
			got := story(t, p, slot(7), tc.texts, tc.responses...)
			if got != tc.want {
				t.Errorf("%s\nwant %s", got, tc.want)
			}
			if again := story(t, p, slot(7), tc.texts, tc.responses...); again != got {
				t.Errorf("and then %s", again)
			}
		})
	}
}

func TestCaptures(t *testing.T) {
	r := Response{
		Fields: []Field{
			{"Location", "https://x/cb?code=a%20b&state=1"},
			{"set-cookie", "csrf=one; Path=/"},
			{"Set-Cookie", "csrf=two"},
			{"Set-Cookie", "gone=x; Max-Age=0"},
			{"X-Many", "1"},
			{"X-Many", "2"},
		},
		Body: `{"a":[1,"two",{"b":3}],"html":"&lt;a&amp;b&gt;","deep":{"list":[{"id":1},{"id":2}]}}`,
	}
	code := regexp.MustCompile(`code=([^&]+)`)
	for _, tc := range []struct {
		name    string
		capture Capture
		want    string // as JSON, or the error
	}{
		{"a path", Capture{Part: Part{JSON: "a.1"}}, `"two"`},
		{"a list as it is", Capture{Part: Part{JSON: "a"}}, `[1,"two",{"b":3}]`},
		{"its first element", Capture{Part: Part{JSON: "a"}, Pick: PickFirst}, `1`},
		{"its last element", Capture{Part: Part{JSON: "a"}, Pick: PickLast}, `{"b":3}`},
		{"all that match", Capture{Part: Part{JSON: "deep.list.#.id"}, Pick: PickAll}, `[1,2]`},
		{"a header", Capture{Part: Part{Header: "location"}}, `"https://x/cb?code=a%20b&state=1"`},
		{"a group in a header", Capture{Part: Part{Header: "Location"}, Regex: code}, `"a%20b"`},
		{"the last of several headers", Capture{Part: Part{Header: "x-many"}, Pick: PickLast}, `"2"`},
		{"all of them", Capture{Part: Part{Header: "x-many"}, Pick: PickAll}, `["1","2"]`},
		{"a cookie, the last one", Capture{Part: Part{Cookie: "csrf"}}, `"two"`},
		{"a cookie that is deleted is there", Capture{Part: Part{Cookie: "gone"}}, errNothing.Error()},
		{"a regular expression in the body", Capture{Regex: regexp.MustCompile(`"id":\d`), Pick: PickLast}, `"\"id\":2"`},
		{"all matches", Capture{Regex: regexp.MustCompile(`"id":(\d)`), Pick: PickAll}, `["1","2"]`},
		{"unescaped", Capture{Part: Part{JSON: "html"}, UnescapeHTML: true}, `"<a&b>"`},
		{"nothing at a path", Capture{Part: Part{JSON: "b"}}, errNothing.Error()},
		{"no such header", Capture{Part: Part{Header: "X"}}, errNothing.Error()},
		{"no such cookie", Capture{Part: Part{Cookie: "X"}}, errNothing.Error()},
		{"no match", Capture{Regex: regexp.MustCompile(`zzz`)}, errNothing.Error()},
		{"all of nothing", Capture{Part: Part{Header: "X"}, Pick: PickAll}, errNothing.Error()},
	} {
		s := newStream(1, 2, 3)
		response := r
		v, err := tc.capture.extract(&response, &s)
		got := string(v.AppendJSON(nil))
		if err != nil {
			got = err.Error()
		}
		if got != tc.want {
			t.Errorf("%s: %s, want %s", tc.name, got, tc.want)
		}
	}
}

func TestAStandInIsCapturedWhateverTheResponseHas(t *testing.T) {
	for _, pick := range []Pick{PickWhole, PickAll, PickRandom} {
		c := Capture{Part: Part{JSON: "items"}, Pick: pick, OrEnd: true, StandIn: "1"}
		s, r := newStream(5, 6, 7), body("")
		v, err := c.extract(&r, &s)
		if err != nil || !c.finds(&r) {
			t.Fatalf("nothing is captured: %v", err)
		}
		field, found := v.Field("any.0.thing")
		elements, isList := v.List()
		if v.Text != "1" || !found || field != v || !isList || len(elements) != 1 || elements[0] != v || string(v.AppendJSON(nil)) != `"1"` {
			t.Errorf("captured %+v, field %+v, elements %+v", v, field, elements)
		}
	}
}

func TestARandomPickIsEachElementInItsTurn(t *testing.T) {
	c := Capture{Part: Part{JSON: "@this"}, Pick: PickRandom}
	seen := map[string]int{}
	for n := range uint32(3000) {
		s := newStream(5, 6, n)
		r := body(`["a","b","c"]`)
		v, err := c.extract(&r, &s)
		if err != nil {
			t.Fatal(err)
		}
		seen[v.Text]++
	}
	for _, key := range []string{"a", "b", "c"} {
		if seen[key] < 850 || seen[key] > 1150 {
			t.Errorf("%q is picked %d times of 3000", key, seen[key])
		}
	}
}

func TestWhatAJourneyKeepsIsBounded(t *testing.T) {
	large := Response{Body: strings.Repeat("x", maxKept/2+1)}
	first, second := Capture{Name: "a"}, Capture{Name: "b"}
	p := compile(t, nil, Repeat{From: 3, To: 3, Steps: []Step{Request{Captures: []Capture{first}}}}, Request{Captures: []Capture{second}})
	// The same name again replaces what it held.
	got := story(t, p, slot(0), []string{"a", "b"}, large, large, large, large)
	if want := "0 a, 0 a, 0 a, 1 b, ends (capture b: " + errTooLarge.Error() + ", without [])"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestChecks(t *testing.T) {
	yes, no := true, false
	two, ten := 2.0, 10.0
	doc := func(text string) *Document { d := document(t, text); return &d }
	text := func(s string) *Template { p := parse(t, s); return &p }
	r := Response{
		Fields: []Field{{"Content-Type", "text/html"}, {"Via", "a"}, {"Via", "b"}, {"Set-Cookie", "s=1"}},
		Body:   `{"n":3,"s":"three","b":true,"z":null,"l":[1,2],"o":{"k":1.0},"e":[]}`,
	}
	for _, tc := range []struct {
		check Check
		want  string
	}{
		{Check{Part: Part{JSON: "n"}, Equals: doc("3")}, ""},
		{Check{Part: Part{JSON: "n"}, Equals: doc("3.0")}, ""},
		{Check{Part: Part{JSON: "n"}, Equals: doc(`"3"`)}, `x: found 3, expected "3"`},
		{Check{Part: Part{JSON: "s"}, Equals: doc(`"three"`)}, ""},
		{Check{Part: Part{JSON: "b"}, Equals: doc("true")}, ""},
		{Check{Part: Part{JSON: "z"}, Equals: doc("null")}, ""},
		{Check{Part: Part{JSON: "l"}, Equals: doc("[1,2]")}, ""},
		{Check{Part: Part{JSON: "l"}, Equals: doc("[1, 2.0]")}, ""},
		{Check{Part: Part{JSON: "l"}, Equals: doc("[2,1]")}, `x: found [1,2], expected [2,1]`},
		{Check{Part: Part{JSON: "l"}, Not: doc("[1]")}, ""},
		{Check{Part: Part{JSON: "o"}, Equals: doc(`{"k": 1}`)}, ""},
		{Check{Part: Part{JSON: "o"}, Equals: doc(`{"j":1}`)}, `x: found {"k":1.0}, expected {"j":1}`},
		{Check{Part: Part{JSON: "o"}, Equals: doc(`{"k":"1.0"}`)}, `x: found {"k":1.0}, expected {"k":"1.0"}`},
		{Check{Part: Part{JSON: "o"}, Equals: doc(`{"k":1,"l":2}`)}, `x: found {"k":1.0}, expected {"k":1,"l":2}`},
		{Check{Part: Part{JSON: "e"}, Equals: doc(`{}`)}, `x: found [], expected {}`},
		{Check{Part: Part{JSON: "@this|@pretty"}, Equals: doc(`{"s":"three","n":3,"e":[],"b":true,"o":{"k":1},"z":null,"l":[1,2]}`)}, ""},
		{Check{Part: Part{JSON: "z"}, Equals: doc("false")}, `x: found null, expected false`},
		{Check{Part: Part{JSON: "l.#"}, AtLeast: &two, AtMost: &ten}, ""},
		{Check{Part: Part{JSON: "l.#"}, AtLeast: &ten}, `x: "2" is less than 10`},
		{Check{Part: Part{JSON: "s"}, AtMost: &ten}, `x: "three" is no number`},
		{Check{Part: Part{JSON: "q"}, Exists: &no}, ""},
		{Check{Part: Part{JSON: "q"}, Exists: &yes}, "x: found nothing"},
		{Check{Part: Part{JSON: "n"}, Exists: &no}, "x: found it"},
		{Check{Part: Part{JSON: "q"}, Equals: doc("1")}, "x: found nothing"},
		{Check{Part: Part{JSON: "q"}, Not: doc("1")}, ""},
		{Check{Part: Part{JSON: "n"}, Not: doc("3")}, `x: found 3`},
		{Check{Part: Part{JSON: "n"}, OneOf: []Document{*doc("1"), *doc("3")}}, ""},
		{Check{Part: Part{JSON: "n"}, OneOf: []Document{*doc("1"), *doc("2")}}, `x: found 3, which is none of those expected`},
		{Check{Part: Part{Header: "content-type"}, Contains: text("html")}, ""},
		{Check{Part: Part{Header: "content-type"}, Contains: text("json")}, `x: "text/html" does not contain "json"`},
		{Check{Part: Part{Header: "content-type"}, NotContains: text("html")}, `x: "text/html" contains "html"`},
		{Check{Part: Part{Header: "via"}, Equals: doc(`"b"`)}, ""},
		{Check{Part: Part{Header: "via"}, NotContains: text("b")}, `x: "b" contains "b"`},
		{Check{Part: Part{Header: "via"}, Matches: regexp.MustCompile("^[ab]$")}, ""},
		{Check{Part: Part{Cookie: "s"}, Equals: doc("1")}, ""},
		{Check{Part: Part{Cookie: "t"}, Exists: &yes}, "x: found nothing"},
		{Check{Contains: text(`"n":3`)}, ""},
		{Check{Size: true, AtMost: &ten}, `x: "68 bytes" is more than 10`},
		{Check{Size: true, AtLeast: &ten}, ""},
	} {
		tc.check.Name = "x"
		response := r
		err := tc.check.failure(&response, fixed{})
		if got := fmt.Sprint(err); err == nil && tc.want != "" || err != nil && got != tc.want {
			t.Errorf("%+v: %v, want %q", tc.check, err, tc.want)
		}
	}
	broken := Check{Name: "x", Part: Part{JSON: "a"}, Exists: &no}
	if err := broken.failure(&Response{Body: `{"a":`}, fixed{}); err != nil {
		t.Errorf("a body that is no JSON has no value: %v", err)
	}
}

func TestPausesHaveTheirMean(t *testing.T) {
	const n = 50_000
	for _, tc := range []struct {
		pause Pause
		mean  time.Duration
		most  time.Duration
	}{
		{Pause{From: time.Second, To: 3 * time.Second}, 2 * time.Second, 3 * time.Second},
		{Pause{Mean: time.Second}, time.Second, maxPause * time.Second},
	} {
		p := compile(t, nil, tc.pause, Request{})
		var sum time.Duration
		j := new(Journey)
		for seq := range uint64(n) {
			p.Begin(j, slot(seq))
			m, _ := j.Next()
			if m.Pause > tc.most || m.Pause < tc.pause.From {
				t.Fatalf("%+v: %v", tc.pause, m.Pause)
			}
			sum += m.Pause
		}
		if mean := sum / n; math.Abs(float64(mean-tc.mean)) > 0.02*float64(tc.mean) {
			t.Errorf("%+v: mean %v, want %v", tc.pause, mean, tc.mean)
		}
	}
}

func TestUnknownNamesAreRefused(t *testing.T) {
	for name, steps := range map[string][]Step{
		"a check": {Request{Checks: []Check{{Name: "x", Contains: func() *Template { p := parse(t, "{{ nobody }}"); return &p }()}}}},
		"a loop":  {Repeat{From: 1, To: 1, Each: []Each{{Name: "e", List: "nobody"}}, Steps: []Step{Request{}}}},
		"a step":  {Request{Variables: []Variable{{"v", Made{parse(t, "{{ nobody }}")}}}}},
	} {
		if _, err := Compile(nil, steps); err == nil || !strings.Contains(err.Error(), `unknown name "nobody"`) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCirclesAreNotFollowed(t *testing.T) {
	p := compile(t, []Variable{{"a", Made{parse(t, "{{ b }}")}}, {"b", Made{parse(t, "{{ a }}")}}}, Request{})
	if _, err := begin(p, slot(0)).Value(0); err == nil || !strings.Contains(err.Error(), errCircle.Error()) {
		t.Errorf("%v", err)
	}
}

func BenchmarkCapture(b *testing.B) {
	text := `{"token":"abc","padding":"` + strings.Repeat("x", 900) + `","items":[1,2,3],"id":"0123456789"}`
	p := compile(b, nil, Request{Captures: []Capture{{Name: "id", Part: Part{JSON: "id"}}}})
	j := begin(p, slot(0))
	_, _ = j.Next()
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		r := Response{Body: text}
		if v := j.Receive(&r); v.Err != nil {
			b.Fatal(v.Err)
		}
	}
}

func TestAJourneyIsGivenWhatItsSessionHas(t *testing.T) {
	p, err := Compile([]Variable{{Name: "user", Source: Sequence{}}, {Name: "access", Source: Given{}}}, []Step{Request{}})
	if err != nil {
		t.Fatal(err)
	}
	at, ok := p.Lookup("access")
	if _, unknown := p.Lookup("nothing"); !ok || unknown {
		t.Errorf("access is known: %v, nothing is: %v", ok, unknown)
	}
	var j Journey
	p.Begin(&j, Slot{Seq: 7})
	if v, err := j.Value(at); err == nil {
		t.Errorf("it is %v before it is given", v)
	}
	j.Give(at, String("x"))
	if v, err := j.Value(at); err != nil || v != String("x") {
		t.Errorf("it is %v, %v", v, err)
	}
	secrets := map[string]bool{}
	j.Each(func(name string, _ Value, secret bool) { secrets[name] = secret })
	if !secrets["access"] {
		t.Error("what a session has is shown")
	}
	p.Begin(&j, Slot{Seq: 8})
	if v, err := j.Value(at); err == nil {
		t.Errorf("it is %v in the next journey", v)
	}
}
