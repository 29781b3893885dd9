package protocoltest

import (
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/allow"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/dial"
)

// Allow returns an allow list.
func Allow(tb testing.TB, texts ...string) allow.List {
	tb.Helper()
	var l allow.List
	for _, text := range texts {
		e, err := allow.Parse(text)
		if err != nil {
			tb.Fatal(err)
		}
		l = append(l, e)
	}
	return l
}

func (s Suite) keepsToTheAllowList(t *testing.T) {
	for _, f := range s.Flavours {
		t.Run(f.Name, func(t *testing.T) {
			var seen atomic.Int64
			begun, release := make(chan struct{}, 1), make(chan struct{})
			o := f.Serve(t, func(w http.ResponseWriter, r *http.Request) {
				if seen.Add(1) == 2 {
					begun <- struct{}{}
					<-release
				}
				s.succeed(w, r)
			})
			t.Cleanup(func() { close(release) })
			w := new(ConnRecorder)
			o.Observer = w
			o.Fence = dial.NewFence(Allow(t, "other.test", "10.0.0.0/8"))
			c := s.client(t, o)
			wantReason(t, c, protocol.ReasonDenied)
			if opened, _ := w.Counts(); opened > 0 || seen.Load() > 0 {
				t.Errorf("%d connections and %d requests, though none is allowed", opened, seen.Load())
			}

			o.Fence.Set(Allow(t, "127.0.0.0/8"))
			mustSucceed(t, c)

			// A request is in flight when it is not allowed any more.
			ended := make(chan protocol.Result, 1)
			go func() { ended <- c.do(protocol.Request{}) }()
			<-begun
			o.Fence.Set(Allow(t, "127.0.0.0/8:1"))
			CheckReason(t, <-ended, protocol.ReasonDenied)
			wantReason(t, c, protocol.ReasonDenied)
			w.CheckClosed(t)

			o.Fence.Set(nil)
			mustSucceed(t, c)
		})
	}
}

func (s Suite) followsNoRedirectToWhatIsNotAllowed(t *testing.T) {
	f := s.plain()
	var there requestLog
	other := f.Serve(t, redirecting(&there)).Entries[0].URL
	o := f.Serve(t, redirecting(new(requestLog)))
	home := o.Entries[0].URL
	o.Fence = dial.NewFence(Allow(t, "127.0.0.1:"+home.Port))
	o.Entries[0].URL = At(t, home, "/302/"+other.Scheme+":~~"+other.Authority()+"~end")
	wantReason(t, s.follower(t, o), protocol.ReasonDenied)
	if got := there.take(); len(got) > 0 {
		t.Errorf("the other server got %q", got)
	}
}
