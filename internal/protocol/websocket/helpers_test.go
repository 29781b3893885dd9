package websocket_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	library "github.com/coder/websocket"
	"go.uber.org/goleak"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/protocoltest"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/websocket"
	"github.com/traffic-exporter/traffic_exporter/internal/script"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// options makes options of HTTP those of WebSockets.
func options(o httpreq.Options) websocket.Options {
	out := websocket.Options{HTTP: o, MaxMessage: 1 << 10}
	for range o.Entries {
		out.Expect = append(out.Expect, websocket.DefaultCodes())
	}
	return out
}

// open returns a client that is closed with the test.
func open(tb testing.TB, o websocket.Options) protocol.Client {
	tb.Helper()
	c, err := websocket.New(o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(c.Close)
	return c
}

// flavours are HTTP/1.1 in the clear and over TLS.
func flavours() []protocoltest.Flavour {
	return []protocoltest.Flavour{
		{Name: "in the clear", Protocol: httpreq.HTTP1, Major: 1},
		{Name: "over TLS", Protocol: httpreq.HTTP1, Major: 1, TLS: true},
	}
}

// serve starts a server in the clear and returns options for it.
func serve(tb testing.TB, h http.HandlerFunc) websocket.Options {
	tb.Helper()
	return options(flavours()[0].Serve(tb, h))
}

// accept returns a handler that accepts a WebSocket and has it talk.
func accept(talk func(ctx context.Context, c *library.Conn)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c, err := library.Accept(w, r, &library.AcceptOptions{Subprotocols: []string{"chat"}})
		if err != nil {
			return
		}
		defer func() { _ = c.CloseNow() }()
		talk(r.Context(), c)
	}
}

// say sends messages and then waits for the end.
func say(texts ...string) http.HandlerFunc {
	return accept(func(ctx context.Context, c *library.Conn) {
		for _, text := range texts {
			if c.Write(ctx, library.MessageText, []byte(text)) != nil {
				return
			}
		}
		drain(ctx, c)
	})
}

// drain reads until the connection ends.
func drain(ctx context.Context, c *library.Conn) {
	for {
		if _, _, err := c.Read(ctx); err != nil {
			return
		}
	}
}

// echo sends back what it receives.
func echo(ctx context.Context, c *library.Conn) {
	for {
		kind, data, err := c.Read(ctx)
		if err != nil || c.Write(ctx, kind, data) != nil {
			return
		}
	}
}

// text and document return a template and a document.
func text(tb testing.TB, source string) *script.Template {
	tb.Helper()
	t, err := script.ParseTemplate(source)
	if err != nil {
		tb.Fatal(err)
	}
	return &t
}

func document(tb testing.TB, source string) *script.Document {
	tb.Helper()
	d, err := script.ParseDocument(source)
	if err != nil {
		tb.Fatal(err)
	}
	return &d
}

// sends and receives are turns.
func sends(tb testing.TB, source string) script.Send {
	tb.Helper()
	return script.Send{Text: text(tb, source)}
}

func receives(tb testing.TB, name, source string, captures ...script.Capture) script.Receive {
	tb.Helper()
	r := script.Receive{Name: name, Within: protocoltest.Long, Captures: captures}
	if source != "" {
		r.Checks = []script.Check{{Name: "text", Equals: document(tb, fmt.Sprintf("%q", source))}}
	}
	return r
}

// talk returns the exchange of a request that has these turns.
func talk(tb testing.TB, turns ...script.Turn) *script.Talk {
	tb.Helper()
	p, err := script.Compile(nil, []script.Step{script.Request{Exchange: turns}})
	if err != nil {
		tb.Fatal(err)
	}
	var j script.Journey
	var t script.Talk
	p.Begin(&j, script.Slot{Hash: 1, Due: time.Unix(1, 0)})
	j.Talk(&t, 0)
	return &t
}

// exchange makes the exchange of entry 0 with a talk, which may be nil.
func exchange(tb testing.TB, c protocol.Client, o websocket.Options, t *script.Talk, tap protocol.Tap) protocol.Result {
	tb.Helper()
	p, err := o.HTTP.Entries[0].Prepare("traffic_exporter/test")
	if err != nil {
		tb.Fatal(err)
	}
	if t != nil {
		p.Talk = t
	}
	done := make(chan struct{})
	call := &protocol.Call{Message: &p, Tap: tap, Done: func() { close(done) }}
	c.Start(call)
	c.Flush()
	<-done
	return call.Result
}

// check compares a result with the wanted one. The error of a failure has to contain a string.
func check(tb testing.TB, r protocol.Result, code string, reason protocol.Reason, holds string) {
	tb.Helper()
	if r.Code != code || r.Reason != reason {
		tb.Errorf("code %q, reason %q (%v), want %q, %q", r.Code, r.Reason, r.Err, code, reason)
	}
	if r.Failed() && (r.Err == nil || !strings.Contains(r.Err.Error(), holds)) {
		tb.Errorf("error %v does not hold %q", r.Err, holds)
	}
	if r.Sent.IsZero() || r.Done.Before(r.Sent) {
		tb.Errorf("sent %s, done %s", r.Sent, r.Done)
	}
}
