package http3

import (
	"bufio"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/quic-go/qpack"
	"golang.org/x/net/http/httpguts"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
)

// response is the known state of a response.
type response struct {
	// touched says that something of it has come, and status is that of its head; 0 until that comes.
	touched bool
	status  int
	// interim is how many interim responses came, small how many frames that brought next to nothing,
	// and trailed says that trailers came.
	interim, small int
	trailed        bool
	// length is what the body is to have; -1 where that is not said. received is what came.
	length, received int64
	// shown shows the request to a tap, which may be nil; nil before it is sent.
	shown func(protocol.Tap)
}

// receive reads the response to its end (RFC 9114, section 4.1).
func (a *attempt) receive() error {
	r, _ := a.client.readers.Get().(*bufio.Reader)
	r.Reset(a.stream)
	defer func() {
		r.Reset(nil)
		a.client.readers.Put(r)
	}()
	for {
		f, err := readFrame(r)
		if errors.Is(err, io.EOF) {
			return a.complete()
		}
		if err == nil {
			a.touched = true
			err = a.receiveFrame(r, f)
		}
		if errors.Is(err, io.ErrUnexpectedEOF) {
			err = a.fault(breach(codeFrameError, "a stream ends within a frame"))
		}
		if err != nil {
			return err
		}
	}
}

// receiveFrame takes a frame.
func (a *attempt) receiveFrame(r *bufio.Reader, f frame) error {
	if f.length < smallFrame && f.kind != frameHeaders {
		if a.small++; a.small > maxSmall {
			return breach(codeExcessiveLoad, "too many frames bring next to nothing")
		}
	}
	switch f.kind {
	case frameHeaders:
		return a.receiveHead(r, f)
	case frameData:
		if a.status == 0 || a.trailed {
			return a.fault(breach(codeUnexpected, "DATA without a head, or behind trailers"))
		}
		return a.receiveBody(r, f)
	case frameSettings, frameGoAway, frameCancelPush, frameMaxPushID, framePriority, framePing, frameWindow, frameContinue:
		return a.fault(breach(codeUnexpected, "a frame that does not belong on a request's stream"))
	case framePushPromise:
		return a.fault(breach(codeID, "a push that nobody asked for"))
	}
	return skip(r, f)
}

// fault ends the connection for what the server did on a stream.
func (a *attempt) fault(v *violation) error {
	a.conn.session.fail(v)
	return v
}

// receiveHead takes a head: of an interim response, of the real one, or trailers.
func (a *attempt) receiveHead(r *bufio.Reader, f frame) error {
	if f.length > maxHead {
		return breach(codeExcessiveLoad, "a header is too long")
	}
	block, err := readBlock(r, f, maxHead)
	if err != nil {
		return err
	}
	var h head
	if err = h.decode(block); err != nil {
		if v, ok := errors.AsType[*violation](err); ok && v.code == codeCompression {
			return a.fault(v)
		}
		return err
	}
	switch {
	case a.trailed:
		return a.fault(breach(codeUnexpected, "HEADERS behind trailers"))
	case a.status != 0:
		return a.receiveTrailers(&h)
	case h.status == 0:
		return breach(codeMessage, "a response without a status")
	case !httpreq.ValidStatus(h.status):
		return errBadStatus
	case h.status == http.StatusSwitchingProtocols:
		return breach(codeMessage, "101 Switching Protocols") // RFC 9114, section 4.5.
	case h.status < http.StatusOK:
		return a.receiveInterim(&h)
	}
	return a.receiveFinal(&h)
}

func (a *attempt) receiveInterim(h *head) error {
	if a.interim++; a.interim > httpreq.MaxInterim {
		return breach(codeExcessiveLoad, "too many interim responses")
	}
	a.showHead(h)
	return nil
}

// receiveFinal takes the head of the response. One that is not expected, or late, is shown to a late tap
// as well.
func (a *attempt) receiveFinal(h *head) error {
	reason := protocol.ReasonNone
	if a.entry.Fails(h.status) {
		reason = protocol.ReasonStatus
	}
	if a.call.Late != nil {
		a.shown(a.call.Join(reason, time.Now()))
	}
	a.showHead(h)
	if a.refusesEarly(h.status) {
		return errTooEarly
	}
	a.status, a.length = h.status, h.length
	return nil
}

