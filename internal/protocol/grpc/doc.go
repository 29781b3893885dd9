// Package grpc sends calls of gRPC over a client of HTTP/2 (gRPC over HTTP2, the protocol's
// specification in doc/PROTOCOL-HTTP2.md of grpc/grpc).
//
// A message is written as JSON and becomes protobuf by descriptors, which come from files or from
// the server's reflection. A message that is always the same is encoded once, and such a call
// allocates nothing: its response is checked as it is read, and not kept. Where somebody looks at a
// call, as its tap, messages are shown as JSON, and trailers with the header.
//
// Connections, spreading and repeats are those of package http2. It knows nothing of variables.
package grpc
