package app

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
)

// oneShot returns the address of a server that responds to the first request of each
// connection and ends the connection when a second one comes. It counts all of them.
func oneShot(t *testing.T, seen *atomic.Int64) string {
	t.Helper()
	return accepting(t, func(c net.Conn) {
		r := bufio.NewReader(c)
		for first := true; ; first = false {
			req, readErr := http.ReadRequest(r)
			if readErr != nil {
				return
			}
			_, _ = io.Copy(io.Discard, req.Body)
			seen.Add(1)
			if !first {
				return
			}
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		}
	})
}

// refusing returns the address of a server of HTTP/2 that says of each request that it will
// not process it and that the connection ends. It counts them.
func refusing(t *testing.T, seen *atomic.Int64) string {
	t.Helper()
	return accepting(t, func(c net.Conn) {
		f := http2.NewFramer(c, c)
		if _, err := io.CopyN(io.Discard, c, int64(len(http2.ClientPreface))); err != nil || f.WriteSettings() != nil {
			return
		}
		for {
			frame, err := f.ReadFrame()
			if err != nil {
				return
			}
			if frame.Header().Type == http2.FrameHeaders {
				seen.Add(1)
				_ = f.WriteGoAway(0, http2.ErrCodeNo, nil)
			}
		}
	})
}

// accepting returns the address of a server that serves each connection on its own.
func accepting(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			c, acceptErr := l.Accept()
			if acceptErr != nil {
				return
			}
			serving.Go(func() {
				defer func() { _ = c.Close() }()
				serve(c)
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		serving.Wait()
	})
	return l.Addr().String()
}

// loop returns the address of a server that redirects to itself, by any version of HTTP, and
// counts what it is asked.
func loop(t *testing.T, seen *atomic.Int64) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Protocols: new(http.Protocols), ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			seen.Add(1)
			http.Redirect(w, r, "/loop", http.StatusFound)
		})}
	s.Protocols.SetHTTP1(true)
	s.Protocols.SetUnencryptedHTTP2(true)
	var serving sync.WaitGroup
	serving.Go(func() { _ = s.Serve(l) })
	t.Cleanup(func() {
		_ = s.Close()
		serving.Wait()
	})
	return l.Addr().String()
}

func TestTheTargetSeesNoMoreThanMaxRate(t *testing.T) {
	for _, tc := range []struct {
		name, rate, limit, more string
		serve                   func(*testing.T, *atomic.Int64) string
		perSecond               float64 // of the limit
	}{
		{"redirects by HTTP 1.1", "5/s", "5/s", "    http_config: {follow_redirects: true}\n", loop, 5},
		{"redirects by HTTP 2", "5/s", "5/s", "    http_config: {follow_redirects: true, protocol: h2c}\n", loop, 5},
		{"redirects with room for some", "2/s", "5/s", "    http_config: {follow_redirects: true}\n", loop, 5},
		{"connections that end", "5/s", "5/s", "", oneShot, 5},
		{"requests that are refused", "5/s", "5/s", "    http_config: {protocol: h2c}\n", refusing, 5},
		{"requests that are refused, with room for some", "15/s", "20/s", "    http_config: {protocol: h2c}\n", refusing, 20},
		{"connections that end, with room for some", "15/s", "20/s", "", oneShot, 20},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var seen atomic.Int64
			addr := tc.serve(t, &seen)
			file := filepath.Join(t.TempDir(), "config.yaml")
			writeConfig(t, file, scenarioText("s", tc.rate, "http://"+addr+"/loop",
				fmt.Sprintf("    limits: {max_rate: %s}\n%s", tc.limit, tc.more)))
			begin := time.Now()
			r := startApp(t, options(file, io.Discard))
			for time.Since(begin) < 3*time.Second {
				n, most := seen.Load(), time.Since(begin).Seconds()*tc.perSecond+1
				if float64(n) > most {
					t.Fatalf("the target saw %d requests in %s, want at most %.1f", n, time.Since(begin), most)
				}
				time.Sleep(10 * time.Millisecond)
			}
			if err := r.stop(); err != nil {
				t.Fatal(err)
			}
			all := gather(t, r.app, "traffic_")
			var observer float64
			for _, name := range []string{"slots_finished", "request_retries", "request_redirects"} {
				observer += all[name]
			}
			if n := seen.Load(); float64(n) != observer {
				t.Errorf("the target saw %d requests, and %g are counted: %v", n, observer, all)
			}
			if all["requests_withheld"] == 0 {
				t.Error("nothing was withheld")
			}
		})
	}
}
