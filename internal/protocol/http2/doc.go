// Package http2 sends HTTP/2 (RFC 9113) over TLS and in the clear, many requests on a
// connection, at the least cost of CPU that we know of: requests that are due together
// share a write, answers that came together share a read, and neither allocates.
//
// It does what a load generator needs of HTTP/2 and no more: of an answer it keeps the
// status and the length, the body is counted and dropped. It follows no redirects, and
// knows no proxies, cookies, caches, priorities or pushes.
//
// A request that the server says it has not looked at is sent once more on another
// connection, and so is one that may be repeated and whose kept connection dies before
// the first frame of an answer. So a target may see a slot twice, which its
// Traffic-Slot header tells.
package http2
