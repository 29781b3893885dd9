// Package http2 sends HTTP/2 (RFC 9113) over TLS and in the clear, many requests on a
// connection, at the least cost of CPU that we know of: requests that are due together
// share a write, responses that arrive together share a read, and neither allocates.
//
// It does what a load generator needs of HTTP/2 and no more: of a response it keeps the
// status and the length, and counts and drops the body. It follows no redirects, and knows
// no proxies, cookies, caches, priorities or pushes.
//
// A request that the server says it has not looked at is sent once more on another
// connection. So is one that may be repeated and whose kept connection dies before the
// first frame of a response. So a target may see a slot twice, which the Traffic-Slot
// header shows.
package http2