func (a *attempt) receiveTrailers(h *head) error {
	if h.status != 0 {
		return breach(codeMessage, "trailers have a status")
	}
	a.trailed = true
	a.showHead(h)
	return nil
}

// showHead shows a head to the tap.
func (a *attempt) showHead(h *head) {
	if a.call.Tap == nil {
		return
	}
	shown := protocol.Head{Status: h.status, Fields: h.fields}
	if h.status != 0 {
		shown.Line = strings.TrimSpace("HTTP/3.0 " + strconv.Itoa(h.status) + " " + http.StatusText(h.status))
	}
	a.call.Tap.Response(shown)
}

// receiveBody takes a piece of the body.
func (a *attempt) receiveBody(r *bufio.Reader, f frame) error {
	for left := f.length; left > 0; {
		if _, err := r.Peek(1); err != nil {
			return cutOff(err)
		}
		piece, _ := r.Peek(int(min(uint64(r.Buffered()), left))) // It is there.
		if a.received += int64(len(piece)); a.received > a.client.maxBody {
			return httpreq.ErrBodyTooLong
		}
		if a.call.Tap != nil {
			a.call.Tap.Body(piece)
		}
		left -= uint64(len(piece))
		_, _ = r.Discard(len(piece)) // It is there.
	}
	return nil
}

// complete takes the end of the stream.
func (a *attempt) complete() error {
	switch {
	case a.status == 0:
		return breach(codeIncomplete, "a stream ends without a response")
	case a.length >= 0 && a.length != a.received && !a.bodiless():
		return breach(codeMessage, "a body is not as long as its head says") // RFC 9114, section 4.1.2.
	}
	a.conn.responded.Store(true)
	return nil
}

// bodiless reports whether the response has no body, whatever its head says of a length (RFC 9110,
// section 6.4.1).
func (a *attempt) bodiless() bool {
	return a.entry.noBody || a.status == http.StatusNoContent || a.status == http.StatusNotModified
}

// head is a field section of a response: of its head or of its trailers.
type head struct {
	// status is 0 where there is none, and length -1.
	status int
	length int64
	fields []protocol.Field
}

// decode decodes a field section. Its errors are violations.
func (h *head) decode(block []byte) error {
	h.length = -1
	next := qpack.NewDecoder().Decode(block)
	for size := 0; ; {
		f, err := next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return breach(codeCompression, "a header cannot be decoded")
		}
		size += len(f.Name) + len(f.Value) + fieldOverhead
		if size > maxHead || len(h.fields) >= maxFields {
			return breach(codeExcessiveLoad, "a header is too long")
		}
		if !h.add(f.Name, f.Value) {
			return breach(codeMessage, "a header is malformed")
		}
	}
}

// add adds a field. It reports false for one that must not be there (RFC 9114, sections 4.2 and 4.3).
func (h *head) add(name, value string) bool {
	if !httpguts.ValidHeaderFieldValue(value) {
		return false
	}
	if strings.HasPrefix(name, ":") {
		return len(h.fields) == 0 && h.status == 0 && name == ":status" && h.setStatus(value)
	}
	if name != strings.ToLower(name) || !httpguts.ValidHeaderFieldName(name) {
		return false
	}
	switch name {
	case "connection", "proxy-connection", "keep-alive", "transfer-encoding", "upgrade":
		return false
	case "te":
		if value != "trailers" {
			return false
		}
	case "content-length":
		n, err := strconv.ParseUint(value, 10, 62)
		if err != nil || h.length >= 0 && h.length != int64(n) {
			return false
		}
		h.length = int64(n)
	}
	h.fields = append(h.fields, protocol.Field{Name: name, Value: value})
	return true
}

// setStatus takes the status, of three digits. There is no status 0, but it is there.
func (h *head) setStatus(value string) bool {
	n, err := strconv.ParseUint(value, 10, 16)
	h.status = max(1, int(n))
	return err == nil && len(value) == 3
}
