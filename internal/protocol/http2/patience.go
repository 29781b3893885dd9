package http2

import "time"

// patience bounds the frames that bring nothing: a server that floods its client with
// them is given up. It is spent by each, comes back with time, and is earned by frames
// that a server may answer with such. Make it with newPatience.
type patience struct {
	left   int
	filled time.Time
}

const (
	// maxPatience is all the patience that there is, and patienceRate what of it comes
	// back in a second.
	maxPatience  = 10_000
	patienceRate = 1_000
	// earnData and earnAnswer are earned by a piece of a body that is sent, or an answer
	// that is received: windows may be updated for them.
	earnData   = 4
	earnAnswer = 8
)

func newPatience(now time.Time) patience { return patience{left: maxPatience, filled: now} }

// earn adds to the patience.
func (p *patience) earn(n int) { p.left = min(maxPatience, p.left+n) }

// spend takes as much as n frames cost, and reports whether there was any left.
func (p *patience) spend(now time.Time, n int) bool {
	if p.left > 0 {
		p.left -= n
		return true
	}
	if back := int(now.Sub(p.filled) * patienceRate / time.Second); back > 0 {
		p.filled = now
		p.left = min(maxPatience, p.left+back) - n
		return true
	}
	return false
}
