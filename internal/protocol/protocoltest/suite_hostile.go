package protocoltest

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
)

// response is a response of a hostile or unusual server of HTTP/1.1, and what comes of it.
type response struct {
	name string
	text string
	// closes says that the server closes behind the text. Otherwise it waits for more
	// requests, and responds to each in the same way.
	closes bool
	want   protocol.Reason
	code   string
}

// ok is a field and a body for it, behind what else a head has.
const (
	status200 = "HTTP/1.1 200 OK\r\n"
	ok        = "Content-Length: 2\r\n\r\nok"
)

// readsWhatServersSend has servers of HTTP/1.1 send unusual and forbidden responses: at once,
// and byte by byte. Errors are known without waiting for more.
func (s Suite) readsWhatServersSend(t *testing.T) {
	for kind, responses := range map[string][]response{
		"folded lines":       foldedLines(),
		"blanks and names":   blanksAndNames(),
		"statuses":           statuses(),
		"garbage":            garbage(),
		"interim responses":  interims(),
		"long lines":         longLines(),
		"bodies in chunks":   chunks(),
		"ends of the bodies": bodyEnds(),
		"lengths":            lengths(),
		"bytes of control":   controls(),
	} {
		for _, r := range responses {
			for _, secure := range []bool{false, true} {
				for _, bytewise := range []bool{false, true} {
					if bytewise && len(r.text) > 4096 {
						continue // It is the same, and takes long.
					}
					t.Run(fmt.Sprintf("%s/%s, TLS %t, byte by byte %t", kind, r.name, secure, bytewise), func(t *testing.T) {
						synctest.Test(t, func(t *testing.T) { s.reads(t, r, secure, bytewise) })
					})
				}
			}
		}
	}
}

// reads checks what comes of a response, twice where the connection is kept.
func (s Suite) reads(t *testing.T, r response, secure, bytewise bool) {
	t.Helper()
	o := Pipe(t, secure, r.serve(bytewise))
	w := new(ConnRecorder)
	o.Observer = w
	c := s.client(t, o)
	times := 1
	if r.want == protocol.ReasonNone && !r.closes {
		times = 3
	}
	for range times {
		got := c.do(protocol.Request{})
		if got.Reason != r.want || got.Code != r.code {
			t.Fatalf("code %q, reason %q, want %q, %q: %v", got.Code, got.Reason, r.code, r.want, got.Err)
		}
		if took := got.Service(); (took > 0) != (r.want == protocol.ReasonTimeout) {
			t.Errorf("took %s", took)
		}
	}
	if opened, _ := w.Counts(); opened != 1 {
		t.Errorf("%d connections: the end of the response was not where it is", opened)
	}
	checkClosed(t, c, w)
}

// serve returns a server that responds so.
func (r response) serve(bytewise bool) func(net.Conn) {
	return func(c net.Conn) {
		for hasRequest(c) {
			if err := writeSlowly(c, r.text, bytewise); err != nil || r.closes {
				return
			}
		}
	}
}

// hasRequest reads the head of a request, and reports whether there was one.
func hasRequest(c net.Conn) bool {
	var end [4]byte
	for string(end[:]) != "\r\n\r\n" {
		copy(end[:], end[1:])
		if _, err := io.ReadFull(c, end[3:]); err != nil {
			return false
		}
	}
	return true
}

// writeSlowly writes a string, in a write for each byte if that is asked for.
func writeSlowly(c net.Conn, text string, bytewise bool) error {
	step := max(len(text), 1)
	if bytewise {
		step = 1
	}
	for len(text) > 0 {
		n := min(step, len(text))
		if _, err := io.WriteString(c, text[:n]); err != nil {
			return err
		}
		text = text[n:]
	}
	return nil
}

