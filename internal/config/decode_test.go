package config_test

import (
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/config"
)

// with returns a configuration of one scenario with these keys, which may replace its own.
func with(keys string) string {
	scenario := map[string]string{
		"name": "a", "rate": "1/s", "requests": `[{name: r, url: "http://127.0.0.1/"}]`,
	}
	text := "scenarios:\n  -\n"
	for _, key := range []string{"name", "rate", "requests"} {
		if !strings.HasPrefix(keys, key+":") && !strings.Contains(keys, "\n"+key+":") {
			text += "    " + key + ": " + scenario[key] + "\n"
		}
	}
	for line := range strings.Lines(keys) {
		text += "    " + strings.TrimSuffix(line, "\n") + "\n"
	}
	return text
}

func TestLeftOutKeysHaveTheirDefaults(t *testing.T) {
	s := parse(t, with("")).Scenarios[0]
	if s.Arrivals != config.ArrivalsUniform || s.Pacing != config.PacingAuto || s.TimeZone != "UTC" || s.Timeout != config.Duration(10*time.Second) || s.SLO != nil {
		t.Errorf("scenario %+v", s)
	}
	if want := (config.Limits{MaxInFlight: 500, MaxJourneys: 100000, LateAfter: config.Duration(time.Second)}); s.Limits != want {
		t.Errorf("limits %+v, want %+v", s.Limits, want)
	}
	want := config.HTTPConfig{
		Protocol: config.ProtocolAuto, ConnectTimeout: config.Duration(5 * time.Second), KeepAlive: true,
		MaxConnAge: config.Duration(5 * time.Minute), DNSTTL: config.Duration(30 * time.Second),
		MaxResponseBytes: 10 << 20, SlotHeader: true, TLSSessionResumption: true, Traceparent: config.Traceparent{Sent: true, Sampled: 0.01},
	}
	if !reflect.DeepEqual(s.HTTPConfig, want) {
		t.Errorf("http_config %+v, want %+v", s.HTTPConfig, want)
	}
	r := s.Requests[0]
	if r.Weight != 1 || r.Method != "GET" || r.Headers != nil || r.Body.Bytes() != nil {
		t.Errorf("request %+v", r)
	}
	if got := r.Expect.Status; !reflect.DeepEqual(got, []config.StatusRange{{Low: 200, High: 299}, {Low: 300, High: 399}}) {
		t.Errorf("expected status %v", got)
	}
}

func TestInnerDefaultsHoldWhereTheOuterKeyIsThere(t *testing.T) {
	s := parse(t, with("http_config: {tls_config: {}, authorization: {credentials: x}}\nlimits: {max_in_flight: 1}\n"+
		`requests: [{name: r, url: "https://127.0.0.1/", expect: {}}]`)).Scenarios[0]
	if got := s.HTTPConfig.TLSConfig.MinVersion; got != "TLS12" {
		t.Errorf("min_version %q", got)
	}
	if got := s.HTTPConfig.Authorization.Type; got != "Bearer" {
		t.Errorf("type %q", got)
	}
	if got := s.Limits.LateAfter; got != config.Duration(time.Second) {
		t.Errorf("late_after %v", got)
	}
	if got := len(s.Requests[0].Expect.Status); got != 2 {
		t.Errorf("%d status ranges", got)
	}
}

