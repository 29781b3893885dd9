package script

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// stage runs a journey whose requests may be in flight at a time.
type stage struct {
	t       *testing.T
	p       *Program
	j       *Journey
	texts   []Template
	respond func(text string) Response
	// next returns which of n requests in flight ends next.
	next func(n int) int
	log  []string
}

// underWay is a request that has not been taken, and its place in the story.
type underWay struct {
	branch Branch
	text   string
	at     int
}

// play runs the journey of a slot and returns it as a line: the requests in the order in which
// they were asked for, each with its outcome.
func play(t *testing.T, p *Program, s Slot, texts []string, respond func(text string) Response, next func(n int) int) string {
	t.Helper()
	st := &stage{t: t, p: p, j: begin(p, s), respond: respond, next: next}
	for i, text := range texts {
		bound, err := parse(t, text).Bind(p.Scope(i))
		if err != nil {
			t.Fatal(err)
		}
		st.texts = append(st.texts, bound)
	}
	for {
		switch m := st.ask(); m.Kind {
		case MoveEnd:
			return strings.Join(st.log, ", ")
		case MovePause:
			st.log = append(st.log, "waits "+m.Pause.String())
		case MoveTogether:
			st.log = append(st.log, fmt.Sprintf("%d at once", m.Lanes))
			st.together(m.Lanes)
		case MoveRequest:
			if text, ok := st.render(m.Request); ok {
				st.receive(len(st.log)-1, text)
			}
		case MoveJoin:
			t.Fatal("a lane joins that there is not")
		}
	}
}

// ask asks for the next move. One that fails is written down.
func (st *stage) ask() Move {
	for {
		m, err := st.j.Next()
		if err == nil {
			return m
		}
		st.log = append(st.log, fmt.Sprintf("%d fails (%v)", m.Request, err))
		st.j.End()
	}
}

// render writes a request down, and returns false if it cannot be made.
func (st *stage) render(request int) (string, bool) {
	text, err := st.texts[request].Text(st.j)
	if err != nil {
		st.log = append(st.log, fmt.Sprintf("%d fails (%v)", request, err))
		st.j.End()
		return "", false
	}
	st.log = append(st.log, fmt.Sprintf("%d %s", request, text))
	return text, true
}

// receive takes the response to a request that is written down at a place.
func (st *stage) receive(at int, text string) {
	r := st.respond(text)
	switch v := st.j.Receive(&r); {
	case v.Err != nil && st.j.GoesOn():
		st.log[at] += fmt.Sprintf(" (goes on: %v)", v.Err)
	case v.Err != nil:
		st.log[at] += fmt.Sprintf(" (ends: %v, without %v)", v.Err, st.j.Rest())
		st.j.End()
	case v.End:
		st.log[at] += fmt.Sprintf(" (is done without %v)", st.j.Rest())
		st.j.End()
	}
}

// together runs lanes until all have ended.
func (st *stage) together(lanes int) {
	var busy []*underWay
	fill := func() {
		for {
			m := st.ask()
			if m.Kind != MoveRequest {
				if m.Kind != MoveJoin && m.Kind != MoveEnd {
					st.t.Fatalf("move %d within a group", m.Kind)
				}
				return
			}
			if text, ok := st.render(m.Request); ok {
				u := &underWay{text: text, at: len(st.log) - 1}
				st.j.Branch(&u.branch)
				busy = append(busy, u)
				return
			}
		}
	}
	for range lanes {
		fill()
	}
	for len(busy) > 0 {
		i := st.next(len(busy))
		u := busy[i]
		busy = append(busy[:i], busy[i+1:]...)
		st.j.Within(&u.branch, func() { st.receive(u.at, u.text) })
		fill()
	}
}

func first(int) int  { return 0 }
func last(n int) int { return n - 1 }

// echo is a target whose responses hold what they were asked for.
func echo(text string) Response {
	return Response{Body: fmt.Sprintf(`{"id":%q,"list":["x","y","z"]}`, text)}
}

