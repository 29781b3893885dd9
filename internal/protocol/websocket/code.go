package websocket

import (
	"slices"
	"strconv"

	"github.com/coder/websocket"
)

// The codes with which connections are closed that this package deals with itself (RFC 6455, section
// 7.4.1).
const (
	codeNormal   = int(websocket.StatusNormalClosure)
	codeBroken   = int(websocket.StatusProtocolError)
	codeAbnormal = int(websocket.StatusAbnormalClosure)
	codeNotUTF8  = int(websocket.StatusInvalidFramePayloadData)
	codeTooBig   = int(websocket.StatusMessageTooBig)

	firstCode, lastCode = 1000, 1015
	// otherCode stands for the two thousand codes of libraries and applications.
	otherCode = "other"
)

// codeText returns a code as it stands in a label.
func codeText(code int) string {
	if code < firstCode || code > lastCode {
		return otherCode
	}
	return strconv.Itoa(code)
}

// CodeRange is a range of close codes, or of statuses of HTTP, both ends included.
type CodeRange struct{ First, Last int }

// Codes are the close codes that are no failure, and the statuses of HTTP that are none where there is
// no upgrade.
type Codes []CodeRange

// DefaultCodes are those of exchanges that ended as they should: with a normal closure, and with one
// that says nothing (RFC 6455, section 7.1.5).
func DefaultCodes() Codes { return Codes{{1000, 1000}, {1005, 1005}} }

// Contains reports whether a code is one of them.
func (c Codes) Contains(code int) bool {
	return slices.ContainsFunc(c, func(r CodeRange) bool { return r.First <= code && code <= r.Last })
}
