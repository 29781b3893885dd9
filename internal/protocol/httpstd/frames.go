package httpstd

import "errors"

// errGoAway is a server that said goodbye on an HTTP/2 connection.
var errGoAway = errors.New("server sent GOAWAY")

// frames follows the frames on an HTTP/2 connection by their headers alone
// (RFC 9113, section 4.1). The zero frames stands at the beginning of a connection.
// Not safe for concurrent use.
type frames struct {
	head [9]byte
	have int
	// skip is what is left of the payload of the present frame.
	skip int
}

// follow takes the next bytes and reports whether a GOAWAY frame began in them. Of a
// peer that does not speak HTTP/2 it makes some nonsense, but never stops.
func (f *frames) follow(p []byte) (goAway bool) {
	const kind, goAwayKind = 3, 7
	for len(p) > 0 {
		n := min(f.skip, len(p))
		f.skip -= n
		p = p[n:]
		n = copy(f.head[f.have:], p)
		f.have += n
		p = p[n:]
		if f.have == len(f.head) {
			f.have = 0
			f.skip = int(f.head[0])<<16 | int(f.head[1])<<8 | int(f.head[2])
			goAway = goAway || f.head[kind] == goAwayKind
		}
	}
	return goAway
}
