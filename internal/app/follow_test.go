package app

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/override"
)

// production is a Prometheus that knows one rate.
type production struct {
	*httptest.Server
	rate atomic.Pointer[string]
}

func newProduction(t *testing.T) *production {
	t.Helper()
	p := &production{}
	p.say("30")
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"status":"success","data":{"resultType":"scalar","result":[%d,%q]}}`, time.Now().Unix(), *p.rate.Load())
	}))
	t.Cleanup(p.Close)
	return p
}

func (p *production) say(rate string) { p.rate.Store(&rate) }

// follow returns the rate that follows it.
func (p *production) follow() string {
	return fmt.Sprintf("{follow: {query: q, prometheus: {url: %q}, every: 5s, hold: 10s, otherwise: 7/s}, scale: 0.5, max: 100/s}", p.URL)
}

func TestAFollowedRateIsFoundAndOverridden(t *testing.T) {
	t.Parallel()
	p := newProduction(t)
	r, file := controlled(t, scenarioText("s", p.follow(), url, ""))
	r.eventually(t, `traffic_target_rate{scenario="s"} 7`)
	r.eventually(t, `traffic_target_rate{scenario="s"} 15`)
	r.eventually(t, `traffic_followed_rate{scenario="s"} 15`)

	_, status, _ := r.ask(t, "PUT", overridePath, `{"factor": 2, "for": "1h", "reason": "test"}`)
	if f := status.Follow; f == nil || f.Rate == nil || *f.Rate != 15 || f.Replica != "alone" || f.Failure != "" || status.FileRate != 15 {
		t.Errorf("file rate %v, followed %+v", status.FileRate, f)
	}
	r.eventually(t, `traffic_target_rate{scenario="s"} 30`)
	p.say("40") // The factor applies to the followed rate.
	r.eventually(t, `traffic_target_rate{scenario="s"} 40`)
	r.ask(t, "PUT", overridePath, `{"rate": "3/s", "for": "1h", "reason": "test"}`)
	r.eventually(t, `traffic_target_rate{scenario="s"} 3`)
	r.eventually(t, `traffic_followed_rate{scenario="s"} 20`)
	r.ask(t, "DELETE", overridePath, "")
	r.eventually(t, `traffic_target_rate{scenario="s"} 20`)

	// A rate that was found stays through a reload, within the new bound.
	writeConfig(t, file, scenarioText("s", strings.Replace(p.follow(), "100/s", "12/s", 1), url, ""))
	r.eventually(t, `traffic_target_rate{scenario="s"} 12`)

	p.say("NaN")
	r.eventually(t, `traffic_followed_rate{scenario="s"} NaN`)
	r.eventually(t, `traffic_target_rate{scenario="s"} 7`)
	_, status, _ = r.ask(t, "PUT", overridePath, `{"factor": 1, "for": "1h", "reason": "test"}`)
	if f := status.Follow; f == nil || f.Rate != nil || f.Found.IsZero() || !strings.Contains(f.Failure, "NaN") {
		t.Errorf("followed %+v", f)
	}

	// A file that follows none has the rate that it says.
	writeConfig(t, file, scenarioText("s", "9/s", url, ""))
	r.eventually(t, `traffic_target_rate{scenario="s"} 9`)
	if _, body := r.get(t, "/metrics"); strings.Contains(body, "traffic_follow") {
		t.Error("there are still series of what is followed")
	}
}

// found returns rates that were found one after the other, 10 s apart.
func found(t *testing.T, at time.Time, n int) override.History {
	t.Helper()
	var all override.History
	for i := range n {
		h, c, ok := override.History(nil).Add(override.Change{Kind: override.Found, Value: float64(20 + i), Until: override.Begin(at).Add(time.Minute)}, at)
		if !ok || len(h) != 1 {
			t.Fatal("no room")
		}
		all = append(all, c)
		at = at.Add(10 * time.Second)
	}
	return all
}

func TestRatesThatWereFoundAreRememberedForADay(t *testing.T) {
	base := parse(t, scenarioText("s", "1/s", url, "")).Scenarios[0].Timeline()
	f := &foundRates{highest: 1e6}
	noon := time.Date(2026, 6, 15, 12, 0, 0, 0, time.UTC)
	h := found(t, noon, 30)
	line := base
	for i := range h {
		line = f.lay(base, h[max(0, i-3):i+1], slog.New(slog.DiscardHandler))
	}
	for i := range 30 {
		if got := line.Rate(h[i].From.Add(time.Second)); got != h[i].Value {
			t.Errorf("the rate of change %d was %v, want %v", i, got, h[i].Value)
		}
	}
	late := found(t, noon.Add(48*time.Hour), 1)
	if f.lay(base, late, slog.New(slog.DiscardHandler)); len(f.past) != 1 {
		t.Errorf("%d stretches are remembered after two days", len(f.past))
	}
}
