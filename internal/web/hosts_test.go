package web

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// askAs sends a request that names a host, and returns its status and its body.
func askAs(t *testing.T, method, url, host, content string) (int, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	req.Host = host
	if content != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	// A page whose name resolves to this server is of its own origin.
	req.Header.Set("Origin", "http://"+host)
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	return respond(t, req)
}

func TestWhatChangesSomethingNamesAHostOfOurs(t *testing.T) {
	st := stubs{control: true, hosts: []string{"Traffic.Example.com, other.example:9870", "192.0.2.7"}, externalURL: "https://outside.example"}
	base := start(t, &st)
	_, port, _ := strings.Cut(strings.TrimPrefix(base, "http://"), ":")
	for host, ok := range map[string]bool{
		"localhost:" + port:          true,
		"LOCALHOST":                  true,
		"localhost.:" + port:         true,
		"127.0.0.1:" + port:          true,
		"127.0.0.2":                  true,
		"[::1]:" + port:              true,
		"[::ffff:127.0.0.1]:" + port: true,
		"traffic.example.com":        true,
		"traffic.EXAMPLE.com.:80":    true,
		"other.example":              true,
		"outside.example":            true,
		"192.0.2.7:80":               true,

		"evil.example:" + port:      false,
		"127.0.0.1.evil.example":    false,
		"traffic.example.com.evil":  false,
		"x.outside.example":         false,
		"192.0.2.8":                 false,
		"localhost.evil.example:80": false,
	} {
		t.Run(host, func(t *testing.T) {
			st.asked, st.reloads = nil, 0
			code, body := askAs(t, "PUT", base+override, host, good)
			code2, body2 := askAs(t, "DELETE", base+override, host, "")
			code3, body3 := askAs(t, "POST", base+"/-/reload", host, "")
			if done := code == 200 && code2 == 200 && code3 == 200 && len(st.asked) == 2 && st.reloads == 1; ok && !done {
				t.Errorf("got %d %s, %d %s, %d %s", code, body, code2, body2, code3, body3)
			}
			for _, b := range []string{body, body2, body3} {
				if !ok && (code != 403 || code2 != 403 || code3 != 403 || st.asked != nil || st.reloads != 0 || !strings.Contains(b, "--web.allowed-hosts")) {
					t.Errorf("got %d, %d, %d %s; asked for %q, %d reloads", code, code2, code3, b, st.asked, st.reloads)
				}
			}
		})
	}
}

func TestTheAddressThatIsConnectedToMayBeNamed(t *testing.T) {
	h, err := newHosts(nil, "")
	if err != nil {
		t.Fatal(err)
	}
	for local, host := range map[string]string{"192.0.2.1": "192.0.2.1:9870", "2001:db8::1": "[2001:DB8:0::1]:9870", "fe80::1": "[fe80::1%25eth0]"} {
		for _, at := range []string{local, "192.0.2.9"} {
			r := httptest.NewRequest("PUT", "/", http.NoBody)
			r.Host = host
			r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, &net.TCPAddr{IP: net.ParseIP(at)}))
			if err := h.check(r); (err == nil) != (at == local) {
				t.Errorf("%s at %s: %v", host, at, err)
			}
		}
	}
}

func TestWithoutControlAnyHostMayBeNamed(t *testing.T) {
	st := stubs{}
	base := start(t, &st)
	for _, path := range []string{"/metrics", "/-/ready", "/config"} {
		if code, body := askAs(t, "GET", base+path, "exporter.example", ""); code != http.StatusOK {
			t.Errorf("%s: got %d %s", path, code, body)
		}
	}
	if code, body := askAs(t, "POST", base+"/-/reload", "exporter.example", ""); code != http.StatusOK || st.reloads != 1 {
		t.Errorf("got %d %s", code, body)
	}
}

func TestBadHostsFailTheStart(t *testing.T) {
	for name, tc := range map[string]struct {
		stubs stubs
		want  string
	}{
		"a URL as a host":       {stubs{hosts: []string{"http://a"}}, `--web.allowed-hosts: found "http://a"`},
		"a pattern":             {stubs{hosts: []string{"*.example"}}, `--web.allowed-hosts: found "*.example"`},
		"nothing":               {stubs{hosts: []string{"a,,b"}}, `--web.allowed-hosts: found ""`},
		"a host as a URL":       {stubs{externalURL: "a.example"}, `--web.external-url: found "a.example"`},
		"a URL without a host":  {stubs{externalURL: "https:///x"}, `--web.external-url: found "https:///x"`},
		"a URL of another kind": {stubs{externalURL: "ftp://a"}, `--web.external-url: found "ftp://a"`},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := New(options("127.0.0.1:0", &tc.stubs)); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want %q", err, tc.want)
			}
		})
	}
}
