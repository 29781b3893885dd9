package http1

import (
	"bytes"
	"fmt"
	"math"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
)

// The bounds of a response beside those that the options set, in bytes.
const (
	// maxHead is the longest head, with all interim responses, or trailer.
	maxHead = 1 << 20
	// maxLine is the longest line in them.
	maxLine = 64 << 10
	// maxChunkLine is the longest line before a chunk, with its extensions.
	maxChunkLine = 1 << 10
	// freeFraming is how many bytes there may be between chunks, beside twice those inside
	// them: a body in chunks of a byte costs much and says little.
	freeFraming = 64 << 10
)

// syntaxError is a response that breaks RFC 9112, or a bound of ours.
type syntaxError string

// Error implements error.
func (e syntaxError) Error() string { return "malformed response: " + string(e) }

// version is what a response begins with, but for the minor version.
const version = "HTTP/1."

// errNoStatusLine is something else than a response.
const errNoStatusLine = syntaxError("no status line of HTTP/1")

// stage is what of a response comes next.
type stage uint8

// The stages, in the order in which they may follow each other.
const (
	stageStatus stage = iota
	stageFields
	stageLength    // a body whose length is known
	stageChunkSize // the line before a chunk
	stageChunk     // a chunk
	stageChunkEnd  // the line end behind it
	stageTrailer
	stageUntilClose // a body that ends with the connection
	stageDone
)

// method is what of a request's method decides how its response ends.
type method uint8

// The methods.
const (
	methodAny method = iota
	// methodHead: the response has no body.
	methodHead
	// methodConnect: what follows a good response is another protocol.
	methodConnect
)

// response reads a response piece by piece, and allocates nothing. Start it with reset.
// Not safe for concurrent use.
//
// It is strict where leniency would let two readers of a response disagree about where it
// ends: lengths that differ, codings that are not known and bare carriage returns are
// refused. Folded lines are unfolded in place. As RFC 9112, section 2.2 allows, it
// takes a line feed alone for the end of a line of a head, but not between chunks nor in
// the trailer.
type response struct {
	// method is what the response is to, as far as it matters, and maxBody how long its body
	// may be.
	method  method
	maxBody int64

	stage  stage
	status int
	// minor is the minor version of HTTP.
	minor     byte
	keepAlive bool
	closes    bool // by its Connection field
	// length is the value of the field, -1 without one, and then the number of bytes left
	// of the body or the chunk.
	length  int64
	chunked bool
	// body is how much of the body has come.
	body  int64
	heads int // bytes of heads or trailer so far
	// framing is how many bytes there were between chunks.
	framing int64
	interim int
	// tap, if not nil, is shown heads and bodies.
	tap *headTap
	// watched, if not nil, gets the status of each head before the tap is shown it.
	watched watcher
}

// reset makes the response ready for a response.
func (r *response) reset(m method, maxBody int64) {
	*r = response{method: m, maxBody: maxBody, length: -1}
}

// done reports whether the response is complete.
func (r *response) done() bool { return r.stage == stageDone }

// headed reports whether the head of the response is complete, so that its status counts.
func (r *response) headed() bool { return r.stage > stageFields }

// ahead returns how much of the body is certain to come next, without anything else.
func (r *response) ahead() int64 {
	switch r.stage {
	case stageLength, stageChunk:
		return r.length
	case stageUntilClose:
		return math.MaxInt64
	default:
		return 0
	}
}

// feed takes the bytes that have come and returns how many it used. The rest is the
// beginning of a line, which must be passed again with more behind it, or, when the
// response is done, does not belong to it.
func (r *response) feed(p []byte) (used int, err error) {
	for used < len(p) && r.stage != stageDone {
		n, err := r.step(p[used:])
		if err != nil || n == 0 {
			return used, err
		}
		used += n
	}
	return used, nil
}

// feedHead is feed, but takes no more than the head and any interim responses before it.
func (r *response) feedHead(p []byte) (used int, err error) {
	for used < len(p) && !r.headed() {
		n, err := r.line(p[used:])
		if err != nil || n == 0 {
			return used, err
		}
		used += n
	}
	return used, nil
}

// step takes the next line, or the next piece of a body.
func (r *response) step(p []byte) (int, error) {
	switch r.stage {
	case stageLength, stageChunk, stageUntilClose:
		return r.piece(p)
	default:
		return r.line(p)
	}
}

