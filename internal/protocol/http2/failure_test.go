package http2

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/protocoltest"
)

// short is a timeout that tests do wait for.
const short = 50 * time.Millisecond

func TestAServerThatDoesNotKnowHTTP2IsAFailureOfTLS(t *testing.T) {
	for _, next := range [][]string{nil, {"http/1.1"}} {
		o := protocoltest.Flavours()[2].Serve(t, func(http.ResponseWriter, *http.Request) {}, func(s *httptest.Server) {
			s.TLS.NextProtos = next
		})
		o.Protocol = httpreq.HTTP2
		wantReason(t, client(t, o), protocol.ReasonTLS)
	}
}

// patiently makes one exchange with a client of its own, and checks that its
// connections open and close in pairs. Where it has to time out, it does so soon, but
// gives a slow machine more time to come as far as the code.
func patiently(t *testing.T, o httpreq.Options, want protocol.Reason, code string) protocol.Result {
	t.Helper()
	if want == protocol.ReasonTimeout {
		o.Timeout = 4 * short
	}
	for ; ; o.Timeout *= 2 {
		w := new(protocoltest.ConnRecorder)
		o.Observer = w
		c := client(t, o)
		r := do(t, c)
		checkClosed(t, c, w)
		if want != protocol.ReasonTimeout || r.Reason != want || r.Code == code || o.Timeout > protocoltest.Long {
			return r
		}
	}
}
