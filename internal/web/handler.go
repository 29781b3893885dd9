package web

import (
	"fmt"
	"net/http"
	"net/http/pprof"
)

func newHandler(o Options) (http.Handler, error) {
	fleet, err := newFleetPage(o.Fleet)
	if err != nil {
		return nil, fmt.Errorf("fleet page: %w", err)
	}

	ours, err := newHosts(o.AllowedHosts, o.ExternalURL)
	if err != nil {
		return nil, err
	}

	prefix, err := o.prefix()
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	addPage(mux)
	mux.Handle("GET /metrics", newScrapes(o))
	mux.HandleFunc("GET /-/healthy", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "traffic_exporter is healthy.")
	})
	mux.HandleFunc("GET /-/ready", readyHandler(o.Ready))
	// Reloading only applies the content of the file, and a page of another origin must not be
	// able to make a browser ask for it.
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
	return secured(prefixed(prefix, mux)), nil
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
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = w.Write(b) // The client went away; nobody is left to notify.
	}
}