// line takes a line, or nothing if it is not complete.
func (r *response) line(p []byte) (int, error) {
	end := bytes.IndexByte(p, '\n')
	if r.stage == stageFields || r.stage == stageTrailer {
		end = unfold(p, end)
	}
	if len(p) > r.longest() && (end < 0 || end > r.longest()) {
		return 0, syntaxError("a line is too long")
	}
	if end < 0 {
		return 0, r.mayBegin(p)
	}
	text := p[:end]
	inBody := r.stage == stageChunkSize || r.stage == stageChunkEnd
	switch {
	case end > 0 && text[end-1] == '\r':
		text = text[:end-1]
	case r.stage > stageFields:
		return 0, syntaxError("a line feed alone between chunks or in a trailer")
	}
	if inBody {
		r.framing += int64(end) + 1
	} else if r.heads += end + 1; r.heads > maxHead {
		return 0, syntaxError("the head or trailer is too long")
	}
	return end + 1, r.receiveLine(text)
}

// mayBegin refuses the beginning of a line that cannot be that of a response, so that
// garbage without a line feed is not waited for.
func (r *response) mayBegin(p []byte) error {
	if n := min(len(p), len(version)); r.stage == stageStatus && string(p[:n]) != version[:n] {
		return errNoStatusLine
	}
	return nil
}

// unfold returns the end of a field's line that has its first line feed at end, with the
// lines that are folded into it joined by spaces (RFC 9112, section 5.2); -1 if more has to
// come. Which line is the last is known from the byte behind it.
func unfold(p []byte, end int) int {
	for end > 0 && string(p[:end]) != "\r" {
		if end+1 == len(p) {
			return -1
		}
		if p[end+1] != ' ' && p[end+1] != '\t' {
			break
		}
		next := bytes.IndexByte(p[end+1:], '\n')
		if next < 0 {
			return -1
		}
		p[end] = ' '
		if p[end-1] == '\r' {
			p[end-1] = ' '
		}
		end += 1 + next
	}
	return end
}

// longest returns how long the next line may be.
func (r *response) longest() int {
	if r.stage == stageChunkSize || r.stage == stageChunkEnd {
		return maxChunkLine
	}
	return maxLine
}

// receiveLine takes a line without its end.
func (r *response) receiveLine(text []byte) error {
	switch r.stage {
	case stageStatus:
		return r.statusLine(text)
	case stageFields:
		if len(text) == 0 {
			r.tap.end()
			return r.endHead()
		}
		return r.field(text)
	case stageChunkSize:
		return r.chunkSize(text)
	case stageChunkEnd:
		if len(text) > 0 {
			return syntaxError("a chunk is longer than its size")
		}
		r.stage = stageChunkSize
		return nil
	default: // A trailer changes nothing.
		if len(text) == 0 {
			r.tap.end()
			r.stage = stageDone
			return nil
		}
		name, value, err := splitField(text)
		if err == nil {
			r.tap.field(name, value)
		}
		return err
	}
}

// statusLine takes the first line of a head.
func (r *response) statusLine(text []byte) error {
	const least = len(version) + len("1 200")
	if len(text) < least || string(text[:len(version)]) != version || text[8] != ' ' {
		return errNoStatusLine
	}
	r.minor = text[7] - '0'
	if r.minor > 1 {
		return syntaxError("neither HTTP/1.0 nor HTTP/1.1")
	}
	status := 0
	for _, c := range text[9:12] {
		if c < '0' || c > '9' {
			return syntaxError("no status of three digits")
		}
		status = 10*status + int(c-'0')
	}
	if len(text) > least && text[least] != ' ' || !httpreq.ValidStatus(status) {
		return syntaxError("no status of HTTP")
	}
	if !printable(text[least:]) {
		return syntaxError("control characters in the status line")
	}
	if r.watched != nil {
		r.watched.came(status)
	}
	r.tap.status(text, status)
	r.status, r.stage = status, stageFields
	r.keepAlive, r.closes, r.length, r.chunked = r.minor > 0, false, -1, false
	return nil
}

// watcher receives statuses.
type watcher interface{ came(status int) }

// splitField splits a field's line into its name and its value. A blank before the colon is
// left out, but for the fields that say where the body ends: there it is how responses are
// smuggled past a reader (RFC 9112, section 5.1).
func splitField(text []byte) (name, value []byte, err error) {
	colon := bytes.IndexByte(text, ':')
	if colon <= 0 {
		return nil, nil, syntaxError("a line of the head without a name")
	}
	name, value = httpreq.TrimRight(text[:colon]), httpreq.Trim(text[colon+1:])
	for _, c := range name {
		if !tokens[c] {
			return nil, nil, syntaxError("a field's name is none")
		}
	}
	if len(name) < colon && (is(name, "content-length") || is(name, "transfer-encoding")) {
		return nil, nil, syntaxError("a blank behind the name of a field that says where the body ends")
	}
	if !printable(value) {
		return nil, nil, syntaxError("control characters in a field's value")
	}
	return name, value, nil
}