// foldedLines are unfolded before they are looked at, wherever they are (RFC 9112, section
// 5.2).
func foldedLines() []response {
	return []response{
		{name: "in a field", text: status200 + "X: a\r\n b\r\n\t c\r\n" + ok, code: "200"},
		{name: "with line feeds alone", text: "HTTP/1.1 200 OK\nX: a\n b\nContent-Length: 2\n\nok", code: "200"},
		{name: "with blanks alone", text: status200 + "X: a\r\n \r\n" + ok, code: "200"},
		{name: "behind an empty value", text: status200 + "X:\r\n a\r\n" + ok, code: "200"},
		{name: "in the length", text: status200 + "Content-Length:\r\n 2\r\n\r\nok", code: "200"},
		{name: "in the coding", text: status200 + "Transfer-Encoding:\r\n\tchunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", code: "200"},
		{name: "that look like a length", text: status200 + "X: a\r\n Content-Length: 9\r\n" + ok, code: "200"},
		{name: "that look like a coding", text: status200 + "X: a\r\n Transfer-Encoding: chunked\r\n" + ok, code: "200"},
		{name: "in a trailer", text: status200 + "Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX: a\r\n b\r\n\r\n", code: "200"},
		{name: "that make two lengths", text: status200 + "Content-Length: 2\r\n 3\r\n\r\nok", want: protocol.ReasonProtocol},
		{name: "that make no coding", text: status200 + "Transfer-Encoding: chunked\r\n x\r\n\r\n2\r\nok\r\n0\r\n\r\n", want: protocol.ReasonProtocol},
		{name: "before the first field", text: status200 + " X: a\r\n" + ok, want: protocol.ReasonProtocol},
	}
}

// blanksAndNames are blanks around names: harmless where the name does not say where the body
// ends (RFC 9112, section 5.1).
func blanksAndNames() []response {
	return []response{
		{name: "before a colon", text: status200 + "Server : IIS\r\n" + ok, code: "200"},
		{name: "a tab before a colon", text: status200 + "X-Powered-By\t : y\r\n" + ok, code: "200"},
		{name: "before the colon of a length", text: status200 + "Content-Length : 2\r\n\r\nok", want: protocol.ReasonProtocol},
		{name: "before the colon of a coding", text: status200 + "Transfer-Encoding\t: chunked\r\n\r\n0\r\n\r\n", want: protocol.ReasonProtocol},
		{name: "before the colon of a second length", text: status200 + "Content-Length: 2\r\nContent-Length : 3\r\n\r\nok", want: protocol.ReasonProtocol},
		{name: "within a name", text: status200 + "X Y: z\r\n" + ok, want: protocol.ReasonProtocol},
		{name: "no name", text: status200 + ": z\r\n" + ok, want: protocol.ReasonProtocol},
		{name: "no colon", text: status200 + "nonsense\r\n" + ok, want: protocol.ReasonProtocol},
		{name: "around the value", text: status200 + "Content-Length:\t 2 \t\r\n\r\nok", code: "200"},
		{name: "no blank at all", text: status200 + "Content-Length:2\r\n\r\nok", code: "200"},
	}
}

// statuses are of three digits; those above 599 are taken for server errors (RFC 9110,
// section 15).
func statuses() []response {
	var all []response
	for _, code := range []string{"600", "777", "999"} {
		all = append(all, response{name: code, text: "HTTP/1.1 " + code + " What\r\n" + ok, want: protocol.ReasonStatus, code: code})
	}
	for _, code := range []string{"099", "000", "1000", "20", "2000", "2xx", "-20", "", "0x1"} {
		all = append(all, response{name: "none: " + code, text: "HTTP/1.1 " + code + " What\r\n" + ok, want: protocol.ReasonProtocol})
	}
	return append(all,
		response{name: "without a reason", text: "HTTP/1.1 200 \r\n" + ok, code: "200"},
		response{name: "without a reason and its blank", text: "HTTP/1.1 200\r\n" + ok, code: "200"},
		response{name: "with a reason beyond ASCII", text: "HTTP/1.1 200 \xc3\xbcber\xff\r\n" + ok, code: "200"},
		response{name: "behind two blanks", text: "HTTP/1.1  200 OK\r\n" + ok, want: protocol.ReasonProtocol},
		response{name: "before the reason without a blank", text: "HTTP/1.1 200OK\r\n" + ok, want: protocol.ReasonProtocol},
	)
}

