package config

import (
	"errors"
	"slices"
	"strings"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol/uri"
	"github.com/traffic-exporter/traffic_exporter/internal/script"
)

// baseURL checks what the scenario's URLs begin with.
func (t *traffic) baseURL(path string) {
	at, text := join(path, "base_url"), t.s.BaseURL.String()
	if !t.given(at) || t.bad[at] {
		return
	}
	if _, single := t.s.BaseURL.Single(); single {
		t.fail(at, "%s", errFixedHost)
		return
	}
	k, err := tokenize(text)
	if err != nil {
		return // It has been read before.
	}
	if strings.Contains(k.text, "?") {
		t.fail(at, "found a query, expected a URL without")
		return
	}
	to, err := readTarget(text)
	if err != nil {
		t.urlFails(at, err)
		return
	}
	t.addOrigin(at, to.Origin)
}

// urlFails reports the mistake in the URL at path.
func (v validator) urlFails(path string, err error) {
	found := v.found(path)
	if strings.Contains(v.location(path).text, "${") {
		found += " from the environment"
	}
	masked, isMasked := errors.AsType[maskedError](err)
	host, isHost := errors.AsType[*uri.HostError](err)
	switch {
	case isMasked:
		v.fail(path, "%s", masked)
	case isHost:
		v.fail(path, "%s", hostProblem(v.location(path).text, host))
	case errors.Is(err, errRelative):
		v.fail(path, "found %s, expected %s", found, URL{}.expectation())
	default:
		v.fail(path, "found %s, %v", found, err)
	}
}

func (v validator) requests(path string, s *Scenario) {
	at := join(path, "requests")
	v.unique(at, len(s.Requests), func(i int) string { return s.Requests[i].Name })
	t := &traffic{validator: v, s: s, used: map[string]bool{}}
	shared := &scope{names: map[string]symbol{}, certain: map[string]bool{}}
	t.baseURL(path)
	t.declare(join(path, "variables"), s.Variables, shared, "is a variable of the scenario")
	if base := join(path, "base_url"); v.ok(base) {
		t.templates([]located{{path: base, t: s.BaseURL.Template, raw: true}}, shared)
	}
	t.session(join(path, "session"), shared)
	t.templates(v.headers(join(path, "headers"), s.Headers, s.HTTPConfig, false), shared)
	for i := range s.Requests {
		t.entry(element(at, i), &s.Requests[i], shared)
	}
	t.renewOn(below(path, "session.renew_on"))
	for i, o := range s.Allow {
		one := element(join(path, "allow"), i)
		t.addOrigin(one, o.URI)
		if v.ok(one, below(path, "http_config.protocol")) {
			v.scheme(one, o.Scheme, s.HTTPConfig.Protocol)
		}
	}
	for _, e := range v.c.Data {
		if t.used[e.Name] {
			s.data = append(s.data, e)
		}
	}
	t.leadsSomewhere(path)
}

// leadsSomewhere reports URLs that come from responses where there is none that they may be.
func (t *traffic) leadsSomewhere(path string) {
	at, lead := join(path, "requests"), "write base_url, or the origins to which others may lead in allow"
	switch {
	case !t.ok(path):
	case len(t.s.origins) == 0:
		t.fail(at, "found no URL with a host: %s", lead)
	case t.follows && !slices.ContainsFunc(t.s.origins, isHTTP):
		t.fail(at, "found a URL that comes from a response, but no http or https URL with a host: %s", lead)
	}
}

// entry checks an entry of the mix: a request or a journey.
func (t *traffic) entry(path string, r *Request, shared *scope) {
	if t.bad[path] {
		return
	}
	t.collect(path, r)
	own := shared.inner()
	own.certain = map[string]bool{}
	t.declare(join(path, "variables"), r.Variables, own, "is a variable of the entry")
	if t.given(join(path, "steps")) {
		t.journey(path, r, own)
		return
	}
	t.request(path, r, own)
}

// request checks one request with all names that it uses.
func (t *traffic) request(path string, r *Request, sc *scope) {
	t.target(path, r)
	t.method(join(path, "method"), r.Method)
	t.call(path, r)
	t.webSocket(path, r)
	all := t.urlTemplates(path, r)
	all = append(all, t.auth(path, r)...)
	t.signed(path, r)
	all = append(all, t.headers(join(path, "headers"), r.Headers, t.s.HTTPConfig, r.BasicAuth != nil || r.Authorization != nil)...)
	t.body(path, r)
	all = append(all, r.Body.templates(join(path, "body"))...)
	t.remoteWrite(below(path, "body.remote_write"), r, sc)
	t.capturesOf(join(path, "capture"), r.Capture, sc)
	t.templates(all, sc)
	t.templates(t.expect(join(path, "expect"), r.Expect), sc)
	t.exchange(path, r, sc)
	r.fixed = t.ok(path) && t.s.fixed(r)
}

func (t *traffic) method(at, method string) {
	switch {
	case method == "CONNECT":
		t.fail(at, "found %s, which is for proxies, expected another method", t.found(at))
	case standardMethod(strings.ToUpper(method)) && !standardMethod(method):
		t.fail(at, "found %s, expected %s: methods are case-sensitive", t.found(at), strings.ToUpper(method))
	}
}

