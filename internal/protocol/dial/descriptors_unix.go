//go:build unix

package dial

import (
	"math"
	"syscall"
)

// raiseFileLimit raises the number of files that the process may open to the most that it
// may choose, and returns it. Go's package os does so at start, too, but not on all systems,
// and says nothing of it.
func raiseFileLimit() (n int, ok bool) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0, false
	}
	if limit.Cur < limit.Max {
		raised := limit
		raised.Cur = raised.Max
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &raised); err == nil {
			limit = raised
		}
	}
	// Its type is signed on some systems.
	if soft := uint64(limit.Cur); soft <= math.MaxInt32 { //nolint:unconvert // See above.
		return int(soft), true
	}
	return 0, false
}
