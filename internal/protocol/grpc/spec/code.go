// Package spec is what gRPC says of names and numbers: its status codes, what other errors mean in
// them, and which metadata there may be. It is pure.
package spec

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
)

// Code is a status code of gRPC (doc/statuscodes.md of grpc/grpc).
type Code uint8

// The codes that this package itself decides on.
const (
	OK                Code = 0
	Canceled          Code = 1
	Unknown           Code = 2
	DeadlineExceeded  Code = 4
	PermissionDenied  Code = 7
	ResourceExhausted Code = 8
	Unimplemented     Code = 12
	Internal          Code = 13
	Unavailable       Code = 14
	Unauthenticated   Code = 16

	// numCodes is the number of codes that there are.
	numCodes = 17
)

// names are the codes as the specification writes them.
func names() [numCodes]string {
	return [numCodes]string{
		"OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
		"PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED",
		"INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
	}
}

// String returns the name of the code, such as NOT_FOUND; UNKNOWN for one that there is not.
func (c Code) String() string {
	if c >= numCodes {
		c = Unknown
	}
	return names()[c]
}

// ParseCode reads the name of a code.
func ParseCode(name string) (Code, error) {
	all := names()
	i := slices.Index(all[:], name)
	if i < 0 {
		return 0, fmt.Errorf("%q is no status of gRPC", name)
	}
	return Code(i), nil
}

// ParseStatus reads the value of grpc-status, and reports whether it is a number. A number that stands for no code is UNKNOWN, as
// the specification has it.
func ParseStatus(value []byte) (Code, bool) {
	n, err := strconv.ParseUint(string(value), 10, 32)
	switch {
	case err != nil:
		return Unknown, false
	case n >= numCodes:
		return Unknown, true
	}
	return Code(n), true
}

// Names returns the names of all codes.
func Names() []string {
	all := names()
	return all[:]
}

// Codes is a set of codes. The zero Codes is empty.
type Codes uint32

// NewCodes returns the set of these codes.
func NewCodes(all ...Code) Codes {
	var s Codes
	for _, c := range all {
		s |= 1 << c
	}
	return s
}

// Contains reports whether a code is in the set.
func (s Codes) Contains(c Code) bool { return s&(1<<c) != 0 }

// FromHTTP returns the code of a response that is none of gRPC, by its status
// (doc/http-grpc-status-mapping.md).
func FromHTTP(status int) Code {
	switch status {
	case http.StatusBadRequest:
		return Internal
	case http.StatusUnauthorized:
		return Unauthenticated
	case http.StatusForbidden:
		return PermissionDenied
	case http.StatusNotFound:
		return Unimplemented
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return Unavailable
	default:
		return Unknown
	}
}

// ResetCancel and the others are the error codes of HTTP/2 that mean something other than a mistake (RFC 9113, section 7).
const (
	h2RefusedStream = 0x7
	ResetCancel     = 0x8
	h2Calm          = 0xb
	h2Security      = 0xc
	h2StreamClosed  = 0x5
	h2HTTP11        = 0xd
)

// FromReset returns the code of a call that the server ended with an error code of HTTP/2
// (PROTOCOL-HTTP2.md, Errors).
func FromReset(code uint32) Code {
	switch code {
	case h2RefusedStream:
		return Unavailable
	case ResetCancel:
		return Canceled
	case h2Calm:
		return ResourceExhausted
	case h2Security:
		return PermissionDenied
	case h2StreamClosed, h2HTTP11:
		return Unknown
	default:
		return Internal
	}
}
