package web

import (
	"embed"
	"net/http"
	"path"
	"strings"
)

// assets are what the live page is made of. uPlot is as it was published, see page/uplot.LICENSE
// and page/uplot.sha256.
//
//go:embed page
var assets embed.FS

// addPage adds the live page.
func addPage(mux *http.ServeMux) {
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { servePage(w, r, "index.html") })
	mux.HandleFunc("GET /page/{name}", func(w http.ResponseWriter, r *http.Request) { servePage(w, r, r.PathValue("name")) })
}

func servePage(w http.ResponseWriter, r *http.Request, name string) {
	b, err := assets.ReadFile("page/" + name)
	kind := map[string]string{
		".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8",
		".svg": "image/svg+xml", ".LICENSE": "text/plain; charset=utf-8",
	}[path.Ext(name)]
	if err != nil || kind == "" {
		http.NotFound(w, r)
		return
	}
	loads(w.Header())
	w.Header().Set("Content-Type", kind)
	// A new version has to be seen at once: the page and its script belong together.
	w.Header().Set("Cache-Control", "no-cache")
	_, _ = w.Write(b) // The client went away; nobody is left to notify.
}

// nothing and pagePolicy are Content-Security-Policies: for responses that are not pages, and
// for pages, which run and load files of this server, and put no text where it could become
// code.
const (
	nothing    = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
	pagePolicy = nothing + "; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; " +
		"require-trusted-types-for 'script'; trusted-types 'none'"
)

// secured has browsers run and load nothing of a response, unless that says otherwise, and show it
// in no other page.
func secured(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", nothing)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

// loads has a browser run and load what this server has.
func loads(h http.Header) { h.Set("Content-Security-Policy", pagePolicy) }

// prefixed serves a handler under a path. The root leads there.
func prefixed(prefix string, next http.Handler) http.Handler {
	if prefix == "" {
		return next
	}
	mux := http.NewServeMux()
	mux.Handle(prefix+"/", http.StripPrefix(prefix, next))
	mux.Handle("/{$}", http.RedirectHandler(prefix+"/", http.StatusFound))
	return mux
}

// routePrefix returns the path that everything is served under, without a slash at its end: that
// of the flag, or else of the external URL.
func routePrefix(flag, externalPath string) string {
	prefix := flag
	if prefix == "" {
		prefix = externalPath
	}
	prefix = strings.Trim(prefix, "/")
	if prefix == "" {
		return ""
	}
	return "/" + prefix
}