func TestRequestsAtOnce(t *testing.T) {
	id, other := Capture{Name: "id", Part: Part{JSON: "id"}}, Capture{Name: "other", Part: Part{JSON: "id"}}
	list := Capture{Name: "list", Part: Part{JSON: "list"}}
	missing := Capture{Name: "id", Part: Part{JSON: "nothing"}}
	for _, tc := range []struct {
		name  string
		steps []Step
		texts []string
		want  string
	}{
		{
			name:  "what is captured is there behind them",
			steps: []Step{Parallel{AtOnce: 9, Requests: []Request{{Captures: []Capture{id}}, {Captures: []Capture{other}}}}, Request{}},
			texts: []string{"a", "b", "{{ id }} {{ other }}"},
			want:  "2 at once, 0 a, 1 b, 2 a b",
		},
		{
			name:  "again in a loop, and in a choice",
			steps: []Step{Repeat{From: 2, To: 2, Steps: []Step{Choose{Options: []Option{{1, []Step{Parallel{AtOnce: 2, Requests: []Request{{}, {}}}}}}}}}, Request{}},
			texts: []string{"a", "b", "c"},
			want:  "2 at once, 0 a, 1 b, 2 at once, 0 a, 1 b, 2 c",
		},
		{
			name:  "once with each element of a list, so many at a time",
			steps: []Step{Request{Captures: []Capture{list}}, Parallel{AtOnce: 4, Each: []Each{{Name: "e", List: "list"}}, Requests: []Request{{}, {}}}, Request{}},
			texts: []string{"a", "b {{ e }}", "c {{ e }}", "d"},
			want:  "0 a, 4 at once, 1 b x, 2 c x, 1 b y, 2 c y, 1 b z, 2 c z, 3 d",
		},
		{
			name:  "no list",
			steps: []Step{Request{Captures: []Capture{id}}, Parallel{AtOnce: 4, Each: []Each{{Name: "e", List: "id"}}, Requests: []Request{{}}}, Request{}},
			texts: []string{"a", "b {{ e }}", "c"},
			want:  `0 a, 1 fails (repeat over "id": its value is no list, or an empty one)`,
		},
		{
			name:  "a failed one ends the journey, without what was not asked for yet",
			steps: []Step{Parallel{AtOnce: 2, Requests: []Request{{Captures: []Capture{missing}}, {Captures: []Capture{other}}, {}}}, Request{}},
			texts: []string{"a", "b", "c", "d"},
			want:  "2 at once, 0 a (ends: capture id: the response does not hold it, without [2 3]), 1 b",
		},
		{
			name:  "or not",
			steps: []Step{Parallel{AtOnce: 2, Requests: []Request{{Captures: []Capture{missing}, GoesOn: true}, {}, {}}}, Request{}},
			texts: []string{"a", "b", "c", "d"},
			want:  "2 at once, 0 a (goes on: capture id: the response does not hold it), 1 b, 2 c, 3 d",
		},
		{
			name:  "or it ends well",
			steps: []Step{Parallel{AtOnce: 2, Requests: []Request{{Captures: []Capture{{Name: "id", Part: missing.Part, OrEnd: true}}}, {}}}, Request{}},
			texts: []string{"a", "b", "c"},
			want:  "2 at once, 0 a (is done without [2]), 1 b",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := compile(t, nil, tc.steps...)
			if got := play(t, p, slot(7), tc.texts, echo, first); got != tc.want {
				t.Errorf("%s\nwant %s", got, tc.want)
			}
		})
	}
}

// Neither the requests nor their outcomes depend on which response comes first: neither where
// values are drawn when a request is made, nor where they are when its response is looked at.
func TestTheOrderOfResponsesChangesNothing(t *testing.T) {
	number := func(name string) Variable { return Variable{name, IntRange{From: 0, To: 1 << 40}} }
	words := Variable{"words", Many{From: 1, To: 3, Joined: true, Each: Made{parse(t, "{{ w }}-{{ e }}")}, Variables: []Variable{number("w")}}}
	list := Capture{Name: "list", Part: Part{JSON: "list"}}
	random := func(name string) Capture { return Capture{Name: name, Part: Part{JSON: "list"}, Pick: PickRandom} }
	check := func(text string) Check {
		want := parse(t, text)
		return Check{Name: "never", Part: Part{JSON: "id"}, Contains: &want} // Its error shows the drawn value.
	}
	steps := []Step{
		Request{Captures: []Capture{list}},
		Repeat{From: 2, To: 2, Steps: []Step{
			Parallel{AtOnce: 3, Requests: []Request{
				{Captures: []Capture{random("a")}},
				{Variables: []Variable{number("v")}, Captures: []Capture{random("b")}},
				{Variables: []Variable{number("v")}, Checks: []Check{check("{{ v }} {{ late }}")}, GoesOn: true},
			}},
			Parallel{
				AtOnce: 2, Each: []Each{{Name: "e", List: "list"}, {Name: "r", List: "list", Random: true}},
				Requests: []Request{
					{Variables: []Variable{number("v"), words}, Checks: []Check{check("{{ e }} {{ r }} {{ v }} {{ words }} {{ a }}")}, GoesOn: true},
					{Variables: []Variable{number("v")}},
				},
			},
		}},
		Request{},
	}
	texts := []string{"l", "a {{ x }}", "b {{ v }} {{ x }}", "c", "d {{ e }}", "f {{ e }} {{ v }} {{ b }}", "g {{ a }} {{ b }} {{ x }} {{ late }}"}
	p := compile(t, []Variable{number("x"), number("late")}, steps...)
	log := map[string]bool{}
	for seq := range uint64(50) {
		want := play(t, p, slot(seq), texts, echo, first)
		log[want] = true
		if got := play(t, p, slot(seq), texts, echo, last); got != want {
			t.Fatalf("slot %d: %s\nand with the last response first %s", seq, want, got)
		}
		rnd := rand.New(rand.NewPCG(seq, 9))
		if got := play(t, p, slot(seq), texts, echo, rnd.IntN); got != want {
			t.Fatalf("slot %d: %s\nand in another order %s", seq, want, got)
		}
	}
	if len(log) != 50 {
		t.Errorf("only %d of 50 slots differ", len(log))
	}
}

// A request that is looked at hides its own secrets, while others are in flight.
func TestARequestAtOnceHidesItsOwnSecrets(t *testing.T) {
	list := Capture{Name: "list", Part: Part{JSON: "list"}}
	p := compile(t, nil, Request{Captures: []Capture{list}}, Parallel{AtOnce: 2, Each: []Each{{Name: "token", List: "list"}}, Requests: []Request{{}}})
	j := begin(p, slot(1))
	branches := make([]Branch, 2)
	if _, err := j.Next(); err != nil {
		t.Fatal(err)
	}
	r := body(`{"list":["secret-one","secret-two"]}`)
	j.Receive(&r)
	if m, err := j.Next(); err != nil || m.Lanes != 2 {
		t.Fatal(m, err)
	}
	for i := range branches {
		if _, err := j.Next(); err != nil {
			t.Fatal(err)
		}
		j.Branch(&branches[i])
	}
	j.Within(&branches[0], func() {
		if got := j.Hide("secret-one"); got != Hidden {
			t.Errorf("%q is shown", got)
		}
	})
	if got := j.Hide("secret-two"); got != Hidden {
		t.Errorf("%q is shown", got)
	}
}
