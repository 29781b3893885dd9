// Package httpreq is what a mix of HTTP requests is, whichever client sends it: the
// options, the entries with the statuses that they expect, and the headers that differ
// between requests. It knows nothing of connections.
package httpreq
