package membership

import "math"

// Heartbeat is what a replica last told about itself.
type Heartbeat struct {
	ID     string
	Weight uint32
	// Sent is when it was sent, in milliseconds by the sender's clock, as are all of these.
	Sent int64
	// Registered is the second in which the replica registered.
	Registered int64
	// Since, if not 0, is a later second from which the replica wants to count anew: it
	// was away, so that the others may have taken over its part.
	Since int64
	// Leaving is the second in which it announced its leave, or 0.
	Leaving int64
}

// joins returns the second from which the replica counts by its own announcement.
func (h Heartbeat) joins() int64 { return max(h.Registered+Settle, h.Since) }

// leaves returns the second from which it does not count any more.
func (h Heartbeat) leaves() int64 {
	if h.Leaving == 0 {
		return math.MaxInt64
	}
	return h.Leaving + Settle
}

// settles returns the second from which what the heartbeat tells is known to everyone.
func (h Heartbeat) settles() int64 { return h.Sent/1000 + Settle }
