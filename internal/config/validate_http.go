package config

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/textproto"
	"slices"
	"strings"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol/uri"
)

func (v validator) http(path string, s Scenario) {
	at := join(path, "http_config")
	h := s.HTTPConfig
	if h.BasicAuth != nil && h.Authorization != nil {
		v.fail(join(at, "authorization"), "found together with basic_auth, expected only one of them")
	}
	if h.BasicAuth != nil {
		v.basicAuth(join(at, "basic_auth"), *h.BasicAuth)
	}
	if h.Authorization != nil {
		v.authorization(join(at, "authorization"), *h.Authorization)
	}
	v.proxy(at, h)
	if h.TLSConfig != nil {
		v.tls(join(at, "tls_config"), *h.TLSConfig)
		v.tlsIsUsed(path, s)
	}
}

// proxy checks the settings of the proxy, as Prometheus does.
func (v validator) proxy(at string, h HTTPConfig) {
	given := v.given(join(at, "proxy_url"))
	switch {
	case h.ProxyFromEnvironment && given:
		v.fail(join(at, "proxy_from_environment"), "found together with proxy_url, expected only one of them")
	case h.ProxyFromEnvironment && h.NoProxy != "":
		v.fail(join(at, "proxy_from_environment"), "found together with no_proxy, expected only one of them")
	case h.NoProxy != "" && !given:
		v.fail(join(at, "no_proxy"), "found without proxy_url, expected both or none")
	case len(h.ProxyConnectHeader) > 0 && !given && !h.ProxyFromEnvironment:
		v.fail(join(at, "proxy_connect_header"), "found without proxy_url or proxy_from_environment, expected one of them")
	}
	for _, f := range h.ProxyConnectHeader {
		v.connectHeader(join(join(at, "proxy_connect_header"), f.Name), f)
	}
}

// connectHeader checks a field of CONNECT, which has a host and no body.
func (v validator) connectHeader(at string, f Header) {
	switch name := textproto.CanonicalMIMEHeaderKey(f.Name); {
	case !token(f.Name) || !headerValue(f.Value):
		v.fail(at, "found what is no header: line breaks, other control characters or spaces around the value")
	case name == "Host":
		v.fail(at, "found the header Host, which follows from the URL: leave it out")
	case name == "Content-Length" || name == "Transfer-Encoding":
		v.fail(at, "found the header %s, but CONNECT has no body: leave it out", name)
	}
}

// exclusive reports a key that is there together with the same key with _file, or that
// has an empty string, and returns whether one of them is there.
func (v validator) exclusive(path, key, text string) bool {
	inline, file := join(path, key), join(path, key+"_file")
	if v.given(inline) && v.given(file) {
		v.fail(file, "found together with %s, expected only one of them", key)
	}
	if v.given(inline) && v.ok(inline) && text == "" {
		v.fail(inline, "found an empty string: to do without, leave the key out")
	}
	return v.given(inline) || v.given(file)
}

func (v validator) basicAuth(path string, b BasicAuth) {
	if !v.exclusive(path, "username", b.Username) {
		v.fail(path, "found no user name, expected username or username_file")
	}
	if at := join(path, "username"); strings.Contains(b.Username, ":") {
		v.fail(at, "found a colon, expected a user name without: basic authentication cannot send it")
	}
	v.exclusive(path, "password", string(b.Password))
}

func (v validator) authorization(path string, a Authorization) {
	if !v.exclusive(path, "credentials", string(a.Credentials)) {
		v.fail(path, "found no credentials, expected credentials or credentials_file")
	}
	v.sendable(join(path, "credentials"), a.Credentials)
	if at := join(path, "type"); strings.EqualFold(a.Type, "basic") {
		v.fail(at, "found %s, expected another type: write basic_auth instead", v.found(at))
	}
}

// sendable reports a secret that no header can carry.
func (v validator) sendable(path string, s Secret) {
	if !headerValue(string(s)) {
		v.fail(path, "found line breaks, other control characters or spaces around it, expected what a header can carry")
	}
}

func (v validator) tls(path string, t TLSConfig) {
	v.exclusive(path, "ca", t.CA)
	cert, key := v.exclusive(path, "cert", t.Cert), v.exclusive(path, "key", string(t.Key))
	switch {
	case cert && !key:
		v.fail(path, "found a certificate without its key, expected key or key_file")
	case key && !cert:
		v.fail(path, "found a key without its certificate, expected cert or cert_file")
	}
	if at := join(path, "ca"); t.CA != "" && v.ok(at) && !x509.NewCertPool().AppendCertsFromPEM([]byte(t.CA)) {
		v.fail(at, "found no certificate, expected certificates in PEM")
	}
	if at := join(path, "cert"); t.Cert != "" && t.Key != "" && v.ok(at, join(path, "key")) {
		if _, err := tls.X509KeyPair([]byte(t.Cert), []byte(t.Key)); err != nil {
			v.fail(at, "found a certificate and a key that cannot be used together, expected a pair in PEM")
		}
	}
	// The names of the versions sort as the versions do.
	if at := join(path, "max_version"); v.ok(at, join(path, "min_version")) && t.MaxVersion != "" && t.MaxVersion < t.MinVersion {
		v.fail(at, "found %s, expected at least min_version, which is %s", v.found(at), t.MinVersion)
	}
}