// urlTemplates returns the templates of the URL and the query.
func (t *traffic) urlTemplates(path string, r *Request) []located {
	var all []located
	if at := join(path, "url"); r.URL.varies && t.ok(at) {
		whole, err := script.ParseTemplate(r.URL.text)
		if err == nil {
			all = append(all, located{path: at, t: whole, raw: true})
		}
	}
	for _, e := range r.Query {
		at := join(join(path, "query"), e.Name)
		for i, value := range e.Value {
			one := element(at, i)
			if !t.given(one) {
				one = at
			}
			all = append(all, located{path: one, t: value.Template, raw: true})
		}
	}
	return all
}

// auth checks how the request authenticates itself, and returns the templates in it.
func (t *traffic) auth(path string, r *Request) []located {
	var all []located
	if r.BasicAuth != nil || r.Authorization != nil {
		own := func(h Header) bool { return strings.EqualFold(h.Name, "Authorization") }
		if slices.ContainsFunc(t.s.Headers, own) && !slices.ContainsFunc(r.Headers, own) {
			t.note(t.location(path), path, "found basic_auth or authorization together with the scenario's header Authorization, expected only one of them")
		}
	}
	if b, at := r.BasicAuth, join(path, "basic_auth"); b != nil {
		t.basicAuth(at, b.Username.String(), b.Password.Template.String())
		all = append(all, located{path: join(at, "username"), t: b.Username.Template}, located{path: join(at, "password"), t: b.Password.Template, secret: true})
	}
	if a, at := r.Authorization, join(path, "authorization"); a != nil {
		if r.BasicAuth != nil {
			t.fail(at, "found together with basic_auth, expected only one of them")
		}
		t.authorization(at, a.Type, a.Credentials.Template.String())
		all = append(all, located{path: join(at, "credentials"), t: a.Credentials.Template, secret: true})
	}
	return all
}

// target finds out where a request goes.
func (t *traffic) target(path string, r *Request) {
	s := t.s
	at, base := join(path, "url"), below(scenarioOf(path), "base_url")
	if !t.given(at) {
		if !t.bad[at] {
			t.at(t.location(path), at, "missing, expected %s", URL{}.expectation())
		}
		return
	}
	if t.bad[at] || t.bad[base] {
		return
	}
	to, text, err := r.URL.resolve(s.BaseURL.String())
	if err != nil {
		t.urlFails(at, err)
		return
	}
	to.addQuery(r.Query)
	r.target = to
	if to.Whole != nil {
		t.follows = true
		return
	}
	t.addOrigin(at, to.Origin)
	if t.ok(below(scenarioOf(path), "http_config.protocol")) {
		t.scheme(at, to.Origin.Scheme, s.HTTPConfig.Protocol)
	}
	if to.varies() {
		return
	}
	if r.URL.URI, err = to.fixed(text); err != nil {
		t.urlFails(at, err)
	}
}

// scenarioOf returns the path of the scenario that a path is in.
func scenarioOf(path string) string {
	end := strings.IndexByte(path, ']')
	return path[:end+1]
}

// addOrigin adds an origin, unless the scenario has it.
func (t *traffic) addOrigin(at string, o uri.URI) {
	if slices.ContainsFunc(t.s.origins, func(other uri.URI) bool { return other.Origin() == o.Origin() }) {
		return
	}
	t.s.origins = append(t.s.origins, o)
	t.reachable(at, o, t.s.HTTPConfig)
}

// isHTTP reports whether requests to a URL are HTTP's own, and not those of a protocol above it.
func isHTTP(u uri.URI) bool { return u.Scheme == "http" || u.Scheme == "https" }

// fixed reports whether all slots send the same for a request and look at nothing but the
// status of its response.
func (s *Scenario) fixed(r *Request) bool {
	if r.IsWebSocket() || r.target.varies() || r.Cookies || len(r.Capture) > 0 || r.Expect.beyondStatus() || !r.Body.Constant() {
		return false
	}
	if r.BasicAuth != nil && (r.BasicAuth.Username.Varies() || r.BasicAuth.Password.Varies()) {
		return false
	}
	if r.Authorization != nil && r.Authorization.Credentials.Varies() {
		return false
	}
	return !slices.ContainsFunc(s.HeadersOf(r), Header.Varies)
}

// scheme checks that the URL can be had over the protocol.
func (v validator) scheme(at, scheme string, p Protocol) {
	switch {
	case p == ProtocolH2C && scheme == "https":
		v.fail(at, "found an https URL, but protocol h2c is HTTP/2 without TLS: write protocol: http2")
	case p == ProtocolHTTP2 && scheme == "http":
		v.fail(at, "found an http URL, but protocol http2 is HTTP/2 over TLS: write protocol: h2c")
	case p == ProtocolHTTP3 && scheme == "http":
		v.fail(at, "found an http URL, but protocol http3 is always encrypted: write https")
	}
}
