package protocoltest

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"testing"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/uri"
)

// sendsTheBytesAsConfigured checks requests of HTTP/1.1 byte by byte: fields keep their order
// and their spelling.
func (s Suite) sendsTheBytesAsConfigured(t *testing.T) {
	const common = "Host: target.test\r\n"
	for _, test := range []struct {
		name   string
		entry  httpreq.Entry
		agent  string
		closes bool
		want   string
	}{
		{"only the required fields", httpreq.Entry{}, "", false, "GET / HTTP/1.1\r\n" + common + "\r\n"},
		{"an agent", httpreq.Entry{}, "a/1", false, "GET / HTTP/1.1\r\n" + common + "User-Agent: a/1\r\n\r\n"},
		{"fields in order", httpreq.Entry{Fields: []protocol.Field{
			{Name: "x-b", Value: "1"}, {Name: "X-A", Value: "2"}, {Name: "accept", Value: "*/*"}, {Name: "X-B", Value: "3"}, {Name: "eTaG", Value: ""},
		}}, "a/1", false, "GET / HTTP/1.1\r\n" + common + "x-b: 1\r\nX-A: 2\r\naccept: */*\r\nX-B: 3\r\neTaG: \r\nUser-Agent: a/1\r\n\r\n"},
		{"an agent of its own", httpreq.Entry{Fields: []protocol.Field{
			{Name: "user-agent", Value: "b"}, {Name: "X", Value: "y"},
		}}, "a/1", false, "GET / HTTP/1.1\r\n" + common + "user-agent: b\r\nX: y\r\n\r\n"},
		{"no agent", httpreq.Entry{Fields: []protocol.Field{{Name: "User-Agent", Value: ""}}}, "a/1", false, "GET / HTTP/1.1\r\n" + common + "\r\n"},
		{"a host", httpreq.Entry{Fields: []protocol.Field{
			{Name: "X", Value: "y"}, {Name: "HOST", Value: "Front.test:81"},
		}}, "", false, "GET / HTTP/1.1\r\nHost: front.test:81\r\nX: y\r\n\r\n"},
		{"a body", httpreq.Entry{Method: "POST", Body: []byte("b\r\n\r\n"), Fields: []protocol.Field{
			{Name: "content-type", Value: "t"},
		}}, "", false, "POST / HTTP/1.1\r\n" + common + "content-type: t\r\nContent-Length: 5\r\n\r\nb\r\n\r\n"},
		{"no body where there could be one", httpreq.Entry{Method: "POST"}, "", false, "POST / HTTP/1.1\r\n" + common + "Content-Length: 0\r\n\r\n"},
		{"the end of the connection", httpreq.Entry{}, "", true, "GET / HTTP/1.1\r\n" + common + "Connection: close\r\n\r\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := make(chan string, 1)
			o := Pipe(t, false, func(c net.Conn) {
				all := make([]byte, len(test.want))
				n, _ := io.ReadFull(c, all)
				got <- string(all[:n])
				_, _ = io.WriteString(c, status200+ok)
				_, _ = io.Copy(io.Discard, c)
			})
			test.entry.URL, test.entry.Expect = o.Entries[0].URL, OK(t)
			o.Entries[0], o.UserAgent, o.KeepAlive = test.entry, test.agent, !test.closes
			var tap recorded
			if r := s.client(t, o).run(&protocol.Call{Tap: &tap}); r.Failed() {
				t.Errorf("%q: %v", r.Reason, r.Err)
			}
			sent := <-got
			if sent != test.want {
				t.Errorf("sent\n%q, want\n%q", sent, test.want)
			}
			if shown := tap.String(); shown != sent {
				t.Errorf("the tap was shown\n%q, but sent was\n%q", shown, sent)
			}
		})
	}
}

// recorded is a Tap that writes a request down as HTTP/1.1 has it.
type recorded struct{ bytes.Buffer }

// Request implements protocol.Tap.
func (r *recorded) Request(h protocol.Head, body []byte) {
	r.WriteString(h.Line + "\r\n")
	for _, f := range h.Fields {
		r.WriteString(f.Name + ": " + f.Value + "\r\n")
	}
	r.WriteString("\r\n")
	r.Write(body)
}

// Connection implements protocol.Tap.
func (r *recorded) Connection(protocol.Connection) {}

// Response implements protocol.Tap.
func (r *recorded) Response(protocol.Head) {}

