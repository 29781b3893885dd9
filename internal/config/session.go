package config

import (
	"maps"
	"slices"

	"github.com/traffic-exporter/traffic_exporter/internal/script"
)

// Session is how the users of a scenario log in: in each replica, before their slots are sent, apart from the rate and from the
// measurements of requests, though within limits.max_rate. The steps' captures are known by their names in all requests of the scenario and
// in its headers, and the cookies that the steps are sent go with all of them. Slots of a user who is not logged in are dropped and counted. At
// most 10,000 users have sessions.
type Session struct {
	// The variable of the scenario whose values are the users. Each of them logs in. It is one whose values can be listed: a row of data, int,
	// or one_of without placeholders. Left out, all slots share one session.
	For string `yaml:"for"`
	// The steps of a login, as a journey has them, with cookies.
	Steps []TrafficStep `yaml:"steps" required:"true" min:"1" max:"1000"`
	// How long a session is used before the user logs in again, give or take a twentieth.
	RenewAfter Duration `yaml:"renew_after" default:"30m" min:"1s" max:"1y"`
	// By which statuses of its slots' responses the target says that a session has ended, so that the user logs in again. Of gRPC UNAUTHENTICATED when left out.
	RenewOn []StatusRange `yaml:"renew_on" default:"401" max:"100"`
	// How many users log in at a time, in each replica.
	Concurrency int `yaml:"concurrency" default:"5" min:"1" max:"1000"`
}

// session checks how users log in, and makes their captures known in the scope.
func (t *traffic) session(path string, sc *scope) {
	s := t.s.Session
	if s == nil {
		return
	}
	if t.given(below(scenarioOf(path), "http_config.oauth2")) {
		t.fail(path, "found together with http_config.oauth2, expected only one of them")
	}
	t.sessionFor(join(path, "for"), s.For, sc)
	login := &Request{Steps: s.Steps}
	t.collect(path, login)
	at := join(path, "steps")
	if !t.given(at) || t.bad[at] {
		return
	}
	certain := t.allSteps(at, s.Steps, sc.inner())
	t.s.kept = slices.Sorted(maps.Keys(certain))
	t.captures = nil
	for _, name := range t.s.kept {
		sc.names[name] = symbol{what: "is captured by session"}
	}
}

// sessionFor checks whose sessions they are.
func (t *traffic) sessionFor(at, name string, sc *scope) {
	if !t.given(at) || t.bad[at] {
		return
	}
	if sym, ok := sc.lookup(name); !ok {
		t.fail(at, "found %s, which is no variable of the scenario: %s", t.found(at), there(name, sc.all(), "there are none, write variables: {"+plainOr(name, "name")+": {row: ...}}"))
	} else if problem := sym.variable.unlisted(); problem != "" {
		t.fail(at, "found %s, %s", t.found(at), problem)
	}
}

// maxUsers is how many users have sessions, at most.
const maxUsers = 10_000

// unlisted returns why the values of a variable cannot be the users of sessions; empty if they can.
func (v *Variable) unlisted() string {
	switch {
	case v.Row != "":
		return ""
	case v.Int != nil:
		if v.Int.To-v.Int.From >= maxUsers {
			return "which has more than 10000 values, expected fewer: each of them logs in"
		}
		return ""
	case v.OneOf != nil:
		if slices.ContainsFunc(v.OneOf.Values, JSON.varies) {
			return "whose values have placeholders, expected values that can be listed: a row of data, int, or one_of without placeholders"
		}
		return ""
	default:
		return "whose values cannot be listed, expected a row of data, int, or one_of without placeholders"
	}
}

// LoginHeaders returns the scenario's headers that a login can send: those that do not use what
// it captures.
func (s Scenario) LoginHeaders() Headers {
	return slices.DeleteFunc(slices.Clone(s.Headers), func(h Header) bool {
		return slices.ContainsFunc(h.Template().Refs(), func(r script.Ref) bool { return slices.Contains(s.kept, r.Name) })
	})
}

// SessionFingerprint returns a hash of all that users log in with and of who they are, like
// Fingerprint; empty without sessions.
func (s Scenario) SessionFingerprint() string {
	if s.Session == nil {
		return ""
	}
	return fingerprint(struct {
		Session    Session         `yaml:"session"`
		HTTPConfig HTTPConfig      `yaml:"http_config"`
		GRPCConfig *GRPCConfig     `yaml:"grpc_config"`
		BaseURL    Template        `yaml:"base_url"`
		Headers    Headers         `yaml:"headers"`
		Variables  Named[Variable] `yaml:"variables"`
		Data       Named[Dataset]  `yaml:"data"`
	}{*s.Session, s.HTTPConfig, s.GRPCConfig, s.BaseURL, s.Headers, s.Variables, s.data})
}
