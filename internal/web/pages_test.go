package web

import (
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

func TestThePrefixIsThatOfPrometheus(t *testing.T) {
	for name, tc := range map[string]struct{ external, flag, path string }{
		"neither":               {"", "", "/"},
		"a host only":           {"https://traffic.example.com", "", "/"},
		"the URL's path":        {"https://example.com/traffic/", "", "/traffic/"},
		"the flag":              {"", "/a/b", "/a/b/"},
		"the flag before a URL": {"https://example.com/traffic", "/other/", "/other/"},
		"a proxy that strips":   {"https://example.com/traffic", "/", "/"},
	} {
		t.Run(name, func(t *testing.T) {
			base := start(t, &stubs{externalURL: tc.external, prefix: tc.flag})
			for _, path := range []string{"", "metrics", "-/healthy", "page/page.js", "api/v1/scenarios"} {
				if code, body := ask(t, "GET", base+tc.path+path, nil); code != 200 {
					t.Errorf("%s%s is %d %s", tc.path, path, code, body)
				}
			}
			if code, _ := ask(t, "GET", base+"/metrics", nil); code != 404 && tc.path != "/" {
				t.Errorf("without the prefix it is %d", code)
			}
		})
	}
	if _, err := New(options("127.0.0.1:0", &stubs{prefix: "traffic"})); err == nil || !strings.Contains(err.Error(), "--web.route-prefix") {
		t.Errorf("a prefix that is no path: %v", err)
	}
}

func TestPagesRunAndLoadOnlyWhatIsHere(t *testing.T) {
	base := start(t, &stubs{})
	for _, path := range []string{"/", "/fleet", "/memberlist"} {
		policy := header(t, base+path).Get("Content-Security-Policy")
		for _, part := range []string{"default-src 'none'", "require-trusted-types-for 'script'", "trusted-types 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'"} {
			if !strings.Contains(policy, part) {
				t.Errorf("%s: no %s in %s", path, part, policy)
			}
		}
		if strings.Contains(policy, "unsafe") {
			t.Errorf("%s: the policy is %s", path, policy)
		}
	}
	danger := regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|https?://|url\(|@import|style=|<style|\son[a-z]+=`)
	for name, from := range map[string]fs.ReadFileFS{
		"page/index.html": assets, "page/page.js": assets, "page/charts.js": assets, "page/control.js": assets, "page/format.js": assets, "page/reload.js": assets,
		"page/page.css": assets, "page/fleet.css": assets, "fleet.html": templates, "memberlist.html": templates, "bar.html": templates,
	} {
		b, err := from.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if found := danger.Find(b); found != nil {
			t.Errorf("%s has %q", name, found)
		}
	}
}

func TestEverythingElseRunsAndLoadsNothing(t *testing.T) {
	base := start(t, &stubs{})
	for _, path := range []string{"/metrics", "/config", "/-/healthy", "/api/v1/fleet", "/api/v1/none", "/api/v1/scenarios", "/debug/pprof/", "/nowhere"} {
		h := header(t, base+path)
		if h.Get("Content-Security-Policy") != nothing || h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Referrer-Policy") != "no-referrer" {
			t.Errorf("%s has the header %v", path, h)
		}
	}
}

// header returns the header of a response.
func header(t *testing.T, url string) http.Header {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp.Header
}

func TestWhatOthersWroteIsAsItWasPublished(t *testing.T) {
	sums, err := fs.ReadFile(assets, "page/uplot.sha256")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(sums)) {
		want, name, _ := strings.Cut(strings.TrimSpace(line), "  ")
		b, err := assets.ReadFile("page/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if got := sha256.Sum256(b); hex.EncodeToString(got[:]) != want {
			t.Errorf("%s has another checksum", name)
		}
	}
}
