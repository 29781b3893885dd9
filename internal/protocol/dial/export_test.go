package dial

import "net/netip"

// ErrPending is errPending.
var ErrPending = errPending

// Interleave is interleave.
func Interleave(all []netip.Addr) []netip.Addr { return interleave(all) }
