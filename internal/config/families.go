package config

// families are the families of protocols that requests are of.
type families struct{ http, grpc, webSocket bool }

// families returns those of the scenario's requests, with those of its session. A URL that comes from a response is of
// HTTP.
func (s Scenario) families() families {
	var f families
	for i := range s.Requests {
		if r := &s.Requests[i]; r.Steps == nil {
			f.add(r)
		} else {
			f.addSteps(r.Steps)
		}
	}
	if s.Session != nil {
		f.addSteps(s.Session.Steps)
	}
	return f
}

func (f *families) add(r *Request) {
	switch {
	case r.IsCall():
		f.grpc = true
	case r.IsWebSocket():
		f.webSocket = true
	default:
		f.http = true
	}
}

// familiesOf returns those of a journey's requests.
func familiesOf(steps []TrafficStep) families {
	var f families
	f.addSteps(steps)
	return f
}

func (f *families) addSteps(steps []TrafficStep) {
	eachStep(steps, func(step *TrafficStep) {
		if step.Request != nil {
			f.add(step.Request)
		}
	})
}

// onlyGRPC reports whether there are requests, and all are of gRPC.
func (f families) onlyGRPC() bool { return f == families{grpc: true} }

// urls names the URLs of the families that are not HTTP.
func (f families) urls() string {
	var all []string
	if f.grpc {
		all = append(all, "grpc")
	}
	if f.webSocket {
		all = append(all, "ws")
	}
	return list(all, "and") + " URLs"
}

// fixedProtocol says what http_config.protocol would choose.
func (f families) fixedProtocol() string {
	switch f {
	case families{grpc: true}:
		return "which are always HTTP/2"
	case families{webSocket: true}:
		return "which are always HTTP/1.1"
	default:
		return "which are always HTTP/2 and HTTP/1.1"
	}
}

// unused reports settings that no request of the scenario has, since none is of HTTP. Those that have their defaults may stay:
// the canonical form of a file has all of them.
func (v validator) unused(path string, s *Scenario) {
	f := s.families()
	if f.http || f == (families{}) {
		return
	}
	const ownConnection = "whose exchanges have a connection each"
	h, usual := s.HTTPConfig, preset[HTTPConfig]()
	for _, setting := range []struct {
		at    string
		there bool
		why   string
	}{
		{below(path, "http_config.protocol"), h.Protocol != usual.Protocol, f.fixedProtocol()},
		{below(path, "http_config.follow_redirects"), h.FollowRedirects, "which follow no redirects"},
		{below(path, "http_config.keep_alive"), !f.grpc && h.KeepAlive != usual.KeepAlive, ownConnection},
		{below(path, "http_config.max_conn_age"), !f.grpc && h.MaxConnAge != usual.MaxConnAge, ownConnection},
		{below(path, "http_config.max_conn_requests"), !f.grpc && h.MaxConnRequests != usual.MaxConnRequests, ownConnection},
		{join(path, "allow"), true, "and none comes from a response"},
	} {
		if setting.there && v.ok(setting.at) && v.given(setting.at) {
			v.fail(setting.at, "found together with %s, %s: leave it out", f.urls(), setting.why)
		}
	}
}
