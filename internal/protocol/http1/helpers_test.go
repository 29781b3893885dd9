package http1

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"go.uber.org/goleak"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/protocoltest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// exchangeWith makes one exchange. The context is none of the client's business: its end
// closes the client.
func exchangeWith(ctx context.Context, c protocol.Client, r protocol.Request) protocol.Result {
	done := make(chan struct{})
	call := &protocol.Call{Request: r, Done: func() { close(done) }}
	c.Start(call)
	c.Flush()
	select {
	case <-done:
	case <-ctx.Done():
		c.Close()
		<-done
	}
	return call.Result
}

// waiting is a client with a Do that waits.
type waiting struct{ *Client }

// Do makes one exchange.
func (w waiting) Do(ctx context.Context, r protocol.Request) protocol.Result {
	return exchangeWith(ctx, w.Client, r)
}

// client returns a client that is closed with the test.
func client(tb testing.TB, o httpreq.Options) waiting {
	tb.Helper()
	c, err := New(o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(c.Close)
	return waiting{c}
}

// do makes one exchange of entry 0.
func do(tb testing.TB, c waiting) protocol.Result {
	tb.Helper()
	return c.Do(tb.Context(), protocol.Request{})
}

// mustSucceed makes one exchange that has to go well.
func mustSucceed(tb testing.TB, c waiting) protocol.Result {
	tb.Helper()
	r := do(tb, c)
	if r.Failed() {
		tb.Fatalf("failed as %q: %v", r.Reason, r.Err)
	}
	return r
}

// wantReason makes one exchange that has to fail for the reason, and have sane times.
func wantReason(tb testing.TB, c waiting, want protocol.Reason) protocol.Result {
	tb.Helper()
	return protocoltest.CheckReason(tb, do(tb, c), want)
}

// flavours are the ways to speak HTTP/1.1.
func flavours() []protocoltest.Flavour {
	var all []protocoltest.Flavour
	for _, f := range protocoltest.Flavours() {
		if f.Major == 1 {
			f.Protocol = httpreq.HTTP1
			all = append(all, f)
		}
	}
	return all
}

func TestItWorks(t *testing.T) {
	for _, f := range flavours() {
		t.Run(f.Name, func(t *testing.T) {
			w := new(protocoltest.ConnRecorder)
			o := f.Serve(t, func(http.ResponseWriter, *http.Request) {}, func(*httptest.Server) {})
			o.Observer = w
			c := client(t, o)
			for range 100 {
				mustSucceed(t, c)
			}
			c.Close()
			w.CheckClosed(t)
			if n, _ := w.Counts(); n != 1 {
				t.Errorf("%d connections", n)
			}
		})
	}
}
