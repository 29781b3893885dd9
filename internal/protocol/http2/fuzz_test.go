package http2

import (
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/protocoltest"
)

// FuzzServer has a server send arbitrary bytes. Whatever comes, each call ends once, and
// nothing panics or hangs.
func FuzzServer(f *testing.F) {
	head := frame(frameHeaders, flagEndHeaders, 1, status200)
	for _, said := range []string{
		"", "HTTP/1.1 400 Bad Request\r\n\r\n", greeting,
		greeting + head + frame(frameData, flagEndStream, 1, "body"),
		greeting + frame(frameHeaders, 0, 1, "") + frame(frameContinuation, flagEndHeaders, 1, status200),
		greeting + head + frame(frameGoAway, 0, 0, number(1)+number(0)) + frame(frameData, flagEndStream, 1, ""),
		greeting + frame(frameSettings, 0, 0, "\x00\x04"+number(0)+"\x00\x01"+number(0)+"\x00\x03"+number(1)),
		greeting + frame(framePing, 0, 0, "12345678") + frame(frameWindowUpdate, 0, 0, number(5)) + frame(frameReset, 0, 3, number(7)),
		greeting + frame(frameHeaders, flagEndHeaders|flagEndStream, 1, status200+"\x40\x01a\x01b") + frame(frameHeaders, flagEndHeaders|flagEndStream, 3, "\x88\xbe"),
	} {
		f.Add([]byte(said))
	}
	var said struct {
		sync.Mutex
		text []byte
	}
	addr := protocoltest.Raw(f, func(c net.Conn) {
		_, _ = io.ReadFull(c, make([]byte, len(preface)))
		said.Lock()
		text := said.text
		said.Unlock()
		_, _ = c.Write(text)
		if half, ok := c.(*net.TCPConn); ok {
			_ = half.CloseWrite()
		}
		_, _ = io.Copy(io.Discard, c)
		_ = c.Close()
	})
	f.Fuzz(func(t *testing.T, text []byte) {
		said.Lock()
		said.text = text
		said.Unlock()
		w := new(protocoltest.ConnRecorder)
		o := h2cOptions(t, "http://"+addr)
		o.Observer, o.Timeout = w, 5*time.Second
		o.Entries[0].Body = make([]byte, 100)
		c, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		first, second := begin(c, protocol.Request{}), begin(c, protocol.Request{})
		c.Flush()
		for _, results := range []<-chan protocol.Result{first, second} {
			select {
			case r := <-results:
				if r.Done.Before(r.Sent) || r.Failed() != (r.Err != nil) {
					t.Errorf("%+v", r)
				}
			case <-time.After(protocoltest.Long):
				t.Fatal("a call did not end")
			}
		}
		c.Close()
		if len(first)+len(second) > 0 {
			t.Error("a call ended twice")
		}
		w.CheckClosed(t)
	})
}
