package http2

import "sync/atomic"

// quota is how many requests a server takes on a connection, learned from a GOAWAY that
// refused more of them (RFC 9113, section 6.8). nginx has such a limit (keepalive_requests), but
// the protocol has none, so the quota is believed only as long as it holds. The zero quota is
// unknown. Safe for concurrent use.
type quota struct{ v atomic.Int64 }

// packed is a quota's value: how many requests a connection was seen to take, times two; plus
// one while it is tried whether connections take twice as many.
type packed int64

// seen returns how many requests a connection was seen to take; zero if that is unknown.
func (p packed) seen() int { return int(p >> 1) }

// allowed returns how many requests a connection may have; zero if that is unknown.
func (p packed) allowed() int { return p.seen() << (p & 1) }

func (q *quota) load() packed { return packed(q.v.Load()) }

// within returns how many requests a connection may have, of so many, and how many of those,
// the last ones, are a trial: the server may refuse them.
func (q *quota) within(most int) (n, trial int) {
	p := q.load()
	if p == 0 {
		return most, 0
	}
	n = min(p.allowed(), most)
	return n, max(0, n-p.seen())
}

// nearing reports whether a connection that may have so many more requests has used half of
// the quota: another one will be needed soon.
func (q *quota) nearing(left int) bool {
	n := q.load().allowed()
	return n > 1 && left == n/2
}

// learn takes the refusal of what came after so many requests.
func (q *quota) learn(taken int) { q.v.Store(int64(taken) << 1) }

// outlived takes the end of a connection that was made with so many requests to have, had them
// all and was sent no GOAWAY. If that is the quota, the server takes more: the next connection
// may have twice as many.
func (q *quota) outlived(requests int) {
	p := q.load()
	if p.allowed() != requests {
		return
	}
	next := int64(requests)<<1 | 1
	if 2*requests > maxStreams {
		next = 0
	}
	q.v.CompareAndSwap(int64(p), next)
}
