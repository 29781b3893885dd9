package app

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// room is a server of WebSockets that sends each message to all clients that are there, including its
// sender, and closes those with 1008 that send "leave".
type room struct {
	mu    sync.Mutex
	there map[*websocket.Conn]bool
}

// newRoom starts a room and returns its host and port.
func newRoom(t *testing.T) string {
	t.Helper()
	r := &room{there: map[*websocket.Conn]bool{}}
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// ServeHTTP implements http.Handler. Who has no key is refused, and who comes to b without the cookie of a.
func (r *room) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	if q.URL.Path == "/login" {
		_, _ = w.Write([]byte(`{"key": "key"}`))
		return
	}
	if q.Header.Get("Authorization") != "Bearer key" {
		http.Error(w, "no key", http.StatusUnauthorized)
		return
	}
	if strings.HasSuffix(q.URL.Path, "/a") {
		http.SetCookie(w, &http.Cookie{Name: "seat", Value: "1", Path: "/room"})
	} else if _, err := q.Cookie("seat"); err != nil && strings.HasSuffix(q.URL.Path, "/b") {
		http.Error(w, "no seat", http.StatusForbidden)
		return
	}
	c, err := websocket.Accept(w, q, &websocket.AcceptOptions{Subprotocols: []string{"room"}})
	if err != nil {
		return
	}
	defer func() { _ = c.CloseNow() }()
	r.enter(c, true)
	defer r.enter(c, false)
	for {
		kind, data, err := c.Read(q.Context())
		switch {
		case err != nil:
			return
		case string(data) == "leave":
			_ = c.Close(websocket.StatusPolicyViolation, "as you wish")
			return
		}
		r.send(q.Context(), kind, data)
	}
}

func (r *room) enter(c *websocket.Conn, there bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if there {
		r.there[c] = true
	} else {
		delete(r.there, c)
	}
}

func (r *room) send(ctx context.Context, kind websocket.MessageType, data []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for c := range r.there {
		_ = c.Write(ctx, kind, data) // Who has left does not matter.
	}
}

// roomText returns a scenario of exchanges in a room: single ones, and a journey.
func roomText(addr string) string {
	return fmt.Sprintf(`  - name: s
    rate: 60/s
    timeout: 1m
    limits: {max_in_flight: 10} # As each message goes to all, many at a time are too many for a busy machine.
    base_url: ws://%s/room
    headers: {authorization: Bearer key}
    websocket_config: {subprotocols: [room]}
    variables: {me: uuid, n: sequence}
    requests:
      - name: talk
        url: "?who={{ me }}"
        exchange:
          - send: {json: {who: "{{ me }}", n: "{{ n }}"}}
          - receive: {json: {who: "{{ me }}", n: {at_least: 0}}, capture: {number: {json: n}}, within: 30s}
          - ping: 30s
          - send: {json: {again: "{{ number }}", by: "{{ me }}"}}
          - receive: {json: {by: "{{ me }}"}, text: {contains: '"again":{{ number }}'}, within: 30s}
        expect: {headers: {Sec-WebSocket-Protocol: room}}
      - name: visit
        cookies: true
        steps:
          - name: ask
            url: /a
            exchange: [{send: {json: {token: "{{ me }}"}}}, {receive: {json: {token: "{{ me }}"}, capture: {heard: {json: token}}, within: 30s}}]
          - {name: leave, url: "/b?heard={{ heard }}", exchange: [{send: leave}, {close: 30s}], expect: {status: [1008]}}
          - {name: refused, url: /c, headers: {authorization: none}, exchange: [{send: hello}], expect: {status: [401]}}
      - name: alone
        url: /d
        exchange: [{send: hello}, {receive: {text: "nobody {{ me }}", within: 50ms}}]
`, addr)
}

