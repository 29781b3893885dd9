package fleet

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"
)

// dialTimeout bounds the attempt to find out why a store does not respond.
const dialTimeout = time.Second

// why returns an error of the store's client for people. That of etcd says no more than
// that time is up, and keeps the reason to itself.
func (s *store) why(ctx context.Context, err error) error {
	if !isAway(err) {
		return err
	}
	for _, endpoint := range s.endpoints {
		if dialErr := dial(ctx, endpoint); dialErr != nil {
			return fmt.Errorf("no response within %v: %w", storeTimeout, dialErr)
		}
	}
	return fmt.Errorf("no response within %v", storeTimeout)
}

// isAway reports whether an error says that the store does not respond, and not that it
// refuses.
func isAway(err error) bool { return errors.Is(err, context.DeadlineExceeded) }

// dial returns why an endpoint, as host:port or a URL with both, cannot be connected to.
func dial(ctx context.Context, endpoint string) error {
	if _, rest, isURL := strings.Cut(endpoint, "://"); isURL {
		endpoint = strings.TrimSuffix(rest, "/")
	}
	d := net.Dialer{Timeout: dialTimeout}
	conn, err := d.DialContext(ctx, "tcp", endpoint)
	if err != nil {
		return err
	}
	return conn.Close()
}
