// Package script is the language of realistic traffic, evaluated: the values of a slot's
// variables, the results of a template, the next step of a journey, the captures from a
// response and the checks on it.
//
// It is pure. It knows no network, no file and no clock, and everything follows from a slot
// and from the responses to its requests: the same on every replica, and at any later time.
// What comes in a response is data. It never becomes a name, a template, a path or a key.
//
// A Program is made once for an entry of a scenario's mix and is immutable. A Journey is one
// slot's way through it: a small value without a goroutine, that waits in a pause at the cost
// of its memory.
package script

import (
	"errors"
	"fmt"
	"time"
)

// Slot identifies what a journey is drawn from.
type Slot struct {
	// Hash is 64 well-mixed bits, a function of the slot's identity.
	Hash uint64
	// Seq is the slot's number within its segment.
	Seq uint64
	// Due is when the slot is due, on the wall clock and in the scenario's time zone.
	Due time.Time
}

// The ways in which a value cannot be had.
var (
	errUnset  = errors.New("nothing was captured under this name yet")
	errCircle = errors.New("the value depends on itself")
	errNoRows = errors.New("the data has no rows")
	errNoList = errors.New("its value is no list, or an empty one")
)

// Variable is a value that is drawn for each slot, by name.
type Variable struct {
	Name   string
	Source Source
}

// symbol is a name in a program: a variable, or, without a source, a capture.
type symbol struct {
	name   string
	hash   uint64
	source Source
	// secret says that values captured under the name must not be shown.
	secret bool
}

// cell is the value of a symbol in a journey.
type cell struct {
	value Value
	// nth is how often the symbol was drawn anew.
	nth   uint32
	state cellState
}

// cellState is whether a cell has a value.
type cellState uint8

const (
	cellEmpty cellState = iota
	cellDrawing
	cellFull
)

// scope is the names that are known somewhere, by their numbers.
type scope struct {
	outer *scope
	names map[string]int
}

func (s *scope) lookup(name string) (int, bool) {
	for ; s != nil; s = s.outer {
		if i, ok := s.names[name]; ok {
			return i, true
		}
	}
	return 0, false
}

// symbols is the table of a program's names while it is made.
type symbols struct {
	all []symbol
}

// add adds a symbol that is not known by another one's name in the scope.
func (t *symbols) add(s *scope, name string) int {
	i := len(t.all)
	t.all = append(t.all, symbol{name: name, hash: hashName(name)})
	s.names[name] = i
	return i
}

// declare adds variables to a scope, and then binds what they are made of: a variable may use
// those that stand after it.
func (t *symbols) declare(s *scope, variables []Variable) ([]int, error) {
	added := make([]int, len(variables))
	for i, v := range variables {
		added[i] = t.add(s, v.Name)
	}
	for i, v := range variables {
		source, err := v.Source.bind(t, s)
		if err != nil {
			return nil, fmt.Errorf("variable %q: %w", v.Name, err)
		}
		t.all[added[i]].source = source
	}
	return added, nil
}
