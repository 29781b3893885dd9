package websocket_test

import (
	"context"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	library "github.com/coder/websocket"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/protocoltest"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/transcript"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/websocket"
	"github.com/traffic-exporter/traffic_exporter/internal/script"
)

func TestFailuresOfTargetsAreReported(t *testing.T) {
	protocoltest.Suite{
		New:      func(o httpreq.Options) (protocol.Client, error) { return websocket.New(options(o)) },
		Flavours: flavours(),
		Succeed:  accept(echo),
	}.RunFailures(t)
}

// hijack takes over a connection after the upgrade, and writes to it by hand.
func hijack(frames string, linger time.Duration) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer func() { _ = c.Close() }()
		fmt.Fprintf(buffered, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n%s",
			acceptance(r.Header.Get("Sec-WebSocket-Key")), frames)
		_ = buffered.Flush()
		_ = c.SetReadDeadline(time.Now().Add(linger))
		_, _ = io.Copy(io.Discard, c)
	}
}

// acceptance proves that a handshake was read (RFC 6455, section 4.2.2).
func acceptance(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// closes closes at once, with a code and a reason.
func closes(code library.StatusCode, says string) http.HandlerFunc {
	return accept(func(_ context.Context, c *library.Conn) { _ = c.Close(code, says) })
}

func refuses(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no WebSockets here", status) }
}

func TestEndsAreJudged(t *testing.T) {
	hello := receives(t, "exchange[0].receive", "hello")
	soon := hello
	soon.Within = 50 * time.Millisecond
	// Behind its pong, all has come that the server sent before.
	ping := script.Ping{Name: "ping", Within: protocoltest.Long}
	for _, test := range []struct {
		name   string
		serve  http.HandlerFunc
		turns  []script.Turn
		expect websocket.Codes
		code   string
		reason protocol.Reason
		err    string
	}{
		{name: "nothing is said", serve: accept(echo), code: "1000"},
		{name: "an echo", serve: accept(echo), turns: []script.Turn{sends(t, "hello"), hello}, code: "1000"},
		{name: "a message among others", serve: say("a", "b", "hello", "c"), turns: []script.Turn{hello}, code: "1000"},
		{name: "messages in their order", serve: say("hello", "a", "hello"), turns: []script.Turn{hello, hello}, code: "1000"},
		{
			name: "only other messages", serve: say("a", "b"), turns: []script.Turn{ping, soon}, code: "1000", reason: protocol.ReasonCheck,
			err: `exchange[0].receive: none of the 2 messages that came is the one; the last: text: found "b", expected "hello"`,
		},
		{
			name: "one other message", serve: say("a"), turns: []script.Turn{ping, soon}, code: "1000", reason: protocol.ReasonCheck,
			err: `exchange[0].receive: the only message that came is another one: text: found "a", expected "hello"`,
		},
		{name: "no message", serve: say(), turns: []script.Turn{soon}, code: "1000", reason: protocol.ReasonCheck, err: "exchange[0].receive: nothing came in time"},
		{
			name: "a message that was used already", serve: say("hello"), turns: []script.Turn{hello, soon}, code: "1000",
			reason: protocol.ReasonCheck, err: "nothing came in time",
		},
		{
			name: "a normal closure while a message is waited for", serve: closes(1000, ""), turns: []script.Turn{hello}, code: "1000",
			reason: protocol.ReasonCheck, err: "exchange[0].receive: nothing came in time, as the server closed with 1000",
		},
		{
			name: "a refusal while a message is waited for", serve: closes(1008, "not you"), turns: []script.Turn{hello}, code: "1008",
			reason: protocol.ReasonStatus, err: "the server closed with 1008: not you",
		},
		{
			name: "a code of an application", serve: closes(4001, ""), turns: []script.Turn{hello}, code: "other",
			reason: protocol.ReasonStatus, err: "the server closed with 4001",
		},
		{
			name: "a closure that is waited for", serve: closes(1008, "not you"), turns: []script.Turn{script.Closing{Name: "exchange[0].close", Within: protocoltest.Long}},
			expect: websocket.Codes{{First: 1008, Last: 1008}}, code: "1008",
		},
		{
			name: "a closure of an application that is waited for", serve: closes(4001, ""), turns: []script.Turn{script.Closing{Name: "exchange[0].close", Within: protocoltest.Long}},
			expect: websocket.Codes{{First: 4000, Last: 4999}}, code: "other",
		},
		{
			name: "a closure that does not come", serve: accept(echo), turns: []script.Turn{script.Closing{Name: "exchange[0].close", Within: 50 * time.Millisecond}},
			code: "1000", reason: protocol.ReasonCheck, err: "exchange[0].close: nothing came in time",
		},
		{
			name: "a refusal that is found when something is sent", serve: hijack("\x88\x02\x03\xf0", 0), code: "1008", reason: protocol.ReasonStatus, err: "closed with 1008",
			turns: []script.Turn{script.Pause{From: 50 * time.Millisecond, To: 50 * time.Millisecond}, sends(t, "hello"), hello},
		},
		{name: "a closure that says nothing", serve: hijack("\x88\x00", protocoltest.Long), code: "1005"},
		{name: "an end without a closure", serve: hijack("", 0), turns: []script.Turn{hello}, code: "1006", reason: protocol.ReasonReset, err: "EOF"},
		{
			name: "an end without a closure that is expected", serve: hijack("\x81\x05hello", 0), turns: []script.Turn{hello},
			expect: websocket.Codes{{First: 1006, Last: 1006}}, code: "1006",
		},
		{name: "an end within a message", serve: hijack("\x81\x05he", 0), turns: []script.Turn{hello}, code: "1006", reason: protocol.ReasonReset, err: "EOF"},
		{name: "an unknown opcode", serve: hijack("\x83\x00", protocoltest.Long), turns: []script.Turn{hello}, code: "1002", reason: protocol.ReasonProtocol, err: "unknown opcode"},
		{name: "reserved bits", serve: hijack("\xf1\x00", protocoltest.Long), turns: []script.Turn{hello}, code: "1002", reason: protocol.ReasonProtocol, err: "rsv bits"},
		{name: "a continuation of nothing", serve: hijack("\x80\x00", protocoltest.Long), turns: []script.Turn{hello}, code: "1002", reason: protocol.ReasonProtocol, err: "continuation"},
		{name: "a ping in pieces", serve: hijack("\x09\x00", protocoltest.Long), turns: []script.Turn{hello}, code: "1002", reason: protocol.ReasonProtocol, err: "fragmented control frame"},
		{name: "a code that no server may send", serve: hijack("\x88\x02\x03\xed", protocoltest.Long), turns: []script.Turn{hello}, code: "1002", reason: protocol.ReasonProtocol, err: "invalid close payload"},
		{name: "a text that is none", serve: hijack("\x81\x02\xff\xfe\x88\x02\x03\xef", protocoltest.Long), turns: []script.Turn{hello}, code: "1007", reason: protocol.ReasonProtocol, err: "not UTF-8"},
		{name: "a long message", serve: say(strings.Repeat("x", 1025)), turns: []script.Turn{hello}, code: "1009", reason: protocol.ReasonProtocol, err: "read limited at 1025 bytes"},
		{name: "a message as long as it may be", serve: say(strings.Repeat("x", 1024), "hello"), turns: []script.Turn{hello}, code: "1000"},
		{name: "a frame of 2^62 bytes", serve: hijack("\x82\x7f\x40\x00\x00\x00\x00\x00\x00\x00"+strings.Repeat("x", 2000), protocoltest.Long), turns: []script.Turn{hello}, code: "1009", reason: protocol.ReasonProtocol, err: "read limited"},
		{name: "too many messages", serve: flood, turns: []script.Turn{hello}, code: "1009", reason: protocol.ReasonProtocol, err: httpreq.ErrBodyTooLong.Error()},
		{name: "a page that is not there", serve: refuses(404), turns: []script.Turn{hello}, code: "404", reason: protocol.ReasonStatus, err: "unexpected status 404"},
		{name: "a page", serve: refuses(200), turns: []script.Turn{hello}, code: "200", reason: protocol.ReasonStatus, err: "unexpected status 200"},
		{name: "a refusal that is expected", serve: refuses(401), turns: []script.Turn{hello}, expect: websocket.Codes{{First: 401, Last: 401}}, code: "401"},
		{
			name: "a redirect", code: "302", reason: protocol.ReasonStatus, err: "unexpected status 302",
			serve: func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) },
		},
		{
			name: "a redirect to nowhere", code: "302", reason: protocol.ReasonStatus, err: "unexpected status 302",
			serve: func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", "http://[")
				w.WriteHeader(http.StatusFound)
			},
		},
		{
			name: "another proof", code: "101", reason: protocol.ReasonProtocol, err: "invalid Sec-WebSocket-Accept",
			serve: func(w http.ResponseWriter, r *http.Request) {
				r.Header.Set("Sec-WebSocket-Key", "other")
				hijack("", 0)(w, r)
			},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := serve(t, test.serve)
			o.HTTP.MaxResponseBytes = 10_000
			if test.expect != nil {
				o.Expect[0] = test.expect
			}
			c := open(t, o)
			for _, tap := range []protocol.Tap{nil, new(transcript.Transcript)} {
				check(t, exchange(t, c, o, talk(t, test.turns...), tap), test.code, test.reason, test.err)
			}
		})
	}
}

