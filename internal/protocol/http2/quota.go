package http2

import "sync/atomic"

// quota is how many requests a server takes on a connection, once a GOAWAY has refused those
// beyond: nginx counts them, and others do. It is no part of the protocol, so that it is only
// believed as long as it holds. The zero quota is not known. Safe for concurrent use.
type quota struct{ n atomic.Int64 }

// within returns how many requests a connection may have, of so many.
func (q *quota) within(most int) int {
	if n := int(q.n.Load()); n > 0 {
		return min(n, most)
	}
	return most
}

// nearing reports whether half of the quota is left on a connection that may have so many
// requests more: there will have to be another one soon.
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
