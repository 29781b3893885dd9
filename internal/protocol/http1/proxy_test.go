package http1

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/dial"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/protocoltest"
)

// lines is a tap that keeps first lines and the names of fields.
type lines struct{ all []string }

func (*lines) Connection(protocol.Connection) {}
func (*lines) Response(protocol.Head)         {}
func (*lines) Body([]byte)                    {}

func (l *lines) Request(h protocol.Head, _ []byte) {
	l.all = append(l.all, h.Line)
	for _, f := range h.Fields {
		line := f.Name + ": " + f.Value
		if f.Secret {
			line = f.Name + ": (secret)"
		}
		l.all = append(l.all, line)
	}
}

// TestRequestsInTheClearAreForwarded has a proxy forward requests, over a connection that is
// kept, and shows the bytes sent.
func TestRequestsInTheClearAreForwarded(t *testing.T) {
	ca := protocoltest.NewAuthority(t)
	for _, p := range []*protocoltest.Proxy{
		protocoltest.HTTPProxy(t, nil, false, 0), protocoltest.HTTPProxy(t, nil, true, 0), protocoltest.HTTPProxy(t, ca, true, 0),
	} {
		o := flavours()[0].Serve(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.RequestURI() != "/a%2Fb?c" || r.Header.Get("Proxy-Authorization") != "" {
				w.WriteHeader(http.StatusTeapot)
			}
		}, func(*httptest.Server) {})
		w := new(protocoltest.ConnRecorder)
		o.Proxy, o.Observer, o.TLS.CA = dial.ProxyOptions{URL: p.URL}, w, ca.PEM
		o.Entries[0].URL = protocoltest.At(t, o.Entries[0].URL, "/a%2Fb?c")
		c := client(t, o)
		mustSucceed(t, c)
		mustSucceed(t, c)
		tap := new(lines)
		done := make(chan struct{})
		call := &protocol.Call{Tap: tap, Done: func() { close(done) }}
		c.Start(call)
		<-done
		if call.Result.Failed() {
			t.Error(call.Result.Err)
		}
		want := o.Entries[0].URL.String()
		if asked := p.Asked(); len(asked) != 3 || asked[2] != "GET "+want {
			t.Errorf("the proxy was asked for %q", asked)
		}
		if opened, _ := w.Counts(); opened != 1 {
			t.Errorf("%d connections", opened)
		}
		if tap.all[0] != "GET "+want+" HTTP/1.1" || slices.Contains(tap.all, "Proxy-Authorization: (secret)") != (p.URL.User != nil) {
			t.Errorf("shown as %q", tap.all)
		}
	}
}

func TestRequestsWithTLSGoThroughATunnel(t *testing.T) {
	p := protocoltest.HTTPProxy(t, nil, true, 0)
	o := flavours()[1].Serve(t, func(_ http.ResponseWriter, _ *http.Request) {}, func(*httptest.Server) {})
	o.Proxy.URL = p.URL
	c := client(t, o)
	mustSucceed(t, c)
	mustSucceed(t, c)
	if asked := p.Asked(); len(asked) != 1 || !strings.HasPrefix(asked[0], "CONNECT ") {
		t.Errorf("the proxy was asked for %q", asked)
	}
	p = protocoltest.HTTPProxy(t, nil, false, http.StatusForbidden)
	o.Proxy.URL = p.URL
	wantReason(t, client(t, o), protocol.ReasonDenied)
}
