package protocoltest

import (
	"bytes"
	"context"
	"hash/crc32"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
	"github.com/traffic-exporter/traffic_exporter/internal/script"
)

// Generated returns a body of so many bytes. No two pieces of it are alike.
func Generated(size int64) httpreq.Source { return script.NewRandom(slot{}, size) }

// slot is one without values.
type slot struct{}

// Value implements script.Values.
func (slot) Value(int) (script.Value, error) { return script.Value{}, nil }

// Slot implements script.Values.
func (slot) Slot() script.Slot { return script.Slot{Hash: 42} }

// sumOf returns the checksum of a whole body.
func sumOf(s httpreq.Source) uint32 {
	sum := crc32.NewIEEE()
	var piece []byte
	for at := int64(0); at < s.Size(); at += int64(len(piece)) {
		piece = s.AppendAt(piece[:0], at, int(min(64<<10, s.Size()-at)))
		_, _ = sum.Write(piece) // It never fails.
	}
	return sum.Sum32()
}

// bothBodies runs a test with uploads of a body that is held and of one that is generated.
func bothBodies(t *testing.T, size int64, run func(t *testing.T, upload func(*httpreq.Entry))) {
	t.Helper()
	t.Run("held", func(t *testing.T) {
		run(t, func(e *httpreq.Entry) { e.Method, e.Body = http.MethodPost, make([]byte, size) })
	})
	t.Run("generated", func(t *testing.T) {
		run(t, func(e *httpreq.Entry) { e.Method, e.Source = http.MethodPost, Generated(size) })
	})
}

// checksummed responds with the length that a request states, the length of its body and the
// checksum of its body.
func checksummed(w http.ResponseWriter, r *http.Request) {
	sum := crc32.NewIEEE()
	n, _ := io.Copy(sum, r.Body)
	_, _ = w.Write(checksum(r.ContentLength, n, sum.Sum32()))
}

func checksum(stated, got int64, sum uint32) []byte {
	b := append(strconv.AppendInt(nil, stated, 10), ' ')
	b = append(strconv.AppendInt(b, got, 10), ' ')
	return strconv.AppendUint(b, uint64(sum), 16)
}

// keeper is a tap that keeps the body of the response.
type keeper struct {
	recorder

	body []byte
}

// Body implements protocol.Tap.
func (k *keeper) Body(p []byte) { k.body = append(k.body, p...) }

// generatesBodies sends bodies of all sizes that are generated, between requests without one,
// and has each arrive as it was meant.
func (s Suite) generatesBodies(t *testing.T) {
	for _, f := range s.Flavours {
		t.Run(f.Name, func(t *testing.T) {
			o := f.Serve(t, checksummed)
			w := new(ConnRecorder)
			o.Observer = w
			for _, size := range []int64{0, 1, 7, 16 << 10, 64<<10 - 1, 64 << 10, 64<<10 + 1, 1<<20 + 3} {
				o.Entries = append(o.Entries, httpreq.Entry{Method: "PUT", URL: o.Entries[0].URL, Source: Generated(size), Expect: OK(t)})
			}
			c := s.client(t, o)
			for i := range 2 * len(o.Entries) {
				mustSucceed(t, c)
				e := i % len(o.Entries)
				body := Generated(0)
				if e > 0 {
					body = o.Entries[e].Source
				}
				stated := body.Size()
				if e == 0 && f.packets() {
					stated = -1 // quic-go's server does not say that there is none.
				}
				var tap keeper
				r := c.run(&protocol.Call{Request: protocol.Request{Entry: e}, Tap: &tap})
				if want := checksum(stated, body.Size(), sumOf(body)); r.Failed() || !bytes.Equal(tap.body, want) {
					t.Errorf("%d bytes: %s, want %s: %v", body.Size(), tap.body, want, r.Err)
				}
			}
			checkOne(t, w)
		})
	}
}

// holdsNothingOfAGeneratedBody sends a body that is longer by far than what the memory may grow.
func (s Suite) holdsNothingOfAGeneratedBody(t *testing.T) {
	const bound = 32 << 20
	size := int64(256 << 20)
	if s.plain().packets() {
		size /= 4 // Each packet costs more.
	}
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapInuse
	}
	body := Generated(size)
	want := sumOf(body)
	var most atomic.Uint64
	var got atomic.Uint32
	o := s.plain().Serve(t, func(_ http.ResponseWriter, r *http.Request) {
		sum := crc32.NewIEEE()
		for more := true; more; {
			n, err := io.CopyN(sum, r.Body, 8<<20)
			more = err == nil && n > 0
			most.Store(max(most.Load(), heap()))
		}
		got.Store(sum.Sum32())
	})
	o.Timeout = 4 * Long
	o.Entries[0].Method, o.Entries[0].Source = http.MethodPost, body
	c := s.client(t, o)
	runtime.GC()
	before := heap()
	mustSucceed(t, c)
	if got.Load() != want {
		t.Error("another body has come")
	}
	if grown := int64(most.Load()) - int64(before); grown > bound {
		t.Errorf("the heap grew by %d MiB for a body of %d MiB", grown>>20, size>>20)
	}
}

