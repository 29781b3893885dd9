package config

import (
	"strings"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/timeline"
)

// Follow is a rate that a Prometheus is asked for, such as that of production. One replica asks for the whole fleet, and all change to
// the rate that it found in the same second. scale, min and max beside it adjust that rate; max is required.
type Follow struct {
	// What to ask for, in PromQL: an instant vector with one element, or a scalar, in requests per second.
	Query string `yaml:"query" required:"true"`
	// The server to ask: Prometheus, or another with its HTTP API.
	Prometheus PrometheusServer `yaml:"prometheus" required:"true"`
	// How often, at multiples of it since 1970. A response is waited for until a second before the next time, and 10 s at most.
	Every Duration `yaml:"every" default:"30s" min:"5s" max:"5m"`
	// How smoothly: the time in which 63 % of a change is followed. 0 is at once.
	Smooth Duration `yaml:"smooth" default:"0s" min:"0s" max:"6h"`
	// The most that the rate changes by each time it is asked for; a larger change takes several times. Left out, there is no bound.
	MaxStep *Rate `yaml:"max_step"`
	// How long the last rate holds while none is found: Prometheus is away, or responds with nothing, NaN, a negative number or several elements.
	Hold Duration `yaml:"hold" default:"10m" min:"10s" max:"1d"`
	// The rate after that, and before the first one is found: any rate that follows none. scale, min and max do not adjust it.
	Otherwise RateShape `yaml:"otherwise" required:"true"`
}

// PrometheusServer is a Prometheus to ask.
type PrometheusServer struct {
	// Its URL, without /api/v1/query.
	URL Endpoint `yaml:"url" required:"true"`
	// How it is asked.
	HTTPConfig QueryHTTPConfig `yaml:"http_config"`
}

// QueryHTTPConfig is how a server is reached that is no target: a Prometheus that is asked, or a receiver of OTLP. Names and meanings are those of
// http_config.
type QueryHTTPConfig struct {
	// HTTP basic authentication. Not together with authorization.
	BasicAuth *BasicAuth `yaml:"basic_auth"`
	// The Authorization header.
	Authorization *Authorization `yaml:"authorization"`
	// Headers, such as X-Scope-OrgID for a tenant.
	Headers Headers `yaml:"headers"`
	// The proxy to go through: http, https, socks5 or socks5h. Its URL may have user info.
	ProxyURL ProxyURL `yaml:"proxy_url"`
	// Hosts to reach without it: names, domains, addresses and ranges of addresses, separated by commas.
	NoProxy string `yaml:"no_proxy"`
	// Whether HTTP_PROXY, HTTPS_PROXY and NO_PROXY of the environment say which proxy to go through.
	ProxyFromEnvironment bool `yaml:"proxy_from_environment" default:"false"`
	// TLS for an https URL. Left out, certificates are verified against the system's roots.
	TLSConfig *TLSConfig `yaml:"tls_config"`
}

// follow checks a rate that is followed.
func (v validator) follow(path string, s *RateShape, depth int, loc *time.Location) {
	at, f := join(path, "follow"), s.Follow
	if depth > 1 {
		v.fail(at, "found follow within another rate, expected it as the whole rate of a scenario")
		return
	}
	highest := join(path, "max")
	switch {
	case !v.given(highest):
		v.fail(at, "found no max beside follow, expected the highest rate to follow: rates that are found have no bound of their own")
	case s.Max != nil && v.ok(highest) && *s.Max > timeline.MaxRate:
		v.fail(highest, "found %s, expected at most 1000000/s", v.found(highest))
	}
	if query := join(at, "query"); v.ok(query) && strings.TrimSpace(f.Query) == "" {
		v.fail(query, "found an empty query, expected PromQL such as sum(rate(http_requests_total[5m]))")
	}
	if hold := join(at, "hold"); v.ok(hold, join(at, "every")) && f.Hold < 2*f.Every {
		v.fail(hold, "found %s, expected at least twice every, which is %v", v.found(hold), f.Every)
	}
	if step := join(at, "max_step"); f.MaxStep != nil && v.ok(step) && *f.MaxStep == 0 {
		v.fail(step, "found %s, expected more than 0/s: to do without, leave the key out", v.found(step))
	}
	v.queryHTTP(join(at, "prometheus"), f.Prometheus.URL, f.Prometheus.HTTPConfig)
	v.rate(join(at, "otherwise"), &f.Otherwise, depth+1, loc)
}

// queryHTTP checks how a server is reached that is no target.
func (v validator) queryHTTP(path string, to Endpoint, h QueryHTTPConfig) {
	at := join(path, "http_config")
	v.credentials(at, h.BasicAuth, h.Authorization)
	for _, f := range h.Headers {
		if one := join(join(at, "headers"), f.Name); !token(f.Name) || !headerValue(f.Value) {
			v.fail(one, "found an invalid header: line breaks, other control characters or spaces around the value")
		}
	}
	v.proxy(at, HTTPConfig{ProxyURL: h.ProxyURL, NoProxy: h.NoProxy, ProxyFromEnvironment: h.ProxyFromEnvironment})
	if h.TLSConfig == nil {
		return
	}
	v.tls(join(at, "tls_config"), *h.TLSConfig)
	if url := join(path, "url"); v.ok(url) && to.Scheme == "http" && !h.ProxyFromEnvironment && !viaTLS(h.ProxyURL) {
		v.fail(join(at, "tls_config"), "found TLS settings, but url is no https URL: write https or leave them out")
	}
}