// field takes a line of the head.
func (r *response) field(text []byte) error {
	name, value, err := splitField(text)
	if err != nil {
		return err
	}
	r.tap.field(name, value)
	switch {
	case len(name) == 14 && is(name, "content-length"):
		return r.contentLength(value)
	case len(name) == 17 && is(name, "transfer-encoding"):
		if r.chunked || r.minor == 0 || !is(value, "chunked") {
			return syntaxError("a transfer coding that is not supported")
		}
		r.chunked = true
	case len(name) == 10 && is(name, "connection"):
		for token := range bytes.SplitSeq(value, []byte{','}) {
			switch token = httpreq.Trim(token); {
			case is(token, "close"):
				r.closes = true
			case is(token, "keep-alive"):
				r.keepAlive = true
			}
		}
	}
	return nil
}

// contentLength takes the field of that name, which may be there several times if all say the
// same.
func (r *response) contentLength(value []byte) error {
	n, ok := httpreq.ContentLength(value)
	if !ok || r.length >= 0 && n != r.length {
		return syntaxError("no length, or several")
	}
	r.length = n
	return nil
}

// endHead decides what follows a head (RFC 9112, section 6.3).
func (r *response) endHead() error {
	r.keepAlive = r.keepAlive && !r.closes
	switch {
	case r.status == 101 || r.method == methodConnect && r.status/100 == 2: // What follows is another protocol.
		r.keepAlive, r.stage = false, stageDone
	case r.status < 200:
		if r.interim++; r.interim > httpreq.MaxInterim {
			return syntaxError("too many interim responses")
		}
		r.stage = stageStatus
	case r.method == methodHead || r.status == 204 || r.status == 304:
		r.stage = stageDone
	case r.chunked:
		// A length as well is an attempt to smuggle something past somebody.
		r.keepAlive = r.keepAlive && r.length < 0
		r.stage, r.heads = stageChunkSize, 1
	case r.length == 0:
		r.stage = stageDone
	case r.length > 0:
		r.stage = stageLength
		return r.bound(r.length)
	default:
		r.stage, r.keepAlive = stageUntilClose, false
	}
	return nil
}

// bound refuses a body of so many more bytes if that is too many.
func (r *response) bound(more int64) error {
	if more > r.maxBody-r.body {
		return fmt.Errorf("over %d bytes: %w", r.maxBody, httpreq.ErrBodyTooLong)
	}
	return nil
}

// chunkSize takes the line before a chunk. Extensions mean nothing to us.
func (r *response) chunkSize(text []byte) error {
	digits := 0
	var n int64
	for ; digits < len(text); digits++ {
		d := hexDigits[text[digits]]
		if d < 0 {
			break
		}
		if digits == 15 {
			return syntaxError("a chunk is too long")
		}
		n = n<<4 | int64(d)
	}
	rest := bytes.TrimLeft(text[digits:], " \t")
	if digits == 0 || len(rest) > 0 && rest[0] != ';' || !printable(rest) {
		return syntaxError("no size of a chunk")
	}
	if r.framing > freeFraming+2*r.body {
		return syntaxError("chunks are too small")
	}
	r.length, r.stage = n, stageChunk
	if n == 0 {
		r.stage = stageTrailer
	}
	return r.bound(n)
}

// piece takes a piece of a body.
func (r *response) piece(p []byte) (int, error) {
	if r.stage == stageUntilClose {
		if err := r.bound(int64(len(p))); err != nil {
			return 0, err
		}
		r.body += int64(len(p))
		r.tap.body(p)
		return len(p), nil
	}
	n := min(r.length, int64(len(p)))
	r.length -= n
	r.body += n
	r.tap.body(p[:n])
	if r.length == 0 {
		if r.stage == stageLength {
			r.stage = stageDone
		} else {
			r.stage = stageChunkEnd
		}
	}
	return int(n), nil
}

// end takes the end of the connection, and reports whether it completes the response.
func (r *response) end() bool {
	if r.stage == stageUntilClose {
		r.stage = stageDone
	}
	return r.done()
}

// is reports whether the text is a word, which is in lower case, in any case.
func is(text []byte, word string) bool {
	if len(text) != len(word) {
		return false
	}
	for i, c := range text {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != word[i] {
			return false
		}
	}
	return true
}

// printable reports whether a string has no control characters, except tabs.
func printable(text []byte) bool {
	for _, c := range text {
		if c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}