func TestEveryValueArrives(t *testing.T) {
	s := load(t, "testdata/good-http.yaml").Scenarios[0]
	if got := fmt.Sprint(s.Timeout, s.SLO.Objective, s.SLO.Latency, s.Limits); got != "10m 99.99% 10m {100000 100000 3.6/h 1000000 1m}" {
		t.Errorf("scenario: %v", got)
	}
	h := s.HTTPConfig
	if h.Protocol != config.ProtocolHTTP2 || h.ConnectTimeout.String() != "1m30s" || h.KeepAlive ||
		h.MaxConnAge.String() != "1h" || h.MaxConnRequests != 1000 || h.DNSTTL.String() != "1m" || h.FollowRedirects ||
		h.MaxResponseBytes != 512 || h.UserAgent != "load/1.0 (mail@example.org)" || h.SlotHeader || h.Traceparent != (config.Traceparent{}) {
		t.Errorf("http_config %+v", h)
	}
	if got, want := *h.TLSConfig, (config.TLSConfig{
		CAFile: "ca.pem", CertFile: "/etc/tls/cert.pem", KeyFile: "key.pem", ServerName: "example.org",
		InsecureSkipVerify: true, MinVersion: "TLS10", MaxVersion: "TLS13",
	}); got != want {
		t.Errorf("tls_config %+v, want %+v", got, want)
	}
	if got, want := *h.BasicAuth, (config.BasicAuth{UsernameFile: "user", PasswordFile: "password"}); got != want {
		t.Errorf("basic_auth %+v, want %+v", got, want)
	}
	r := s.Requests[0]
	if r.Name != "a.b-c_D9" || r.Weight != 1000000 || r.Method != "PURGE" || string(r.Body.Bytes()) != "Several\nlines.\n" {
		t.Errorf("request %+v", r)
	}
	if r.URL.Authority() != "example.org:8443" || r.URL.Target != "/a/b;c?d=e&f=%C3%A9" ||
		r.URL.String() != "https://example.org:8443/a/b;c?d=e&f=%C3%A9" {
		t.Errorf("url %v", r.URL)
	}
	if want := (config.Headers{
		{Name: "Host", Value: "other.example.org:8080"},
		{Name: "Traffic-Slot", Value: "mine"},
		{Name: "traceparent", Value: "mine"},
		{Name: "X-Empty"},
		{Name: "X-Number", Value: "7"},
		{Name: "X-Yes", Value: "yes"},
		{Name: "X-Quoted", Value: `a, "b"`},
	}); !reflect.DeepEqual(r.Headers, want) {
		t.Errorf("headers %v, want %v", r.Headers, want)
	}
	if got := r.Expect.Status; !reflect.DeepEqual(got, []config.StatusRange{{Low: 200, High: 200}, {Low: 301, High: 399}, {Low: 500, High: 599}}) {
		t.Errorf("expected status %v", got)
	}
}

func TestVariablesAreExpandedAsText(t *testing.T) {
	s := load(t, "testdata/good-environment.yaml").Scenarios[0]
	r := s.Requests[0]
	for _, test := range []struct{ what, got, want string }{
		{"name", s.Name, "a7"},
		{"rate", s.Rate.Steady.String(), "7/s"},
		{"timeout", s.Timeout.String(), "3s"},
		{"max_in_flight", fmt.Sprint(s.Limits.MaxInFlight), "7"},
		{"keep_alive", fmt.Sprint(s.HTTPConfig.KeepAlive), "false"},
		{"credentials", string(s.HTTPConfig.Authorization.Credentials), "hunter2 from the environment"},
		{"weight", fmt.Sprint(r.Weight), "7"},
		{"url", r.URL.String(), "http://127.0.0.1:9871/"},
		{"header", r.Headers.Get("X-Cost"), "5$, ${TEST_NUMBER}, $$, $$${x}, 77"},
		{"body", string(r.Body.Bytes()), "hunter2\n    requests: []\n"},
		{"status", fmt.Sprint(r.Expect.Status), "[207]"},
	} {
		if test.got != test.want {
			t.Errorf("%s: got %q, want %q", test.what, test.got, test.want)
		}
	}
}

func TestWithoutEnvironmentNoVariableIsSet(t *testing.T) {
	_, err := config.Parse("x.yaml", []byte(with("timeout: ${HOME}")), nil, nil)
	if err == nil || !strings.Contains(err.Error(), `variable "HOME" is not set`) {
		t.Errorf("error %v", err)
	}
}

func TestAVariableThatIsNotSetOrEmptyHasItsDefault(t *testing.T) {
	env := map[string]string{"SET": "3s", "EMPTY": ""}
	getenv := func(name string) (string, bool) {
		value, ok := env[name]
		return value, ok
	}
	for text, want := range map[string]time.Duration{
		"${SET:-5s}": 3 * time.Second, "${EMPTY:-5s}": 5 * time.Second, "${MISSING:-5s}": 5 * time.Second, "${MISSING:-}5s": 5 * time.Second,
		"1${MISSING:-m}": time.Minute,
	} {
		cfg, err := config.Parse("x.yaml", []byte(with("timeout: '"+text+"'")), getenv, nil)
		if err != nil {
			t.Errorf("%s: %v", text, err)
		} else if got := time.Duration(cfg.Scenarios[0].Timeout); got != want {
			t.Errorf("%s is %s, want %s", text, got, want)
		}
	}
	if _, err := config.Parse("x.yaml", []byte(with("timeout: '${NOT A NAME:-5s}'")), getenv, nil); err == nil {
		t.Error("a name that is none is accepted")
	}
}

