package http1

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
)

// responseCase is a case of the corpus.
type responseCase struct {
	name string
	text string
	head bool // to a HEAD
	// status and body are the expected result, and rest the bytes that do not belong to it.
	// keep says that the connection can be used again, and close that its end ends the
	// response.
	status int
	body   string
	rest   string
	keep   bool
	close  bool
	// bad says that it is refused.
	bad bool
}

// responseCases is the corpus, good and bad.
func responseCases() []responseCase {
	const ok = "HTTP/1.1 200 OK\r\n"
	chunked := ok + "Transfer-Encoding: chunked\r\n\r\n"
	return []responseCase{
		{name: "a length", text: ok + "Content-Length: 5\r\n\r\nhello", status: 200, body: "hello", keep: true},
		{name: "a length of 0", text: ok + "Content-Length: 0\r\n\r\n", status: 200, keep: true},
		{name: "a length, and more behind it", text: ok + "Content-Length: 2\r\n\r\nokHTTP", status: 200, body: "ok", rest: "HTTP", keep: true},
		{name: "names in any case", text: ok + "cOnTeNt-LeNgTh: \t5 \r\n\r\nhello", status: 200, body: "hello", keep: true},
		{name: "the same length twice", text: ok + "Content-Length: 2\r\nContent-Length: 2\r\n\r\nok", status: 200, body: "ok", keep: true},
		{name: "a list of the same length", text: ok + "Content-Length: 2, 2\r\n\r\nok", status: 200, body: "ok", keep: true},
		{name: "lengths that differ", text: ok + "Content-Length: 2\r\nContent-Length: 3\r\n\r\nok", bad: true},
		{name: "a list of lengths that differ", text: ok + "Content-Length: 2, 3\r\n\r\nok", bad: true},
		{name: "a negative length", text: ok + "Content-Length: -1\r\n\r\n", bad: true},
		{name: "a length with a sign", text: ok + "Content-Length: +1\r\n\r\nx", bad: true},
		{name: "an empty length", text: ok + "Content-Length: \r\n\r\nx", bad: true},
		{name: "a hexadecimal length", text: ok + "Content-Length: 0x1\r\n\r\nx", bad: true},
		{name: "an endless length", text: ok + "Content-Length: 99999999999999999999\r\n\r\n", bad: true},
		{name: "to the end", text: ok + "\r\nhello", status: 200, body: "hello", close: true},
		{name: "to the end, and empty", text: ok + "\r\n", status: 200, close: true},
		{name: "HTTP/1.0", text: "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", status: 200, body: "ok"},
		{name: "HTTP/1.0 that stays", text: "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok", status: 200, body: "ok", keep: true},
		{name: "goodbye", text: ok + "Connection: close\r\nContent-Length: 2\r\n\r\nok", status: 200, body: "ok"},
		{name: "goodbye in a list", text: ok + "Connection: x, Close\r\nContent-Length: 2\r\n\r\nok", status: 200, body: "ok"},
		{name: "no reason", text: "HTTP/1.1 404 \r\nContent-Length: 0\r\n\r\n", status: 404, keep: true},
		{name: "no reason and no space", text: "HTTP/1.1 404\r\nContent-Length: 0\r\n\r\n", status: 404, keep: true},
		{name: "line feeds alone", text: "HTTP/1.1 200 OK\nContent-Length: 2\n\nok", status: 200, body: "ok", keep: true},
		{name: "to a HEAD", head: true, text: ok + "Content-Length: 5\r\n\r\n", status: 200, keep: true},
		{name: "to a HEAD, chunked", head: true, text: ok + "Transfer-Encoding: chunked\r\n\r\n", status: 200, keep: true},
		{name: "204", text: "HTTP/1.1 204 No Content\r\n\r\n", status: 204, keep: true},
		{name: "304 with a length", text: "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", status: 304, keep: true},
		{name: "100 first", text: "HTTP/1.1 100 Continue\r\n\r\n" + ok + "Content-Length: 2\r\n\r\nok", status: 200, body: "ok", keep: true},
		{name: "103 first, twice", text: strings.Repeat("HTTP/1.1 103 Early Hints\r\nLink: <a>\r\nContent-Length: 7\r\nConnection: close\r\n\r\n", 2) +
			ok + "Content-Length: 2\r\n\r\nok", status: 200, body: "ok", keep: true},
		{name: "101", text: "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\nhello", status: 101, rest: "hello"},
		{name: "too many interim answers", text: strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", httpreq.MaxInterim+1), bad: true},
		{name: "chunks", text: chunked + "5\r\nhello\r\n1;a=b\r\n!\r\n0\r\n\r\n", status: 200, body: "hello!", keep: true},
		{name: "chunks, upper case, and a trailer", text: chunked + "0A\r\n0123456789\r\n0\r\nX-Sum: 1\r\n\r\nrest", status: 200, body: "0123456789", rest: "rest", keep: true},
		{name: "no chunk", text: chunked + "0\r\n\r\n", status: 200, keep: true},
		{name: "chunks and a length", text: ok + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", status: 200, body: "ok"},
		{name: "a chunk that is longer than its size", text: chunked + "2\r\nokay\r\n", bad: true},
		{name: "a chunk without a size", text: chunked + "\r\nok", bad: true},
		{name: "a chunk with a strange size", text: chunked + "2x\r\nok\r\n", bad: true},
		{name: "a chunk that never ends", text: chunked + "ffffffffffffffff\r\n", bad: true},
		{name: "a line feed alone behind a size", text: chunked + "2\nok\r\n0\r\n\r\n", bad: true},
		{name: "a line feed alone behind a chunk", text: chunked + "2\r\nok\n0\r\n\r\n", bad: true},
		{name: "a line feed alone in a trailer", text: chunked + "0\r\nX-A: b\n\r\n", bad: true},
		{name: "chunked twice", text: ok + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", bad: true},
		{name: "another coding", text: ok + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", bad: true},
		{name: "chunks in HTTP/1.0", text: "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", bad: true},
		{name: "a folded line", text: ok + "X-A: b\r\n c\r\n\td\r\nContent-Length: 2\r\n\r\nok", status: 200, body: "ok", keep: true},
		{name: "a folded length", text: ok + "Content-Length:\r\n 2\r\n\r\nok", status: 200, body: "ok", keep: true},
		{name: "a folded line, the last", text: ok + "Content-Length: 2\r\nX-A:\n b\n\r\nok", status: 200, body: "ok", keep: true},
		{name: "folded lengths", text: ok + "Content-Length: 2,\r\n 3\r\n\r\nok", bad: true},
		{name: "folded behind the status line", text: ok + " X-A: b\r\nContent-Length: 0\r\n\r\n", bad: true},
		{name: "a folded line in a trailer", text: chunked + "0\r\nX-A: b\r\n c\r\n\r\n", status: 200, keep: true},
		{name: "a folded line that is too long", text: ok + "X-A: b\r\n " + strings.Repeat("x", maxLine) + "\r\n\r\n", bad: true},
		{name: "a space before a harmless colon", text: ok + "Server : IIS\r\nX\t : y\r\nContent-Length: 2\r\n\r\nok", status: 200, body: "ok", keep: true},
		{name: "a space before the colon", text: ok + "Content-Length : 0\r\n\r\n", bad: true},
		{name: "a space before the colon of a coding", text: ok + "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", bad: true},
		{name: "a space in a name", text: ok + "X A: b\r\nContent-Length: 0\r\n\r\n", bad: true},
		{name: "garbage without an end", text: "SSH-2.0", bad: true},
		{name: "many chunks of a byte", text: chunked + strings.Repeat("1\r\nx\r\n", 900) + "0\r\n\r\n", status: 200, body: strings.Repeat("x", 900), keep: true},
		{name: "chunks that are mostly extensions", text: chunked + strings.Repeat("1;"+strings.Repeat("e", 1000)+"\r\nx\r\n", 100), bad: true},
		{name: "no colon", text: ok + "Content-Length\r\n\r\n", bad: true},
		{name: "no name", text: ok + ": x\r\n\r\n", bad: true},
		{name: "a bare carriage return", text: ok + "X-A: b\rContent-Length: 0\r\n\r\n", bad: true},
		{name: "a NUL", text: ok + "X-A: \x00\r\n\r\n", bad: true},
		{name: "a control character in the reason", text: "HTTP/1.1 200 O\x01K\r\n\r\n", bad: true},
		{name: "HTTP/2", text: "HTTP/2.0 200 OK\r\n\r\n", bad: true},
		{name: "another protocol", text: "SSH-2.0-OpenSSH_9.2\r\n", bad: true},
		{name: "an empty line first", text: "\r\n" + ok + "\r\n", bad: true},
		{name: "a status of two digits", text: "HTTP/1.1 20 OK\r\n\r\n", bad: true},
		{name: "a status of four digits", text: "HTTP/1.1 2000 OK\r\n\r\n", bad: true},
		{name: "a status of no class", text: "HTTP/1.1 999 No\r\nContent-Length: 0\r\n\r\n", status: 999, keep: true},
		{name: "a status that is none", text: "HTTP/1.1 099 OK\r\n\r\n", bad: true},
		{name: "a line that is too long", text: ok + "X-A: " + strings.Repeat("x", maxLine), bad: true},
		{name: "a head that is too long", text: ok + strings.Repeat("X-A: "+strings.Repeat("x", maxLine/2)+"\r\n", 2*maxHead/maxLine+1), bad: true},
		{name: "a trailer that is too long", text: chunked + "0\r\n" + strings.Repeat("X-A: "+strings.Repeat("x", maxLine/2)+"\r\n", 2*maxHead/maxLine+1), bad: true},
		{name: "a body that is too long", text: ok + "Content-Length: 1001\r\n\r\n", bad: true},
		{name: "chunks that are too long", text: chunked + "3e8\r\n" + strings.Repeat("x", 1000) + "\r\n1\r\n", bad: true},
		{name: "too long to the end", text: ok + "\r\n" + strings.Repeat("x", 1001), bad: true},
	}
}

// parsed is the result of parsing a response.
type parsed struct {
	status int
	body   string
	rest   string
	keep   bool
	done   bool
	err    error
}

// bodyTap writes bodies.
type bodyTap struct{ to *strings.Builder }

// Connection implements protocol.Tap.
func (bodyTap) Connection(protocol.Connection) {}

// Request implements protocol.Tap.
func (bodyTap) Request(protocol.Head, []byte) {}

// Response implements protocol.Tap.
func (bodyTap) Response(protocol.Head) {}

// Body implements protocol.Tap.
func (t bodyTap) Body(p []byte) { t.to.Write(p) }

// parse feeds a response, cut into pieces at the cuts, as a connection does.
func parse(text string, head bool, cuts func() int) parsed {
	var p parsed
	var body strings.Builder
	var r response
	m := methodAny
	if head {
		m = methodHead
	}
	r.reset(m, 1000)
	r.tap = &headTap{to: bodyTap{&body}}
	var have []byte
	for rest := text; ; {
		n := min(len(rest), cuts())
		have = append(have, rest[:n]...)
		rest = rest[n:]
		used, err := r.feed(have)
		have = have[used:]
		p.err = err
		if err != nil || r.done() || len(rest) == 0 {
			have = append(have, rest...)
			break
		}
	}
	p.done = p.err == nil && (r.done() || r.end())
	p.status, p.body, p.rest, p.keep = r.status, body.String(), string(have), r.keepAlive
	return p
}

func whole() int { return 1 << 30 }

func TestResponsesAreReadAsTheyAre(t *testing.T) {
	for _, a := range responseCases() {
		t.Run(a.name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(1, 2))
			few := len(a.text) < 1000
			for i := range 50 {
				cuts := whole
				switch {
				case i == 1 && few:
					cuts = func() int { return 1 }
				case i > 0:
					cuts = func() int { return 1 + rng.IntN(1+len(a.text)/3) }
				}
				p := parse(a.text, a.head, cuts)
				if a.bad {
					if p.err == nil {
						t.Fatalf("taken: %+v", p)
					}
					_, syntax := errors.AsType[syntaxError](p.err)
					if !syntax && !errors.Is(p.err, httpreq.ErrBodyTooLong) {
						t.Fatalf("error %v", p.err)
					}
					continue
				}
				if p.err != nil || !p.done || p.status != a.status || p.body != a.body || p.rest != a.rest || p.keep != a.keep {
					t.Fatalf("got %+v, want %+v", p, a)
				}
			}
		})
	}
}

func TestATruncatedResponseIsNotDone(t *testing.T) {
	for _, a := range responseCases() {
		if a.bad || a.close {
			continue
		}
		text := strings.TrimSuffix(a.text, a.rest)
		for cut := range len(text) {
			if p := parse(text[:cut], a.head, whole); p.done || p.err != nil {
				t.Errorf("%s: cut at %d: %+v", a.name, cut, p)
			}
		}
	}
}

// standard reads a response with net/http.
func standard(text string, head bool) (parsed, error) {
	var p parsed
	method := http.MethodGet
	if head {
		method = http.MethodHead
	}
	in := bufio.NewReader(strings.NewReader(text))
	for {
		resp, err := http.ReadResponse(in, &http.Request{Method: method})
		if err != nil {
			return p, err
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil {
			return p, err
		}
		if resp.StatusCode/100 == 1 && resp.StatusCode != http.StatusSwitchingProtocols {
			continue
		}
		p.status, p.body, p.keep, p.done = resp.StatusCode, string(body), !resp.Close, true
		rest, _ := io.ReadAll(in)
		p.rest = string(rest)
		return p, nil
	}
}

// FuzzResponse feeds any response whole and in pieces, which must not matter, and compares
// each that is accepted with net/http.
func FuzzResponse(f *testing.F) {
	for _, a := range responseCases() {
		if len(a.text) < 10_000 {
			f.Add(a.text, a.head, uint64(1))
		}
	}
	f.Fuzz(func(t *testing.T, text string, head bool, seed uint64) {
		p := parse(text, head, whole)
		rng := rand.New(rand.NewPCG(seed, 1))
		q := parse(text, head, func() int { return 1 + rng.IntN(20) })
		if (p.err == nil) != (q.err == nil) || p.err == nil && (p.status != q.status || p.body != q.body || p.done != q.done || p.keep != q.keep || p.rest != q.rest) {
			t.Fatalf("in pieces %+v, whole %+v", q, p)
		}
		sameAgain(t, text, head)
		if !p.done || p.status == http.StatusSwitchingProtocols {
			return
		}
		s, err := standard(text, head)
		if err != nil {
			if deliberate(text) {
				return
			}
			t.Fatalf("net/http: %v; got %+v", err, p)
		}
		// net/http looks at the length of a response to a HEAD, and at the bytes behind a
		// response that ends with the connection.
		if s.status != p.status || s.body != p.body || p.keep && s.rest != p.rest {
			t.Errorf("net/http %+v, got %+v", s, p)
		}
		if p.keep && !s.keep && !head {
			t.Errorf("net/http would close the connection: %+v", p)
		}
	})
}

// sameAgain fails the test unless a response that comes twice is read as the first one.
func sameAgain(t *testing.T, text string, head bool) {
	t.Helper()
	m := methodAny
	if head {
		m = methodHead
	}
	var h recentHead
	first, used, err := through(h.feed, text, m, whole)
	second, usedAgain, errAgain := through(h.feed, text, m, whole)
	if first != second || used != usedAgain || (err == nil) != (errAgain == nil) {
		t.Fatalf("first %+v, %v, then %+v, %v", first, err, second, errAgain)
	}
}

// deliberate reports whether a response may have something that net/http refuses and we
// take: a list of one length, several times, a field that says which trailers will come,
// which we do not look at, a blank before a colon, and a folded line in a trailer.
func deliberate(text string) bool {
	lower := strings.ToLower(text)
	if strings.Contains(lower, " :") || strings.Contains(lower, "\t:") || strings.Contains(lower, "\n ") || strings.Contains(lower, "\n\t") {
		return true
	}
	return strings.Contains(lower, "content-length") && strings.Contains(lower, ",") || strings.Contains(lower, "trailer")
}

func TestReadingAResponseAllocatesNothing(t *testing.T) {
	text := []byte(typical)
	var r response
	if n := testing.AllocsPerRun(100, func() {
		r.reset(methodAny, 1<<20)
		if used, err := r.feed(text); err != nil || used != len(text) || !r.done() {
			t.Fatal("not taken")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// typical is a response of nginx.
const typical = "HTTP/1.1 200 OK\r\nServer: nginx\r\nDate: Mon, 23 Nov 2026 07:00:00 GMT\r\nContent-Type: text/plain\r\n" +
	"Content-Length: 100\r\nLast-Modified: Mon, 23 Nov 2026 06:00:00 GMT\r\nConnection: keep-alive\r\nETag: \"65a1b2c3-64\"\r\n" +
	"Accept-Ranges: bytes\r\n\r\n0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"

func BenchmarkResponse(b *testing.B) {
	text := []byte(typical)
	var r response
	b.ReportAllocs()
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		r.reset(methodAny, 1<<20)
		if _, err := r.feed(text); err != nil || !r.done() {
			b.Fatal(err)
		}
	}
}

func BenchmarkReadResponse(b *testing.B) {
	in := bufio.NewReader(nil)
	text := bytes.NewReader(nil)
	b.ReportAllocs()
	b.SetBytes(int64(len(typical)))
	for b.Loop() {
		text.Reset([]byte(typical))
		in.Reset(text)
		resp, err := http.ReadResponse(in, nil)
		if err != nil {
			b.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
	}
}