// flood sends messages without end.
func flood(w http.ResponseWriter, r *http.Request) {
	accept(func(ctx context.Context, c *library.Conn) {
		for c.Write(ctx, library.MessageText, []byte(strings.Repeat("x", 1000))) == nil {
		}
	})(w, r)
}

func TestAnExchangeEndsInTime(t *testing.T) {
	never := receives(t, "exchange[0].receive", "never")
	for _, test := range []struct {
		name  string
		serve http.HandlerFunc
		turns []script.Turn
	}{
		{"while it waits for a message", accept(echo), []script.Turn{never}},
		{"while other messages come", say("a", "b"), []script.Turn{never}},
		{"in a pause", accept(echo), []script.Turn{script.Pause{From: time.Hour, To: time.Hour}}},
		{"while it waits for a pong", hijack("", protocoltest.Long), []script.Turn{script.Ping{Name: "exchange[0].ping", Within: time.Hour}}},
		{"while it waits for the closing", accept(echo), []script.Turn{script.Closing{Name: "exchange[0].close", Within: time.Hour}}},
		{"while the server does not respond to the closing", hijack("", protocoltest.Long), nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := serve(t, test.serve)
			var r protocol.Result
			// A slow machine may need more time to open the WebSocket.
			for o.HTTP.Timeout = 100 * time.Millisecond; r.Code == "" && o.HTTP.Timeout < protocoltest.Long; {
				o.HTTP.Timeout *= 2
				r = exchange(t, open(t, o), o, talk(t, test.turns...), nil)
			}
			check(t, r, "1006", protocol.ReasonTimeout, "deadline exceeded")
			if r.Service() < o.HTTP.Timeout {
				t.Errorf("took %s", r.Service())
			}
		})
	}
}

