package protocoltest

import (
	"io"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/transcript"
)

// late makes an exchange whose late tap is given where wants says so, and returns what it was
// shown, and for which reasons it was asked for.
func late(t *testing.T, c protocol.Client, wants func(protocol.Reason) bool) (string, []protocol.Reason) {
	t.Helper()
	var seen transcript.Transcript
	var asked []protocol.Reason
	done := make(chan struct{})
	call := &protocol.Call{
		Request: protocol.Request{},
		Late: func(r protocol.Reason, _ time.Time) protocol.Tap {
			asked = append(asked, r)
			if wants(r) {
				return &seen
			}
			return nil
		},
		Done: func() { close(done) },
	}
	c.Start(call)
	c.Flush()
	<-done
	return seen.String(), asked
}

func failed(r protocol.Reason) bool { return r != protocol.ReasonNone }
func always(protocol.Reason) bool   { return true }

func (s Suite) showsALateTapWhatFails(t *testing.T) {
	for _, f := range s.Flavours {
		t.Run(f.Name, func(t *testing.T) {
			statuses := []int{http.StatusOK, http.StatusServiceUnavailable}
			n := 0
			o := f.Serve(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("X-Answer", "yes")
				w.WriteHeader(statuses[n%2])
				n++
				_, _ = io.WriteString(w, "no stock")
			})
			o.Entries[0].Method, o.Entries[0].Body = "POST", []byte("question")
			c := s.client(t, o)
			if text, asked := late(t, c, failed); text != "" || len(asked) != 1 || asked[0] != protocol.ReasonNone {
				t.Errorf("of a success it was asked for %v and shown %q", asked, text)
			}
			text, asked := late(t, c, failed)
			if len(asked) != 1 || asked[0] != protocol.ReasonStatus {
				t.Errorf("of a failure it was asked for %v", asked)
			}
			mustContain(t, text, "* kept connection", "> POST /", "question", "< "+f.version()+" 503", "yes", "no stock")
			// A slow one is shown from its head on.
			text, _ = late(t, c, always)
			mustContain(t, text, "> POST /", "< "+f.version()+" 200", "no stock")
		})
	}
}

func (s Suite) showsALateTapWhatBreaks(t *testing.T) {
	for _, f := range s.Flavours {
		t.Run(f.Name, func(t *testing.T) {
			o := f.Serve(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
			o.Entries[0].Method = "POST" // Which is not sent again.
			c := s.client(t, o)
			text, asked := late(t, c, failed)
			if len(asked) != 1 || asked[0] != protocol.ReasonReset {
				t.Errorf("it was asked for %v", asked)
			}
			mustContain(t, text, "* new connection", "> POST /")
		})
	}
}

// timesFailuresOnKeptConnections has a connection carry a response, which a late tap is asked about,
// and then a request without one: that ends when its time is up, and not when the response came.
func (s Suite) timesFailuresOnKeptConnections(t *testing.T) {
	for _, f := range s.Flavours {
		t.Run(f.Name, func(t *testing.T) {
			var silent atomic.Bool
			o := f.Serve(t, func(_ http.ResponseWriter, r *http.Request) {
				if silent.Load() {
					<-r.Context().Done()
				}
			})
			c := s.client(t, o)
			call := func(deadline time.Time) protocol.Result {
				return c.run(&protocol.Call{Deadline: deadline, Late: func(protocol.Reason, time.Time) protocol.Tap { return nil }})
			}
			if r := call(time.Time{}); r.Failed() {
				t.Fatal(r.Err)
			}
			silent.Store(true)
			deadline := time.Now().Add(short)
			r := call(deadline)
			CheckReason(t, r, protocol.ReasonTimeout)
			if r.Done.Before(deadline) {
				t.Errorf("it ended %s before its time was up", deadline.Sub(r.Done))
			}
		})
	}
}
