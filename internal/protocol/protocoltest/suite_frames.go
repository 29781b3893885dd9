package protocoltest

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
)

// frames is a connection of a server of HTTP/2 that is scripted by hand.
type frames struct {
	*http2.Framer

	// conn is the number of the connection, from 1.
	conn int64
	// out holds the bytes written since the last flush, so that a script decides which go
	// out together.
	out  bytes.Buffer
	to   io.Writer
	tcp  *net.TCPConn
	over *tls.Conn
	seen *atomic.Int64
}

// framed returns options for such a server, which counts the requests that it sees. Each
// connection begins with the settings and then follows the script.
func (f Flavour) framed(tb testing.TB, seen *atomic.Int64, script func(*frames), settings ...http2.Setting) httpreq.Options {
	tb.Helper()
	var conns atomic.Int64
	run := func(c net.Conn, tcp *net.TCPConn, over *tls.Conn) {
		if _, err := io.ReadFull(c, make([]byte, len(http2.ClientPreface))); err != nil {
			return
		}
		s := &frames{conn: conns.Add(1), to: c, tcp: tcp, over: over, seen: seen}
		s.Framer = http2.NewFramer(&s.out, c)
		_ = s.WriteSettings(settings...)
		_ = s.WriteSettingsAck()
		s.flush()
		script(s)
		s.flush()
		_, _ = io.Copy(io.Discard, tcp)
	}
	var o httpreq.Options
	if f.TLS {
		o = secureRaw(tb, tls.VersionTLS12, []string{protocol.HTTP2}, func(over *tls.Conn, under *corked) { run(over, under.TCPConn, over) })
	} else {
		o = Options(tb, "http://"+Raw(tb, func(c net.Conn) {
			run(c, c.(*net.TCPConn), nil)
			_ = c.Close()
		}))
	}
	o.Protocol = f.Protocol
	return o
}

// flush writes what there is, at once.
func (s *frames) flush() {
	_, _ = s.to.Write(s.out.Bytes())
	s.out.Reset()
}

// request waits for the head of a request, and returns its stream; 0 if the client is gone.
func (s *frames) request() uint32 {
	s.flush()
	for {
		f, err := s.ReadFrame()
		if err != nil {
			return 0
		}
		if h, ok := f.(*http2.HeadersFrame); ok {
			s.seen.Add(1)
			return h.StreamID
		}
	}
}

// head writes the head of a response with these fields, by name and value.
func (s *frames) head(id uint32, end bool, fields ...string) {
	var block bytes.Buffer
	e := hpack.NewEncoder(&block)
	for i := 0; i < len(fields); i += 2 {
		_ = e.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
	}
	rest := block.Bytes()
	const most = 16 << 10
	first := rest[:min(most, len(rest))]
	rest = rest[len(first):]
	_ = s.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: first, EndStream: end, EndHeaders: len(rest) == 0})
	for len(rest) > 0 {
		next := rest[:min(most, len(rest))]
		rest = rest[len(next):]
		_ = s.WriteContinuation(id, len(rest) == 0, next)
	}
}

// respond writes a response with a status and a body.
func (s *frames) respond(id uint32, status string) {
	if id != 0 {
		s.head(id, false, ":status", status)
		_ = s.WriteData(id, true, []byte("ok"))
	}
}

// hangUp sends what there is together with the end of the connection.
func (s *frames) hangUp() {
	s.flush()
	if s.over != nil {
		_ = s.over.CloseWrite()
	}
	_ = s.tcp.CloseWrite()
}

// two returns the flavours of HTTP/2.
func (s Suite) two() []Flavour {
	var all []Flavour
	for _, f := range s.Flavours {
		if f.Major == 2 {
			all = append(all, f)
		}
	}
	return all
}

