package http2

import "time"

// What a server may have us do for nothing. The first bounds apply to a connection, over all
// of its streams: real servers stay far below. A server that exceeds any of them gets
// ENHANCE_YOUR_CALM, and its connection ends (RFC 9113, section 10.5).
const (
	// maxUseless is how many frames that bring nothing are taken at once, and uselessRate how
	// many a second.
	maxUseless  = 10_000
	uselessRate = 1_000
	// allowedPerData and allowedPerResponse are how many more are allowed for a DATA that was
	// sent, of some size, and for a response or a stream that was reset: a server may update
	// windows for them, or be late.
	allowedPerData     = 4
	allowedPerResponse = 8
	// maxSettings is how many settings a SETTINGS may have: six are known.
	maxSettings = 64
	// settingsCost is what a SETTINGS counts, in useless frames, since it is acknowledged.
	settingsCost = 10
	// streamsPerUseless is how many streams' windows are moved at the cost of one.
	streamsPerUseless = 64
	// bytesPerUseless is how many bytes of a header block are read at the cost of one, where
	// nobody wants it.
	bytesPerUseless = 1 << 10
)

// Bounds of one response.
const (
	// maxHead is the longest header, in bytes, as SETTINGS_MAX_HEADER_LIST_SIZE counts them
	// and as they come, and maxFields how many fields it may have.
	maxHead   = 1 << 20
	maxFields = 10_000
	// smallData is the size in bytes below which a DATA is small, and maxSmallData how many of
	// those a response may have: each costs about as much as one of 16 KiB.
	smallData    = 256
	maxSmallData = 10_000
)

// allowance is how many frames that bring nothing a server may still send: it is spent by
// each, comes back with time, and grows with what explains them. Make it with newAllowance.
type allowance struct {
	left   int
	filled time.Time
}

func newAllowance(now time.Time) allowance { return allowance{left: maxUseless, filled: now} }

// add adds to the allowance.
func (a *allowance) add(n int) { a.left = min(maxUseless, a.left+n) }

// spend takes what costs as much as n useless frames. It reports false if that is more than
// is left. What comes back with time is added only when that is needed.
func (a *allowance) spend(now time.Time, n int) bool {
	if a.left < n {
		const each = time.Second / uselessRate
		back := now.Sub(a.filled).Truncate(each)
		a.filled = a.filled.Add(back)
		a.add(int(back / each))
	}
	if a.left < n {
		return false
	}
	a.left -= n
	return true
}