func TestMergedKeysYieldToOwnAndEarlierOnes(t *testing.T) {
	scenarios := load(t, "testdata/good-anchors.yaml").Scenarios
	second, third := scenarios[1], scenarios[2]
	if second.Name != "second" || second.Limits.MaxInFlight != 20 || second.Limits.LateAfter.String() != "2s" {
		t.Errorf("second %+v", second)
	}
	if third.Name != "third" || third.Timeout.String() != "3s" || third.Arrivals != config.ArrivalsPoisson ||
		third.Rate.Steady.String() != "3/s" || third.Limits.MaxInFlight != 10 {
		t.Errorf("third %+v", third)
	}
	if r := third.Requests; len(r) != 2 || r[0].Name != "r" || r[1].Name != "s" || r[1].Weight != 3 {
		t.Errorf("requests %+v", r)
	}
}

func TestAliasesCannotGrowWithoutEnd(t *testing.T) {
	var text strings.Builder
	text.WriteString("scenarios:\n")
	for level := range 8 {
		fmt.Fprintf(&text, "  - {name: s%d, requests: [{name: r, url: \"http://127.0.0.1/\"}], rate: &l%d {sum: [", level, level)
		for i := range 50 {
			if i > 0 {
				text.WriteString(", ")
			}
			if level == 0 {
				text.WriteString("1/s")
			} else {
				fmt.Fprintf(&text, "*l%d", level-1)
			}
		}
		text.WriteString("]}}\n")
	}
	_, err := config.Parse("x.yaml", []byte(text.String()), nil, nil)
	if err == nil || !strings.Contains(err.Error(), "aliases make the file larger than") || strings.Count(err.Error(), "\n") > 0 {
		t.Errorf("error %v", err)
	}
}

