package http1

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/protocoltest"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/transcript"
)

// exchangeOf returns the transcript of one exchange.
func exchangeOf(t *testing.T, c waiting, r protocol.Request) (string, protocol.Result) {
	t.Helper()
	var b bytes.Buffer
	result := c.Exchange(t.Context(), r, &b)
	return b.String(), result
}

// mustContain checks that the text has all parts, in their order.
func mustContain(t *testing.T, text string, parts ...string) {
	t.Helper()
	rest := text
	for _, p := range parts {
		_, after, found := strings.Cut(rest, p)
		if !found {
			t.Fatalf("no %q, or not in its place, in\n%s", p, text)
		}
		rest = after
	}
}

func TestExchangeWritesAllOfItDown(t *testing.T) {
	for _, f := range flavours() {
		t.Run(f.Name, func(t *testing.T) {
			o := f.Serve(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("X-Answer", "yes")
				w.Header().Set("Set-Cookie", "session=s3cret")
				_, _ = io.WriteString(w, "hello\x1b[31m\nthere")
			})
			o.Entries[0].Method, o.Entries[0].Body, o.Entries[0].Host = "POST", []byte("question"), "other.test"
			o.Authorization = &httpreq.Authorization{Credentials: "s3cret"}
			o.SlotHeader = true
			c := client(t, o)
			text, r := exchangeOf(t, c, protocol.Request{Scenario: "s", Segment: "g", Seq: 7})
			if r.Failed() {
				t.Fatal(r.Err)
			}
			mustContain(t, text, "> POST /\n> Host: other.test\n", "> Authorization: Bearer <hidden>\n", "> Traffic-Slot: s/g/7\n",
				"> User-Agent: traffic_exporter/test\n> Content-Length: 8\n>\nquestion\n", "* new connection from 127.0.0.1:")
			if f.TLS {
				mustContain(t, text, "* TLS 1.3, TLS_", `* certificate "CN=test" for ["target.test"] by "CN=test authority", valid until `)
			}
			mustContain(t, text, fmt.Sprintf("< HTTP/%d.", f.Major), " 200 OK\n", "< Set-Cookie: <hidden>\n", "< X-Answer: yes\n<\n",
				"hello.[31m\nthere\n* 16 bytes of body in ", "* as expected\n")
			if strings.Contains(text, "s3cret") || strings.Contains(text, "\x1b") {
				t.Errorf("a secret or a control character in\n%s", text)
			}
			text, _ = exchangeOf(t, c, protocol.Request{})
			mustContain(t, text, "* kept connection from 127.0.0.1:")
		})
	}
}

func TestExchangeCutsALongBody(t *testing.T) {
	o := flavours()[0].Serve(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, strings.Repeat("x", transcript.MaxBody+1234))
	})
	text, _ := exchangeOf(t, client(t, o), protocol.Request{})
	mustContain(t, text, "<\n"+strings.Repeat("x", transcript.MaxBody)+"\n", "* 1234 bytes more not shown\n", "* 66770 bytes of body in ")
}

func TestExchangeTellsWhatFailed(t *testing.T) {
	o := flavours()[0].Serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	o.Entries = append(o.Entries, httpreq.Entry{URL: &url.URL{Scheme: "http", Host: listenAndClose(t)}, Expect: protocoltest.OK(t)})
	c := client(t, o)
	for i, want := range []string{"* failed: status: unexpected status 418\n", "* failed: refused: connect with ", "* failed: protocol: entry 2: no such entry in the mix\n"} {
		text, _ := exchangeOf(t, c, protocol.Request{Entry: i})
		mustContain(t, text, want)
	}
}

// listenAndClose returns an address that nobody listens on.
func listenAndClose(t *testing.T) string {
	t.Helper()
	l := protocoltest.Listen(t)
	_ = l.Close()
	return l.Addr().String()
}