// Body implements protocol.Tap.
func (r *recorded) Body([]byte) {}

// asksFor says what goes over the wire for a URL.
type asksFor struct{ url, authority, target string }

// sendsURLsAsWritten checks targets and authorities in all flavours: they stay as written,
// except that characters that cannot be sent are escaped or converted (RFC 3986, section 2.2;
// RFC 5891).
func (s Suite) sendsURLsAsWritten(t *testing.T) {
	for _, f := range s.Flavours {
		t.Run(f.Name, func(t *testing.T) {
			var authority, target string
			o := f.Serve(t, func(_ http.ResponseWriter, r *http.Request) { authority, target = r.Host, r.RequestURI })
			addr := o.Entries[0].URL.Addr()
			o.TLS.InsecureSkipVerify = true
			o.Net.Resolver = Here{}
			o.Net.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, network, addr)
			}
			tests := append(targets(), authorities()...)
			for i, test := range tests {
				u, err := uri.Parse(o.Entries[0].URL.Scheme + "://" + test.url)
				if err != nil {
					t.Fatalf("%q: %v", test.url, err)
				}
				e := httpreq.Entry{URL: u, Expect: OK(t)}
				if i == 0 {
					e.Fields = []protocol.Field{{Name: "Host", Value: "Bücher.example:"}}
					tests[0].authority = "xn--bcher-kva.example"
				}
				o.Entries = append(o.Entries, e)
			}
			o.Entries = o.Entries[1:]
			c := s.client(t, o)
			for i, test := range tests {
				if r := c.do(protocol.Request{Entry: i}); r.Failed() {
					t.Errorf("%s: %q, %v", test.url, r.Reason, r.Err)
				}
				if authority != test.authority || target != test.target {
					t.Errorf("%s: sent %q to %q, want %q to %q", test.url, target, authority, test.target, test.authority)
				}
			}
		})
	}
}

// targets are paths and queries.
func targets() []asksFor {
	var all []asksFor
	for path, want := range map[string]string{
		"":                     "/",
		"/a%2Fb|c":             "/a%2Fb%7Cc",
		"/Zürich%2FNord":       "/Z%C3%BCrich%2FNord",
		"/%7euser/%7E":         "/%7euser/%7E",
		"/%e2%82%ac/%E2%82%AC": "/%e2%82%ac/%E2%82%AC",
		"/a;b=c,d!$&'()*+:@":   "/a;b=c,d!$&'()*+:@",
		"/a//b/../c/./d":       "/a//b/../c/./d",
		"/^`{}\"<>\\":          "/%5E%60%7B%7D%22%3C%3E%5C",
		"/a b":                 "/a%20b",
		"/a+b%20c%2Bd":         "/a+b%20c%2Bd",
		"?x":                   "/?x",
		"/?":                   "/?",
		"/a?":                  "/a?",
		"/a?b=c|d&e=%2f&f=/?":  "/a?b=c%7Cd&e=%2f&f=/?",
		"/a?b=ü":               "/a?b=%C3%BC",
		"/a?b=100%":            "/a?b=100%25",
		"/a#b":                 "/a",
		"/a%23b%3Fc":           "/a%23b%3Fc",
		"/%00%0d%0a":           "/%00%0d%0a",
	} {
		all = append(all, asksFor{"target.test" + path, "target.test", want})
	}
	return all
}

// authorities are hosts and ports.
func authorities() []asksFor {
	return []asksFor{
		{"bücher.example", "xn--bcher-kva.example", "/"},
		{"BÜCHER.example:8080/a", "xn--bcher-kva.example:8080", "/a"},
		{"straße.example", "xn--strae-oqa.example", "/"},
		{"例え.テスト", "xn--r8jz45g.xn--zckzah", "/"},
		{"xn--bcher-kva.example", "xn--bcher-kva.example", "/"},
		{"a_b.example", "a_b.example", "/"},
		{"Target.TEST:81", "target.test:81", "/"},
		{"target.test:", "target.test", "/"},
		{"target.test:/a", "target.test", "/a"},
		{"127.0.0.1:81", "127.0.0.1:81", "/"},
		{"[::1]", "[::1]", "/"},
		{"[::1]:/", "[::1]", "/"},
		{"[fe80::1%25eth0]:81", "[fe80::1]:81", "/"},
		{"[fe80::1%25eth0]", "[fe80::1]", "/"},
	}
}