func TestNamesOfFilesAreTakenFromTheFolderOfTheConfiguration(t *testing.T) {
	text := with("http_config: {basic_auth: {username_file: secrets/user, password_file: /run/password}}")
	c, err := config.Parse(filepath.Join("etc", "traffic", "config.yaml"), []byte(text), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	got := *c.Scenarios[0].HTTPConfig.BasicAuth
	if want := (config.BasicAuth{UsernameFile: filepath.Join("etc", "traffic", "secrets", "user"), PasswordFile: "/run/password"}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestHashIsOfTheContent(t *testing.T) {
	one, same, other := parse(t, with("")), parse(t, with("")), parse(t, with("")+"# Changed.\n")
	if one.Hash != same.Hash || one.Hash == other.Hash || len(one.Hash) != 64 {
		t.Errorf("hashes %s, %s, %s", one.Hash, same.Hash, other.Hash)
	}
}

func TestLongestTimeoutIsOfAllScenarios(t *testing.T) {
	if got := load(t, "testdata/good-http.yaml").LongestTimeout(); got != 10*time.Minute {
		t.Errorf("got %v", got)
	}
}

func TestHeadersKeepTheirOrderAndSpelling(t *testing.T) {
	s := load(t, "testdata/good-headers.yaml").Scenarios[0]
	if want := (config.Headers{
		{Name: "x-b", Value: "1"},
		{Name: "X-A", Value: "2"},
		{Name: "X-A", Value: "3"},
		{Name: "Accept", Value: "a"},
		{Name: "X-Env", Value: "7", Secret: true},
		{Name: "X-Api-Key", Value: "hunter2", Secret: true},
		{Name: "X-Own", Value: "hunter2", Secret: true},
		{Name: "X-Two", Value: "a"},
		{Name: "X-Two", Value: "hunter2", Secret: true},
	}); !reflect.DeepEqual(s.Requests[0].Headers, want) {
		t.Errorf("headers %v", s.Requests[0].Headers)
	}
	h := s.HTTPConfig
	if want := (config.Headers{
		{Name: "X-Via", Value: "hunter2", Secret: true}, {Name: "X-Via", Value: "hunter2", Secret: true}, {Name: "X-One", Value: "hunter2", Secret: true},
	}); !reflect.DeepEqual(h.ProxyConnectHeader, want) {
		t.Errorf("headers of the proxy %v", h.ProxyConnectHeader)
	}
	if p := h.ProxyURL; p.Host != "proxy.example.org:3128" || p.User.Username() != "user" || h.NoProxy != "example.org,10.0.0.0/8" || h.TLSSessionResumption || h.DNSGrace == nil || *h.DNSGrace != 0 {
		t.Errorf("http_config %+v", h)
	}
	if u := s.Requests[0].URL; u.Authority() != "xn--bcher-kva.example" || u.Target != "/a%2Fb%7Cc" || u.String() != "http://bücher.example/a%2Fb|c" {
		t.Errorf("url %+v", u)
	}
	if b := s.Requests[0].Body.Bytes(); string(b) != "{{ as it is }}" || s.Requests[len(s.Requests)-1].Body.Bytes() != nil {
		t.Errorf("body %q", b)
	}
}

func TestNamesOfProxiesAreConverted(t *testing.T) {
	for text, want := range map[string]string{
		"http://b\u00fccher.example:3128":   "xn--bcher-kva.example:3128",
		"https://Proxy.example":             "proxy.example",
		"socks5h://u:p@[2001:db8::1]:1080/": "[2001:db8::1]:1080",
		"socks5://[fe80::1%25eth0]":         "[fe80::1%eth0]",
	} {
		h := parse(t, with(fmt.Sprintf("http_config: {proxy_url: %q}", text))).Scenarios[0].HTTPConfig
		if h.ProxyURL.Host != want {
			t.Errorf("%s: got %s, want %s", text, h.ProxyURL.Host, want)
		}
	}
}

func TestHeadersWithSecretsAreMarked(t *testing.T) {
	for header, want := range map[string][]config.Header{
		`X-Tenant: a`:                     {{Value: "a"}},
		`X-Tenant: "$${TEST_NUMBER}"`:     {{Value: "${TEST_NUMBER}"}},
		`X-Tenant: "${TEST_NUMBER}"`:      {{Value: "7", Secret: true}},
		`X-Tenant: [a, "${TEST_NUMBER}"]`: {{Value: "a"}, {Value: "7", Secret: true}},
		`X-Tenant: {secret: a}`:           {{Value: "a", Secret: true}},
		`X-Tenant: [a, {secret: b}]`:      {{Value: "a"}, {Value: "b", Secret: true}},
		`X-Tenant: *mapping`:              {{Value: "hunter2", Secret: true}},
		`X-Tenant: *anchored`:             {{Value: "hunter2", Secret: true}},
		`X-Tenant: *later`:                {{Value: "hunter2", Secret: true}},
		`X-Tenant: [*later]`:              {{Value: "hunter2", Secret: true}},
		`X-Tenant: *variable`:             {{Value: "7", Secret: true}},
		`X-Api-Key: [a, b]`:               {{Value: "a", Secret: true}, {Value: "b", Secret: true}},
	} {
		text := with(`http_config: {basic_auth: {username: &variable "${TEST_NUMBER}", password: &anchored hunter2}}
requests:
  - {name: first, url: "http://a/", headers: {X-Plain: &later hunter2, X-Other: &mapping {secret: hunter2}}}
  - {name: second, url: "http://a/", headers: {` + header + `}}
  - {name: third, url: "http://a/", headers: {Cookie: *later}}
`)
		name, _, _ := strings.Cut(header, ":")
		for i := range want {
			want[i].Name = name
		}
		requests := parse(t, text).Scenarios[0].Requests
		if got := requests[1].Headers; !slices.Equal(got, want) {
			t.Errorf("%s: got %#v, want %#v", header, got, want)
		}
		if !requests[0].Headers[0].Secret {
			t.Error("a secret by way of an alias further down is not marked")
		}
	}
}

func TestFilesThatCannotBeReadAreListedWithAllElse(t *testing.T) {
	text := with(`http_config: {tls_config: {ca_file: ca.pem}, basic_auth: {username: u, password_file: /etc/password}}
` + `timeout: never
requests: [{name: r, url: "https://127.0.0.1/"}]`)
	_, err := config.Parse("x.yaml", []byte(text), nil, disk{"/etc/password": nil})
	for _, want := range []string{
		`http_config.tls_config.ca_file: found "ca.pem", which cannot be read: file does not exist`,
		`http_config.basic_auth.password_file: found "/etc/password", which cannot be read: permission denied`,
		`timeout: found "never"`,
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no %s in\n%v", want, err)
		}
	}
}
