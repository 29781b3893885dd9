package http2

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/protocoltest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// client returns a client that is closed with the test.
func client(tb testing.TB, o httpreq.Options) *Client {
	tb.Helper()
	c, err := New(o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(c.Close)
	return c
}

// begin starts a request and returns where its result will come.
func begin(c protocol.Client, r protocol.Request) <-chan protocol.Result {
	results := make(chan protocol.Result, 2)
	call := &protocol.Call{Request: r}
	call.Done = func() { results <- call.Result }
	c.Start(call)
	return results
}

// exchange makes one exchange and waits for it.
func exchange(c protocol.Client, r protocol.Request) protocol.Result {
	results := begin(c, r)
	c.Flush()
	return <-results
}

// do makes one exchange of entry 0.
func do(tb testing.TB, c *Client) protocol.Result {
	tb.Helper()
	return exchange(c, protocol.Request{})
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

// flavours are the ways to speak HTTP/2.
func flavours() []protocoltest.Flavour {
	return protocoltest.Flavours()[3:]
}

// checkClosed closes the client and waits for each connection that was opened to be
// closed, once.
func checkClosed(tb testing.TB, c *Client, w *protocoltest.ConnRecorder) {
	tb.Helper()
	c.Close()
	w.CheckClosed(tb)
}

// checkOne checks that all requests shared one connection.
func checkOne(tb testing.TB, w *protocoltest.ConnRecorder) {
	tb.Helper()
	if opened, closed := w.Counts(); opened != 1 || closed != 0 {
		tb.Errorf("%d connections were opened, %d closed", opened, closed)
	}
}

// h2cOptions returns options for one GET of the URL in the clear.
func h2cOptions(tb testing.TB, target string) httpreq.Options {
	tb.Helper()
	o := protocoltest.Options(tb, target)
	o.Protocol = httpreq.H2C
	return o
}