// readsWhatServersOfHTTP2Send is readsWhatServersSend for HTTP/2.
func (s Suite) readsWhatServersOfHTTP2Send(t *testing.T) {
	long := strings.Repeat("y", 60<<10)
	for _, test := range []struct {
		name    string
		respond func(s *frames, id uint32)
		want    protocol.Reason
		code    string
	}{
		{"status 600", func(s *frames, id uint32) { s.respond(id, "600") }, protocol.ReasonStatus, "600"},
		{"status 999", func(s *frames, id uint32) { s.respond(id, "999") }, protocol.ReasonStatus, "999"},
		{"status 099", func(s *frames, id uint32) { s.respond(id, "099") }, protocol.ReasonProtocol, ""},
		{"status 1000", func(s *frames, id uint32) { s.respond(id, "1000") }, protocol.ReasonProtocol, ""},
		{"status none", func(s *frames, id uint32) { s.respond(id, "2xx") }, protocol.ReasonProtocol, ""},
		{"an empty status", func(s *frames, id uint32) { s.respond(id, "") }, protocol.ReasonProtocol, ""},
		{"no status", func(s *frames, id uint32) { s.head(id, true, "server", "x") }, protocol.ReasonProtocol, ""},
		{"two statuses", func(s *frames, id uint32) { s.head(id, true, ":status", "200", ":status", "200") }, protocol.ReasonProtocol, ""},
		{"a status behind a field", func(s *frames, id uint32) { s.head(id, true, "x", "y", ":status", "200") }, protocol.ReasonProtocol, ""},
		{"a blank in a name", func(s *frames, id uint32) { s.head(id, true, ":status", "200", "x ", "y") }, protocol.ReasonProtocol, ""},
		{"capitals in a name", func(s *frames, id uint32) { s.head(id, true, ":status", "200", "Server", "y") }, protocol.ReasonProtocol, ""},
		{"a line break in a value", func(s *frames, id uint32) { s.head(id, true, ":status", "200", "x", "a\r\nb") }, protocol.ReasonProtocol, ""},
		{"a field of the connection", func(s *frames, id uint32) { s.head(id, true, ":status", "200", "transfer-encoding", "chunked") }, protocol.ReasonProtocol, ""},
		{"two lengths", func(s *frames, id uint32) {
			s.head(id, false, ":status", "200", "content-length", "2", "content-length", "3")
			_ = s.WriteData(id, true, []byte("ok"))
		}, protocol.ReasonProtocol, ""},
		{"a length that is not one", func(s *frames, id uint32) {
			s.head(id, false, ":status", "200", "content-length", "3")
			_ = s.WriteData(id, true, []byte("ok"))
		}, protocol.ReasonProtocol, "200"},
		{"a length that is a list of the same", func(s *frames, id uint32) {
			s.head(id, false, ":status", "200", "content-length", "2, 2", "content-length", "02")
			_ = s.WriteData(id, true, []byte("ok"))
		}, protocol.ReasonNone, "200"},
		{"a length that is a list of others", func(s *frames, id uint32) {
			s.head(id, false, ":status", "200", "content-length", "2, 3")
			_ = s.WriteData(id, true, []byte("ok"))
		}, protocol.ReasonProtocol, ""},
		{"a length with a sign", func(s *frames, id uint32) {
			s.head(id, false, ":status", "200", "content-length", "+2")
			_ = s.WriteData(id, true, []byte("ok"))
		}, protocol.ReasonProtocol, ""},
		{"a body that is longer than its length", func(s *frames, id uint32) {
			s.head(id, false, ":status", "200", "content-length", "1")
			_ = s.WriteData(id, true, []byte("ok"))
		}, protocol.ReasonProtocol, "200"},
		{"204 with a length", func(s *frames, id uint32) { s.head(id, true, ":status", "204", "content-length", "5") }, protocol.ReasonNone, "204"},
		{"304 with a length", func(s *frames, id uint32) { s.head(id, true, ":status", "304", "content-length", "5") }, protocol.ReasonStatus, "304"},
		{"a byte of control in a value", func(s *frames, id uint32) { s.head(id, true, ":status", "200", "x", "a\x01b") }, protocol.ReasonProtocol, ""},
		{"bytes beyond ASCII in a value", func(s *frames, id uint32) { s.head(id, true, ":status", "200", "x", "\xe9\t\xff") }, protocol.ReasonNone, "200"},
		{"101", func(s *frames, id uint32) { s.head(id, false, ":status", "101") }, protocol.ReasonProtocol, ""},
		{"a pseudo-header of a request", func(s *frames, id uint32) { s.head(id, true, ":status", "200", ":path", "/") }, protocol.ReasonProtocol, ""},
		{"a body without a head", func(s *frames, id uint32) { _ = s.WriteData(id, true, []byte("ok")) }, protocol.ReasonProtocol, ""},
		{"a trailer with a status", func(s *frames, id uint32) {
			s.head(id, false, ":status", "200")
			s.head(id, true, ":status", "200")
		}, protocol.ReasonProtocol, "200"},
		{"a trailer that is not the end", func(s *frames, id uint32) {
			s.head(id, false, ":status", "200")
			s.head(id, false, "x", "y")
		}, protocol.ReasonProtocol, "200"},
		{"a trailer without a body", func(s *frames, id uint32) {
			s.head(id, false, ":status", "200", "content-length", "0")
			s.head(id, true, "x", "y")
		}, protocol.ReasonNone, "200"},
		{"a body in empty pieces", func(s *frames, id uint32) {
			s.head(id, false, ":status", "200")
			for range 20 {
				_ = s.WriteData(id, false, nil)
			}
			_ = s.WriteDataPadded(id, true, []byte("ok"), make([]byte, 255))
		}, protocol.ReasonNone, "200"},
		{"frames of types and flags that nobody knows", func(s *frames, id uint32) {
			_ = s.WriteRawFrame(0xfe, 0xff, id, []byte("grease"))
			_ = s.WriteRawFrame(0x10, 0, 0, []byte("u=1"))
			_ = s.WriteSettings(http2.Setting{ID: 0x0a0a, Val: 1<<32 - 1})
			_ = s.WritePing(false, [8]byte{1})
			_ = s.WritePriority(id, http2.PriorityParam{StreamDep: 0, Weight: 15})
			s.respond(id, "200")
		}, protocol.ReasonNone, "200"},
		{"RST_STREAM with NO_ERROR behind the response", func(s *frames, id uint32) {
			s.respond(id, "200")
			_ = s.WriteRSTStream(id, http2.ErrCodeNo)
		}, protocol.ReasonNone, "200"},
		{"RST_STREAM with NO_ERROR in the response", func(s *frames, id uint32) {
			s.head(id, false, ":status", "200")
			_ = s.WriteRSTStream(id, http2.ErrCodeNo)
		}, protocol.ReasonReset, "200"},
		{"a window of nothing", func(s *frames, id uint32) {
			_ = s.WriteRawFrame(http2.FrameWindowUpdate, 0, id, make([]byte, 4))
		}, protocol.ReasonProtocol, ""},
		{"a stream of its own", func(s *frames, _ uint32) { s.respond(2, "200") }, protocol.ReasonProtocol, ""},
		{"PUSH_PROMISE", func(s *frames, id uint32) {
			_ = s.WriteRawFrame(http2.FramePushPromise, http2.FlagPushPromiseEndHeaders, id, []byte{0, 0, 0, 2, 0x88})
		}, protocol.ReasonProtocol, ""},
		{"a long field", func(s *frames, id uint32) { s.head(id, true, ":status", "200", "x", long) }, protocol.ReasonNone, "200"},
		{"many long fields", func(s *frames, id uint32) {
			s.head(id, true, append([]string{":status", "200"}, repeated("x", long, 20)...)...)
		}, protocol.ReasonProtocol, ""},
		{"sixteen interim responses", func(s *frames, id uint32) {
			for range 16 {
				s.head(id, false, ":status", "103", "link", "a")
			}
			s.respond(id, "200")
		}, protocol.ReasonNone, "200"},
		{"seventeen interim responses", func(s *frames, id uint32) {
			for range 17 {
				s.head(id, false, ":status", "103", "link", "a")
			}
			s.respond(id, "200")
		}, protocol.ReasonProtocol, ""},
		{"an interim response that is the last", func(s *frames, id uint32) { s.head(id, true, ":status", "103") }, protocol.ReasonProtocol, ""},
		{"a trailer", func(s *frames, id uint32) {
			s.head(id, false, ":status", "200")
			_ = s.WriteData(id, false, []byte("ok"))
			s.head(id, true, "x", "y")
		}, protocol.ReasonNone, "200"},
		{"the end of the connection with the response", func(s *frames, id uint32) {
			s.respond(id, "200")
			s.hangUp()
		}, protocol.ReasonNone, "200"},
		{"GOAWAY and the end of the connection with the response", func(s *frames, id uint32) {
			s.respond(id, "404")
			_ = s.WriteGoAway(id, http2.ErrCodeNo, nil)
			s.hangUp()
		}, protocol.ReasonStatus, "404"},
		{"GOAWAY for a breach with the response", func(s *frames, id uint32) {
			s.respond(id, "200")
			_ = s.WriteGoAway(id, http2.ErrCodeProtocol, nil)
			s.hangUp()
		}, protocol.ReasonNone, "200"},
		{"the end of the connection in the response", func(s *frames, id uint32) {
			s.head(id, false, ":status", "200")
			_ = s.WriteData(id, false, []byte("o"))
			s.hangUp()
		}, protocol.ReasonReset, "200"},
		{"HTTP/1.1", func(s *frames, _ uint32) {
			s.out.WriteString(status200 + ok)
			s.hangUp()
		}, protocol.ReasonProtocol, ""},
	} {
		for _, f := range s.two() {
			t.Run(test.name+"/"+f.Name, func(t *testing.T) {
				o := f.framed(t, new(atomic.Int64), func(s *frames) {
					for id := s.request(); id != 0; id = s.request() {
						test.respond(s, id)
						s.flush()
					}
				})
				c := s.client(t, o)
				for range 3 {
					if r := c.do(protocol.Request{}); r.Reason != test.want || r.Code != test.code {
						t.Fatalf("code %q, reason %q, want %q, %q: %v", r.Code, r.Reason, test.code, test.want, r.Err)
					}
				}
			})
		}
	}
}

