package script

import (
	"fmt"
	"math"
	"time"
)

// Journey is the way of one slot through a program. Begin it with Program.Begin; it can be
// begun again when it has ended. It is not safe for concurrent use.
type Journey struct {
	p     *Program
	slot  Slot
	cells []cell
	loops []loopState
	// pc is the next operation, and at the request that was asked for last.
	pc, at int
	// visits is how many pauses, turns and choices were drawn.
	visits uint32
	// kept is how much captures hold, in bytes.
	kept int
}

var _ Values = (*Journey)(nil)

// loopState is where a loop is.
type loopState struct {
	turn, turns int
	lists       [][]Value
	// open is how many lanes of a Parallel have not joined.
	open int
}

// Move is what comes next in a journey.
type Move struct {
	Kind MoveKind
	// Request is the index of the request to send.
	Request int
	// Pause is how long to wait.
	Pause time.Duration
	// Lanes is how many requests are in flight at a time.
	Lanes int
}

// MoveKind is a kind of Move.
type MoveKind uint8

// The kinds of moves.
const (
	// MoveEnd: the journey has ended.
	MoveEnd MoveKind = iota
	// MoveRequest: send a request. Took must follow, or Fail.
	MoveRequest
	// MovePause: wait for some time.
	MovePause
	// MoveTogether: the requests that come next are sent at once, on so many lanes. Next is asked
	// again for each lane when its request has been taken; see Branch.
	MoveTogether
	// MoveJoin: nothing is left for a lane. What comes after the last of them is for the journey.
	MoveJoin
)

// Begin begins a journey.
func (p *Program) Begin(j *Journey, s Slot) {
	cells, loops := j.cells, j.loops
	if len(cells) != len(p.symbols) {
		cells = make([]cell, len(p.symbols))
	} else {
		clear(cells)
	}
	if len(loops) != p.loops {
		loops = make([]loopState, p.loops)
	} else {
		clear(loops)
	}
	*j = Journey{p: p, slot: s, cells: cells, loops: loops}
}

// Value implements Values. A variable is drawn when it is first asked for, and then kept.
func (j *Journey) Value(index int) (Value, error) {
	c := &j.cells[index]
	if c.state == cellFull {
		return c.value, nil
	}
	if c.state == cellDrawing {
		return Value{}, errCircle
	}
	sym := &j.p.symbols[index]
	if sym.source == nil {
		return Value{}, errUnset
	}
	c.state = cellDrawing
	s := newStream(j.slot.Hash, sym.hash, c.nth)
	v, err := sym.source.draw(&s, j)
	c.state = cellEmpty
	if err == nil {
		c.value, c.state = v, cellFull
	}
	return v, err
}

// Slot implements Values.
func (j *Journey) Slot() Slot { return j.slot }

// Give gives a name a value, by the index of its program.
func (j *Journey) Give(index int, v Value) { j.set(index, v) }

// set sets a name to a value.
func (j *Journey) set(index int, v Value) {
	j.cells[index].value, j.cells[index].state = v, cellFull
}

// redraw has variables drawn anew when they are next asked for.
func (j *Journey) redraw(indexes []int) {
	for _, i := range indexes {
		j.cells[i].state = cellEmpty
		j.cells[i].nth++
	}
}

// Next returns the next move. It fails on a loop over a value that is not a list, as the
// request that would have come first in it; the journey goes on behind the loop, if it does.
func (j *Journey) Next() (Move, error) {
	for j.pc < len(j.p.ops) {
		at := j.pc
		o := &j.p.ops[at]
		j.pc++
		switch o.kind {
		case opRequest:
			j.at = o.request
			j.redraw(j.p.requests[o.request].locals)
			return Move{Kind: MoveRequest, Request: o.request}, nil
		case opPause:
			if d := o.pause.draw(j.stream(o)); d > 0 {
				return Move{Kind: MovePause, Pause: d}, nil
			}
		case opJump:
			j.pc = o.to
		case opChoose:
			s := j.stream(o)
			j.pc = o.targets[s.weighted(o.sums)]
		case opRepeat, opTogether:
			if err := j.enter(o); err != nil {
				j.at = j.p.firstOf(at)
				return Move{Request: j.at}, err
			}
			if o.kind == opTogether {
				return Move{Kind: MoveTogether, Lanes: j.loops[o.loop].open}, nil
			}
		case opAgain:
			j.again(o)
		case opJoin:
			if !j.again(o) {
				return j.join(o, at), nil
			}
		}
	}
	return Move{}, nil
}

