package web

import (
	"net/http"
	"net/url"
	"strconv"
	"time"
)

const (
	// defaultScenarios and mostScenarios are how many scenarios a response of the live API has.
	defaultScenarios, mostScenarios = 50, 1000
	// mostFailures is how many failures a response has.
	mostFailures = 200
)

// liveHandler serves what the live page shows.
func liveHandler(live func(LiveQuery) Live) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		query, err := params(r, "since", "scenario", "match", "limit")
		q := LiveQuery{Scenario: query["scenario"], Match: query["match"]}
		if err == nil {
			q.Since, err = unixTime("since", query["since"])
		}
		if err == nil {
			q.Limit, err = limit(query["limit"], defaultScenarios, mostScenarios)
		}
		if err != nil {
			fail(w, err)
			return
		}
		succeed(w, live(q))
	}
}

// failuresHandler serves the last requests that failed.
func failuresHandler(failures func(scenario string) []FailureStatus) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		query, err := params(r, "scenario", "request", "reason", "slot", "brief", "limit")
		most := 0
		if err == nil {
			most, err = limit(query["limit"], mostFailures, 10*mostFailures)
		}
		if err != nil {
			fail(w, err)
			return
		}
		all := []FailureStatus{} // An empty list, not null.
		for _, f := range failures(query["scenario"]) {
			same := func(key, value string) bool { return query[key] == "" || query[key] == value }
			if len(all) < most && same("request", f.Request) && same("reason", f.Reason) && same("slot", f.Slot) {
				if query["brief"] != "" {
					f.Exchange = ""
				}
				all = append(all, f)
			}
		}
		succeed(w, all)
	}
}

// params returns the query parameters of a request. Each may be there once.
func params(r *http.Request, names ...string) (map[string]string, error) {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, refuse(http.StatusBadRequest, "found a bad query: %v", err)
	}
	out := map[string]string{}
	for _, name := range names {
		out[name] = values.Get(name)
		if len(values[name]) > 1 {
			return nil, refuse(http.StatusBadRequest, "found %s twice, expected it once", quote(name))
		}
		delete(values, name)
	}
	for name := range values {
		return nil, refuse(http.StatusBadRequest, "found the unknown query parameter %s, expected %s", quote(name), alternatives(names))
	}
	return out, nil
}

// unixTime reads a time in seconds; the zero time if there is none.
func unixTime(name, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 || n > 1<<40 {
		return time.Time{}, refuse(http.StatusBadRequest, "%s: found %s, expected seconds since 1970", name, quote(text))
	}
	return time.Unix(n, 0), nil
}

// limit reads a number of entries.
func limit(text string, usual, most int) (int, error) {
	if text == "" {
		return usual, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > most {
		return 0, refuse(http.StatusBadRequest, "limit: found %s, expected a number from 1 to %d", quote(text), most)
	}
	return n, nil
}
