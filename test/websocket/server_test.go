// Package websocket tests exchanges over WebSockets against a server that others have written than the
// library that the exporter uses, gorilla's, and through nginx as a proxy.
//
// It is a module of its own, so that the exporter's does not depend on that server.
package websocket

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/uri"
	ours "github.com/traffic-exporter/traffic_exporter/internal/protocol/websocket"
	"github.com/traffic-exporter/traffic_exporter/internal/script"
)

// long is a time that no test waits for.
const long = 30 * time.Second

// serve starts gorilla's server, which does what the path of the handshake asks for, and returns its host and
// port.
func serve(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(handle))
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

func handle(w http.ResponseWriter, r *http.Request) {
	upgrader := websocket.Upgrader{Subprotocols: []string{"chat"}, EnableCompression: true}
	c, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return // It has responded.
	}
	defer func() { _ = c.Close() }()
	switch path := strings.Split(r.URL.Path, "/"); path[1] {
	case "close":
		code, _ := strconv.Atoi(path[2])
		_ = c.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, "as you asked"), time.Now().Add(long))
		_, _, _ = c.ReadMessage()
	case "drop":
		_, _, _ = c.ReadMessage()
	case "ping":
		pinged(c)
	case "pieces":
		pieces(c)
	case "silence":
		_, _, _ = c.ReadMessage()
		time.Sleep(2 * time.Second)
		echo(c)
	default:
		echo(c)
	}
}

// echo sends back what it receives.
func echo(c *websocket.Conn) {
	for {
		kind, data, err := c.ReadMessage()
		if err != nil || c.WriteMessage(kind, data) != nil {
			return
		}
	}
}

// pinged sends pings, and says "ponged" when all have been responded to.
func pinged(c *websocket.Conn) {
	const pings = 3
	ponged := 0
	c.SetPongHandler(func(data string) error {
		if ponged++; ponged == pings && data == "you there?" {
			return c.WriteMessage(websocket.TextMessage, []byte("ponged"))
		}
		return nil
	})
	for range pings {
		_ = c.WriteControl(websocket.PingMessage, []byte("you there?"), time.Now().Add(long))
	}
	echo(c)
}

// pieces sends a message in several frames, with a ping between them.
func pieces(c *websocket.Conn) {
	w, err := c.NextWriter(websocket.TextMessage)
	if err != nil {
		return
	}
	_, _ = w.Write([]byte(strings.Repeat("a", 10_000)))
	_ = c.WriteControl(websocket.PingMessage, nil, time.Now().Add(long))
	_, _ = w.Write([]byte(strings.Repeat("b", 10_000)))
	_ = w.Close()
	echo(c)
}

// exchange makes an exchange with a server, and returns how it went.
func exchange(t *testing.T, addr, path string, expect ours.Codes, turns ...script.Turn) protocol.Result {
	t.Helper()
	u, err := uri.Parse("http://" + addr + path)
	if err != nil {
		t.Fatal(err)
	}
	all, err := httpreq.NewStatuses(httpreq.StatusRange{First: 100, Last: 599})
	if err != nil {
		t.Fatal(err)
	}
	entry := httpreq.Entry{URL: u, Expect: all, KeepsRedirects: true}
	if expect == nil {
		expect = ours.DefaultCodes()
	}
	c, err := ours.New(ours.Options{
		HTTP: httpreq.Options{
			Entries: []httpreq.Entry{entry}, ConnectTimeout: long, Timeout: long, MaxResponseBytes: 16 << 20, MaxConns: 10,
		},
		Expect: []ours.Codes{expect}, Subprotocols: []string{"chat"}, MaxMessage: 1 << 20,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	p, err := entry.Prepare("")
	if err != nil {
		t.Fatal(err)
	}
	p.Talk = talk(t, turns)
	done := make(chan struct{})
	call := protocol.Call{Message: &p, Done: func() { close(done) }}
	c.Start(&call)
	<-done
	return call.Result
}

// talk begins an exchange that has these turns.
func talk(t *testing.T, turns []script.Turn) httpreq.Talk {
	t.Helper()
	program, err := script.Compile(nil, []script.Step{script.Request{Exchange: turns}})
	if err != nil {
		t.Fatal(err)
	}
	var j script.Journey
	var talk script.Talk
	program.Begin(&j, script.Slot{Hash: 1, Due: time.Unix(1, 0)})
	j.Talk(&talk, 0)
	return &talk
}

// say and hear are turns with a string.
func say(text string) script.Turn {
	template := script.Literal(text)
	return script.Send{Text: &template}
}

func hear(text string) script.Turn {
	template := script.Literal(text)
	return script.Receive{Name: "receive", Within: long, Checks: []script.Check{{Name: "text", Contains: &template}}}
}

// check compares a result with what it has to be.
func check(t *testing.T, r protocol.Result, code string, reason protocol.Reason) {
	t.Helper()
	if r.Code != code || r.Reason != reason {
		t.Errorf("code %q, reason %q (%v), want %q, %q", r.Code, r.Reason, r.Err, code, reason)
	}
}
