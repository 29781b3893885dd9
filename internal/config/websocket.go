package config

import (
	"encoding/base64"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol/uri"
)

// WebSocketConfig is what WebSockets have beside http_config, which says how their connections are made and how the handshake
// authenticates. Their URLs are ws://host:port/path, or wss:// with TLS.
type WebSocketConfig struct {
	// The subprotocols that the server is offered, best first. Which one it chooses is in its header Sec-WebSocket-Protocol.
	Subprotocols []string `yaml:"subprotocols" min:"1" max:"100" format:"token"`
	// How long a message of the server may be; a longer one fails with reason protocol. http_config.max_response_bytes bounds all messages of
	// an exchange together.
	MaxMessageBytes Bytes `yaml:"max_message_bytes" default:"1MiB" min:"1" max:"1GiB"`
}

// The bounds of what turns of an exchange wait for.
const (
	shortestWait = time.Millisecond
	longestWait  = 10 * time.Minute
)

// IsWebSocket reports whether the request is an exchange over a WebSocket.
func (r Request) IsWebSocket() bool {
	return r.target.Whole == nil && isWebSocket(r.target.Origin.Scheme)
}

func isWebSocket(scheme string) bool { return scheme == "ws" || scheme == "wss" }

// webSockets checks the settings of WebSockets.
func (v validator) webSockets(path string, s *Scenario) {
	at := join(path, "websocket_config")
	if !slices.ContainsFunc(s.origins, func(o uri.URI) bool { return isWebSocket(o.Scheme) }) {
		if v.given(at) && len(s.origins) > 0 {
			v.fail(at, "found settings of WebSockets, but no request has a ws or wss URL: write ws or leave them out")
		}
		return
	}
	if s.WebSocketConfig == nil {
		s.WebSocketConfig = preset[WebSocketConfig]()
	}
	v.handshake(join(path, "headers"), s.Headers)
	for i, p := range s.WebSocketConfig.Subprotocols {
		if slices.Contains(s.WebSocketConfig.Subprotocols[:i], p) {
			one := element(join(at, "subprotocols"), i)
			v.fail(one, "found %s a second time, expected each subprotocol once", v.found(one))
		}
	}
}

// webSocket checks what an exchange over a WebSocket cannot have, and what other requests cannot.
func (t *traffic) webSocket(path string, r *Request) {
	at := join(path, "exchange")
	if !r.IsWebSocket() {
		if t.given(at) && t.ok(join(path, "url")) && t.given(join(path, "url")) {
			t.fail(at, "found together with %s, expected a ws or wss URL, such as ws://host/path", t.whatURL(r))
		}
		return
	}
	for _, foreign := range []struct {
		key    string
		there  bool
		advice string
	}{
		{"method", r.Method != "GET", "is a GET: leave it out"},
		{"body", true, "has no body: write exchange: [{send: ...}] instead"},
		{"follow_redirects", deref(r.FollowRedirects), "follows no redirects: leave it out"},
	} {
		if one := join(path, foreign.key); foreign.there && t.given(one) && t.ok(one) {
			t.fail(one, "found together with a %s URL, whose handshake %s", r.target.Origin.Scheme, foreign.advice)
		}
	}
	for _, key := range []string{"json", "body", "size"} {
		if one := join(join(path, "expect"), key); t.given(one) {
			t.fail(one, "found together with a %s URL, whose handshake has no body: write exchange: [{receive: {json: ..., within: 1s}}] instead", r.target.Origin.Scheme)
		}
	}
	for _, e := range r.Capture {
		if one := join(join(path, "capture"), e.Name); t.given(one) && !t.bad[one] && (e.Value.Source() == "json" || e.Value.Source() == "body") {
			t.fail(one, "found together with a %s URL, whose handshake has no body: write exchange: [{receive: {capture: ..., within: 1s}}] instead", r.target.Origin.Scheme)
		}
	}
	t.handshake(join(path, "headers"), r.Headers)
	t.closeCodes(below(path, "expect.status"), &r.Expect.Status)
}

// closeCodes checks the codes with which a connection may be closed. Where there are none, they are those
// of a normal closure, and of one that says nothing.
func (t *traffic) closeCodes(at string, all *[]StatusRange) {
	if !t.given(at) {
		*all = []StatusRange{{Low: 1000, High: 1000}, {Low: 1005, High: 1005}}
		return
	}
	if t.bad[at] {
		return
	}
	for i, s := range *all {
		if one := element(at, i); s.Name != "" && t.ok(one) {
			t.fail(one, "found %s, which is a status of gRPC, expected a close code such as 1000, or a status of HTTP with which the handshake may be refused", t.found(one))
		}
	}
}

// whatURL says what the URL of a request is of.
func (t *traffic) whatURL(r *Request) string {
	if r.target.Whole != nil {
		return "a URL that is one placeholder"
	}
	return "the scheme " + r.target.Origin.Scheme
}

// handshake checks that headers are not those of the handshake itself.
func (v validator) handshake(path string, headers Headers) {
	for _, h := range headers {
		at := join(path, h.Name)
		switch {
		case !v.ok(at):
		case strings.EqualFold(h.Name, "Sec-WebSocket-Protocol"):
			v.fail(at, "found the header %s: write websocket_config: {subprotocols: [...]} instead", h.Name)
		case strings.HasPrefix(strings.ToLower(h.Name), "sec-websocket-"):
			v.fail(at, "found the header %s, which belongs to the handshake: leave it out", h.Name)
		}
	}
}

