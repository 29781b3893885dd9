package script

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"
)

// conversation runs the exchange of the only request of a program, whose other side sends messages,
// and returns it as a line.
func conversation(t *testing.T, p *Program, messages ...string) string {
	t.Helper()
	j := begin(p, Slot{Hash: 1, Due: time.Unix(1, 0)})
	if _, err := j.Next(); err != nil {
		t.Fatal(err)
	}
	var talk Talk
	j.Talk(&talk, 0)
	var log []string
	for {
		say, err := talk.Next()
		if err != nil {
			return strings.Join(append(log, "fails: "+err.Error()), ", ")
		}
		switch say.Kind {
		case SayEnd:
			return strings.Join(log, ", ")
		case SayMessage:
			log = append(log, fmt.Sprintf("says %s", say.Data))
			if say.Binary {
				log[len(log)-1] += " in bytes"
			}
		case SayPause:
			log = append(log, "waits "+say.For.String())
		case SayPing:
			log = append(log, "pings for "+say.For.String())
		case SayClosing:
			log = append(log, "is to be closed within "+say.For.String())
		case SayWait:
			heard, err := listen(&talk, &messages)
			if err != nil {
				return strings.Join(append(log, "fails: "+err.Error()), ", ")
			}
			if !heard {
				err := talk.Missed()
				check, _ := talk.Failed()
				return strings.Join(append(log, fmt.Sprintf("misses %d: %v", check, err)), ", ")
			}
			log = append(log, "hears")
		}
	}
}

// listen shows messages to a talk until it takes one.
func listen(talk *Talk, messages *[]string) (heard bool, err error) {
	for !heard && err == nil && len(*messages) > 0 {
		heard, err = talk.Hear([]byte((*messages)[0]))
		*messages = (*messages)[1:]
	}
	return heard, err
}

