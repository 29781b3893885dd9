package fleet

import (
	"context"
	"errors"
	"fmt"
	"net"
	"testing"

	"github.com/traffic-exporter/traffic_exporter/test/freeport"
)

func TestAStoreThatDoesNotRespondIsReportedWithTheReason(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	up, refused := l.Addr().String(), errors.New("permission denied")
	t.Cleanup(func() { _ = l.Close() })
	down := freeport.Address(t)
	for name, tc := range map[string]struct {
		endpoints []string
		err       error
		want      string
	}{
		"nobody is there":         {[]string{"http://" + down + "/"}, context.DeadlineExceeded, "no response within 5s: dial tcp " + down + ": connect: connection refused"},
		"one of them is not":      {[]string{up, down}, fmt.Errorf("x: %w", context.DeadlineExceeded), "no response within 5s: dial tcp " + down + ": connect: connection refused"},
		"it hangs":                {[]string{up}, context.DeadlineExceeded, "no response within 5s"},
		"it says what it does":    {[]string{down}, refused, "permission denied"},
		"it is a client's matter": {nil, context.DeadlineExceeded, "no response within 5s"},
	} {
		t.Run(name, func(t *testing.T) {
			s := &store{endpoints: tc.endpoints}
			if got := s.why(t.Context(), tc.err).Error(); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}