// captures returns the captures of the request: of its response, and of the messages of its exchange.
func (r *Request) captures(path string, visit func(path, name string)) {
	for _, e := range r.Capture {
		visit(join(join(path, "capture"), e.Name), e.Name)
	}
	for i, turn := range r.Exchange {
		if turn.Receive == nil {
			continue
		}
		for _, e := range turn.Receive.Capture {
			visit(join(below(element(join(path, "exchange"), i), "receive.capture"), e.Name), e.Name)
		}
	}
}

// exchange checks the turns of an exchange and the names that they use.
func (t *traffic) exchange(path string, r *Request, sc *scope) {
	at := join(path, "exchange")
	if t.bad[at] {
		return
	}
	sc = sc.inner()
	sc.certain = maps.Clone(sc.certain)
	for i, turn := range r.Exchange {
		one := element(at, i)
		if !t.given(one) || t.bad[one] {
			continue
		}
		kinds := turn.kinds()
		if len(kinds) != 1 {
			if t.complete(one) {
				t.fail(one, "found %s, expected exactly one of send, receive, ping, close and pause", orNothing(kinds))
			}
			continue
		}
		key := join(one, kinds[0])
		switch {
		case turn.Send != nil:
			t.send(key, *turn.Send, sc)
		case turn.Receive != nil:
			t.receive(key, r, *turn.Receive, sc)
		case turn.Ping != nil:
			t.inTime(key, r, turn.Ping.Within)
		case turn.Close != nil:
			t.inTime(key, r, turn.Close.Within)
			if i < len(r.Exchange)-1 {
				t.fail(key, "found another turn behind it, but the connection is closed then: write it last")
			}
		case turn.Pause != nil:
			t.pause(key, *turn.Pause)
		}
	}
}

func orNothing(kinds []string) string {
	if len(kinds) == 0 {
		return "none"
	}
	return list(kinds, "and")
}

// kinds returns the keys that are there.
func (t Turn) kinds() []string {
	var kinds []string
	for _, kind := range []struct {
		key   string
		there bool
	}{{"send", t.Send != nil}, {"receive", t.Receive != nil}, {"ping", t.Ping != nil}, {"close", t.Close != nil}, {"pause", t.Pause != nil}} {
		if kind.there {
			kinds = append(kinds, kind.key)
		}
	}
	return kinds
}

// send checks a message that is sent.
func (t *traffic) send(path string, s Send, sc *scope) {
	switch kinds := s.kinds(); {
	case len(kinds) > 1:
		t.fail(path, "found %s, expected only one kind of message", list(kinds, "and"))
		return
	case len(kinds) == 0:
		if t.complete(path) {
			t.fail(path, "found no kind of message, expected one of text, json, binary and file")
		}
		return
	}
	t.templates(s.templates(path, t.given), sc)
	if at := join(path, "binary"); s.Binary != nil && t.ok(at) {
		if text, constant := s.Binary.Constant(); constant {
			if _, err := base64.StdEncoding.DecodeString(text); err != nil {
				t.fail(at, "found invalid base64, expected binary in base64: write text for text messages, or {file: ...} for the content of a file")
			}
		}
	}
}

// receive checks a message that is waited for. What it captures is certain from then on.
func (t *traffic) receive(path string, r *Request, m Receive, sc *scope) {
	t.inTime(path, r, m.Within)
	t.templates(t.messageChecks(path, m), sc)
	t.capturesOf(join(path, "capture"), m.Capture, sc)
	for _, e := range m.Capture {
		at := join(join(path, "capture"), e.Name)
		for _, key := range []string{"header", "cookie"} {
			if one := join(at, key); t.given(one) {
				t.fail(one, "found a %s, which a message does not have: write json, regex or body, or capture it beside exchange, from the handshake", key)
			}
		}
		if one := join(at, "otherwise"); t.given(one) && e.Value.Otherwise == OtherwiseEnd {
			t.fail(one, "found end, but a receive waits for a message that holds what it captures: leave it out")
		}
		sc.certain[e.Name] = true
	}
}

// messageChecks checks what a message has to be, and returns the templates in it.
func (v validator) messageChecks(path string, m Receive) []located {
	var all []located
	for _, j := range m.JSON {
		at := join(join(path, "json"), j.Name)
		if v.given(at) {
			v.jsonPath(at, j.Name, quote(j.Name))
		}
		all = append(all, v.check(at, j.Value, "json")...)
	}
	if m.Text != nil {
		all = append(all, v.check(join(path, "text"), *m.Text, "message")...)
	}
	return all
}

// inTime checks that a turn does not wait for longer than its request may take.
func (t *traffic) inTime(path string, r *Request, within Duration) {
	timeout, limit := join(path, "within"), t.s.Timeout
	if !t.given(timeout) {
		timeout = path
	}
	if r.Timeout > 0 {
		limit = r.Timeout
	}
	if t.ok(timeout, below(scenarioOf(path), "timeout")) && t.given(timeout) && within > limit {
		t.fail(timeout, "found %s, expected at most the timeout of %v", t.found(timeout), limit)
	}
}
