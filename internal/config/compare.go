package config

import (
	"slices"
	"strings"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol/uri"
)

// Compare sends slots to a second target as well, the candidate for the place of the scenario's own, and compares the responses. Which slots
// it are, and which target is first, follows from the slot.
type Compare struct {
	// The candidate.
	With Candidate `yaml:"with" required:"true"`
	// The share of the slots that is compared, more than 0%. Each is one more slot's worth of requests on the wire.
	Sample Percent `yaml:"sample" required:"true"`
	// The names of the entries of requests that are compared. Left out, all are that have a URL below base_url.
	Requests []string `yaml:"requests" min:"1" max:"100"`
	// Headers of responses that have to be the same.
	Headers []string `yaml:"headers" min:"1" max:"100" format:"token"`
	// Whether bodies have to be the same: json compares their values, whatever the order of keys, and exact their bytes, without their content
	// coding. Left out, only statuses, headers and the checks of expect are compared.
	Body BodyComparison `yaml:"body" oneof:"json exact"`
	// Places in bodies of JSON that may differ: paths such as id or items.#.updated_at, where # stands for each element of a list, and * in a key for any text.
	Ignore []string `yaml:"ignore" min:"1" max:"100"`
	// Lists in bodies of JSON whose order does not matter, by such paths.
	Unordered []string `yaml:"unordered" min:"1" max:"100"`
}

// Candidate is what of a scenario is different when its requests are sent to the candidate.
type Candidate struct {
	// What URLs that begin with / or ? follow there.
	BaseURL Template `yaml:"base_url" required:"true"`
	// Headers of all requests, beside the scenario's and instead of those of the same name. A request's own of the same name wins.
	Headers Headers `yaml:"headers"`
	// TLS there, instead of that of http_config.
	TLSConfig *TLSConfig `yaml:"tls_config"`
}

// BodyComparison is how bodies are compared; empty for not at all.
type BodyComparison string

// The ways to compare bodies.
const (
	BodyComparisonJSON  BodyComparison = "json"
	BodyComparisonExact BodyComparison = "exact"
)

// Candidate returns the scenario as it is sent to the candidate; false if it is not compared.
func (s Scenario) Candidate() (candidate Scenario, ok bool) {
	if s.candidate == nil {
		return Scenario{}, false
	}
	return *s.candidate, true
}

// Compares reports whether slots of an entry of requests are compared, by its index.
func (s Scenario) Compares(i int) bool {
	r := &s.Requests[i]
	return s.Compare != nil && (s.Compare.Requests == nil || slices.Contains(s.Compare.Requests, r.Name)) && r.anyURL(URL.isRelative)
}

// isRelative reports whether a URL follows base_url.
func (u URL) isRelative() bool {
	return strings.HasPrefix(u.text, "/") && !strings.HasPrefix(u.text, "//") || strings.HasPrefix(u.text, "?")
}

// anyURL reports whether a URL of an entry is such.
func (r *Request) anyURL(such func(URL) bool) bool {
	found := r.Steps == nil && such(r.URL)
	eachStep(r.Steps, func(step *TrafficStep) { found = found || step.Request != nil && such(step.Request.URL) })
	return found
}

// compare checks how a scenario is compared.
func (v validator) compare(path string, s *Scenario) {
	c, at := s.Compare, join(path, "compare")
	if c == nil || v.bad[at] {
		return
	}
	if sample := join(at, "sample"); v.ok(sample) && (c.Sample <= 0 || c.Sample > 1) {
		v.fail(sample, "found %s, expected more than 0%% and at most 100%%", v.found(sample))
	}
	v.comparePaths(at, c)
	if !v.given(join(path, "base_url")) {
		v.fail(join(at, "with"), "found a candidate, but no base_url in the scenario: write the URLs of requests below a base_url, which the candidate's is put in the place of")
		return
	}
	v.compareTargets(path, s)
	v.compareRequests(path, s)
}

// comparePaths checks the paths into bodies.
func (v validator) comparePaths(at string, c *Compare) {
	for key, all := range map[string][]string{"ignore": c.Ignore, "unordered": c.Unordered} {
		list := join(at, key)
		if v.given(list) && c.Body != BodyComparisonJSON && v.ok(join(at, "body")) {
			v.fail(list, "found paths into JSON, expected body: json beside them")
		}
		for i, path := range all {
			one := element(list, i)
			if v.jsonPath(one, path, v.found(one)); v.ok(one) && !plainPath(path) {
				v.fail(one, "found %s, expected keys separated by dots, such as items.#.id: queries and modifiers of gjson have no place here", v.found(one))
			}
		}
	}
}

// plainPath reports whether a path is made of keys alone.
func plainPath(path string) bool {
	if path == "@this" {
		return true
	}
	plain := strings.ReplaceAll(strings.ReplaceAll(path, `\\`, "x"), `\.`, "x")
	return !strings.ContainsAny(plain, "|") && !strings.Contains(plain, "#(") && plain[0] != '@' && !slices.Contains(strings.Split(plain, "."), "")
}

