package app

import (
	"crypto/tls"
	"fmt"
	"slices"
	"time"

	"github.com/prometheus/common/version"

	"github.com/traffic-exporter/traffic_exporter/internal/config"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/dial"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/http1"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/http2"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/http3"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpauto"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/uri"
)

// versions is the table of the versions of HTTP: what the configuration calls them, and what
// makes their clients.
func versions() map[config.Protocol]func(httpreq.Options) (protocol.Client, error) {
	return map[config.Protocol]func(httpreq.Options) (protocol.Client, error){
		config.ProtocolAuto:  newAuto,
		config.ProtocolHTTP1: func(o httpreq.Options) (protocol.Client, error) { return http1.New(o) },
		config.ProtocolHTTP2: func(o httpreq.Options) (protocol.Client, error) { return http2.New(o) },
		config.ProtocolH2C:   func(o httpreq.Options) (protocol.Client, error) { return http2.New(o) },
		config.ProtocolHTTP3: http3.New,
	}
}

// newHTTP makes the client of a scenario whose requests go over HTTP.
func newHTTP(sc config.Scenario, p part, in surroundings) (protocol.Client, error) {
	construct, ok := versions()[sc.HTTPConfig.Protocol]
	if !ok {
		return nil, fmt.Errorf("unknown protocol %q", sc.HTTPConfig.Protocol)
	}
	o := httpOptions(sc, p, in)
	c, err := construct(o)
	if err != nil || !o.FollowRedirects {
		return c, err
	}
	f, err := httpreq.NewFollower(o, c)
	if err != nil {
		c.Close()
		return nil, err
	}
	return f, nil
}

// newAuto makes a client that finds out what its targets speak.
func newAuto(o httpreq.Options) (protocol.Client, error) {
	one, err := http1.New(o)
	if err != nil {
		return nil, err
	}
	if !o.FollowRedirects && !slices.ContainsFunc(o.Entries, isSecure) {
		return one, nil
	}
	two, err := http2.New(o)
	if err != nil {
		one.Close()
		return nil, err
	}
	return httpauto.New(o, one, two), nil
}

func isSecure(e httpreq.Entry) bool { return e.URL.Secure() }

// isHTTP reports whether requests to a URL go over HTTP as they are.
func isHTTP(u uri.URI) bool { return u.Scheme == "http" || u.Scheme == "https" }

// httpOptions translates what the configuration says of HTTP.
func httpOptions(sc config.Scenario, p part, in surroundings) httpreq.Options {
	h := sc.HTTPConfig
	var entries []httpreq.Entry
	for _, s := range p.entries {
		entries = append(entries, s.Entry)
	}
	o := httpreq.Options{
		Entries:          entries,
		Protocol:         httpProtocol(h.Protocol),
		ConnectTimeout:   time.Duration(h.ConnectTimeout),
		Timeout:          time.Duration(sc.Timeout),
		KeepAlive:        h.KeepAlive,
		MaxConnAge:       time.Duration(h.MaxConnAge),
		MaxConnRequests:  h.MaxConnRequests,
		ResolveEvery:     time.Duration(h.DNSTTL),
		ResolveGrace:     grace(h),
		FullHandshakes:   !h.TLSSessionResumption,
		EarlyData:        h.EarlyData,
		Proxy:            proxyOptions(h),
		FollowRedirects:  slices.ContainsFunc(entries, func(e httpreq.Entry) bool { return !e.KeepsRedirects }),
		MaxResponseBytes: int64(h.MaxResponseBytes),
		MaxConns:         maxConns(sc),
		UserAgent:        userAgent(h.UserAgent),
		SlotHeader:       h.SlotHeader,
		Traceparent:      h.Traceparent.Sent,
		TLS:              tlsOptions(h.TLSConfig),
		Descriptors:      in.descriptors,
		Fence:            in.fence,
		Observer:         in.observer,
		Logger:           in.logger.With("scenario", sc.Name),
	}
	if in.sink != nil {
		o.Net, o.Fence, o.Proxy = in.sink.Net(), nil, dial.ProxyOptions{}
		o.TLS = dial.TLS{MinVersion: tls.VersionTLS12, InsecureSkipVerify: true}
	}
	if p.tokens != nil {
		o.Token = p.tokens.Header
	}
	if a := h.BasicAuth; a != nil {
		o.BasicAuth = &httpreq.BasicAuth{
			Username: a.Username, UsernameFile: a.UsernameFile,
			Password: string(a.Password), PasswordFile: a.PasswordFile,
		}
	}
	if a := h.Authorization; a != nil {
		o.Authorization = &httpreq.Authorization{
			Type: a.Type, Credentials: string(a.Credentials), CredentialsFile: a.CredentialsFile,
		}
	}
	return o
}

// maxConns returns how many requests may be in flight: those of slots, and of logins.
func maxConns(sc config.Scenario) int {
	if sc.Session == nil {
		return sc.Limits.MaxInFlight
	}
	return sc.Limits.MaxInFlight + sc.Session.Concurrency
}

// grace returns for how long old addresses do, as dial has it.
func grace(h config.HTTPConfig) time.Duration {
	switch {
	case h.DNSGrace == nil:
		return time.Duration(h.DNSTTL)
	case *h.DNSGrace == 0:
		return -1
	default:
		return time.Duration(*h.DNSGrace)
	}
}

// proxyOptions translates the settings of the proxy.
func proxyOptions(h config.HTTPConfig) dial.ProxyOptions {
	return dial.ProxyOptions{
		URL: h.ProxyURL.URL, NoProxy: h.NoProxy, FromEnvironment: h.ProxyFromEnvironment, ConnectHeader: fields(h.ProxyConnectHeader),
	}
}

// fields translates header fields.
func fields(h config.Headers) []protocol.Field {
	var all []protocol.Field
	for _, f := range h {
		all = append(all, protocol.Field(f))
	}
	return all
}

func httpProtocol(p config.Protocol) httpreq.Protocol {
	switch p {
	case config.ProtocolHTTP1:
		return httpreq.HTTP1
	case config.ProtocolHTTP2:
		return httpreq.HTTP2
	case config.ProtocolH2C:
		return httpreq.H2C
	case config.ProtocolHTTP3:
		return httpreq.HTTP3
	default:
		return httpreq.Auto
	}
}

// userAgent returns the User-Agent of requests: the configured one, or this program's, so
// that someone who finds them in a log knows where to ask.
func userAgent(configured string) string {
	if configured != "" {
		return configured
	}
	v := version.Version
	if v == "" {
		v = "unknown"
	}
	return "traffic_exporter/" + v + " (+https://github.com/traffic-exporter/traffic_exporter)"
}

func tlsOptions(t *config.TLSConfig) dial.TLS {
	if t == nil {
		return dial.TLS{MinVersion: tls.VersionTLS12}
	}
	return dial.TLS{
		CA: t.CA, CAFile: t.CAFile,
		Cert: t.Cert, CertFile: t.CertFile,
		Key: string(t.Key), KeyFile: t.KeyFile,
		ServerName:         t.ServerName,
		InsecureSkipVerify: t.InsecureSkipVerify,
		MinVersion:         tlsVersion(t.MinVersion),
		MaxVersion:         tlsVersion(t.MaxVersion),
	}
}

// tlsVersion translates a version; 0 for none.
func tlsVersion(v config.TLSVersion) uint16 {
	switch v {
	case "TLS10":
		return tls.VersionTLS10
	case "TLS11":
		return tls.VersionTLS11
	case "TLS12":
		return tls.VersionTLS12
	case "TLS13":
		return tls.VersionTLS13
	default:
		return 0
	}
}
