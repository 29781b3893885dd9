package http1

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/protocoltest"
)

// checkClosed closes the client and waits for each connection that was opened to be
// closed, once.
func checkClosed(tb testing.TB, c waiting, w *protocoltest.ConnRecorder) {
	tb.Helper()
	c.Close()
	w.CheckClosed(tb)
}

func TestConnectionsAreReplacedWhenTheyAreOld(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*httpreq.Options)
		want   int
	}{
		{"by their requests", func(o *httpreq.Options) { o.MaxConnRequests = 3 }, 4},
		{"by their age", func(o *httpreq.Options) { o.MaxConnAge = 1 }, 10},
		{"neither", func(*httpreq.Options) {}, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := new(protocoltest.ConnRecorder)
			o := flavours()[0].Serve(t, func(http.ResponseWriter, *http.Request) {})
			o.Observer = w
			test.change(&o)
			c := client(t, o)
			for range 10 {
				mustSucceed(t, c)
			}
			checkClosed(t, c, w)
			if n, _ := w.Counts(); n != test.want {
				t.Errorf("%d connections for 10 requests, want %d", n, test.want)
			}
		})
	}
}

func TestIdleConnectionsAreClosedWhenTheyAreOld(t *testing.T) {
	for name, test := range map[string]struct{ age, closed time.Duration }{
		"by age":          {10 * time.Second, 22 * time.Second},
		"for lack of use": {0, idleTimeout + longestLook},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := new(protocoltest.ConnRecorder)
				o := protocoltest.Pipe(t, false, protocoltest.Respond(empty))
				o.Observer, o.MaxConnAge = w, test.age
				mustSucceed(t, client(t, o))
				time.Sleep(9 * time.Second)
				if _, closed := w.Counts(); closed != 0 {
					t.Error("it is closed already")
				}
				time.Sleep(test.closed)
				if _, closed := w.Counts(); closed != 1 {
					t.Errorf("it is not closed after %s", test.closed)
				}
			})
		})
	}
}

func TestCloseEndsWhatIsInFlight(t *testing.T) {
	for _, f := range flavours() {
		t.Run(f.Name, func(t *testing.T) {
			arrived := make(chan struct{})
			w := new(protocoltest.ConnRecorder)
			o := f.Serve(t, func(_ http.ResponseWriter, r *http.Request) {
				arrived <- struct{}{}
				<-r.Context().Done()
			})
			o.Observer = w
			c := client(t, o)
			results := make(chan protocol.Result, 1)
			go func() { results <- c.Do(context.Background(), protocol.Request{}) }()
			<-arrived
			c.Close()
			protocoltest.CheckReason(t, <-results, protocol.ReasonCanceled)
			protocoltest.CheckReason(t, do(t, c), protocol.ReasonCanceled)
			w.CheckClosed(t)
		})
	}
}

func TestMoreConnectionsThanAllowedAreDenied(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	o := flavours()[0].Serve(t, func(http.ResponseWriter, *http.Request) {
		arrived <- struct{}{}
		<-release
	})
	o.MaxConns = 1
	c := client(t, o)
	results := make(chan protocol.Result, 1)
	go func() { results <- c.Do(context.Background(), protocol.Request{}) }()
	<-arrived
	wantReason(t, c, protocol.ReasonLocal)
	close(release)
	if r := <-results; r.Failed() {
		t.Error(r.Err)
	}
}