// garbage is known from its first bytes, whether the server waits or closes behind it.
func garbage() []response {
	var all []response
	for name, text := range map[string]string{
		"of SSH":          "SSH-2.0-OpenSSH_9.2p1",
		"of HTTP/2":       "\x00\x00\x12\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x80",
		"of TLS":          "\x15\x03\x01\x00\x02\x02\x46",
		"of HTTP/0.9":     "<html><body>hello</body></html>",
		"of a newer HTTP": "HTTP/2 200 OK\r\n" + ok,
		"of MySQL":        "J\x00\x00\x00\x0a8.0.36\x00",
		"of zeros":        strings.Repeat("\x00", 100),
		"of ours":         "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
		"in lower case":   "http/1.1 200 OK\r\n" + ok,
	} {
		for _, closes := range []bool{false, true} {
			r := response{name: name, text: text, closes: closes, want: protocol.ReasonProtocol}
			if closes {
				r.name += ", and closes"
			}
			all = append(all, r)
		}
	}
	return append(all,
		response{name: "not yet", text: "HTTP/1.1 20", want: protocol.ReasonTimeout},
		response{name: "not yet, and closes", text: "HTTP/1.1 20", closes: true, want: protocol.ReasonReset},
		response{name: "a single byte that may be good", text: "H", want: protocol.ReasonTimeout},
		response{name: "long without a line feed", text: "HTTP/1.1 200 " + strings.Repeat("x", 100<<10), want: protocol.ReasonProtocol},
	)
}

// interims are up to sixteen, and then the final response.
func interims() []response {
	early := "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n"
	return []response{
		{name: "100", text: "HTTP/1.1 100 Continue\r\n\r\n" + status200 + ok, code: "200"},
		{name: "102 and 103", text: "HTTP/1.1 102 Processing\r\n\r\n" + early + status200 + ok, code: "200"},
		{name: "with a length that is not one", text: "HTTP/1.1 103 Early Hints\r\nContent-Length: 5\r\n\r\n" + status200 + ok, code: "200"},
		{name: "before a failure", text: early + "HTTP/1.1 503 No\r\n" + ok, want: protocol.ReasonStatus, code: "503"},
		{name: "sixteen", text: strings.Repeat(early, 16) + status200 + ok, code: "200"},
		{name: "seventeen", text: strings.Repeat(early, 17), want: protocol.ReasonProtocol},
		{name: "and then the end", text: early, closes: true, want: protocol.ReasonReset},
		{name: "and then nothing", text: early, want: protocol.ReasonTimeout},
	}
}

// longLines are up to 64 KiB, and up to 1 MiB together.
func longLines() []response {
	const most = 64 << 10
	return []response{
		{name: "64 KiB with their end", text: status200 + "X: " + strings.Repeat("y", most-5) + "\r\n" + ok, code: "200"},
		{name: "a byte more than 64 KiB", text: status200 + "X: " + strings.Repeat("y", most-2) + "\r\n" + ok, want: protocol.ReasonProtocol},
		{name: "without an end", text: status200 + "X: " + strings.Repeat("y", 2*most), want: protocol.ReasonProtocol},
		{name: "in many folds", text: status200 + "X: y" + strings.Repeat("\r\n y", most/4) + "\r\n" + ok, want: protocol.ReasonProtocol},
		{name: "too many", text: status200 + strings.Repeat("X: y\r\n", 200<<10) + ok, want: protocol.ReasonProtocol},
	}
}