// again goes back for the next turn of a loop, and returns false if there is none.
func (j *Journey) again(o *op) bool {
	l := &j.loops[o.loop]
	if l.turn+1 >= l.turns {
		return false
	}
	l.turn++
	j.turn(o)
	j.pc = o.to
	return true
}

// join ends a lane. The journey is past the group when all have ended.
func (j *Journey) join(o *op, at int) Move {
	l := &j.loops[o.loop]
	if l.open--; l.open > 0 {
		j.pc = at
	}
	return Move{Kind: MoveJoin}
}

// Forget lets go of all values.
func (j *Journey) Forget() {
	clear(j.cells)
	clear(j.loops)
}

// End ends the journey: nothing comes next.
func (j *Journey) End() { j.pc = len(j.p.ops) }

// stream returns the bits of an operation, which differ each time that it is run.
func (j *Journey) stream(o *op) stream {
	j.visits++
	return newStream(j.slot.Hash, o.hash, j.visits)
}

// maxPause bounds what an exponential distribution draws, in times its mean: one pause in
// ten billion.
const maxPause = 23

// draw draws how long the pause is.
func (p Pause) draw(s stream) time.Duration {
	switch {
	case p.Mean > 0:
		return time.Duration(min(maxPause, -math.Log(1-s.fraction())) * float64(p.Mean))
	case p.To > p.From:
		return p.From + time.Duration(s.below(uint64(p.To-p.From)+1))
	default:
		return p.From
	}
}

// enter begins a loop.
func (j *Journey) enter(o *op) error {
	l := &j.loops[o.loop]
	*l = loopState{}
	s := j.stream(o)
	shortest := math.MaxInt
	for _, e := range o.repeat.each {
		list, err := j.elements(e)
		if err != nil {
			j.pc = o.to
			return err
		}
		l.lists = append(l.lists, list)
		shortest = min(shortest, len(list))
	}
	if l.turns = shortest; !o.repeat.all {
		l.turns = o.repeat.from + int(s.below(uint64(o.repeat.to-o.repeat.from)+1))
	}
	if l.turns == 0 {
		j.pc = o.to
		return nil
	}
	l.open = min(l.turns*o.repeat.requests, o.repeat.lanes)
	j.turn(o)
	return nil
}

// elements returns what a loop takes its elements from.
func (j *Journey) elements(e eachOf) ([]Value, error) {
	if e.table != nil {
		rows := e.table()
		if rows.Len() == 0 {
			return nil, errNoRows
		}
		return rows.values, nil
	}
	v, err := j.Value(e.list)
	if err != nil {
		return nil, err
	}
	list, ok := v.List()
	if !ok || len(list) == 0 {
		return nil, fmt.Errorf("repeat over %q: %w", j.p.symbols[e.list].name, errNoList)
	}
	return list, nil
}

// turn sets the names of a loop for its next turn.
func (j *Journey) turn(o *op) {
	l := &j.loops[o.loop]
	for i, e := range o.repeat.each {
		list := l.lists[i]
		at := l.turn % len(list)
		if e.random {
			s := newStream(j.slot.Hash, j.p.symbols[e.index].hash, j.cells[e.index].nth)
			j.cells[e.index].nth++
			at = int(s.below(uint64(len(list))))
		}
		j.set(e.index, list[at])
	}
}