func TestAClosedClientCancelsItsExchanges(t *testing.T) {
	begun := make(chan struct{})
	o := serve(t, accept(func(ctx context.Context, c *library.Conn) {
		if _, _, err := c.Read(ctx); err == nil {
			close(begun)
		}
		echo(ctx, c)
	}))
	w := new(protocoltest.ConnRecorder)
	o.HTTP.Observer = w
	c := open(t, o)
	go func() {
		<-begun
		c.Close()
	}()
	check(t, exchange(t, c, o, talk(t, sends(t, "hello"), receives(t, "exchange[1].receive", "never")), nil), "1006", protocol.ReasonCanceled, "canceled")
	w.CheckClosed(t)
}

func TestPingsAreRespondedTo(t *testing.T) {
	ponged := make(chan error, 1)
	o := serve(t, accept(func(ctx context.Context, c *library.Conn) {
		go func() { ponged <- c.Ping(ctx) }()
		echo(ctx, c)
	}))
	pause := script.Pause{From: 300 * time.Millisecond, To: 300 * time.Millisecond}
	r := exchange(t, open(t, o), o, talk(t, script.Ping{Name: "exchange[0].ping", Within: protocoltest.Long}, pause), nil)
	check(t, r, "1000", protocol.ReasonNone, "")
	if err := <-ponged; err != nil {
		t.Error(err)
	}
}