// sendsGeneratedBodiesAgain has connections end in the middle of an upload, and redirects keep
// the body: it is sent from its start again.
func (s Suite) sendsGeneratedBodiesAgain(t *testing.T) {
	body := Generated(1<<20 + 5)
	type key struct{}
	for _, f := range s.Flavours {
		t.Run(f.Name, func(t *testing.T) {
			var dropped atomic.Bool
			o := f.Serve(t, func(w http.ResponseWriter, r *http.Request) {
				switch {
				case r.Method == http.MethodGet:
				case r.URL.Path == "/drop" && !f.packets() && !dropped.Swap(true):
					_, _ = io.CopyN(io.Discard, r.Body, 100_000)
					c, _ := r.Context().Value(key{}).(net.Conn)
					_ = c.Close()
				case r.URL.Path == "/307", r.URL.Path == "/303":
					status, _ := strconv.Atoi(r.URL.Path[1:])
					http.Redirect(w, r, "/end", status)
				default:
					checksummed(w, r)
				}
			}, func(server *httptest.Server) {
				server.Config.ConnContext = func(ctx context.Context, c net.Conn) context.Context { return context.WithValue(ctx, key{}, c) }
			})
			root := o.Entries[0]
			for _, path := range []string{"/drop", "/307", "/303"} {
				o.Entries = append(o.Entries, httpreq.Entry{Method: "PUT", URL: At(t, root.URL, path), Source: body, Expect: OK(t)})
			}
			c := s.follower(t, o)
			mustSucceed(t, c)
			whole := checksum(body.Size(), body.Size(), sumOf(body))
			for i, want := range [][]byte{whole, whole, nil} {
				var tap keeper
				r := c.run(&protocol.Call{Request: protocol.Request{Entry: i + 1}, Tap: &tap})
				if r.Failed() || !bytes.HasSuffix(tap.body, want) {
					t.Errorf("%s: %s, want %s: %v", o.Entries[i+1].URL.Target, tap.body, want, r.Err)
				}
			}
		})
	}
}

// showsNoGeneratedBody shows a tap the length of a generated body only, and has a transcript say
// so.
func (s Suite) showsNoGeneratedBody(t *testing.T) {
	for _, f := range s.Flavours {
		o := f.Serve(t, checksummed)
		o.Entries[0].Method, o.Entries[0].Source = http.MethodPost, Generated(100_000)
		all, _ := shown(t, s.client(t, o), protocol.Request{})
		mustContain(t, all, ": 100000\n", ">\n* 100000 generated bytes not shown\n")
	}
}

// abandonsUploads ends uploads to a server that does not read: by their timeout, and when the
// client is closed.
func (s Suite) abandonsUploads(t *testing.T) {
	for _, f := range s.Flavours {
		t.Run(f.Name, func(t *testing.T) {
			over := make(chan struct{})
			o := f.Serve(t, func(http.ResponseWriter, *http.Request) { <-over })
			t.Cleanup(func() { close(over) }) // Before the server waits for it.
			w := new(ConnRecorder)
			o.Observer, o.Timeout = w, short
			o.Entries[0].Method, o.Entries[0].Source = http.MethodPost, Generated(1<<40)
			c := s.client(t, o)
			reasons := []protocol.Reason{c.do(protocol.Request{}).Reason, c.do(protocol.Request{}).Reason}
			if !slices.Equal(reasons, []protocol.Reason{protocol.ReasonTimeout, protocol.ReasonTimeout}) {
				t.Errorf("they ended as %q", reasons)
			}
			o.Timeout = Long
			begun := 1 << 20
			if f.packets() {
				begun = 1 << 16 // The server takes no more than its window ahead.
			}
			before, _ := w.Bytes()
			c = s.client(t, o)
			done := make(chan protocol.Reason, 1)
			go func() { done <- c.do(protocol.Request{}).Reason }()
			Eventually(t, "the upload begins", func() bool { sent, _ := w.Bytes(); return sent > before+begun })
			c.Close()
			if r := <-done; r != protocol.ReasonCanceled {
				t.Errorf("it ended as %q", r)
			}
		})
	}
}
