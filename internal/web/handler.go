package web

import (
	"fmt"
	"net/http"
	"net/http/pprof"

	toolkit "github.com/prometheus/exporter-toolkit/web"
)

func newHandler(o Options) (http.Handler, error) {
	landing, err := toolkit.NewLandingPage(toolkit.LandingConfig{
		Name:        "traffic_exporter",
		Description: "Always-on synthetic load, native to Prometheus.",
		Version:     o.Version,
		Links:       links(o),
	})
	if err != nil {
		return nil, fmt.Errorf("landing page: %w", err)
	}

	fleet, err := newFleetPage(o.Fleet)
	if err != nil {
		return nil, fmt.Errorf("fleet page: %w", err)
	}

	ours, err := newHosts(o.AllowedHosts, o.ExternalURL)
	if err != nil {
		return nil, err
	}

	mux := http.NewServeMux()
	mux.Handle("GET /{$}", landing)
	mux.Handle("GET /metrics", newScrapes(o))
	mux.HandleFunc("GET /-/healthy", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "traffic_exporter is healthy.")
	})
	mux.HandleFunc("GET /-/ready", readyHandler(o.Ready))
	// Reloading only applies what is in the file already, and a page of another
	// origin must not be able to make a browser ask for it.
	reload := http.NewCrossOriginProtection().Handler(reloadHandler(o, ours))
	mux.Handle("POST /-/reload", reload)
	mux.Handle("PUT /-/reload", reload)
	mux.HandleFunc("GET /config", configHandler(o.Config))
	mux.Handle("GET /fleet", fleet)
	mux.Handle("GET /memberlist", memberlistHandler(o.Memberlist))
	addAPI(mux, o, ours)

	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	return mux, nil
}

// links are what the landing page leads to.
func links(o Options) []toolkit.LandingLinks {
	all := []toolkit.LandingLinks{
		{Address: "metrics", Text: "Metrics"},
		{Address: "fleet", Text: "Fleet", Description: "the replicas that share the rate"},
		{Address: "api/v1/scenarios", Text: "Scenarios", Description: "their rates now and what changes them, as JSON"},
		{Address: "config", Text: "Configuration", Description: "as it runs, secrets hidden"},
		{Address: "-/ready", Text: "Ready"},
		{Address: "-/healthy", Text: "Healthy"},
	}
	if o.Fleet != nil {
		all = append(all, toolkit.LandingLinks{Address: "api/v1/fleet", Text: "Fleet, as JSON"})
	}
	if o.Memberlist != nil {
		all = append(all, toolkit.LandingLinks{Address: "memberlist", Text: "Gossip", Description: "what memberlist knows"})
	}
	return all
}

func readyHandler(ready func() error) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if err := ready(); err != nil {
			http.Error(w, fmt.Sprintf("traffic_exporter is not ready: %v", err), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "traffic_exporter is ready.")
	}
}

func reloadHandler(o Options, ours hosts) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := ours.check(r); o.Control && err != nil {
			http.Error(w, err.Error(), http.StatusForbidden)
			return
		}
		o.Logger.Info("reload requested", "remote_address", r.RemoteAddr)
		if err := o.Reload(); err != nil {
			http.Error(w, fmt.Sprintf("failed to reload the configuration:\n%v", err), http.StatusInternalServerError)
			return
		}
		fmt.Fprintln(w, "configuration reloaded.")
	})
}

func configHandler(config func() ([]byte, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		b, err := config()
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/yaml; charset=utf-8")
		_, _ = w.Write(b) // The client went away; nobody is left to tell.
	}
}
