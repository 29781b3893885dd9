package http2

import (
	"bytes"
	"io"
	"net/http"
	"testing"

	lib "golang.org/x/net/http2"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
)

func TestBodiesKeepWithinWindows(t *testing.T) {
	const size = 300_000
	// receive takes DATA of the stream until it has come to n bytes of body.
	receive := func(t *testing.T, s *server, id uint32, n int) {
		t.Helper()
		for s.body[id] < n {
			if _, ok := s.next(lib.FrameData); !ok {
				t.Errorf("stream %d ended after %d of %d bytes", id, s.body[id], n)
				return
			}
		}
		if s.body[id] > n {
			t.Errorf("stream %d had %d bytes, more than %d", id, s.body[id], n)
		}
	}
	// silent checks that no more of the body comes before a PING's acknowledgement.
	silent := func(t *testing.T, s *server, id uint32) {
		t.Helper()
		before := s.body[id]
		_ = s.WritePing(false, [8]byte{1})
		if _, ok := s.next(lib.FramePing); ok && s.body[id] != before {
			t.Errorf("%d bytes beyond the window", s.body[id]-before)
		}
	}
	for _, test := range []struct {
		name     string
		settings []lib.Setting
		script   func(t *testing.T, s *server)
	}{
		{"of the default size", nil, func(t *testing.T, s *server) {
			t.Helper()
			id := s.request()
			receive(t, s, id, firstWindow)
			silent(t, s, id)
			_ = s.WriteWindowUpdate(id, size)
			silent(t, s, id)
			_ = s.WriteWindowUpdate(0, 10)
			receive(t, s, id, firstWindow+10)
			_ = s.WriteWindowUpdate(0, size)
			receive(t, s, id, size)
			s.respond(id)
		}},
		{"of nothing at first", []lib.Setting{{ID: lib.SettingInitialWindowSize, Val: 0}}, func(t *testing.T, s *server) {
			t.Helper()
			// The first request may have come before the settings.
			s.respond(s.request())
			_ = s.WriteWindowUpdate(0, 2*size)
			id := s.request()
			silent(t, s, id)
			_ = s.WriteWindowUpdate(id, 1)
			receive(t, s, id, 1)
			_ = s.WriteWindowUpdate(id, size)
			receive(t, s, id, size)
			s.respond(id)
		}},
		{"that become less than nothing", nil, func(t *testing.T, s *server) {
			t.Helper()
			_ = s.WriteWindowUpdate(0, 2*size)
			id := s.request()
			receive(t, s, id, firstWindow)
			_ = s.WriteSettings(lib.Setting{ID: lib.SettingInitialWindowSize, Val: 100})
			_ = s.WriteWindowUpdate(id, firstWindow-100)
			silent(t, s, id)
			_ = s.WriteWindowUpdate(id, 7)
			receive(t, s, id, firstWindow+7)
			_ = s.WriteSettings(lib.Setting{ID: lib.SettingInitialWindowSize, Val: size})
			receive(t, s, id, size)
			s.respond(id)
		}},
		{"that the server does not use to the end", nil, func(t *testing.T, s *server) {
			t.Helper()
			id := s.request()
			receive(t, s, id, firstWindow)
			s.respond(id)
			if f, ok := s.next(lib.FrameRSTStream); !ok || f.Header().StreamID != id {
				t.Errorf("got %v", f)
			}
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := scripted(t, func(s *server) { test.script(t, s); s.serve() }, test.settings...)
			o.Entries[0].Method, o.Entries[0].Body = "POST", bytes.Repeat([]byte("x"), size)
			c := client(t, o)
			mustSucceed(t, c)
			mustSucceed(t, c)
		})
	}
}

func TestManyBodiesShareAConnection(t *testing.T) {
	for _, f := range flavours() {
		t.Run(f.Name, func(t *testing.T) {
			const n, size = 40, 200_000
			o := f.Serve(t, echoLength(t, size))
			o.Entries[0].Method, o.Entries[0].Body = "POST", bytes.Repeat([]byte("x"), size)
			c := client(t, o)
			var all []<-chan protocol.Result
			for range n {
				all = append(all, begin(c, protocol.Request{}))
			}
			c.Flush()
			for _, results := range all {
				if r := <-results; r.Failed() {
					t.Error(r.Err)
				}
			}
		})
	}
}

func TestAServerThatDoesNotReadBlocksNobody(t *testing.T) {
	done := make(chan struct{})
	o := scripted(t, func(s *server) {
		_ = s.WriteWindowUpdate(0, 1<<30)
		<-done
	}, lib.Setting{ID: lib.SettingInitialWindowSize, Val: 1 << 30})
	o.Entries[0].Method, o.Entries[0].Body = "POST", make([]byte, 64<<20)
	o.Timeout = 4 * short
	c := client(t, o)
	defer close(done)
	var all []<-chan protocol.Result
	for range 10 {
		all = append(all, begin(c, protocol.Request{}))
		c.Flush()
	}
	for _, results := range all {
		if r := <-results; r.Reason != protocol.ReasonTimeout {
			t.Errorf("reason %q: %v", r.Reason, r.Err)
		}
	}
}

// echoLength checks that bodies have the length.
func echoLength(t *testing.T, n int64) http.HandlerFunc {
	t.Helper()
	return func(_ http.ResponseWriter, r *http.Request) {
		if got, err := io.Copy(io.Discard, r.Body); got != n {
			t.Errorf("a body of %d bytes: %v", got, err)
		}
	}
}
