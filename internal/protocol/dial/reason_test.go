package dial_test

import (
	"context"
	"errors"
	"net"
	"os"
	"syscall"
	"testing"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/dial"
)

func TestReasonsOfConnectionsThatCannotBeMade(t *testing.T) {
	for _, tc := range []struct {
		err  error
		want protocol.Reason
	}{
		{dial.ErrTooManyConns, protocol.ReasonLocal},
		{syscall.EMFILE, protocol.ReasonLocal},
		{syscall.ENFILE, protocol.ReasonLocal},
		{syscall.ENOBUFS, protocol.ReasonLocal},
		{syscall.ENOMEM, protocol.ReasonLocal},
		{syscall.EADDRNOTAVAIL, protocol.ReasonLocal},
		{syscall.EADDRINUSE, protocol.ReasonLocal},
		{syscall.EACCES, protocol.ReasonDenied},
		{syscall.EPERM, protocol.ReasonDenied},
		{syscall.ECONNREFUSED, protocol.ReasonRefused},
		{syscall.EHOSTUNREACH, protocol.ReasonRefused},
		{syscall.ECONNRESET, protocol.ReasonReset},
		{syscall.ETIMEDOUT, protocol.ReasonConnectTimeout},
		{context.Canceled, protocol.ReasonCanceled},
		{context.DeadlineExceeded, protocol.ReasonConnectTimeout},
		{&net.DNSError{Err: "no such host", IsNotFound: true}, protocol.ReasonDNS},
	} {
		t.Run(tc.err.Error(), func(t *testing.T) {
			// As the kernel's errors come from package net.
			err := &dial.Error{Step: dial.StepConnect, Err: &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", tc.err)}}
			if _, ok := errors.AsType[syscall.Errno](tc.err); !ok {
				err.Err = tc.err
			}
			if got := dial.Reason(err); got != tc.want {
				t.Errorf("%v, want %v", got, tc.want)
			}
		})
	}
}