// Verdict is what a response means for its journey.
type Verdict struct {
	// Failed are the indexes of the checks that do not hold.
	Failed []int
	// Err says why the response does not meet the expectations; nil if it does.
	Err error
	// End says that the journey ends here, without having failed.
	End bool
}

// Receive takes the response to the request that was asked for last: it checks and captures.
func (j *Journey) Receive(r *Response) Verdict {
	var v Verdict
	req := &j.p.requests[j.at]
	for i := range req.Checks {
		if err := req.Checks[i].failure(r, j); err != nil {
			v.Failed = append(v.Failed, i)
			if v.Err == nil {
				v.Err = err
			}
		}
	}
	if v.Err != nil {
		return v
	}
	for i := range req.Captures {
		c := &req.Captures[i]
		err := j.capture(c, r)
		switch {
		case err == nil:
		case c.OrEnd:
			v.End = true
			return v
		default:
			v.Err = fmt.Errorf("capture %s: %w", c.Name, err)
			return v
		}
	}
	return v
}

// capture takes a value from a response.
func (j *Journey) capture(c *Capture, r *Response) error {
	s := newStream(j.slot.Hash, j.p.symbols[c.index].hash, j.cells[c.index].nth)
	j.cells[c.index].nth++
	value, err := c.extract(r, &s)
	if err != nil {
		return err
	}
	before := 0
	if j.cells[c.index].state == cellFull {
		before = len(j.cells[c.index].value.Text)
	}
	if j.kept += len(value.Text) - before; j.kept > maxKept {
		return errTooLarge
	}
	// Not the response itself: the value may be a small part of it.
	value.Text = string([]byte(value.Text))
	j.set(c.index, value)
	return nil
}

// At returns the request that was asked for last.
func (j *Journey) At() int { return j.at }

// GoesOn reports whether the journey goes on although the request that was asked for last has
// failed.
func (j *Journey) GoesOn() bool { return j.p.requests[j.at].GoesOn }

// Branch is a request of a Parallel that is in flight: which it is, and the values that it has for
// itself. The zero Branch can be filled by Journey.Branch.
type Branch struct {
	request int
	cells   []cell
}

// Branch makes b the request that was asked for last, whose templates have been rendered. It is
// taken, and looked at, by Within: meanwhile others are asked for.
func (j *Journey) Branch(b *Branch) {
	b.request, b.cells = j.at, b.cells[:0]
	for _, i := range j.p.requests[j.at].own {
		b.cells = append(b.cells, j.cells[i])
	}
}

// Within calls f while the journey is as it was for a request of a Parallel. f may not ask for
// another one.
func (j *Journey) Within(b *Branch, f func()) {
	at := j.at
	j.at = b.request
	j.swap(b)
	f()
	j.swap(b)
	j.at = at
}

// swap exchanges the values that a branch has for itself with those of the journey.
func (j *Journey) swap(b *Branch) {
	for n, i := range j.p.requests[b.request].own {
		j.cells[i], b.cells[n] = b.cells[n], j.cells[i]
	}
}

// Rest returns the requests that would certainly have come next, each once: all that stand
// behind the last one, but for those of choices.
func (j *Journey) Rest() []int {
	var rest []int
	for pc := j.pc; pc < len(j.p.ops); pc++ {
		o := &j.p.ops[pc]
		if o.kind == opRequest {
			rest = append(rest, o.request)
		}
		if o.kind == opChoose || o.kind == opJump {
			pc = o.to - 1
		}
	}
	return rest
}

// Each calls f with each name that has a value, and whether that is a secret: a file's content,
// a cookie, a value with a name such as token, and anything made of those.
func (j *Journey) Each(f func(name string, v Value, secret bool)) {
	for i := range j.cells {
		if j.cells[i].state == cellFull {
			f(j.p.symbols[i].name, j.cells[i].value, j.p.secret(i))
		}
	}
}
