package dial

import (
	"context"
	"errors"
	"syscall"
	"time"
)

// stagger is how long one address is tried alone before the next one is tried as well, as
// RFC 8305 has it.
const stagger = 250 * time.Millisecond

// attempt is what became of one connection that was tried.
type attempt struct {
	conn *Conn
	addr string
	err  error
}

// tryFunc makes a connection to an address.
type tryFunc func(ctx context.Context, addr string) (*Conn, error)

// connectTo connects to one of several addresses and returns which: the first that
// responds. It tries each when the one before has failed or has not responded for a while.
// It gives up attempts still under way, and has closed them when it returns. Where this
// machine has nothing left to connect with, no further address is tried. Errors are of type
// *Error, the first one's.
func connectTo(ctx context.Context, addrs []string, try tryFunc) (*Conn, string, error) {
	if len(addrs) == 1 {
		c, err := try(ctx, addrs[0])
		return c, addrs[0], err
	}
	ctx, cancel := context.WithCancel(ctx)
	results := make(chan attempt, len(addrs))
	started, running := 0, 0
	defer func() {
		cancel()
		for ; running > 0; running-- {
			if a := <-results; a.err == nil {
				_ = a.conn.Close() // Another one was quicker.
			}
		}
	}()
	timer := time.NewTimer(0)
	defer timer.Stop()
	var failure error
	for {
		next := timer.C
		if started == len(addrs) {
			next = nil
		}
		select {
		case <-next:
			addr := addrs[started]
			started++
			running++
			go func() {
				c, err := try(ctx, addr)
				results <- attempt{c, addr, err}
			}()
			timer.Reset(stagger)
		case a := <-results:
			running--
			if a.err == nil {
				return a.conn, a.addr, nil
			}
			if failure == nil {
				failure = a.err
			}
			if isExhausted(a.err) {
				started, failure = len(addrs), a.err
			}
			// When the time is up there is no point in the others.
			if running == 0 && (started == len(addrs) || ctx.Err() != nil) {
				return nil, "", failure
			}
			timer.Reset(0)
		}
	}
}

// isExhausted reports whether this machine has nothing left to connect with, wherever to.
func isExhausted(err error) bool {
	if errors.Is(err, ErrNoDescriptor) {
		return true
	}
	for _, errno := range []syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM} {
		if errors.Is(err, errno) {
			return true
		}
	}
	return false
}

// try connects to an address.
func (d *Dialer) try(ctx context.Context, addr string) (*Conn, error) {
	c, err := d.open(ctx, "tcp", addr)
	if err != nil {
		return nil, &Error{Step: StepConnect, Addr: addr, Err: err}
	}
	return c, nil
}

// open opens a connection that has a descriptor until it is closed.
func (d *Dialer) open(ctx context.Context, network, addr string) (*Conn, error) {
	if err := d.descriptors.take(); err != nil {
		return nil, err
	}
	raw, err := d.net.DialContext(ctx, network, addr)
	if err != nil {
		d.descriptors.give()
		return nil, err
	}
	c, err := NewConn(raw, d.observer)
	if err != nil {
		_ = raw.Close() // There is another error to report.
		d.descriptors.give()
		return nil, err
	}
	c.descriptors, c.fence = d.descriptors, d.fence
	return c, nil
}
