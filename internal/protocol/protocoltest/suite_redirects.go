package protocoltest

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
)

// redirecting responds to /STATUS/LOCATION with a redirect, to /end with the body of a
// response that is no redirect, and to anything else with what it saw.
func redirecting(l *requestLog) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		l.note(r)
		status, location, ok := strings.Cut(strings.TrimPrefix(r.RequestURI, "/"), "/")
		code, err := strconv.Atoi(status)
		switch {
		case r.URL.Path == "/loop":
			http.Redirect(w, r, "/loop", http.StatusFound)
		case r.URL.Path == "/missing":
			w.WriteHeader(http.StatusNotFound)
		case ok && err == nil:
			if location != "" {
				w.Header().Set("Location", strings.ReplaceAll(location, "~", "/"))
			}
			w.WriteHeader(code)
		}
	}
}

// follower returns a Follower over a client of the suite.
func (s Suite) follower(t *testing.T, o httpreq.Options) patient {
	t.Helper()
	o.FollowRedirects = true
	f, err := httpreq.NewFollower(o, s.client(t, o))
	if err != nil {
		t.Fatal(err)
	}
	return patient{f}
}

// followsRedirects follows RFC 9110, section 15.4.
func (s Suite) followsRedirects(t *testing.T) {
	for _, f := range s.Flavours {
		t.Run(f.Name, func(t *testing.T) {
			var seen requestLog
			o := f.Serve(t, redirecting(&seen))
			base := o.Entries[0]
			for _, test := range []struct {
				method, path string
				want         []string
				code         string
				reason       protocol.Reason
			}{
				{"GET", "/302/~end", []string{"GET /302/~end", "GET /end"}, "200", protocol.ReasonNone},
				{"GET", "/301/~a%2Fb%7Cc?d", []string{"GET /301/~a%2Fb%7Cc?d", "GET /a%2Fb%7Cc?d"}, "200", protocol.ReasonNone},
				{"GET", "/307/..~end", []string{"GET /307/..~end", "GET /end"}, "200", protocol.ReasonNone},
				{"HEAD", "/303/~end", []string{"HEAD /303/~end", "HEAD /end"}, "200", protocol.ReasonNone},
				{"POST", "/301/~end", []string{"POST /301/~end Content-Type=t b", "GET /end"}, "200", protocol.ReasonNone},
				{"POST", "/302/~end", []string{"POST /302/~end Content-Type=t b", "GET /end"}, "200", protocol.ReasonNone},
				{"POST", "/303/~end", []string{"POST /303/~end Content-Type=t b", "GET /end"}, "200", protocol.ReasonNone},
				{"PUT", "/303/~end", []string{"PUT /303/~end Content-Type=t b", "GET /end"}, "200", protocol.ReasonNone},
				{"PUT", "/302/~end", []string{"PUT /302/~end Content-Type=t b", "PUT /end Content-Type=t b"}, "200", protocol.ReasonNone},
				{"POST", "/307/~end", []string{"POST /307/~end Content-Type=t b", "POST /end Content-Type=t b"}, "200", protocol.ReasonNone},
				{"POST", "/308/~end", []string{"POST /308/~end Content-Type=t b", "POST /end Content-Type=t b"}, "200", protocol.ReasonNone},
				{"GET", "/302/~missing", []string{"GET /302/~missing", "GET /missing"}, "404", protocol.ReasonStatus},
				{"GET", "/302/", []string{"GET /302/"}, "302", protocol.ReasonStatus},
				{"GET", "/304/~end", []string{"GET /304/~end"}, "304", protocol.ReasonStatus},
				{"GET", "/201/~end", []string{"GET /201/~end"}, "201", protocol.ReasonNone},
				{"GET", "/302/mailto:x", []string{"GET /302/mailto:x"}, "302", protocol.ReasonProtocol},
				{"GET", "/302/ftp:~~a~b", []string{"GET /302/ftp:~~a~b"}, "302", protocol.ReasonProtocol},
				{"GET", "/loop", slices.Repeat([]string{"GET /loop"}, 11), "302", protocol.ReasonProtocol},
			} {
				o.Entries[0] = base
				o.Entries[0].Method, o.Entries[0].URL = test.method, At(t, base.URL, test.path)
				if test.method == "POST" || test.method == "PUT" {
					o.Entries[0].Body = []byte("b")
					o.Entries[0].Fields = []protocol.Field{{Name: "Content-Type", Value: "t"}}
				}
				r := s.follower(t, o).do(protocol.Request{})
				if got := seen.take(); !slices.Equal(got, test.want) || r.Code != test.code || r.Reason != test.reason {
					t.Errorf("%s %s: %q, code %q, reason %q: %v", test.method, test.path, got, r.Code, r.Reason, r.Err)
				}
			}
		})
	}
}

