package http2

import "bytes"

const (
	// numRecent is how many literals a decoder remembers.
	numRecent = 16
	// maxRecent is the longest literal that it remembers, in bytes as it came.
	maxRecent = 128
)

// recentLiterals are literals that a server sent lately, decoded. Many a server puts no field into a
// table and sends most of a response's fields with the next one again, as the same bytes: to compare
// those takes a small part of the time of decoding them. The zero recentLiterals is empty.
type recentLiterals struct {
	literals [numRecent]recentLiteral
	// next is the place behind the literal that came last, which is where the next one is looked for
	// first: responses have their fields in the same order.
	next int
}

// recentLiteral is a literal that says the same whatever is in the dynamic table. What begins with the
// same bytes is the same literal, as a literal also says how long it is.
type recentLiteral struct {
	coded []byte
	// text is the name, of so many bytes, and the value behind it.
	text []byte
	name int
	fact fact
}

// find returns the literal that p begins with; nil if it did not come lately.
func (r *recentLiterals) find(p []byte) *recentLiteral {
	for i := range numRecent {
		at := (r.next + i) % numRecent
		l := &r.literals[at]
		if len(l.coded) > 0 && l.coded[0] == p[0] && bytes.HasPrefix(p, l.coded) {
			r.next = (at + 1) % numRecent
			return l
		}
	}
	return nil
}

// add adds a literal in place of the one that was looked for first: a value that has changed, such as
// a date, takes the place of the one before.
func (r *recentLiterals) add(coded, name, value []byte, f fact) {
	if len(coded) > maxRecent {
		return
	}
	l := &r.literals[r.next]
	l.coded = append(l.coded[:0], coded...)
	l.text = append(append(l.text[:0], name...), value...)
	l.name, l.fact = len(name), f
	r.next = (r.next + 1) % numRecent
}