// compareTargets checks the candidate against the scenario's own target.
func (v validator) compareTargets(path string, s *Scenario) {
	at := below(path, "compare.with.base_url")
	if !v.ok(at, join(path, "base_url")) {
		return
	}
	own, err := readTarget(s.BaseURL.String())
	if err != nil {
		return // It has been read before.
	}
	to, err := readTarget(s.Compare.With.BaseURL.String())
	switch {
	case err != nil:
		v.urlFails(at, err)
		return
	case to.HasQuery:
		v.fail(at, "found a query, expected a URL without")
	case familyOf(own.Origin) != familyOf(to.Origin):
		v.fail(at, "found the scheme %s, expected one of the same protocol as base_url's %s", to.Origin.Scheme, own.Origin.Scheme)
	case v.ok(below(path, "http_config.protocol")):
		v.scheme(at, to.Origin.Scheme, s.HTTPConfig.Protocol)
	}
	v.reachable(at, to.Origin, s.HTTPConfig)
	tls := below(path, "compare.with.tls_config")
	if c := s.Compare.With.TLSConfig; c != nil && v.ok(tls) {
		v.tls(tls, *c)
		if !to.Origin.Secure() {
			v.fail(tls, "found TLS settings, but base_url beside them goes without TLS")
		}
	}
}

// familyOf returns the scheme of a URL without its TLS.
func familyOf(u uri.URI) string {
	if u.Secure() {
		return strings.TrimSuffix(u.Scheme, "s")
	}
	return u.Scheme
}

// compareRequests checks that there are requests to compare, and that the candidate's can be distinguished from those of the
// scenario's own target.
func (v validator) compareRequests(path string, s *Scenario) {
	names := below(path, "compare.requests")
	for i, name := range s.Compare.Requests {
		one := element(names, i)
		at := slices.IndexFunc(s.Requests, func(r Request) bool { return r.Name == name })
		switch {
		case at < 0:
			v.fail(one, "found %s, which is no entry of requests", v.found(one))
		case !s.Compares(at):
			v.fail(one, "found %s, whose URLs are all absolute: they lead to the same place for both targets", v.found(one))
		}
	}
	if !v.ok(join(path, "requests"), join(path, "base_url")) {
		return
	}
	if !slices.ContainsFunc(s.Requests, func(r Request) bool { return r.anyURL(URL.isRelative) }) {
		v.fail(join(path, "compare"), "found no request with a URL below base_url: absolute URLs lead to the same place for both targets")
		return
	}
	base, _ := readTarget(s.BaseURL.String())
	s.eachRequest(path, func(at string, r *Request) {
		if !r.URL.isRelative() && r.target.Whole == nil && r.target.Origin.Origin() == base.Origin.Origin() {
			v.fail(join(at, "url"), "found the host of base_url: write what follows base_url, so that the candidate is sent it as well")
		}
	})
}

// eachRequest visits the requests of a scenario, those of journeys and of logins included, with their paths.
func (s *Scenario) eachRequest(path string, visit func(at string, r *Request)) {
	steps := func(all []TrafficStep) {
		eachStep(all, func(step *TrafficStep) {
			if step.Request != nil {
				visit(step.path, step.Request)
			}
		})
	}
	for i := range s.Requests {
		r := &s.Requests[i]
		if r.Steps == nil {
			visit(element(join(path, "requests"), i), r)
		}
		steps(r.Steps)
	}
	if s.Session != nil {
		steps(s.Session.Steps)
	}
}

// candidates works out what the scenarios that are compared are for their candidates. They are read once more, by
// again, since where requests lead is kept with them.
func (c *Config) candidates(r *report, again func(*report) *Config) {
	if !slices.ContainsFunc(c.Scenarios, func(s Scenario) bool { return s.Compare != nil }) {
		return
	}
	second := newReport(r.file)
	other := again(second)
	v := validator{report: second, c: other, knots: new(int)}
	for i := range c.Scenarios {
		s := &other.Scenarios[i]
		if s.Compare == nil {
			continue
		}
		path := element("scenarios", i)
		s.replace(s.Compare.With)
		v.traffic(path, s)
		for _, err := range second.errs {
			r.fail(below(path, "compare.with"), "found what does not go together with %s: %s", err.Path, err.Problem)
		}
		second.errs = nil
		s.timeline, s.Compare = c.Scenarios[i].timeline, nil
		c.Scenarios[i].candidate = s
	}
}

// replace makes the scenario that of a candidate.
func (s *Scenario) replace(with Candidate) {
	s.BaseURL = with.BaseURL
	if with.TLSConfig != nil {
		s.HTTPConfig.TLSConfig = with.TLSConfig
	}
	var headers Headers
	for _, h := range s.Headers {
		if !with.Headers.has(h.Name) {
			headers = append(headers, h)
		}
	}
	s.Headers = append(headers, with.Headers...)
}
