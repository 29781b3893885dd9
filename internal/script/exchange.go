package script

import (
	"encoding/base64"
	"errors"
	"fmt"
	"time"
)

// Turn is a turn of an exchange of messages: one of the types of this package that implement it.
type Turn interface{ isTurn() }

var (
	_ Turn = Send{}
	_ Turn = Receive{}
	_ Turn = Ping{}
	_ Turn = Closing{}
	_ Turn = Pause{}
)

// Send is a turn that sends a message. Exactly one of its fields is set.
type Send struct {
	// Text is sent in a message of type text, and so is JSON.
	Text *Template
	JSON *Document
	// Base64 is sent as the bytes that it encodes.
	Base64 *Template
	// Content is sent as bytes. It returns what a file holds now, and must not block.
	Content func() string
}

// Receive is a turn that waits for the first message for which all checks hold and that has all that
// is captured. Those before it are skipped.
type Receive struct {
	// Name is unique among the checks of its step: its path in the file, such as exchange[1].receive.
	Name     string
	Within   time.Duration
	Checks   []Check
	Captures []Capture
}

// Ping is a turn that sends a ping and waits for its pong. Name is as that of Receive.
type Ping struct {
	Name   string
	Within time.Duration
}

// Closing is a turn that waits until the other side closes the connection. Name is as that of Receive.
type Closing struct {
	Name   string
	Within time.Duration
}

func (Send) isTurn()    {}
func (Receive) isTurn() {}
func (Ping) isTurn()    {}
func (Closing) isTurn() {}
func (Pause) isTurn()   {}

// errBase64 is a value that makes something of a message in base64 that is none.
var errBase64 = errors.New("it is no base64")

// turn is a Turn with its names resolved.
type turn struct {
	Turn

	// check is the index of its check among those of the request; -1 if it has none.
	check int
	hash  uint64
}

// checkName returns the name of a turn as a check; empty if it is none.
func checkName(t Turn) string {
	switch t := t.(type) {
	case Receive:
		return t.Name
	case Ping:
		return t.Name
	case Closing:
		return t.Name
	default:
		return ""
	}
}

// turns resolves the names in the turns of a request.
func (c *compiler) turns(r *request, s *scope) error {
	checks := len(r.Checks)
	for i, t := range r.Exchange {
		one := turn{Turn: t, check: -1, hash: splitMix64(hashName("turn") + uint64(len(c.p.requests))<<32 + uint64(i))}
		var err error
		switch t := t.(type) {
		case Send:
			one.Turn, err = t.bind(s)
		case Receive:
			one.Turn, err = t.bind(s)
		}
		if err != nil {
			return fmt.Errorf("turn %d: %w", i, err)
		}
		if checkName(t) != "" {
			one.check = checks
			checks++
		}
		r.turns = append(r.turns, one)
	}
	return nil
}

// bind returns the turn with the names that it uses resolved.
func (t Send) bind(s *scope) (Send, error) {
	for _, text := range []**Template{&t.Text, &t.Base64} {
		if *text == nil {
			continue
		}
		bound, err := (*text).Bind(s.lookup)
		if err != nil {
			return Send{}, err
		}
		*text = &bound
	}
	if t.JSON != nil {
		bound, err := t.JSON.Bind(s.lookup)
		if err != nil {
			return Send{}, err
		}
		t.JSON = &bound
	}
	return t, nil
}

// bind returns the turn with the names that it uses resolved.
func (t Receive) bind(s *scope) (Receive, error) {
	checks, captures := t.Checks, t.Captures
	t.Checks, t.Captures = make([]Check, len(checks)), make([]Capture, len(captures))
	for i, check := range checks {
		var err error
		if t.Checks[i], err = check.bind(s); err != nil {
			return Receive{}, fmt.Errorf("check %q: %w", check.Name, err)
		}
	}
	for i, capture := range captures {
		capture.index, _ = s.lookup(capture.Name)
		t.Captures[i] = capture
	}
	return t, nil
}

// message returns the message to send.
func (t Send) message(v Values) (data []byte, binary bool, err error) {
	switch {
	case t.Text != nil:
		data, err = t.Text.Append(nil, PlaceText, v)
	case t.JSON != nil:
		data, err = t.JSON.Append(nil, v)
	case t.Base64 != nil:
		binary = true
		if data, err = t.Base64.Append(nil, PlaceText, v); err == nil {
			if data, err = base64.StdEncoding.DecodeString(string(data)); err != nil {
				err = errBase64
			}
		}
	default:
		data, binary = []byte(t.Content()), true
	}
	return data, binary, err
}

