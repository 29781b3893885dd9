package httpreq

import (
	"fmt"
	"strings"
)

// The statuses of HTTP, inclusive. Those above lastStatus are of no class; they are taken
// for server errors (RFC 9110, section 15).
const (
	firstStatus = 100
	lastStatus  = 599
	lastCode    = 999
	// serverError is what a status of no class counts as.
	serverError = 500
)

// MaxInterim is how many interim responses there may be before the final one.
const MaxInterim = 16

// StatusRange is a range of statuses, both ends inclusive.
type StatusRange struct {
	First, Last int
}

// Statuses is a set of HTTP statuses from 100 to 599. The zero Statuses is empty.
// It is a small value: comparable, safe to copy and to use concurrently.
type Statuses struct {
	bits [(lastStatus-firstStatus)/64 + 1]uint64
}

// NewStatuses returns the set of all statuses in the ranges. It refuses ranges that
// are empty or leave 100 to 599.
func NewStatuses(ranges ...StatusRange) (Statuses, error) {
	var s Statuses
	for _, r := range ranges {
		if r.First < firstStatus || r.Last > lastStatus || r.First > r.Last {
			return Statuses{}, fmt.Errorf("status range %d-%d is not within %d-%d", r.First, r.Last, firstStatus, lastStatus)
		}
		for code := r.First; code <= r.Last; code++ {
			i := code - firstStatus
			s.bits[i/64] |= 1 << (i % 64)
		}
	}
	return s, nil
}

// Contains reports whether the status is in the set. One of 600 to 999 is if 500 is.
func (s Statuses) Contains(code int) bool {
	if !ValidStatus(code) {
		return false
	}
	if code > lastStatus {
		code = serverError
	}
	i := code - firstStatus
	return s.bits[i/64]&(1<<(i%64)) != 0
}

// ValidStatus reports whether the status is one that a response may have.
func ValidStatus(code int) bool { return firstStatus <= code && code <= lastCode }

// Codes is the text of all statuses, one after the other, so that the code of a
// result costs no allocation. Make it with NewCodes.
type Codes string

// NewCodes returns the table of all statuses.
func NewCodes() Codes {
	var b strings.Builder
	for code := firstStatus; code <= lastCode; code++ {
		fmt.Fprint(&b, code)
	}
	return Codes(b.String())
}

// Text returns the status as text; empty for one that HTTP does not know.
func (c Codes) Text(code int) string {
	if !ValidStatus(code) {
		return ""
	}
	i := 3 * (code - firstStatus)
	return string(c[i : i+3])
}

// StatusError is a response whose status is not an expected one.
type StatusError int

// Error implements error.
func (e StatusError) Error() string { return fmt.Sprintf("unexpected status %d", int(e)) }