func TestExchanges(t *testing.T) {
	say := func(source string) Send {
		text := parse(t, source)
		return Send{Text: &text}
	}
	base64 := func(source string) Send {
		text := parse(t, source)
		return Send{Base64: &text}
	}
	document := func(source string) *Document {
		d, err := ParseDocument(source)
		if err != nil {
			t.Fatal(err)
		}
		return &d
	}
	is := func(path, want string) Check {
		return Check{Name: "json " + path, Part: Part{JSON: path}, Equals: document(want)}
	}
	hear := func(name string, checks ...Check) Receive {
		return Receive{Name: name, Within: time.Second, Checks: checks}
	}
	capturing := func(r Receive, captures ...Capture) Receive {
		r.Captures = captures
		return r
	}
	id := Capture{Name: "id", Part: Part{JSON: "id"}}
	long := strings.Repeat("x", maxKept)
	for _, tc := range []struct {
		name     string
		turns    []Turn
		checks   []Check
		messages []string
		want     string
	}{
		{name: "turns follow one another", turns: []Turn{
			say("a {{ user }}"), Pause{From: time.Second, To: time.Second}, Ping{Name: "p", Within: 2 * time.Second}, Closing{Name: "c", Within: time.Minute},
		}, want: "says a ada, waits 1s, pings for 2s, is to be closed within 1m0s"},
		{name: "documents are encoded", turns: []Turn{Send{JSON: document(`{"user":"{{ user }}","n":"{{ seq }}"}`)}}, want: `says {"user":"ada","n":0}`},
		{name: "bytes are decoded", turns: []Turn{base64("YWJj"), base64("{{ user | base64 }}")}, want: "says abc in bytes, says ada in bytes"},
		{name: "what is no base64 fails", turns: []Turn{base64("{{ user }}!")}, want: "fails: exchange[0].send: it is no base64"},
		{name: "a file is sent as it is", turns: []Turn{Send{Content: func() string { return "file" }}}, want: "says file in bytes"},
		{
			name: "messages are skipped until the one that is waited for", turns: []Turn{hear("r", is("user", `"{{ user }}"`)), hear("s", is("n", "2"))},
			messages: []string{`{"user":"bob"}`, "no json", `{"user":"ada","n":2}`, `{"n":1}`, `{"n":2}`},
			want:     "hears, hears",
		},
		{
			name: "any message will do without checks", turns: []Turn{hear("r"), say("b")}, messages: []string{""}, want: "hears, says b",
		},
		{
			name:     "what is captured is used at once",
			turns:    []Turn{capturing(hear("r"), id), say("got {{ id }}"), capturing(hear("s", is("of", `"{{ id }}"`)), id), say("got {{ id }}")},
			messages: []string{"hello", `{"id":7}`, `{"id":8}`, `{"of":7}`, `{"id":9,"of":7}`},
			want:     "hears, says got 7, hears, says got 9",
		},
		{
			name:     "a message has all that is captured or is another one",
			turns:    []Turn{capturing(hear("r"), id, Capture{Name: "word", Regex: regexp.MustCompile(`w=(\w+)`)}), say("{{ id }} {{ word }}")},
			messages: []string{`{"id":1}`, `w=x`, `{"id":2,"text":"w=y"}`},
			want:     "hears, says 2 y",
		},
		{name: "what does not come is missed", turns: []Turn{say("a"), hear("r", is("n", "1"))}, want: "says a, misses 0: r: nothing came in time"},
		{
			name: "the last other message is named", turns: []Turn{hear("r"), hear("s", is("n", "1"))}, messages: []string{"", `{"n":2}`, `{"n":3}`},
			want: "hears, misses 1: s: none of the 2 messages that came is the one; the last: json n: found 3, expected 1",
		},
		{
			name: "turns are checks behind those of the response", turns: []Turn{hear("r"), hear("s")}, checks: []Check{{Name: "headers X"}}, messages: []string{""},
			want: "hears, misses 2: s: nothing came in time",
		},
		{
			name: "what is missing is a miss", turns: []Turn{capturing(hear("r"), id)}, messages: []string{"{}"},
			want: "misses 0: r: the only message that came is another one: capture id: the response does not hold it",
		},
		{
			name: "too much is not kept", turns: []Turn{capturing(hear("r"), id), capturing(hear("s"), Capture{Name: "all"})}, messages: []string{`{"id":1}`, long},
			want: "hears, fails: s: capture all: a journey keeps at most 1 MiB of what it captures",
		},
		{name: "a value that there is not fails", turns: []Turn{say("{{ user.name }}")}, want: "fails: exchange[0].send: {{ user.name }}: its value has no such field"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			variables := []Variable{{Name: "user", Source: Made{Template: Literal("ada")}}, {Name: "seq", Source: Sequence{}}}
			p, err := Compile(variables, []Step{Request{Checks: tc.checks, Exchange: tc.turns}})
			if err != nil {
				t.Fatal(err)
			}
			if got := conversation(t, p, tc.messages...); got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}

func TestAnExchangeLeavesItsCapturesToLaterSteps(t *testing.T) {
	id := Capture{Name: "id", Part: Part{JSON: "id"}}
	p, err := Compile(nil, []Step{Request{Exchange: []Turn{Receive{Name: "r", Captures: []Capture{id}}}}, Request{}})
	if err != nil {
		t.Fatal(err)
	}
	if !p.Talks(0) || p.Talks(1) || fmt.Sprint(p.Checks(0)) != "[r]" {
		t.Errorf("talks %t and %t, checks %q", p.Talks(0), p.Talks(1), p.Checks(0))
	}
	j := begin(p, Slot{})
	var talk Talk
	j.Talk(&talk, 0)
	if _, err = talk.Next(); err != nil {
		t.Fatal(err)
	}
	heard, err := talk.Hear([]byte(`{"id":"x"}`))
	if !heard || err != nil {
		t.Fatal(heard, err)
	}
	later, err := parse(t, "{{ id }}").Bind(p.Scope(1))
	if err != nil {
		t.Fatal(err)
	}
	if text, failed := later.Text(j); text != "x" || failed != nil {
		t.Errorf("got %q, %v", text, failed)
	}
}

func TestAnExchangeWithAnUnknownNameIsRefused(t *testing.T) {
	unknown := parse(t, "{{ nobody }}")
	for _, turn := range []Turn{
		Send{Text: &unknown}, Send{Base64: &unknown}, Receive{Name: "r", Checks: []Check{{Name: "text", Contains: &unknown}}},
	} {
		if _, err := Compile(nil, []Step{Request{Exchange: []Turn{turn}}}); err == nil || !strings.Contains(err.Error(), `unknown name "nobody"`) {
			t.Errorf("%T: %v", turn, err)
		}
	}
}