func TestAPongThatDoesNotComeFailsItsCheck(t *testing.T) {
	o := serve(t, hijack("", 2*time.Second)) // Which does not respond to the closing either.
	talk := talk(t, script.Ping{Name: "exchange[0].ping", Within: 50 * time.Millisecond})
	check(t, exchange(t, open(t, o), o, talk, nil), "1006", protocol.ReasonCheck, "exchange[0].ping: nothing came in time")
	if failed, ok := talk.Failed(); failed != 0 || !ok {
		t.Errorf("check %d failed", failed)
	}
}

func TestMessagesAreSentAsTheyAreWritten(t *testing.T) {
	type got struct {
		kind library.MessageType
		data string
	}
	received := make(chan got, 10)
	o := serve(t, accept(func(ctx context.Context, c *library.Conn) {
		c.SetReadLimit(-1)
		for {
			kind, data, err := c.Read(ctx)
			if err != nil {
				close(received)
				return
			}
			received <- got{kind, string(data)}
		}
	}))
	turns := []script.Turn{
		sends(t, "hello ☺"),
		script.Send{JSON: document(t, `{"a": [1, "x"]}`)},
		script.Send{Base64: text(t, "AAEC/w==")},
		script.Send{Content: func() string { return "\x00file" }},
		sends(t, ""), sends(t, strings.Repeat("x", 100_000)),
	}
	tap := new(transcript.Transcript)
	check(t, exchange(t, open(t, o), o, talk(t, turns...), tap), "1000", protocol.ReasonNone, "")
	for _, want := range []got{
		{library.MessageText, "hello ☺"},
		{library.MessageText, `{"a": [1, "x"]}`},
		{library.MessageBinary, "\x00\x01\x02\xff"},
		{library.MessageBinary, "\x00file"},
		{library.MessageText, ""},
		{library.MessageText, strings.Repeat("x", 100_000)},
	} {
		if one := <-received; one != want {
			t.Errorf("the server received %d %.40q, want %d %.40q", one.kind, one.data, want.kind, want.data)
		}
	}
	if one, more := <-received; more {
		t.Errorf("the server received %q as well", one.data)
	}
}

func TestWhatIsNoBase64IsNotSent(t *testing.T) {
	o := serve(t, accept(echo))
	talk := talk(t, script.Send{Base64: text(t, "no base64")})
	check(t, exchange(t, open(t, o), o, talk, nil), "1000", protocol.ReasonCheck, "exchange[0].send: it is no base64")
}

