package journey

import (
	"bytes"
	"net/http"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
)

// exchange is a request of a journey that is in flight, and its tap.
type exchange struct {
	// sent is the rendered request, and got the response so far.
	sent httpreq.Rendered
	got  received
	// keeps says that the body is looked at.
	keeps bool
	// step and nth are what a watcher knows the request by.
	step, nth int
}

var _ protocol.Tap = (*exchange)(nil)

// replay shows a request whose response was not as it should be to a late tap: the client had no
// reason to.
func (x *exchange) replay(c *protocol.Call) {
	late := c.Join(c.Result.Reason, c.Result.Done)
	if late == nil {
		return
	}
	if c.Message != nil {
		body := x.sent.Body
		if x.got.request != nil {
			body = x.got.request
		}
		late.Request(x.sent.Head(), body)
	}
	late.Response(x.got.head)
	late.Body(x.got.body)
}

// Connection implements protocol.Tap.
func (x *exchange) Connection(protocol.Connection) {}

// Request implements protocol.Tap. A response received before it was to another one: a redirect
// or a first attempt. A body that is shown in another form than it is sent in is kept so.
func (x *exchange) Request(_ protocol.Head, body []byte) {
	x.got = received{}
	if !bytes.Equal(body, x.sent.Body) {
		x.got.request = bytes.Clone(body)
	}
}

// Response implements protocol.Tap. Interim responses and trailers are not looked at.
func (x *exchange) Response(h protocol.Head) {
	if h.Status < http.StatusOK && h.Status != http.StatusSwitchingProtocols {
		return
	}
	if x.sent.Jar != nil && x.sent.KeepsRedirects {
		x.sent.Jar.SetCookies(x.sent.URL, h.Fields)
	}
	x.got.head = h
}

// Body implements protocol.Tap.
func (x *exchange) Body(p []byte) {
	if x.keeps {
		x.got.body = append(x.got.body, p...)
	}
}