// repeated returns a field so many times.
func repeated(name, value string, n int) []string {
	var all []string
	for range n {
		all = append(all, name, value)
	}
	return all
}

// takesResponsesDuringUploadsOfHTTP2 is takesResponsesDuringUploads for HTTP/2.
func (s Suite) takesResponsesDuringUploadsOfHTTP2(t *testing.T) {
	for _, test := range []struct {
		name string
		end  func(s *frames, id uint32)
		// keep says that the next upload may go to the same connection.
		keep bool
	}{
		{"and stops the upload (RFC 9113, section 8.1)", func(s *frames, id uint32) { _ = s.WriteRSTStream(id, http2.ErrCodeNo) }, true},
		{"and cancels the stream", func(s *frames, id uint32) { _ = s.WriteRSTStream(id, http2.ErrCodeCancel) }, true},
		{"and takes nothing more", func(*frames, uint32) {}, true},
		{"and says GOAWAY and closes", func(s *frames, id uint32) {
			_ = s.WriteGoAway(id, http2.ErrCodeNo, nil)
			s.hangUp()
		}, true},
		{"and resets the connection", func(s *frames, _ uint32) {
			s.flush()
			_ = s.tcp.SetLinger(0)
			_ = s.tcp.Close()
		}, false},
	} {
		for _, f := range s.two() {
			t.Run(test.name+"/"+f.Name, func(t *testing.T) {
				o := f.framed(t, new(atomic.Int64), func(s *frames) {
					for id := s.request(); id != 0; id = s.request() {
						s.respond(id, "413")
						test.end(s, id)
						s.flush()
					}
				})
				o.KeepAlive = test.keep
				bothBodies(t, 3<<20, func(t *testing.T, upload func(*httpreq.Entry)) {
					upload(&o.Entries[0])
					c := s.client(t, o)
					for i := range 20 {
						if r := c.do(protocol.Request{}); r.Reason != protocol.ReasonStatus || r.Code != "413" {
							t.Fatalf("upload %d: code %q, reason %q: %v", i, r.Code, r.Reason, r.Err)
						}
					}
				})
			})
		}
	}
}

