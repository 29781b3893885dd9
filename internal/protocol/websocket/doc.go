// Package websocket makes exchanges of messages over WebSockets (RFC 6455): it opens a connection,
// sends and receives as the script of the exchange says, and closes it. Messages and frames are those of
// github.com/coder/websocket; names, connections, TLS, proxies and the header of the handshake are those
// of all clients.
package websocket
