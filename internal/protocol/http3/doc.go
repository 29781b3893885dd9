// Package http3 sends HTTP/3 (RFC 9114) over QUIC, which is quic-go's: packets, loss recovery,
// congestion control and TLS. Frames and the fields of messages are written and read here, since
// requests must be those that the other clients of HTTP send, in the same order and with the same
// length, and since only the code that opens streams knows how many of them a server allows. Fields
// are compressed by the static table of QPACK alone (RFC 9204, section 3.1).
//
// Each exchange has a goroutine that waits for it, and each connection has a socket of its own, so
// that balancers spread connections and the system reports that nobody listens.
//
// A request that was refused before anybody looked at it is sent once more on another connection, and
// so is one that may be repeated and whose kept connection dies before the first frame of a response.
// So a target may see a slot twice, which its Traffic-Slot header shows. The package follows no
// redirects, and knows no proxies, cookies, caches, priorities, pushes or datagrams.
package http3
