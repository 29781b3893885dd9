package record_test

import (
	"bufio"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/importer/exchange"
	"github.com/traffic-exporter/traffic_exporter/internal/importer/record"
)

// recorder returns a recorder of a target, and the URL at which it takes requests.
func recorder(t *testing.T, target http.Handler) (*record.Recorder, string) {
	t.Helper()
	server := httptest.NewServer(target)
	t.Cleanup(server.Close)
	u, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	transport := record.NewTransport(false)
	t.Cleanup(transport.CloseIdleConnections)
	r := record.New(u, transport, nil, slog.New(slog.DiscardHandler))
	front := httptest.NewServer(r)
	t.Cleanup(front.Close)
	return r, front.URL
}

// recorded waits until so many exchanges have ended: a client may have all of a response before that.
func recorded(t *testing.T, r *record.Recorder, n int) []exchange.Exchange {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(time.Millisecond) {
		if all := r.Exchanges(); len(all) == n {
			return all
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d exchanges are recorded, want %d", len(r.Exchanges()), n)
		}
	}
}

func TestExchangesAreRecordedAsTheTargetSeesThem(t *testing.T) {
	var seen *http.Request
	var host string
	r, front := recorder(t, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		seen, host = req, req.Host
		http.SetCookie(w, &http.Cookie{Name: "sid", Value: "1", Domain: "shop.example", Secure: true})
		w.Header().Set("Location", "http://"+req.Host+"/next?a=1")
		w.WriteHeader(http.StatusSeeOther)
		fmt.Fprintf(w, "got %s", body)
	}))
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, front+"/login?x=%20", strings.NewReader("user=ada"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Referer", front+"/")
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if string(body) != "got user=ada" || resp.Header.Get("Location") != "/next?a=1" || resp.Header.Get("Set-Cookie") != "sid=1" {
		t.Errorf("the client is sent %q %v", body, resp.Header)
	}
	if want := "http://" + host + "/"; seen.Header.Get("Referer") != want || seen.Header.Get("Accept-Encoding") != "" {
		t.Errorf("the target is sent %v", seen.Header)
	}
	x := recorded(t, r, 1)[0]
	if x.Request.Method != "POST" || x.Request.URL.String() != "http://"+host+"/login?x=%20" || string(x.Request.Body.Data) != "user=ada" ||
		x.Response.Status != http.StatusSeeOther || string(x.Response.Body.Data) != "got user=ada" || x.Took <= 0 || len(x.Response.Header.SetCookies()) != 1 {
		t.Errorf("recorded is %+v", x)
	}
}

func TestBodiesAreStreamedAndBounded(t *testing.T) {
	more := make(chan struct{})
	r, front := recorder(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "first\n")
		w.(http.Flusher).Flush()
		<-more
		_, _ = w.Write(make([]byte, exchange.MaxBody))
	}))
	resp, err := http.Get(front)
	if err != nil {
		t.Fatal(err)
	}
	b := bufio.NewReader(resp.Body)
	line, err := b.ReadString('\n')
	if err != nil || line != "first\n" {
		t.Fatalf("%q, %v", line, err)
	}
	close(more)
	n, err := io.Copy(io.Discard, b)
	_ = resp.Body.Close()
	if n != exchange.MaxBody || err != nil {
		t.Errorf("%d bytes, %v", n, err)
	}
	if all := recorded(t, r, 1); len(all[0].Response.Body.Data) != exchange.MaxBody || !all[0].Response.Body.Truncated {
		t.Errorf("recorded are %d exchanges", len(all))
	}
}

func TestUpgradesArePassedThrough(t *testing.T) {
	r, front := recorder(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		conn, rw, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = conn.Close() }()
		_, _ = rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		_ = rw.Flush()
		line, _ := rw.ReadString('\n')
		_, _ = rw.WriteString("echo " + line)
		_ = rw.Flush()
	}))
	conn, err := net.Dial("tcp", strings.TrimPrefix(front, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if err = conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	b := bufio.NewReader(conn)
	_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	for line := "-"; line != "\r\n" && err == nil; {
		line, err = b.ReadString('\n')
	}
	_, _ = io.WriteString(conn, "hello\n")
	if got, err := b.ReadString('\n'); got != "echo hello\n" {
		t.Errorf("the client is sent %q, %v", got, err)
	}
	_ = r.Exchanges() // While it may still be in progress.
}

func TestACertificateIsTrustedIfItIsKnownOrAskedFor(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") }))
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.StartTLS()
	t.Cleanup(server.Close)
	u, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		insecure, known bool
		want            int
	}{"unknown": {want: http.StatusBadGateway}, "asked for": {insecure: true, want: http.StatusOK}, "known": {known: true, want: http.StatusOK}} {
		transport := record.NewTransport(c.insecure)
		t.Cleanup(transport.CloseIdleConnections)
		if c.known {
			transport.TLSClientConfig.RootCAs = x509.NewCertPool()
			transport.TLSClientConfig.RootCAs.AddCert(server.Certificate())
		}
		r := record.New(u, transport, nil, slog.New(slog.DiscardHandler))
		w := httptest.NewRecorder()
		r.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
		all := r.Exchanges()
		if w.Code != c.want || len(all) != 1 || c.want == http.StatusOK && (w.Body.String() != "hello" || all[0].Request.URL.String() != server.URL+"/") {
			t.Errorf("%s: status %d, %q, recorded are %+v", name, w.Code, w.Body, all)
		}
	}
}

func TestATargetThatIsGoneIsABadGateway(t *testing.T) {
	r := record.New(&url.URL{Scheme: "http", Host: "127.0.0.1:1"}, record.NewTransport(false), nil, slog.New(slog.DiscardHandler))
	w := httptest.NewRecorder()
	r.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	if w.Code != http.StatusBadGateway {
		t.Errorf("status %d", w.Code)
	}
	if all := r.Exchanges(); len(all) != 1 || all[0].Response.Status != 0 {
		t.Errorf("recorded are %+v", all)
	}
}

// nothing responds with nothing.
type nothing struct{}

// RoundTrip implements http.RoundTripper.
func (nothing) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: http.NoBody, Request: r}, nil
}

func TestNoMoreRequestsAreKeptThanThereIsRoomFor(t *testing.T) {
	r := record.New(&url.URL{Scheme: "http", Host: "shop.example"}, nothing{}, nil, slog.New(slog.DiscardHandler))
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range exchange.MaxCount/4 + 1 {
				w := httptest.NewRecorder()
				r.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
			}
		})
	}
	wg.Wait()
	if all := r.Exchanges(); len(all) != exchange.MaxCount {
		t.Errorf("%d exchanges, want %d", len(all), exchange.MaxCount)
	}
}

func TestTargetsAreOrigins(t *testing.T) {
	for text, good := range map[string]bool{
		"http://a.example": true, "https://a.example:8443/": true, "http://a.example/path": false, "ftp://a.example": false, "a.example": false,
		"http://a.example?x": false, "http://u:p@a.example": false,
	} {
		u, err := url.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if err := record.Check(u); (err == nil) != good {
			t.Errorf("%s: %v", text, err)
		}
	}
}
