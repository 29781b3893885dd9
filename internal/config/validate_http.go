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
	v.credentials(at, h.BasicAuth, h.Authorization)
	v.proxy(at, h)
	v.http3(at, h)
	if h.OAuth2 != nil {
		v.oauth2(join(at, "oauth2"), h)
	}
	if h.SigV4 != nil {
		v.sigV4(join(at, "sigv4"), h)
	}
	if h.TLSConfig != nil {
		v.tls(join(at, "tls_config"), *h.TLSConfig)
		v.tlsIsUsed(path, s)
	}
}

// credentials checks those of HTTP basic authentication or of an Authorization header, which may
// be nil.
func (v validator) credentials(at string, basic *BasicAuth, other *Authorization) {
	if basic != nil && other != nil {
		v.fail(join(at, "authorization"), "found together with basic_auth, expected only one of them")
	}
	if basic != nil {
		v.basicAuth(join(at, "basic_auth"), basic.Username, string(basic.Password))
	}
	if other != nil {
		v.authorization(join(at, "authorization"), other.Type, string(other.Credentials))
	}
}

// http3 checks what does not go together with HTTP/3, or needs it.
func (v validator) http3(at string, h HTTPConfig) {
	if chosen := join(at, "protocol"); !v.ok(chosen) {
		return
	}
	early := join(at, "early_data")
	switch {
	case h.EarlyData && h.Protocol != ProtocolHTTP3:
		v.fail(early, "found true, but only HTTP/3 sends early: write protocol: http3 or leave it out")
	case h.EarlyData && !h.TLSSessionResumption:
		v.fail(early, "found true, but only a resumed session has keys to send with early: write tls_session_resumption: true or leave it out")
	}
	if h.Protocol != ProtocolHTTP3 {
		return
	}
	if proxy := join(at, "proxy_url"); v.given(proxy) {
		v.fail(proxy, "found a proxy, but protocol http3 is over UDP, which proxies do not carry: leave it out, or write protocol: http2")
	}
	if h.ProxyFromEnvironment {
		v.fail(join(at, "proxy_from_environment"), "found true, but protocol http3 is over UDP, which proxies do not carry: leave it out, or write protocol: http2")
	}
	if h.TLSConfig == nil {
		return
	}
	if most := below(at, "tls_config.max_version"); v.ok(most) && h.TLSConfig.MaxVersion != "" && h.TLSConfig.MaxVersion < "TLS13" {
		v.fail(most, "found %s, but protocol http3 needs TLS 1.3: write TLS13 or leave it out", v.found(most))
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
	v.proxyReachable(join(at, "proxy_url"), h.ProxyURL)
	for _, f := range h.ProxyConnectHeader {
		v.connectHeader(join(join(at, "proxy_connect_header"), f.Name), f)
	}
}

// connectHeader checks a field of CONNECT, which has a host and no body.
func (v validator) connectHeader(at string, f Header) {
	switch name := textproto.CanonicalMIMEHeaderKey(f.Name); {
	case !token(f.Name) || !headerValue(f.Value):
		v.fail(at, "found an invalid header: line breaks, other control characters or spaces around the value")
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

func (v validator) basicAuth(path, username, password string) {
	if !v.exclusive(path, "username", username) {
		v.fail(path, "found no user name, expected username or username_file")
	}
	if at := join(path, "username"); strings.Contains(username, ":") {
		v.fail(at, "found a colon, expected a user name without: basic authentication cannot send it")
	}
	v.exclusive(path, "password", password)
}

func (v validator) authorization(path, typ, credentials string) {
	if !v.exclusive(path, "credentials", credentials) {
		v.fail(path, "found no credentials, expected credentials or credentials_file")
	}
	v.sendable(join(path, "credentials"), credentials)
	if at := join(path, "type"); strings.EqualFold(typ, "basic") {
		v.fail(at, "found %s, expected another type: write basic_auth instead", v.found(at))
	}
}

// oauth2 checks how tokens are obtained.
func (v validator) oauth2(at string, h HTTPConfig) {
	o := *h.OAuth2
	switch {
	case h.BasicAuth != nil:
		v.fail(at, "found together with basic_auth, expected only one of them")
	case h.Authorization != nil:
		v.fail(at, "found together with authorization, expected only one of them")
	}
	if id := join(at, "client_id"); o.ClientID == "" && v.ok(id) {
		v.fail(id, "found an empty string, expected who the client is")
	}
	if !v.exclusive(at, "client_secret", string(o.ClientSecret)) {
		v.fail(at, "found no secret, expected client_secret or client_secret_file")
	}
	for i, scope := range o.Scopes {
		if scope == "" || strings.ContainsAny(scope, " \"\\") || !headerValue(scope) {
			one := element(join(at, "scopes"), i)
			v.fail(one, "found %s, expected a scope without spaces and quotes: write each as an element of its own", v.found(one))
		}
	}
	for _, e := range o.EndpointParams {
		param := join(join(at, "endpoint_params"), e.Name)
		switch e.Name {
		case "client_id", "client_secret":
			v.fail(param, "found %s, expected it beside endpoint_params", e.Name)
		case "scope":
			v.fail(param, "found scope, expected scopes: [...] beside endpoint_params")
		}
	}
	v.proxy(at, HTTPConfig{
		ProxyURL: o.ProxyURL, NoProxy: o.NoProxy, ProxyFromEnvironment: o.ProxyFromEnvironment, ProxyConnectHeader: o.ProxyConnectHeader,
	})
	if url := join(at, "token_url"); v.ok(url) {
		v.reachable(url, o.TokenURL.URI, HTTPConfig{ProxyURL: o.ProxyURL, NoProxy: o.NoProxy})
	}
	if o.TLSConfig == nil {
		return
	}
	v.tls(join(at, "tls_config"), *o.TLSConfig)
	if url := join(at, "token_url"); v.ok(url) && o.TokenURL.Scheme == "http" && !o.ProxyFromEnvironment && !viaTLS(o.ProxyURL) {
		v.fail(join(at, "tls_config"), "found TLS settings, but token_url is no https URL: write https or leave them out")
	}
}

// viaTLS reports whether TLS is spoken to the proxy.
func viaTLS(p ProxyURL) bool { return p.URL != nil && p.Scheme == "https" }

// sendable reports a secret that no header can carry.
func (v validator) sendable(path, text string) {
	if !headerValue(text) {
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
	overTLS := s.HTTPConfig.ProxyFromEnvironment || viaTLS(s.HTTPConfig.ProxyURL)
	if s.HTTPConfig.FollowRedirects || slices.ContainsFunc(s.Requests, follows) || overTLS || !v.ok(join(path, "requests"), below(path, "http_config.follow_redirects")) {
		return
	}
	for _, o := range s.origins {
		if o.Secure() {
			return
		}
	}
	urls := secureURLs(s.origins)
	v.fail(at, "found TLS settings, but no request has %s URL: write %s or leave them out", list(urls, "or"), oneOf(urls))
}

// secureURLs returns what the URLs would be called that go over TLS to such origins.
func secureURLs(origins []uri.URI) []string {
	var urls []string
	for _, scheme := range []struct{ plain, secure string }{{"http", "an https"}, {"grpc", "a grpcs"}, {"ws", "a wss"}} {
		if slices.ContainsFunc(origins, func(o uri.URI) bool { return o.Scheme == scheme.plain }) {
			urls = append(urls, scheme.secure)
		}
	}
	return urls
}

// oneOf returns the scheme of the only kind of URLs.
func oneOf(urls []string) string {
	if len(urls) != 1 {
		return "one of them"
	}
	_, scheme, _ := strings.Cut(urls[0], " ")
	return scheme
}

// follows reports whether an entry has a request whose redirects are followed.
func follows(r Request) bool {
	found := deref(r.FollowRedirects)
	eachStep(r.Steps, func(step *TrafficStep) {
		found = found || step.Request != nil && deref(step.Request.FollowRedirects)
	})
	return found
}

func standardMethod(method string) bool {
	return slices.Contains([]string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"}, method)
}

// headers checks header fields and returns the templates in them.
func (v validator) headers(path string, headers Headers, h HTTPConfig, ownAuth bool) []located {
	seen := map[string]string{}
	count := map[string]int{}
	var all []located
	for i, f := range headers {
		at := join(path, f.Name)
		canonical := textproto.CanonicalMIMEHeaderKey(f.Name)
		switch {
		case i > 0 && headers[i-1].Name == f.Name:
			// One more value of the same field.
			if canonical == "Host" {
				v.fail(at, "found several hosts, expected one")
			}
		case !token(f.Name) || len(f.Name) > 256:
			v.fail(at, "found the header name %s, expected 1 to 256 letters, digits and -", quote(f.Name))
		case seen[canonical] != "":
			v.fail(at, "found the header twice, as %s and %s: write its values as a list", seen[canonical], f.Name)
		}
		seen[canonical] = f.Name
		one := element(at, count[f.Name])
		if !v.given(one) {
			one = at
		}
		count[f.Name]++
		if why := refusal(canonical, h, ownAuth); why != "" {
			v.fail(at, "found the header %s, %s", canonical, why)
			continue
		}
		all = append(all, v.header(at, one, canonical, f)...)
	}
	return all
}

// header checks the value at the path one of a header field, and returns its template.
func (v validator) header(at, one, name string, f Header) []located {
	raw := v.location(one).text
	if inner := join(one, "secret"); v.given(inner) {
		raw = v.location(inner).text
	}
	hint := ""
	if f.Secret {
		hint = secretHint
	}
	problem := templateProblem(raw, f.Value, hint)
	switch {
	case !headerValue(f.Value):
		v.fail(at, "found line breaks, other control characters or spaces around the value, expected what a header can carry")
	case problem != "":
		v.fail(one, "%s", problem)
	case name == "Host" && f.Varies():
		v.fail(one, "found a placeholder, but the host is fixed")
	case name == "Host":
		v.hostHeader(at, f.Value)
	case f.Varies():
		return []located{{path: one, t: f.Template(), secret: f.Secret}}
	}
	return nil
}

func (v validator) hostHeader(at, value string) {
	_, err := uri.ASCIIHostPort(value)
	if !hostValue(value) || errors.Is(err, uri.ErrNoHost) {
		v.fail(at, "found %s, expected a host such as example.org or example.org:8080", v.found(at))
		return
	}
	if host, ok := errors.AsType[*uri.HostError](err); ok {
		v.fail(at, "%s", hostProblem(v.location(at).text, host))
	}
}

// refusal returns why a header cannot be set, by its canonical name. ownAuth says that the request
// has a way of authentication.
func refusal(name string, h HTTPConfig, ownAuth bool) string {
	switch name {
	case "Content-Length", "Transfer-Encoding":
		return "which follows from the body: leave it out"
	case "Connection", "Keep-Alive", "Proxy-Connection", "Upgrade", "Te", "Trailer", "Http2-Settings":
		return "which belongs to the connection: leave it out, and write http_config.keep_alive: false for one connection a request"
	case "Expect":
		return "which is not supported by this version"
	case "Authorization":
		switch {
		case ownAuth:
			return "expected only one of it and the request's basic_auth or authorization"
		case h.BasicAuth != nil || h.Authorization != nil:
			return "expected only one of it and http_config's basic_auth or authorization"
		case h.OAuth2 != nil:
			return "expected only one of it and http_config's oauth2"
		case h.SigV4 != nil:
			return "expected only one of it and http_config's sigv4"
		}
	case "X-Amz-Date", "X-Amz-Content-Sha256":
		if h.SigV4 != nil {
			return "which http_config's sigv4 sends: leave it out"
		}
	case "Traffic-Slot":
		if h.SlotHeader {
			return "which is sent already: write http_config.slot_header: false to send your own"
		}
	case "Traceparent":
		if h.Traceparent.Sent {
			return "which is sent already: write http_config.traceparent: none to send your own"
		}
	}
	return ""
}

// hostValue reports whether the text can be a Host header.
func hostValue(host string) bool {
	return host != "" && !strings.ContainsAny(host, " \t/\\?#@\",<>{}|^`%")
}