func TestTheHandshakeIsSentAsConfigured(t *testing.T) {
	for _, f := range flavours() {
		t.Run(f.Name, func(t *testing.T) {
			got := make(chan *http.Request, 1)
			o := options(f.Serve(t, func(w http.ResponseWriter, r *http.Request) {
				got <- r
				accept(echo)(w, r)
			}))
			o.Subprotocols = []string{"other", "chat"}
			o.HTTP.SlotHeader, o.HTTP.Traceparent = true, true
			o.HTTP.Authorization = &httpreq.Authorization{Credentials: "hush"}
			e := &o.HTTP.Entries[0]
			e.URL = protocoltest.At(t, e.URL, "/chat?room=1")
			e.Fields = []protocol.Field{{Name: "Origin", Value: "http://other.test:80"}, {Name: "Cookie", Value: "sid=1"}, {Name: "Host", Value: "other.test:80"}}
			c := open(t, o)
			done := make(chan struct{})
			var seen transcript.Transcript
			call := &protocol.Call{Request: protocol.Request{Scenario: "s", Segment: "x", Seq: 7, Trace: [16]byte{1}, Span: [8]byte{2}, Sampled: true}, Tap: &seen, Done: func() { close(done) }}
			c.Start(call)
			<-done
			check(t, call.Result, "1000", protocol.ReasonNone, "")
			r := <-got
			if r.Method != "GET" || r.RequestURI != "/chat?room=1" || r.Host != "other.test:80" {
				t.Errorf("%s %s of %s", r.Method, r.RequestURI, r.Host)
			}
			for name, want := range map[string]string{
				"Upgrade": "websocket", "Connection": "Upgrade", "Sec-Websocket-Version": "13", "Sec-Websocket-Protocol": "other,chat",
				"Origin": "http://other.test:80", "Cookie": "sid=1", "User-Agent": "traffic_exporter/test", "Traffic-Slot": "s/x/7",
				"Traceparent": "00-01000000000000000000000000000000-0200000000000000-01", "Authorization": "Bearer hush", "Content-Length": "",
			} {
				if value := r.Header.Get(name); value != want {
					t.Errorf("%s is %q, want %q", name, value, want)
				}
			}
			shown := seen.String()
			for _, want := range []string{"* new connection", "> GET /chat?room=1 HTTP/1.1", "> Upgrade: websocket", "> Authorization: Bearer <hidden>", "> Cookie: <hidden>", "< HTTP/1.1 101 Switching Protocols", "< Sec-Websocket-Protocol: chat"} {
				if !strings.Contains(shown, want) {
					t.Errorf("%q is not in the transcript:\n%s", want, shown)
				}
			}
			if strings.Contains(shown, "hush") {
				t.Error("the transcript shows a secret")
			}
		})
	}
}

func TestConnectionsAreCounted(t *testing.T) {
	for _, f := range flavours() {
		t.Run(f.Name, func(t *testing.T) {
			o := options(f.Serve(t, accept(echo)))
			w := new(protocoltest.ConnRecorder)
			o.HTTP.Observer = w
			c := open(t, o)
			for range 3 {
				check(t, exchange(t, c, o, talk(t, sends(t, "hello"), receives(t, "r", "hello")), nil), "1000", protocol.ReasonNone, "")
			}
			if opened, closed := w.Counts(); opened != 3 || closed != 3 {
				t.Errorf("%d connections opened, %d closed", opened, closed)
			}
			if sent, received := w.Bytes(); sent < 300 || received < 300 {
				t.Errorf("%d bytes sent, %d received", sent, received)
			}
			if p := w.Phases()[0]; p.Protocol != protocol.HTTP1 || p.Connect <= 0 || (p.TLS > 0) != f.TLS {
				t.Errorf("phases %+v", p)
			}
		})
	}
}

// TestALateTapSeesTheWholeExchange asks for one when the exchange has ended.
func TestALateTapSeesTheWholeExchange(t *testing.T) {
	for _, test := range []struct {
		name  string
		serve http.HandlerFunc
		want  []string
	}{
		{"a message that does not come", say("one", "two"), []string{"> GET / HTTP/1.1", "< HTTP/1.1 101", "> text message of 5 bytes\nhello", "< text message of 3 bytes\ntwo"}},
		{"a refusal", refuses(http.StatusForbidden), []string{"> GET / HTTP/1.1", "< HTTP/1.1 403", "no WebSockets here"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := serve(t, test.serve)
			never := receives(t, "exchange[1].receive", "never")
			never.Within = 100 * time.Millisecond
			p, err := o.HTTP.Entries[0].Prepare("")
			if err != nil {
				t.Fatal(err)
			}
			p.Talk = talk(t, sends(t, "hello"), script.Ping{Name: "ping", Within: protocoltest.Long}, never)
			var seen transcript.Transcript
			done := make(chan struct{})
			call := &protocol.Call{
				Message: &p, Done: func() { close(done) },
				Late: func(protocol.Reason, time.Time) protocol.Tap { return &seen },
			}
			open(t, o).Start(call)
			<-done
			for _, want := range test.want {
				if !strings.Contains(seen.String(), want) {
					t.Errorf("%q is not in:\n%s", want, &seen)
				}
			}
		})
	}
}

