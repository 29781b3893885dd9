package http2

import "sync/atomic"

// quota is how many requests a server takes on a connection, learned from a GOAWAY that
// refused more of them (RFC 9113, section 6.8). nginx has such a limit (keepalive_requests), but
// the protocol has none, so the quota is believed only as long as it holds. The zero quota is
// unknown. Safe for concurrent use.
type quota struct{ n atomic.Int64 }

// within returns how many requests a connection may have, of so many.
func (q *quota) within(most int) int {
	if n := int(q.n.Load()); n > 0 {
		return min(n, most)
	}
	return most
}

// nearing reports whether a connection that may have so many more requests has used half of
// the quota: another one will be needed soon.
func (q *quota) nearing(left int) bool {
	n := int(q.n.Load())
	return n > 1 && left == n/2
}

// learn takes the refusal of what came after so many requests.
func (q *quota) learn(taken int) { q.n.Store(int64(taken)) }

// outlived takes the end of a connection that had so many requests and was sent no GOAWAY. If
// that is the quota, the server takes more: the next connection may have twice as many.
func (q *quota) outlived(requests int) {
	n := int64(requests)
	next := 2 * n
	if next > maxStreams {
		next = 0
	}
	q.n.CompareAndSwap(n, next)
}