// meetsServersOfHTTP2ThatRefuse has servers refuse each request, and checks that each is sent
// twice at most, and once if nothing more is admitted.
func (s Suite) meetsServersOfHTTP2ThatRefuse(t *testing.T) {
	const slots = 3 // More would take long: the client makes connections more and more slowly.
	for _, test := range []struct {
		name   string
		refuse func(s *frames, id uint32)
		// repeats says that the server asks for it to be sent again.
		repeats bool
	}{
		{"GOAWAY before its id", func(s *frames, _ uint32) { _ = s.WriteGoAway(0, http2.ErrCodeNo, nil) }, true},
		{"REFUSED_STREAM", func(s *frames, id uint32) { _ = s.WriteRSTStream(id, http2.ErrCodeRefusedStream) }, true},
		{"ENHANCE_YOUR_CALM", func(s *frames, id uint32) { _ = s.WriteRSTStream(id, http2.ErrCodeEnhanceYourCalm) }, false},
		{"GOAWAY with ENHANCE_YOUR_CALM", func(s *frames, _ uint32) { _ = s.WriteGoAway(0, http2.ErrCodeEnhanceYourCalm, nil) }, false},
	} {
		for _, f := range s.two() {
			for _, admits := range []bool{true, false} {
				t.Run(fmt.Sprintf("%s/%s, admitted %t", test.name, f.Name, admits), func(t *testing.T) {
					var seen, asked atomic.Int64
					o := f.framed(t, &seen, func(s *frames) {
						for id := s.request(); id != 0; id = s.request() {
							test.refuse(s, id)
						}
					})
					o.Entries[0].Method = "POST" // Nobody has looked at it, so that it does no harm.
					w := new(ConnRecorder)
					o.Observer = w
					c := s.client(t, o)
					for range slots {
						r := c.run(&protocol.Call{Admit: func(e protocol.Extra) bool {
							asked.Add(1)
							return admits && e == protocol.Retry
						}})
						CheckReason(t, r, protocol.ReasonReset)
					}
					want := int64(slots)
					if test.repeats && admits {
						want += slots
					}
					if n := seen.Load(); n != want {
						t.Errorf("the server saw %d requests of %d slots, want %d", n, slots, want)
					}
					if n := asked.Load(); test.repeats && n != slots || !test.repeats && n != 0 {
						t.Errorf("%d repeats were asked for", n)
					}
					if opened, _ := w.Counts(); int64(opened) > want {
						t.Errorf("%d connections", opened)
					}
				})
			}
		}
	}
}

