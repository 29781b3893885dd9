package web

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience is how long a test waits for an event, which on a busy machine takes long.
const patience = time.Minute

// connect opens a connection to a server and sends a string.
func connect(t *testing.T, base, text string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(base, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	return c
}

// readResponse reads a whole response.
func readResponse(t *testing.T, c net.Conn) (int, string) {
	t.Helper()
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func TestConnectionsThatAskForNothingKeepNobodyOut(t *testing.T) {
	const asked = "GET /-/healthy HTTP/1.1\r\nHost: a\r\n\r\n"
	for name, text := range map[string]string{
		"nothing sent":             "",
		"a header that never ends": "GET /-/healthy HTTP/1.1\r\nHost: a\r\n",
		"a body that never comes":  "PUT " + override + " HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n",
		"idle after a request":     asked,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var logs syncBuffer
			base := start(t, &stubs{maxConns: 8, control: true, logs: &logs})
			for range 40 {
				c := connect(t, base, text)
				if text == asked {
					readResponse(t, c)
				}
			}
			for path, want := range map[string]string{"/metrics": "answer_total 42", "/-/healthy": "healthy", "/-/ready": "is ready"} {
				if code, body := ask(t, "GET", base+path, nil); code != http.StatusOK || !strings.Contains(body, want) {
					t.Errorf("%s: got %d %q", path, code, body)
				}
			}
			if n := strings.Count(logs.String(), "too many connections"); n != 1 {
				t.Errorf("logged %d times that there are too many connections", n)
			}
		})
	}
}

func TestClientsThatComeBackAtOnceKeepNobodyOut(t *testing.T) {
	for name, text := range map[string]string{
		"nothing sent":             "",
		"a header that never ends": "GET /-/healthy HTTP/1.1\r\nHost: a\r\n",
		"idle after a request":     "GET /-/healthy HTTP/1.1\r\nHost: a\r\n\r\n",
		"responses that pile up":   strings.Repeat("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n", 100),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			base := start(t, &stubs{maxConns: 8})
			ctx, cancel := context.WithCancel(t.Context())
			var clients sync.WaitGroup
			for range 24 {
				clients.Go(func() { comeBack(ctx, strings.TrimPrefix(base, "http://"), text) })
			}
			defer clients.Wait()
			defer cancel()
			for path, want := range map[string]string{"/metrics": "answer_total 42", "/-/healthy": "healthy"} {
				if code, body := ask(t, "GET", base+path, nil); code != http.StatusOK || !strings.Contains(body, want) {
					t.Errorf("%s: got %d %q", path, code, body)
				}
			}
		})
	}
}

// comeBack connects to a server, sends a string and waits, again and again when the server closes
// the connection, until the context ends.
func comeBack(ctx context.Context, addr, text string) {
	var d net.Dialer
	for ctx.Err() == nil {
		c, err := d.DialContext(ctx, "tcp", addr)
		if err != nil {
			continue
		}
		stop := context.AfterFunc(ctx, func() { _ = c.Close() })
		if _, err = io.WriteString(c, text); err == nil {
			_, _ = io.Copy(io.Discard, c)
		}
		stop()
		_ = c.Close()
	}
}

func TestRequestsAreCutOffLast(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	st := stubs{maxConns: 2, ready: func() error {
		close(entered)
		<-release
		return nil
	}}
	base := start(t, &st)
	c := connect(t, base, "GET /-/ready HTTP/1.1\r\nHost: a\r\n\r\n")
	<-entered
	for range 10 {
		readResponse(t, connect(t, base, "GET /-/healthy HTTP/1.1\r\nHost: a\r\n\r\n"))
	}
	close(release)
	if code, body := readResponse(t, c); code != http.StatusOK {
		t.Errorf("got %d %q", code, body)
	}
}

func TestAConnectionIsCountedUntilItIsClosed(t *testing.T) {
	c := newConns(4, slog.New(slog.DiscardHandler))
	s := httptest.NewUnstartedServer(http.NotFoundHandler())
	c.bound(s.Config)
	s.Start()
	defer s.Close()
	for range 20 {
		resp, err := http.Get(s.URL)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		http.DefaultClient.CloseIdleConnections()
	}
	count := func() int {
		c.mu.Lock()
		defer c.mu.Unlock()
		return len(c.open)
	}
	for deadline := time.Now().Add(patience); count() > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d connections are still counted", count())
		}
	}
}

func TestClientsThatDoNotReadKeepNobodyOut(t *testing.T) {
	base := start(t, &stubs{series: 6 << 20})
	for range maxScrapes + 5 {
		c := connect(t, base, "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
		// It is being sent once the first byte is here.
		if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 {
		if code, body := ask(t, "GET", base+"/metrics", nil); code != http.StatusOK || len(body) < 6<<20 || !strings.HasSuffix(body, "\n") {
			t.Errorf("got %d and %d bytes", code, len(body))
		}
	}
}

func TestAScrapeByHEADHasNoBody(t *testing.T) {
	c := connect(t, start(t, &stubs{}), "HEAD /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
	all, err := io.ReadAll(c)
	if err != nil || !bytes.HasPrefix(all, []byte("HTTP/1.1 200 OK\r\n")) || !bytes.HasSuffix(all, []byte("\r\n\r\n")) {
		t.Errorf("got %q, %v", all, err)
	}
}

func TestTheServerHasTimeLimits(t *testing.T) {
	s := newServer(http.NotFoundHandler())
	for name, d := range map[string]time.Duration{
		"header": s.ReadHeaderTimeout, "request": s.ReadTimeout, "response": s.WriteTimeout, "idle": s.IdleTimeout,
	} {
		if d <= 0 || d > 5*time.Minute {
			t.Errorf("%s: the limit is %v", name, d)
		}
	}
	if s.IdleTimeout <= time.Minute {
		t.Error("a scrape each minute finds its connection closed")
	}
}

func TestTheServerOutlivesItsProfiles(t *testing.T) {
	s := newServer(http.DefaultServeMux)
	s.WriteTimeout = 100 * time.Millisecond
	h, err := newHandler(options("", &stubs{}))
	if err != nil {
		t.Fatal(err)
	}
	s.Handler = h
	ts := httptest.NewUnstartedServer(nil)
	ts.Config = s
	ts.Start()
	defer ts.Close()
	if code, body := ask(t, "GET", ts.URL+"/debug/pprof/trace?seconds=1", nil); code != http.StatusOK || body == "" {
		t.Errorf("got %d and %d bytes", code, len(body))
	}
}