// chunks are bodies in chunks, whose framing may cost some of their size and no more.
func chunks() []response {
	const head = status200 + "Transfer-Encoding: chunked\r\n\r\n"
	one := func(n int) string { return head + strings.Repeat("1\r\nx\r\n", n) + "0\r\n\r\n" }
	return []response{
		{name: "of a byte, some", text: one(10_000), code: "200"},
		{name: "of a byte, many", text: one(100_000), want: protocol.ReasonProtocol, code: "200"},
		{name: "with extensions", text: head + "2;a=b;c\r\nok\r\n0;d\r\n\r\n", code: "200"},
		{name: "with zeros before", text: head + "0002\r\nok\r\n000\r\n\r\n", code: "200"},
		{name: "with an extension without end", text: head + "2;" + strings.Repeat("a", 10<<10), want: protocol.ReasonProtocol, code: "200"},
		{name: "with extensions for each byte", text: head + strings.Repeat("1;"+strings.Repeat("a", 100)+"\r\nx\r\n", 10_000), want: protocol.ReasonProtocol, code: "200"},
		{name: "with a trailer without end", text: head + "0\r\n" + strings.Repeat("X: y\r\n", 200<<10), want: protocol.ReasonProtocol, code: "200"},
		{name: "longer than said", text: head + "2\r\nokay\r\n0\r\n\r\n", want: protocol.ReasonProtocol, code: "200"},
		{name: "of a size that overflows", text: head + "fffffffffffffffff\r\n", want: protocol.ReasonProtocol, code: "200"},
		{name: "of a negative size", text: head + "-2\r\nok\r\n", want: protocol.ReasonProtocol, code: "200"},
		{name: "with a quoted extension", text: head + "2;a=\"b;c\\\"d\"\r\nok\r\n0\r\n\r\n", code: "200"},
		{name: "with blanks behind the size", text: head + "2 \t\r\nok\r\n0 ;a\r\n\r\n", code: "200"},
		{name: "with a size in capitals", text: head + "A\r\n0123456789\r\n0\r\n\r\n", code: "200"},
		{name: "with a blank before the size", text: head + " 2\r\nok\r\n0\r\n\r\n", want: protocol.ReasonProtocol, code: "200"},
		{name: "with a prefix of the size", text: head + "0x2\r\nok\r\n0\r\n\r\n", want: protocol.ReasonProtocol, code: "200"},
		{name: "with an underscore in the size", text: head + "0_2\r\nok\r\n0\r\n\r\n", want: protocol.ReasonProtocol, code: "200"},
		{name: "without a size", text: head + ";a\r\nok\r\n0\r\n\r\n", want: protocol.ReasonProtocol, code: "200"},
		{name: "with a size behind a blank", text: head + "2 2\r\nok\r\n0\r\n\r\n", want: protocol.ReasonProtocol, code: "200"},
		{name: "with a line feed in an extension", text: head + "2;a=\"\n\"\r\nok\r\n0\r\n\r\n", want: protocol.ReasonProtocol, code: "200"},
		{name: "with a trailer that says a length", text: head + "2\r\nok\r\n0\r\nContent-Length: 9\r\nTransfer-Encoding: x\r\n\r\n", code: "200"},
		{name: "with a folded trailer", text: head + "2\r\nok\r\n0\r\nX: a\r\n\tb\r\nY:\r\n c\r\n\r\n", code: "200"},
		{name: "with a trailer without a colon", text: head + "2\r\nok\r\n0\r\nnonsense\r\n\r\n", want: protocol.ReasonProtocol, code: "200"},
		{name: "with line feeds alone", text: head + "2\nok\n0\n\n", want: protocol.ReasonProtocol, code: "200"},
	}
}

