package web

import (
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"net/url"
	"slices"
)

// MemberlistPage returns the page of the gossip, to be filled with dskit's StatusPageData.
func MemberlistPage() (*template.Template, error) { return parsePage("memberlist.html") }

// gossipState is the name of a member's state in the gossip.
func gossipState(state any) string {
	names := []string{"alive", "suspect", "dead", "left"}
	for i, name := range names {
		if fmt.Sprint(state) == fmt.Sprint(i) {
			return name
		}
	}
	return "unknown"
}

// memberlistHandler serves the status page of the gossip. Of what dskit's page can do
// besides it lets through only what shows one value or message: forgetting messages
// changes state, and downloads are of no use to people.
func memberlistHandler(page http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if page == nil {
			http.Error(w, "there is no gossip: this replica runs on its own, or its fleet has another store", http.StatusNotFound)
			return
		}
		query, err := url.ParseQuery(r.URL.RawQuery)
		if err != nil {
			http.Error(w, fmt.Sprintf("found a bad query: %v", err), http.StatusBadRequest)
			return
		}
		for _, key := range slices.Sorted(maps.Keys(query)) {
			if key != "viewKey" && key != "viewMsg" && key != "format" {
				http.Error(w, fmt.Sprintf("found the query parameter %s, only viewKey, viewMsg and format are allowed here", quote(key)), http.StatusForbidden)
				return
			}
		}
		loads(w.Header())
		if query.Has("viewKey") || query.Has("viewMsg") {
			// The page itself says so too late to be heard, and a value is whatever the
			// members have written.
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		}
		page.ServeHTTP(w, r)
	})
}