// tlsIsUsed reports settings of TLS for requests that all go without it, and through no proxy
// that speaks it: most likely an https is missing.
func (v validator) tlsIsUsed(path string, s Scenario) {
	at := below(path, "http_config.tls_config")
	proxy := s.HTTPConfig.ProxyURL.URL
	overTLS := s.HTTPConfig.ProxyFromEnvironment || proxy != nil && proxy.Scheme == "https"
	if s.HTTPConfig.FollowRedirects || overTLS || !v.ok(join(path, "requests"), below(path, "http_config.follow_redirects")) {
		return
	}
	for _, r := range s.Requests {
		if r.URL.Scheme == "https" {
			return
		}
	}
	v.fail(at, "found TLS settings, but no request has an https URL: write https or leave them out")
}

func (v validator) requests(path string, s Scenario) {
	at := join(path, "requests")
	v.unique(at, len(s.Requests), func(i int) string { return s.Requests[i].Name })
	for i, r := range s.Requests {
		v.request(element(at, i), r, s.HTTPConfig)
		if v.ok(below(path, "http_config.protocol")) {
			v.scheme(element(at, i), r, s.HTTPConfig.Protocol)
		}
	}
}

// scheme checks that the URL can be had over the protocol.
func (v validator) scheme(path string, r Request, p Protocol) {
	at := join(path, "url")
	switch {
	case p == ProtocolH2C && r.URL.Scheme == "https":
		v.fail(at, "found an https URL, but protocol h2c is HTTP/2 without TLS: write protocol: http2")
	case p == ProtocolHTTP2 && r.URL.Scheme == "http":
		v.fail(at, "found an http URL, but protocol http2 is HTTP/2 over TLS: write protocol: h2c")
	}
}

func (v validator) request(path string, r Request, h HTTPConfig) {
	at := join(path, "method")
	switch {
	case r.Method == "CONNECT":
		v.fail(at, "found %s, which is for proxies, expected another method", v.found(at))
	case standardMethod(strings.ToUpper(r.Method)) && !standardMethod(r.Method):
		v.fail(at, "found %s, expected %s: methods are case-sensitive", v.found(at), strings.ToUpper(r.Method))
	}
	if at := join(path, "body"); r.Body.isTemplate() {
		v.fail(at, "found a template, which is not supported by this version: write {verbatim: ...} to send braces as they are")
	}
	v.headers(join(path, "headers"), r.Headers, h)
}

func standardMethod(method string) bool {
	return slices.Contains([]string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"}, method)
}

func (v validator) headers(path string, headers Headers, h HTTPConfig) {
	seen := map[string]string{}
	for i, f := range headers {
		if i > 0 && headers[i-1].Name == f.Name {
			if strings.EqualFold(f.Name, "Host") {
				v.fail(join(path, f.Name), "found several hosts, expected one")
			}
			v.header(join(path, f.Name), textproto.CanonicalMIMEHeaderKey(f.Name), f.Value, h)
			continue // One more value of the same field.
		}
		at := join(path, f.Name)
		canonical := textproto.CanonicalMIMEHeaderKey(f.Name)
		switch {
		case !token(f.Name) || len(f.Name) > 256:
			v.fail(at, "found the header name %s, expected 1 to 256 letters, digits and -", quote(f.Name))
		case seen[canonical] != "":
			v.fail(at, "found the header twice, as %s and %s: write its values as a list", seen[canonical], f.Name)
		default:
			v.header(at, canonical, f.Value, h)
		}
		seen[canonical] = f.Name
	}
}

func (v validator) header(at, name, value string, h HTTPConfig) {
	if why := refusal(name, h); why != "" {
		v.fail(at, "found the header %s, %s", name, why)
		return
	}
	switch {
	case !headerValue(value):
		v.fail(at, "found line breaks, other control characters or spaces around the value, expected what a header can carry")
	case strings.Contains(value, "{{"):
		v.fail(at, "found a template, which is not supported by this version")
	case name == "Host":
		v.hostHeader(at, value)
	}
}

func (v validator) hostHeader(at, value string) {
	_, err := uri.ASCIIHostPort(value)
	if !hostValue(value) || errors.Is(err, uri.ErrNoHost) {
		v.fail(at, "found %s, expected a host such as example.org or example.org:8080", v.found(at))
		return
	}
	if host, ok := errors.AsType[*uri.HostError](err); ok {
		v.fail(at, "%s", hostProblem(v.place(at).text, host))
	}
}

// refusal tells why a header cannot be set, by its canonical name.
func refusal(name string, h HTTPConfig) string {
	switch name {
	case "Content-Length", "Transfer-Encoding":
		return "which follows from the body: leave it out"
	case "Connection", "Keep-Alive", "Proxy-Connection", "Upgrade", "Te", "Trailer", "Http2-Settings":
		return "which belongs to the connection: leave it out, and write http_config.keep_alive: false for one connection a request"
	case "Expect":
		return "which is not supported by this version"
	case "Authorization":
		if h.BasicAuth != nil || h.Authorization != nil {
			return "expected only one of it and http_config's basic_auth or authorization"
		}
	case "Traffic-Slot":
		if h.SlotHeader {
			return "which is sent already: write http_config.slot_header: false to send your own"
		}
	case "Traceparent":
		if h.Traceparent != TraceparentNone {
			return "which is sent already: write http_config.traceparent: none to send your own"
		}
	}
	return ""
}

// hostValue reports whether the text can be a Host header.
func hostValue(host string) bool {
	return host != "" && !strings.ContainsAny(host, " \t/\\?#@\",<>{}|^`%")
}
