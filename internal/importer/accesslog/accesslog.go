// Package accesslog reads the access logs of web servers and proxies, line by line and without
// allocating: in the formats that nginx, Apache, Envoy, Traefik, Caddy and load balancers of AWS
// write by default, in one that is given as the server's own configuration has it, and as JSON. It
// knows nothing of what the requests are for.
package accesslog

// Record is what a line says of a request. Its slices are those of the line or of the parser, and
// are good until the next line is parsed.
type Record struct {
	// Time is when the request was logged, in seconds since 1970.
	Time int64
	// Method is one of GET, HEAD, POST, PUT, PATCH, DELETE and OPTIONS. It is empty if the line has no
	// request of HTTP: a TLS handshake sent to a plain port, a connection without a request, a
	// method that no server knows.
	Method string
	// Host is the name that was asked for, in the spelling of the log and without a port; it is empty
	// if the line does not have it.
	Host []byte
	// Target is the path and the query, from the slash on.
	Target []byte
	// Agent is the User-Agent; it is empty if the line does not have it.
	Agent []byte
	// Status is the response's; 0 if there was none.
	Status int
}

// Parser reads lines of one format. It is not safe for concurrent use.
type Parser interface {
	// Parse reads a line without its line break. The error says what the line lacks.
	Parse(line []byte, e *Record) error
	// String returns the name of the format, or the format itself.
	String() string
}

// flaw is a mistake in a line.
type flaw string

// Error returns the mistake.
func (f flaw) Error() string { return string(f) }

const (
	errShape  = flaw("it does not have the format's shape")
	errTime   = flaw("it has no time such as 02/Mar/2026:15:04:05 +0100, 2026-03-02T15:04:05Z or 1772460245.123")
	errStatus = flaw("its status is no number")
	errJSON   = flaw("it is no JSON object")
)
