package protocoltest

import (
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
)

// uploadsToASlowReader sends a body that no socket takes at once to a server that begins to
// read it late, and slowly.
func (s Suite) uploadsToASlowReader(t *testing.T) {
	const size = 16 << 20
	for _, f := range s.Flavours {
		t.Run(f.Name, func(t *testing.T) {
			var got int64
			o := f.Serve(t, func(w http.ResponseWriter, r *http.Request) {
				time.Sleep(short) // The client's socket is full by then.
				got, _ = io.Copy(io.Discard, r.Body)
				w.WriteHeader(http.StatusCreated)
			})
			w := new(ConnRecorder)
			o.Observer = w
			bothBodies(t, size, func(t *testing.T, upload func(*httpreq.Entry)) {
				upload(&o.Entries[0])
				c := s.client(t, o)
				for range 2 {
					if r := c.do(protocol.Request{}); r.Failed() || r.Code != "201" || got != size {
						t.Fatalf("code %q, reason %q: %v; the server got %d bytes", r.Code, r.Reason, r.Err, got)
					}
				}
			})
		})
	}
}

// takesAnEarlyResponse has a server refuse a body before it has read it: the response is the
// outcome.
func (s Suite) takesAnEarlyResponse(t *testing.T) {
	for _, f := range s.Flavours {
		t.Run(f.Name, func(t *testing.T) {
			o := f.Serve(t, func(w http.ResponseWriter, _ *http.Request) {
				if f.Major < 3 {
					w.Header().Set("Connection", "close")
				}
				w.WriteHeader(http.StatusRequestEntityTooLarge)
			})
			bothBodies(t, 3<<20, func(t *testing.T, upload func(*httpreq.Entry)) {
				upload(&o.Entries[0])
				c := s.client(t, o)
				for range 50 {
					if r := c.do(protocol.Request{}); r.Code != "413" || r.Reason != protocol.ReasonStatus {
						t.Fatalf("code %q, reason %q: %v", r.Code, r.Reason, r.Err)
					}
				}
			})
		})
	}
}