// TestAnInboxIsBounded has a server send many messages in a pause: they are all there behind it, though
// they did not all fit in.
func TestAnInboxIsBounded(t *testing.T) {
	const messages = 3000
	o := serve(t, accept(func(ctx context.Context, c *library.Conn) {
		for i := range messages {
			if c.Write(ctx, library.MessageText, fmt.Append(nil, i)) != nil {
				return
			}
		}
		drain(ctx, c)
	}))
	last := receives(t, "exchange[1].receive", fmt.Sprint(messages-1))
	r := exchange(t, open(t, o), o, talk(t, script.Pause{From: 200 * time.Millisecond, To: 200 * time.Millisecond}, last), nil)
	check(t, r, "1000", protocol.ReasonNone, "")
}

// TestWhatCameInTimeIsHeard has messages wait, as those before a pong do, for a receive that has no time.
func TestWhatCameInTimeIsHeard(t *testing.T) {
	o := serve(t, say("a", "b", "c", "hello"))
	hello := receives(t, "exchange[1].receive", "hello")
	hello.Within = time.Nanosecond
	ping := script.Ping{Name: "exchange[0].ping", Within: protocoltest.Long}
	c := open(t, o)
	for range 20 {
		check(t, exchange(t, c, o, talk(t, ping, hello), nil), "1000", protocol.ReasonNone, "")
	}
}

func TestAnEntryThatThereIsNotIsRefused(t *testing.T) {
	o := options(protocoltest.Options(t, "http://127.0.0.1:1"))
	done := make(chan struct{})
	call := &protocol.Call{Request: protocol.Request{Entry: 7}, Done: func() { close(done) }}
	open(t, o).Start(call)
	<-done
	protocoltest.CheckReason(t, call.Result, protocol.ReasonProtocol)
}

func TestOptionsThatCannotWorkAreRefused(t *testing.T) {
	o := options(protocoltest.Options(t, "http://127.0.0.1:1"))
	o.Expect = nil
	if _, err := websocket.New(o); err == nil {
		t.Error("an entry that expects nothing is taken")
	}
}

// TestGarbageInTheHandshakeIsAnError sends bytes that are not a response.
func TestGarbageInTheHandshakeIsAnError(t *testing.T) {
	for _, test := range []struct {
		name, says string
		code       string
		reason     protocol.Reason
	}{
		{"a header without a colon", "HTTP/1.1 101 Go\r\nnonsense\r\n\r\n", "", protocol.ReasonProtocol},
		{"an endless head", "HTTP/1.1 101 Go\r\n" + strings.Repeat("X: "+strings.Repeat("y", 1000)+"\r\n", 100), "", protocol.ReasonProtocol},
		{"endless interim responses", strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 20), "", protocol.ReasonProtocol},
		{"an upgrade after early hints to something else", "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 101 Go\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", "101", protocol.ReasonProtocol},
		{"a status of no class", "HTTP/1.1 099 What\r\nContent-Length: 0\r\n\r\n", "", protocol.ReasonProtocol},
		{"a page with an endless body", "HTTP/1.1 200 OK\r\n\r\n" + strings.Repeat("x", 1<<17), "200", protocol.ReasonStatus},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := options(protocoltest.Options(t, "http://"+protocoltest.Raw(t, func(c net.Conn) {
				protocoltest.ReadHead(c)
				_, _ = io.WriteString(c, test.says)
				_, _ = io.Copy(io.Discard, c)
			})))
			check(t, exchange(t, open(t, o), o, nil, nil), test.code, test.reason, "")
		})
	}
}
