package protocoltest

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/transcript"
)

// version returns what first lines say of the flavour.
func (f Flavour) version() string {
	if f.Major == 1 {
		return "HTTP/1.1"
	}
	return fmt.Sprintf("HTTP/%d.0", f.Major)
}

// shown returns the transcript of one exchange.
func shown(t *testing.T, c protocol.Client, r protocol.Request) (string, protocol.Result) {
	t.Helper()
	var b bytes.Buffer
	result := transcript.Exchange(t.Context(), c, r, &b)
	return b.String(), result
}

// mustContain checks that a string has all parts, in their order.
func mustContain(t *testing.T, all string, parts ...string) {
	t.Helper()
	rest := all
	for _, p := range parts {
		_, after, found := strings.Cut(rest, p)
		if !found {
			t.Fatalf("no %q, or not in its place, in\n%s", p, all)
		}
		rest = after
	}
}

func (s Suite) writesAnExchangeDown(t *testing.T) {
	for _, f := range s.Flavours {
		t.Run(f.Name, func(t *testing.T) {
			o := f.Serve(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("X-Answer", "yes")
				w.Header().Set("Set-Cookie", "session=s3cret")
				w.Header().Set("Trailer", "X-Trailer")
				_, _ = io.WriteString(w, "hello\x1b[31m\nthere")
				w.Header().Set("X-Trailer", "end")
			})
			o.Entries[0].Method, o.Entries[0].Body = "POST", []byte("question")
			o.Entries[0].Fields = []protocol.Field{
				{Name: "x-lower", Value: "1"}, {Name: "X-Api-Key", Value: "s3cret"}, {Name: "X-Env", Value: "s3cret", Secret: true}, {Name: "Host", Value: "other.test"},
			}
			o.Authorization = &httpreq.Authorization{Credentials: "s3cret"}
			o.SlotHeader = true
			c := s.client(t, o)
			all, r := shown(t, c, protocol.Request{Scenario: "s", Segment: "g", Seq: 7})
			if r.Failed() {
				t.Fatal(r.Err)
			}
			mustContain(t, all, "* new connection from 127.0.0.1:")
			if f.TLS {
				mustContain(t, all, "* TLS 1.3, TLS_", `* certificate "CN=test" for ["target.test"] by "CN=test authority", valid until `)
			}
			request := "> POST / HTTP/1.1\n> Host: other.test\n> x-lower: 1\n> X-Api-Key: <hidden>\n> X-Env: <hidden>\n" +
				"> User-Agent: traffic_exporter/test\n> Content-Length: 8\n> Traffic-Slot: s/g/7\n> Authorization: Bearer <hidden>\n>\nquestion\n"
			if f.Major > 1 {
				request = "> POST / " + f.version() + "\n> :authority: other.test\n> x-lower: 1\n> x-api-key: <hidden>\n> x-env: <hidden>\n" +
					"> user-agent: traffic_exporter/test\n> content-length: 8\n> traffic-slot: s/g/7\n> authorization: Bearer <hidden>\n>\nquestion\n"
			}
			mustContain(t, all, request,
				fmt.Sprintf("< HTTP/%d.", f.Major), " 200 OK\n")
			for _, name := range []string{"< x-answer: yes\n", "< set-cookie: <hidden>\n"} {
				mustContain(t, strings.ToLower(all), name)
			}
			mustContain(t, strings.ToLower(all), "<\nhello.[31m\nthere\n< x-trailer: end\n<\n", "* 16 bytes of body in ", "* as expected\n")
			if strings.Contains(all, "s3cret") || strings.Contains(all, "\x1b") {
				t.Errorf("a secret or a control character in\n%s", all)
			}
			all, _ = shown(t, c, protocol.Request{})
			mustContain(t, all, "* kept connection from 127.0.0.1:")
		})
	}
}

func (s Suite) cutsALongBodyInATranscript(t *testing.T) {
	o := s.plain().Serve(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, strings.Repeat("x", transcript.MaxBody+1234))
	})
	all, _ := shown(t, s.client(t, o), protocol.Request{})
	mustContain(t, all, "<\n"+strings.Repeat("x", transcript.MaxBody)+"\n", "* 1234 bytes more not shown\n", "* 66770 bytes of body in ")
}

func (s Suite) writesDownWhatFailed(t *testing.T) {
	o := s.plain().Serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	l := Listen(t)
	_ = l.Close()
	o.Entries = append(o.Entries, s.plain().options(t, l.Addr().String()).Entries[0])
	c := s.client(t, o)
	for i, want := range []string{"* failed: status: unexpected status 418\n", "* failed: refused: connect with ", "* failed: protocol: entry 2: no such entry in the mix\n"} {
		all, _ := shown(t, c, protocol.Request{Entry: i})
		mustContain(t, all, want)
	}
}
