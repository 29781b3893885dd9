package script

import (
	"testing"
	"time"
)

// parse returns a template; a mistake in it ends the test.
func parse(tb testing.TB, text string) Template {
	tb.Helper()
	t, err := ParseTemplate(text)
	if err != nil {
		tb.Fatalf("%q: %v", text, err)
	}
	return t
}

// document returns a document; a mistake in it ends the test.
func document(tb testing.TB, text string) Document {
	tb.Helper()
	d, err := ParseDocument(text)
	if err != nil {
		tb.Fatalf("%q: %v", text, err)
	}
	return d
}

// compile returns a program; a mistake in it ends the test.
func compile(tb testing.TB, variables []Variable, steps ...Step) *Program {
	tb.Helper()
	p, err := Compile(variables, steps)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// slot returns the slot of a number, as the timeline would hash it.
func slot(seq uint64) Slot {
	return Slot{Hash: splitMix64(0x5eed + seq*0xD1342543DE82EF95), Seq: seq, Due: time.Unix(1_800_000_000, 0).UTC().Add(time.Duration(seq) * time.Millisecond)}
}

// begin begins the journey of a slot.
func begin(p *Program, s Slot) *Journey {
	j := new(Journey)
	p.Begin(j, s)
	return j
}

// fixed is the Values of a template whose names all have one value.
type fixed Value

func (f fixed) Value(int) (Value, error) { return Value(f), nil }
func (fixed) Slot() Slot                 { return Slot{Hash: 1} }

// anyScope knows each name.
func anyScope(string) (int, bool) { return 0, true }
