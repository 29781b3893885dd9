package dial

import (
	"net/url"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
)

// ProxyOptions say through which proxy connections are made. The zero ProxyOptions use none.
type ProxyOptions struct {
	// URL is the proxy, with a user and a password if it needs them. Its scheme is http,
	// https, socks5 or socks5h; with socks5 names are resolved here, with all others by the
	// proxy.
	URL *url.URL
	// NoProxy are hosts that are reached without the proxy: names, which include the names
	// below them, addresses and networks, with commas between them. Where it is not empty,
	// loopback addresses and localhost are always among them.
	NoProxy string
	// FromEnvironment takes both from HTTP_PROXY, HTTPS_PROXY and NO_PROXY. Not with URL.
	FromEnvironment bool
	// ConnectHeader are fields of the CONNECT request that a proxy is sent for a tunnel.
	ConnectHeader []protocol.Field
}
