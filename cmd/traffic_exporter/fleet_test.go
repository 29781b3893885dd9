package main

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/grafana/dskit/services"
	"github.com/prometheus/client_golang/prometheus"
	toolkit "github.com/prometheus/exporter-toolkit/web"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/traffic-exporter/traffic_exporter/internal/web"
)

// fakeFleet knows one scenario, whose file says 200/s and at most 500/s.
type fakeFleet struct {
	mu       sync.Mutex
	override *web.OverrideStatus
}

func (f *fakeFleet) status() web.ScenarioStatus {
	f.mu.Lock()
	defer f.mu.Unlock()
	return web.ScenarioStatus{Name: "storefront", FileRate: 200, TargetRate: 200, ShareRate: 200, MaxRate: 500, Override: f.override}
}

func (f *fakeFleet) set(_ context.Context, scenario string, o web.OverrideRequest) (web.ScenarioStatus, error) {
	if scenario != "storefront" {
		return web.ScenarioStatus{}, &web.Refusal{Status: http.StatusNotFound, Message: "no scenario \"" + scenario + "\": there is storefront"}
	}
	from := time.Now().Truncate(time.Second).Add(3 * time.Second)
	s := &web.OverrideStatus{From: from, Until: o.Until, Factor: o.Factor, Reason: o.Reason, By: o.By}
	if o.Rate != "" {
		rate := 600.0 // The only one that the scripts ask for.
		s.Rate, s.Capped = &rate, true
	}
	if o.For != "" {
		s.Until = from.Add(30 * time.Minute) // The only duration that the scripts ask for.
	}
	f.mu.Lock()
	f.override = s
	f.mu.Unlock()
	return f.status(), nil
}

// preview asks for a confirmation of factors above 3.
func (f *fakeFleet) preview(scenario string, o web.OverrideRequest) (web.OverridePreview, error) {
	if scenario != "storefront" {
		return web.OverridePreview{}, &web.Refusal{Status: http.StatusNotFound, Message: "no scenario \"" + scenario + "\": there is storefront"}
	}
	p := web.OverridePreview{Scenario: scenario, Peak: 600, FilePeak: 200}
	if o.Factor != nil {
		p.Peak = 200 * *o.Factor
	}
	p.Confirm = p.Peak > 3*p.FilePeak
	return p, nil
}

func (f *fakeFleet) clear(context.Context, string, web.ClearRequest) (web.ScenarioStatus, error) {
	f.mu.Lock()
	f.override = &web.OverrideStatus{Clear: true, From: time.Now().Truncate(time.Second).Add(3 * time.Second)}
	f.mu.Unlock()
	return f.status(), nil
}

// fleet is the command of the scripts that starts a fake fleet behind the program's own
// web server and names its URL to what the script runs:
//
//	fleet [web configuration file]
//
// Negated, the fleet does not allow its rates to be changed.
func fleet(ts *testscript.TestScript, neg bool, args []string) {
	file := ""
	if len(args) > 0 {
		file = ts.MkAbs(args[0])
	}
	f := &fakeFleet{}
	s, err := web.New(web.Options{
		Flags:         &toolkit.FlagConfig{WebListenAddresses: &[]string{"127.0.0.1:0"}, WebConfigFile: &file},
		Registry:      prometheus.NewRegistry(),
		Control:       !neg,
		Scenarios:     func() []web.ScenarioStatus { return []web.ScenarioStatus{f.status()} },
		SetOverride:   f.set,
		ClearOverride: f.clear,

		PreviewOverride: f.preview,
		Logger:          slog.New(slog.DiscardHandler),
	})
	ts.Check(err)
	ts.Check(services.StartAndAwaitRunning(context.Background(), s))
	ts.Defer(func() { ts.Check(services.StopAndAwaitTerminated(context.Background(), s)) })
	ts.Setenv("TRAFFIC_EXPORTER_URL", "http://"+s.Addrs()[0].String())
}
