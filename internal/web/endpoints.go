package web

import "net/http"

// addAPI adds the endpoints of the JSON API.
func addAPI(mux *http.ServeMux, o Options, ours hosts) {
	c := controller{Options: o, origins: http.NewCrossOriginProtection(), hosts: ours}
	mux.HandleFunc("GET /api/v1/scenarios", scenariosHandler(o.Scenarios))
	mux.HandleFunc("/api/v1/scenarios", notAllowed("GET", "HEAD"))
	mux.HandleFunc("PUT /api/v1/scenarios/{name}/override", c.set)
	mux.HandleFunc("DELETE /api/v1/scenarios/{name}/override", c.clear)
	mux.HandleFunc("/api/v1/scenarios/{name}/override", notAllowed("PUT", "DELETE"))
	mux.HandleFunc("GET /api/v1/fleet", fleetHandler(o.Fleet))
	mux.HandleFunc("/api/v1/fleet", notAllowed("GET", "HEAD"))
	mux.HandleFunc("GET /api/v1/live", liveHandler(o.Live))
	mux.HandleFunc("/api/v1/live", notAllowed("GET", "HEAD"))
	mux.HandleFunc("GET /api/v1/failures", failuresHandler(o.Failures))
	mux.HandleFunc("/api/v1/failures", notAllowed("GET", "HEAD"))
	mux.HandleFunc("POST /api/v1/scenarios/{name}/override/preview", c.preview)
	mux.HandleFunc("/api/v1/scenarios/{name}/override/preview", notAllowed("POST"))
	mux.HandleFunc("/api/", noEndpoint)
}

func scenariosHandler(scenarios func() []ScenarioStatus) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		all := scenarios()
		if all == nil {
			all = []ScenarioStatus{} // An empty list, not null.
		}
		succeed(w, all)
	}
}

func fleetHandler(fleet func() FleetStatus) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if fleet == nil {
			fail(w, refuse(http.StatusNotFound, "this replica runs on its own: its configuration has no fleet section"))
			return
		}
		f := fleet()
		if f.Members == nil {
			f.Members = []MemberStatus{}
		}
		succeed(w, f)
	}
}