// resolvesLocations follows references relative to a request (RFC 3986, section 5.2): escapes
// stay as written, and characters that cannot be sent are escaped.
func (s Suite) resolvesLocations(t *testing.T) {
	for _, f := range s.Flavours {
		t.Run(f.Name, func(t *testing.T) {
			var location, target string
			o := f.Serve(t, func(w http.ResponseWriter, r *http.Request) {
				if target = r.RequestURI; location != "" {
					w.Header().Set("Location", location)
					w.WriteHeader(http.StatusFound)
					location = ""
				}
			})
			o.Entries[0].URL = At(t, o.Entries[0].URL, "/a/b%2Fb/c?d")
			authority := o.Entries[0].URL.Authority()
			c := s.follower(t, o)
			for reference, want := range map[string]string{
				"x":                              "/a/b%2Fb/x",
				"./x":                            "/a/b%2Fb/x",
				"./x:y":                          "/a/b%2Fb/x:y",
				"..":                             "/a/",
				"../x/.":                         "/a/x/",
				"../../../x":                     "/x",
				"?y=/../z":                       "/a/b%2Fb/c?y=/../z",
				"#f":                             "/a/b%2Fb/c?d",
				"/x#f?y":                         "/x",
				"/x?":                            "/x?",
				"/x//y/./..//z":                  "/x///z",
				"/%2e%2E/x%2f..%2Fy":             "/%2e%2E/x%2f..%2Fy",
				"/x y|z%7C\"<>":                  "/x%20y%7Cz%7C%22%3C%3E",
				"/ü/\xfc/\xe2\x82":               "/%C3%BC/%FC/%E2%82",
				"/x;y=1,2&z='(!*)'":              "/x;y=1,2&z='(!*)'",
				"/x?u=http://other.test/a b":     "/x?u=http://other.test/a%20b",
				"/x?y=100%":                      "/x?y=100%25",
				"/\\x":                           "/%5Cx",
				"//" + authority + "/x":          "/x",
				"//" + authority:                 "/",
				"//u:p@" + authority + "/x/../y": "/y",
				strings.ToUpper(o.Entries[0].URL.Scheme) + "://" + authority + "?x": "/?x",
			} {
				location = reference
				if r := c.do(protocol.Request{}); r.Failed() || target != want {
					t.Errorf("%q: asked for %q, want %q: %v", reference, target, want, r.Err)
				}
			}
		})
	}
}

// keepsSecretsToTheirHost has redirects lead to another origin and back.
func (s Suite) keepsSecretsToTheirHost(t *testing.T) {
	f := s.plain()
	var here, there requestLog
	o := f.Serve(t, redirecting(&here))
	other := f.Serve(t, redirecting(&there)).Entries[0].URL
	home := o.Entries[0].URL
	o.BasicAuth = &httpreq.BasicAuth{Username: "u", Password: "p"}
	o.Entries[0].Fields = []protocol.Field{
		{Name: "X-Api-Key", Value: "k"}, {Name: "X-Env", Value: "e", Secret: true}, {Name: "X-Plain", Value: "1"}, {Name: "Host", Value: "front.test"},
	}
	scheme := home.Scheme + ":" + strings.Repeat("~", 2)
	o.TLS.InsecureSkipVerify = true // Each has an authority of its own.
	o.Entries[0].URL = At(t, home, "/302/"+scheme+other.Authority()+"~302~"+scheme+home.Authority()+"~end")
	c := s.follower(t, o)
	mustSucceed(t, c)
	all := " Host=front.test Authorization=Basic dTpw X-Api-Key=k X-Env=e X-Plain=1"
	if got := here.take(); len(got) != 2 || !strings.HasSuffix(got[0], all) || got[1] != "GET /end X-Plain=1" {
		t.Errorf("here: %q", got)
	}
	if got := there.take(); len(got) != 1 || !strings.HasSuffix(got[0], "~end X-Plain=1") && !strings.HasSuffix(got[0], "/end X-Plain=1") {
		t.Errorf("there: %q", got)
	}
	// Within the origin they stay.
	o.Entries[0].URL = At(t, home, "/302/~end")
	mustSucceed(t, s.follower(t, o))
	if got := here.take(); len(got) != 2 || got[1] != "GET /end"+all {
		t.Errorf("here: %q", got)
	}
}

// asksBeforeARedirect follows as many as the call admits, all within one timeout.
func (s Suite) asksBeforeARedirect(t *testing.T) {
	var seen requestLog
	o := s.plain().Serve(t, redirecting(&seen))
	o.Entries[0].URL = At(t, o.Entries[0].URL, "/loop")
	c := s.follower(t, o)
	left := 3
	r := c.run(&protocol.Call{Admit: func(e protocol.Extra) bool {
		left--
		return e == protocol.Redirect && left >= 0
	}})
	CheckReason(t, r, protocol.ReasonDenied)
	if n := len(seen.take()); n != 4 || r.Code != "302" {
		t.Errorf("%d requests, code %q", n, r.Code)
	}
	var tap recorder
	c.run(&protocol.Call{Tap: &tap})
	if n := strings.Count(tap.b.String(), "response 302\n"); n != 11 {
		t.Errorf("the tap saw %d responses", n)
	}
}