func TestExchangesOverWebSocketsAreCounted(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config.yaml")
	writeConfig(t, file, roomText(newRoom(t)))
	var logs syncBuffer
	r := startApp(t, options(file, &logs))
	metric := func(series string) float64 {
		_, body := r.get(t, "/metrics")
		return sumOf(body, series)
	}
	for _, want := range []string{
		`traffic_requests_total{code="1000",request="talk",scenario="s"}`, `traffic_requests_total{code="1000",request="visit/ask",scenario="s"}`,
		`traffic_requests_total{code="1008",request="visit/leave",scenario="s"}`, `traffic_requests_total{code="401",request="visit/refused",scenario="s"}`,
		`traffic_request_failures_total{reason="check",request="alone",scenario="s"}`,
		`traffic_check_failures_total{check="exchange[1].receive",request="alone",scenario="s"}`,
	} {
		until(t, want, func() bool { return metric(want) > 5 })
	}
	_, body := r.get(t, "/metrics")
	for line := range strings.Lines(body) {
		if strings.HasPrefix(line, "traffic_request_failures_total") && !strings.Contains(line, `request="alone"`) && !strings.HasSuffix(line, " 0\n") {
			t.Error(line)
		}
	}
	var seen struct {
		Data []struct{ Reason, Exchange string }
	}
	_, body = r.get(t, "/api/v1/failures?scenario=s")
	if err := json.Unmarshal([]byte(body), &seen); err != nil {
		t.Fatal(err)
	}
	shown := slices.ContainsFunc(seen.Data, func(f struct{ Reason, Exchange string }) bool {
		return f.Reason == "check" && strings.Contains(f.Exchange, "> text message of 5 bytes\nhello")
	})
	if !shown {
		t.Errorf("of %d last failures none shows messages", len(seen.Data))
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
}

// TestAJourneyMayBeOverHTTPAndWebSockets has users log in over HTTP, and talk and then ask with what came of it.
func TestAJourneyMayBeOverHTTPAndWebSockets(t *testing.T) {
	addr := newRoom(t)
	file := filepath.Join(t.TempDir(), "config.yaml")
	writeConfig(t, file, fmt.Sprintf(`  - name: s
    rate: 30/s
    timeout: 1m
    limits: {max_in_flight: 10}
    requests:
      - {name: fixed, url: "http://%[1]s/login"}
      - name: visit
        steps:
          - {name: login, url: "http://%[1]s/login", capture: {access: {json: key}}}
          - name: talk
            url: "ws://%[1]s/room/c"
            headers: {authorization: "Bearer {{ access }}"}
            variables: {n: sequence}
            exchange: [{send: {json: {n: "{{ n }}"}}}, {receive: {json: {n: "{{ n }}"}, capture: {heard: {json: n}}, within: 30s}}]
          - {name: ask, url: "http://%[1]s/login?n={{ heard }}", expect: {status: [200]}}
`, addr))
	var logs syncBuffer
	r := startApp(t, options(file, &logs))
	metric := func(series string) float64 {
		_, body := r.get(t, "/metrics")
		return sumOf(body, series)
	}
	for _, want := range []string{
		`traffic_requests_total{code="200",request="fixed",scenario="s"}`, `traffic_requests_total{code="1000",request="visit/talk",scenario="s"}`,
		`traffic_requests_total{code="200",request="visit/ask",scenario="s"}`,
	} {
		until(t, want, func() bool { return metric(want) > 5 })
	}
	if n := metric(`traffic_request_failures_total`); n > 0 {
		t.Errorf("%v requests failed:\n%s", n, logs.String())
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
}

func TestSendShowsExchangesOverWebSockets(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config.yaml")
	writeConfig(t, file, roomText(newRoom(t)))
	send := func(request string) (string, error) {
		var out bytes.Buffer
		err := Send(context.Background(), &out, SendOptions{File: file, Scenario: "s", Request: request})
		return out.String(), err
	}
	for request, wants := range map[string][]string{
		"talk": {
			"> GET /room?who=", "> authorization: Bearer <hidden>", "> Upgrade: websocket", "< HTTP/1.1 101 Switching Protocols", "< Sec-Websocket-Protocol: room",
			"> text message of ", `{"who":"`, "< text message of ", "* number = ", `{"again":`, "* as expected",
		},
		"visit": {"* step 1: visit/ask", "> text message of 5 bytes\nleave", "* step 2: visit/leave", "* step 3: visit/refused", "< HTTP/1.1 401 Unauthorized", "no key"},
	} {
		text, err := send(request)
		if err != nil {
			t.Errorf("%s: %v\n%s", request, err, text)
		}
		for _, want := range wants {
			if !strings.Contains(text, want) {
				t.Errorf("%s does not show %q:\n%s", request, want, text)
			}
		}
	}
	text, err := send("alone")
	if err == nil || !strings.Contains(err.Error(), `check: exchange[1].receive: the only message that came is another one: text: found "hello", expected "nobody`) {
		t.Errorf("error %v\n%s", err, text)
	}
}

// TestSendEndsInTheMiddleOfAnExchange interrupts it, as Ctrl-C does.
func TestSendEndsInTheMiddleOfAnExchange(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config.yaml")
	writeConfig(t, file, strings.Replace(roomText(newRoom(t)), "within: 50ms", "within: 1m", 1))
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	var out bytes.Buffer
	if err := Send(ctx, &out, SendOptions{File: file, Scenario: "s", Request: "alone"}); err == nil {
		t.Errorf("it ended well:\n%s", out.String())
	}
}

func TestPreviewSaysWhatPausesInExchangesHold(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config.yaml")
	writeConfig(t, file, `  - name: s
    rate: 10/s
    limits: {max_in_flight: 7}
    requests:
      - {name: a, url: "ws://127.0.0.1/", exchange: [{pause: 1s}, {send: x}, {pause: {from: 1s, to: 3s}}]}
      - {name: b, url: "ws://127.0.0.1/"}
      - {name: c, weight: 2, steps: [{repeat: 2, steps: [{name: d, url: "ws://127.0.0.1/", exchange: [{pause: {mean: 500ms}}]}]}, {pause: 1s}]}
`)
	var out bytes.Buffer
	if err := Preview(&out, PreviewOptions{File: file, From: time.Now()}); err != nil {
		t.Fatal(err)
	}
	// Of a slot, 3 s in one of four, nothing in another, and 2 times 0.5 s in two.
	const want = "Pauses in exchanges over WebSockets keep 12.5 connections open at the peak: they count towards max_in_flight, which is 7 in each replica.\n"
	if !strings.Contains(out.String(), want) {
		t.Errorf("it does not say %q:\n%s", want, out.String())
	}
}
