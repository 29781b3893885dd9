package dial

import (
	"net/url"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
)

// ProxyOptions say through which proxy connections are made. The zero ProxyOptions use none.
type ProxyOptions struct {
	URL             *url.URL
	NoProxy         string
	FromEnvironment bool
	ConnectHeader   []protocol.Field
}
