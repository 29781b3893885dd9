package httpstd

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpmix"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/protocoltest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// client returns a client that is closed with the test.
func client(tb testing.TB, o httpmix.Options) *Client {
	tb.Helper()
	c, err := New(o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(c.Close)
	return c
}

// do makes one exchange of entry 0.
func do(tb testing.TB, c *Client) protocol.Result {
	tb.Helper()
	return c.Do(tb.Context(), protocol.Request{})
}

// mustSucceed makes one exchange that has to go well.
func mustSucceed(tb testing.TB, c *Client) protocol.Result {
	tb.Helper()
	r := do(tb, c)
	if r.Failed() {
		tb.Fatalf("failed as %q: %v", r.Reason, r.Err)
	}
	return r
}

// wantReason makes one exchange that has to fail for the reason, and have sane times.
func wantReason(tb testing.TB, c *Client, want protocol.Reason) protocol.Result {
	tb.Helper()
	return protocoltest.CheckReason(tb, do(tb, c), want)
}