// lengths are one number, however often it is there (RFC 9110, section 8.6).
func lengths() []response {
	var all []response
	for _, value := range []string{"2, 2", "2,2", "2\t,\t2 ,2", "0002", "000000000000000002"} {
		all = append(all, response{name: value, text: status200 + "Content-Length: " + value + "\r\n\r\nok", code: "200"})
	}
	for _, value := range []string{"", ",", "2,", ",2", "2, 3", "2 2", "+2", "-2", "0x2", "2.0", "2e0", "\u0662", "9223372036854775808", "99999999999999999999"} {
		all = append(all, response{name: "none: " + value, text: status200 + "Content-Length: " + value + "\r\n\r\nok", want: protocol.ReasonProtocol})
	}
	return append(all,
		response{name: "twice the same", text: status200 + "content-length: 2\r\nCONTENT-LENGTH: 2\r\n\r\nok", code: "200"},
		response{name: "twice the same, apart", text: status200 + "Content-Length: 2\r\nX: y\r\nContent-Length: 02\r\n\r\nok", code: "200"},
		response{name: "of an interim response and of the real one", text: "HTTP/1.1 103 Early Hints\r\nContent-Length: 9\r\n\r\n" + status200 + ok, code: "200"},
		response{name: "of 204", text: "HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\n", code: "204"},
		response{name: "of 204, with a body", text: "HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\nhello", closes: true, code: "204"},
		response{name: "of 304, in chunks that do not come", text: "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n", want: protocol.ReasonStatus, code: "304"},
	)
}

// controls are bytes that no part of a head may have, beside those that it may.
func controls() []response {
	all := []response{
		{name: "a tab in a value", text: status200 + "X: a\tb\r\n" + ok, code: "200"},
		{name: "bytes beyond ASCII in a value", text: status200 + "X: \xe9\xff\x80\r\n" + ok, code: "200"},
		{name: "a tab before the reason", text: "HTTP/1.1 200\tOK\r\n" + ok, want: protocol.ReasonProtocol},
		{name: "a byte beyond ASCII in a name", text: status200 + "X\xe9: a\r\n" + ok, want: protocol.ReasonProtocol},
		{name: "in a trailer", text: status200 + "Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX: a\x00\r\n\r\n", want: protocol.ReasonProtocol, code: "200"},
		{name: "in an extension of a chunk", text: status200 + "Transfer-Encoding: chunked\r\n\r\n2;a=\x00\r\nok\r\n0\r\n\r\n", want: protocol.ReasonProtocol, code: "200"},
	}
	for _, c := range []string{"\x00", "\x01", "\x1b", "\x7f", "\r", "\v"} {
		all = append(all,
			response{name: fmt.Sprintf("%q in a value", c), text: status200 + "X: a" + c + "b\r\n" + ok, want: protocol.ReasonProtocol},
			response{name: fmt.Sprintf("%q in a name", c), text: status200 + "X" + c + "Y: b\r\n" + ok, want: protocol.ReasonProtocol},
			response{name: fmt.Sprintf("%q in the reason", c), text: "HTTP/1.1 200 O" + c + "K\r\n" + ok, want: protocol.ReasonProtocol},
		)
	}
	return all
}

// bodyEnds are bodies that end with the connection, or should not.
func bodyEnds() []response {
	const chunked = status200 + "Transfer-Encoding: chunked\r\n\r\n"
	return []response{
		{name: "where the connection does", text: status200 + "\r\nhello", closes: true, code: "200"},
		{name: "where the connection does, without anything", text: status200 + "\r\n", closes: true, code: "200"},
		{name: "with the last chunk and the connection", text: chunked + "2\r\nok\r\n0\r\n\r\n", closes: true, code: "200"},
		{name: "at their length, with the connection", text: status200 + ok, closes: true, code: "200"},
		{name: "before their length", text: status200 + "Content-Length: 3\r\n\r\nok", closes: true, want: protocol.ReasonReset, code: "200"},
		{name: "before the last chunk", text: chunked + "2\r\nok\r\n", closes: true, want: protocol.ReasonReset, code: "200"},
		{name: "in the last chunk", text: chunked + "2\r\nok\r\n0\r\n", closes: true, want: protocol.ReasonReset, code: "200"},
		{name: "of nothing", text: "HTTP/1.1 204 No Content\r\n\r\n", code: "204"},
		{name: "that say that they go on, of 304", text: "HTTP/1.1 304 Not Modified\r\nContent-Length: 100\r\n\r\n", want: protocol.ReasonStatus, code: "304"},
	}
}
