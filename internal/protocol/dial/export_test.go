package dial

import (
	"context"
	"net/netip"
)

// ErrPending is errPending.
var ErrPending = errPending

// Interleave is interleave.
func Interleave(all []netip.Addr) []netip.Addr { return interleave(all) }

// ConnectTo is connectTo with what the Dialer connects with.
func (d *Dialer) ConnectTo(ctx context.Context, addrs []string) (*Conn, string, error) {
	return connectTo(ctx, addrs, d.try)
}
