package plan

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/traffic-exporter/traffic_exporter/internal/importer/exchange"
)

// The kinds of requests that are left out, for comments.
const (
	dropStatic    = "static assets (--static keeps them)"
	dropPreflight = "preflights of CORS"
	dropUpgrade   = "WebSockets and other upgrades"
	dropFailed    = "requests without a response"
	dropScheme    = "requests that are not HTTP"
)

// choose returns the exchanges that are imported.
func (p *planner) choose(all []exchange.Exchange) []*exchange.Exchange {
	p.dropped, p.hosts = map[string]int{}, map[string]int{}
	var some []*exchange.Exchange
	perOrigin := map[string]int{}
	for i := range all {
		e := &all[i]
		if why := p.unwanted(e); why != "" {
			p.dropped[why]++
			continue
		}
		some = append(some, e)
		perOrigin[originOf(e.Request.URL)]++
	}
	for _, e := range some {
		if origin := originOf(e.Request.URL); p.origin == "" || perOrigin[origin] > perOrigin[p.origin] {
			p.origin = origin
		}
	}
	var kept []*exchange.Exchange
	for _, e := range some {
		if !p.wanted(e.Request.URL) {
			p.hosts[e.Request.URL.Host]++
			continue
		}
		kept = append(kept, e)
	}
	return kept
}

// wanted reports whether requests to the host of a URL are kept.
func (p *planner) wanted(u *url.URL) bool {
	return originOf(u) == p.origin || slices.ContainsFunc(p.o.Hosts, func(host string) bool {
		return strings.EqualFold(host, u.Host) || strings.EqualFold(host, u.Hostname())
	})
}

// originOf returns the scheme, the host and the port of a URL, without the port that the scheme has anyway.
func originOf(u *url.URL) string {
	host, scheme := strings.ToLower(u.Host), strings.ToLower(u.Scheme)
	if scheme == "http" {
		host = strings.TrimSuffix(host, ":80")
	} else {
		host = strings.TrimSuffix(host, ":443")
	}
	return scheme + "://" + host
}

// unwanted says why an exchange is left out; empty if it is not.
func (p *planner) unwanted(e *exchange.Exchange) string {
	r := e.Request
	switch scheme := strings.ToLower(r.URL.Scheme); {
	case scheme != "http" && scheme != "https" || r.URL.Host == "" || r.Method == http.MethodConnect:
		return dropScheme
	case e.Response.Status == http.StatusSwitchingProtocols, r.Header.Get("Upgrade") != "" && r.Header.Get("Upgrade") != "h2c":
		return dropUpgrade
	case !p.o.Mix && (e.Response.Status < 200 || e.Response.Status > 599):
		return dropFailed
	case r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "":
		return dropPreflight
	case !p.o.Static && isStatic(e):
		return dropStatic
	default:
		return ""
	}
}

// isStatic reports whether an exchange is about an image, a script, a style or a font.
func isStatic(e *exchange.Exchange) bool {
	if m := e.Request.Method; m != http.MethodGet && m != http.MethodHead {
		return false
	}
	media := e.Response.Header.MediaType()
	kind, _, _ := strings.Cut(media, "/")
	switch {
	case kind == "image", kind == "font", kind == "audio", kind == "video", media == "text/css", strings.HasSuffix(media, "javascript"),
		strings.HasPrefix(media, "application/font"), media == "application/wasm", media == "application/manifest+json":
		return true
	case media == "text/html", exchange.IsJSON(media):
		return false
	}
	switch strings.ToLower(path.Ext(e.Request.URL.Path)) {
	case ".js", ".mjs", ".css", ".map", ".png", ".jpg", ".jpeg", ".gif", ".svg", ".webp", ".avif", ".ico", ".woff", ".woff2", ".ttf", ".otf", ".eot",
		".mp4", ".webm", ".mp3", ".wasm", ".webmanifest":
		return true
	default:
		return false
	}
}

// maxHosts is how many other hosts a comment names.
const maxHosts = 20

// leftOut names the requests left out; empty if there are none.
func (p *planner) leftOut() string {
	var parts []string
	for _, what := range slices.Sorted(maps.Keys(p.dropped)) {
		parts = append(parts, fmt.Sprintf("%d %s", p.dropped[what], what))
	}
	if len(p.hosts) > 0 {
		hosts := slices.SortedFunc(maps.Keys(p.hosts), func(a, b string) int {
			return cmp.Or(p.hosts[b]-p.hosts[a], cmp.Compare(a, b))
		})
		var names []string
		for _, h := range hosts[:min(maxHosts, len(hosts))] {
			names = append(names, fmt.Sprintf("%s (%d)", h, p.hosts[h]))
		}
		if more := len(hosts) - maxHosts; more > 0 {
			names = append(names, fmt.Sprintf("%d more", more))
		}
		parts = append(parts, "requests to other hosts (--host keeps them): "+strings.Join(names, ", "))
	}
	if len(parts) == 0 {
		return ""
	}
	return ": " + strings.Join(parts, "; ") + "."
}
