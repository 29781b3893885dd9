package http2

import (
	"slices"
	"testing"
	"testing/synctest"

	lib "golang.org/x/net/http2"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/protocoltest"
)

func TestRequestsThatTheServerHasNotLookedAtAreRepeated(t *testing.T) {
	for _, test := range []struct {
		name   string
		method string
		first  func(s *server)
		want   protocol.Reason
	}{
		{"GOAWAY before the request's id", "POST", func(s *server) { s.request(); _ = s.WriteGoAway(0, lib.ErrCodeNo, nil) }, protocol.ReasonNone},
		{"GOAWAY with an error before the id", "POST", func(s *server) { s.request(); _ = s.WriteGoAway(0, lib.ErrCodeInternal, nil) }, protocol.ReasonNone},
		{"GOAWAY in two steps", "POST", func(s *server) {
			s.request()
			_ = s.WriteGoAway(1<<31-1, lib.ErrCodeNo, nil)
			_ = s.WriteGoAway(0, lib.ErrCodeNo, nil)
		}, protocol.ReasonNone},
		{"GOAWAY after the id, and an answer", "POST", func(s *server) {
			id := s.request()
			_ = s.WriteGoAway(id, lib.ErrCodeNo, nil)
			s.respond(id)
		}, protocol.ReasonNone},
		{"GOAWAY after the id, and no answer", "GET", func(s *server) {
			_ = s.WriteGoAway(s.request(), lib.ErrCodeNo, nil)
			s.hangUp()
		}, protocol.ReasonReset},
		{"GOAWAY for a breach", "GET", func(s *server) {
			_ = s.WriteGoAway(s.request(), lib.ErrCodeProtocol, nil)
			s.hangUp()
		}, protocol.ReasonProtocol},
		{"REFUSED_STREAM", "POST", func(s *server) { _ = s.WriteRSTStream(s.request(), lib.ErrCodeRefusedStream) }, protocol.ReasonNone},
		{"an end on a new connection", "GET", func(s *server) { s.request(); s.hangUp() }, protocol.ReasonReset},
		{"an end on a used connection", "GET", func(s *server) { s.respond(s.request()); s.request(); s.hangUp() }, protocol.ReasonNone},
		{"an end on a used connection, of a POST", "POST", func(s *server) { s.respond(s.request()); s.request(); s.hangUp() }, protocol.ReasonReset},
		{"an end in the answer", "GET", func(s *server) {
			s.respond(s.request())
			_ = s.WriteHeaders(lib.HeadersFrameParam{StreamID: s.request(), BlockFragment: []byte(status200), EndHeaders: true})
			s.hangUp()
		}, protocol.ReasonReset},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := new(protocoltest.ConnRecorder)
			o := scripted(t, func(s *server) {
				if s.conn == 1 {
					test.first(s)
					return
				}
				s.serve()
			})
			o.Entries[0].Method, o.Observer = test.method, w
			c := client(t, o)
			r := do(t, c)
			if opened, _ := w.Counts(); opened == 1 && !r.Failed() {
				r = do(t, c)
			}
			if r.Reason != test.want {
				t.Errorf("reason %q, want %q: %v", r.Reason, test.want, r.Err)
			}
			checkClosed(t, c, w)
		})
	}
}

// TestOnlyARefusalAfterOthersWereTakenIsTransparent has servers refuse the second of two requests.
func TestOnlyARefusalAfterOthersWereTakenIsTransparent(t *testing.T) {
	for _, test := range []struct {
		name   string
		refuse func(s *server, first, second uint32)
		want   []protocol.Extra
	}{
		{"GOAWAY after the first", func(s *server, first, _ uint32) {
			_ = s.WriteGoAway(first, lib.ErrCodeNo, nil)
			s.respond(first)
		}, []protocol.Extra{protocol.TransparentRetry}},
		{"GOAWAY in two steps", func(s *server, first, _ uint32) {
			_ = s.WriteGoAway(1<<31-1, lib.ErrCodeNo, nil)
			_ = s.WriteGoAway(first, lib.ErrCodeNo, nil)
			s.respond(first)
		}, []protocol.Extra{protocol.TransparentRetry}},
		{"GOAWAY after both", func(s *server, first, second uint32) {
			_ = s.WriteGoAway(second, lib.ErrCodeNo, nil)
			s.respond(first)
			s.respond(second)
		}, nil},
		{"GOAWAY before both", func(s *server, _, _ uint32) {
			_ = s.WriteGoAway(0, lib.ErrCodeNo, nil)
		}, []protocol.Extra{protocol.Retry, protocol.Retry}},
		{"GOAWAY for an error", func(s *server, first, _ uint32) {
			_ = s.WriteGoAway(first, lib.ErrCodeInternal, nil)
			s.respond(first)
		}, []protocol.Extra{protocol.Retry}},
		{"REFUSED_STREAM", func(s *server, first, second uint32) {
			_ = s.WriteRSTStream(second, lib.ErrCodeRefusedStream)
			s.respond(first)
			s.serve()
		}, []protocol.Extra{protocol.Retry}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := piped(t, func(s *server) {
					if s.conn == 1 {
						first := s.request()
						test.refuse(s, first, s.request())
						return
					}
					s.serve()
				})
				o.Entries[0].Method = "POST"
				c := client(t, o)
				asked := make(chan protocol.Extra, 4)
				admit := func(e protocol.Extra) bool { asked <- e; return true }
				if failed := inTurns(c, 1, 2, admit); failed > 0 {
					t.Errorf("%d requests failed", failed)
				}
				close(asked)
				var got []protocol.Extra
				for e := range asked {
					got = append(got, e)
				}
				if !slices.Equal(got, test.want) {
					t.Errorf("asked for %d, want %d", got, test.want)
				}
			})
		})
	}
}

func TestARepetitionIsTheLast(t *testing.T) {
	o := scripted(t, func(s *server) {
		for id := s.request(); id != 0; id = s.request() {
			_ = s.WriteRSTStream(id, lib.ErrCodeRefusedStream)
		}
	})
	for _, conns := range []int{1, 10} {
		o.MaxConns = conns
		wantReason(t, client(t, o), protocol.ReasonReset)
	}
}

func TestAConnectionEndsWhenItsLastRequestDoesAfterGoAway(t *testing.T) {
	w := new(protocoltest.ConnRecorder)
	next := make(chan struct{})
	o := scripted(t, func(s *server) {
		if s.conn > 1 {
			s.serve()
			return
		}
		first := s.request()
		second := s.request()
		_ = s.WriteGoAway(second, lib.ErrCodeNo, nil)
		s.respond(second)
		<-next
		s.respond(first)
	})
	o.Observer = w
	c := client(t, o)
	first, second := begin(c, protocol.Request{}), begin(c, protocol.Request{})
	c.Flush()
	if r := <-second; r.Failed() {
		t.Error(r.Err)
	}
	mustSucceed(t, c)
	if opened, closed := w.Counts(); opened != 2 || closed != 0 {
		t.Errorf("%d opened, %d closed", opened, closed)
	}
	close(next)
	if r := <-first; r.Failed() {
		t.Error(r.Err)
	}
	protocoltest.Eventually(t, "the first connection is closed", func() bool { _, closed := w.Counts(); return closed == 1 })
	mustSucceed(t, c)
}