// waitsForStreams has a server allow no streams, and then some: until then requests wait, on
// one connection.
func (s Suite) waitsForStreams(t *testing.T) {
	for _, f := range s.two() {
		t.Run(f.Name, func(t *testing.T) {
			let := make(chan struct{})
			var seen atomic.Int64
			o := f.framed(t, &seen, func(s *frames) {
				<-let
				_ = s.WriteSettings(http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 30})
				for id := s.request(); id != 0; id = s.request() {
					s.respond(id, "200")
				}
			}, http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 0})
			w := new(ConnRecorder)
			o.Observer = w
			c := s.client(t, o)
			results := make(chan protocol.Result, 20)
			for range cap(results) {
				call := &protocol.Call{}
				call.Done = func() { results <- call.Result }
				c.Start(call)
			}
			c.Flush()
			Eventually(t, "a connection is open", func() bool { opened, _ := w.Counts(); return opened > 0 })
			time.Sleep(short) // None of them makes another one.
			if n := seen.Load(); n != 0 {
				t.Errorf("%d requests were sent", n)
			}
			close(let)
			for range cap(results) {
				if r := <-results; r.Failed() {
					t.Errorf("reason %q: %v", r.Reason, r.Err)
				}
			}
			if opened, _ := w.Counts(); opened != 1 {
				t.Errorf("%d connections", opened)
			}
		})
	}
}