// Talk is the exchange of messages of one request of a journey. Begin it with Journey.Talk. It shares
// the journey's values, and like it is not safe for concurrent use.
type Talk struct {
	j     *Journey
	turns []turn
	// next is the index of the next turn, and now the present one; nil before the first.
	next int
	now  *turn
	// skipped is how many messages were not the one that the present turn waits for, and last why
	// the last of them was not.
	skipped int
	last    error
	// failed is the check of the turn that was missed; -1 if none was.
	failed int
}

// Talks reports whether a request is an exchange of messages.
func (p *Program) Talks(request int) bool { return len(p.requests[request].turns) > 0 }

// Talk begins the exchange of messages of a request.
func (j *Journey) Talk(t *Talk, request int) {
	*t = Talk{j: j, turns: j.p.requests[request].turns, failed: -1}
}

// Say is what comes next in an exchange of messages.
type Say struct {
	Kind SayKind
	// Data is the message to send, and Binary says that it is no text.
	Data   []byte
	Binary bool
	// For is how long a pause lasts, and the others but SayMessage may take.
	For time.Duration
}

// SayKind is a kind of Say.
type SayKind uint8

// The kinds of what comes next.
const (
	// SayEnd: the exchange has ended.
	SayEnd SayKind = iota
	// SayMessage: send a message.
	SayMessage
	// SayWait: show messages to Hear, until it takes one.
	SayWait
	// SayPing: send a ping, and wait for its pong.
	SayPing
	// SayClosing: wait for the other side to close the connection.
	SayClosing
	// SayPause: wait for some time.
	SayPause
)

// Next returns what comes next. It fails on a message that cannot be made.
func (t *Talk) Next() (Say, error) {
	if t.next >= len(t.turns) {
		return Say{}, nil
	}
	t.now = &t.turns[t.next]
	t.next++
	t.skipped, t.last = 0, nil
	switch turn := t.now.Turn.(type) {
	case Receive:
		return Say{Kind: SayWait, For: turn.Within}, nil
	case Ping:
		return Say{Kind: SayPing, For: turn.Within}, nil
	case Closing:
		return Say{Kind: SayClosing, For: turn.Within}, nil
	case Pause:
		t.j.visits++
		return Say{Kind: SayPause, For: turn.draw(newStream(t.j.slot.Hash, t.now.hash, t.j.visits))}, nil
	case Send:
		data, binary, err := turn.message(t.j)
		if err != nil {
			return Say{}, fmt.Errorf("exchange[%d].send: %w", t.next-1, err)
		}
		return Say{Kind: SayMessage, Data: data, Binary: binary}, nil
	default:
		return Say{}, nil
	}
}

// Hear reports whether a message is the one that the present turn waits for, and captures from it
// if it is. It fails if there is more to capture than a journey may keep.
func (t *Talk) Hear(data []byte) (bool, error) {
	receive, ok := t.now.Turn.(Receive)
	if !ok {
		return false, nil
	}
	r := &Response{Body: string(data)}
	for i := range receive.Checks {
		if err := receive.Checks[i].failure(r, t.j); err != nil {
			t.skip(err)
			return false, nil
		}
	}
	// All of them or none, as earlier captures hold while nothing replaces them.
	for i := range receive.Captures {
		c := &receive.Captures[i]
		if !c.finds(r) {
			t.skip(fmt.Errorf("capture %s: %w", c.Name, errNothing))
			return false, nil
		}
	}
	for i := range receive.Captures {
		c := &receive.Captures[i]
		if err := t.j.capture(c, r); err != nil {
			return false, fmt.Errorf("%s: capture %s: %w", receive.Name, c.Name, err)
		}
	}
	return true, nil
}

// skip notes a message that is not the one.
func (t *Talk) skip(why error) {
	t.skipped++
	t.last = why
}

// Missed returns that what the present turn waits for did not come.
func (t *Talk) Missed() error {
	name := checkName(t.now.Turn)
	t.failed = t.now.check
	switch {
	case t.skipped == 1:
		return fmt.Errorf("%s: the only message that came is another one: %w", name, t.last)
	case t.skipped > 1:
		return fmt.Errorf("%s: none of the %d messages that came is the one; the last: %w", name, t.skipped, t.last)
	}
	return fmt.Errorf("%s: %w", name, errSilence)
}

// Failed returns the index, among the checks of the request, of the turn that was missed; ok is false
// if none was.
func (t *Talk) Failed() (check int, ok bool) { return t.failed, t.failed >= 0 }

// errSilence reports that the message waited for did not come.
var errSilence = errors.New("nothing came in time")
