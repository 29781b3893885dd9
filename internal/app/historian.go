package app

import (
	"context"
	"math"
	"time"

	"github.com/grafana/dskit/services"

	"github.com/traffic-exporter/traffic_exporter/internal/history"
)

// historian ends the seconds of the history. It is a service.
type historian struct {
	services.NamedService

	store    *history.Store
	reloader *reloader
	// sums are the fleet's figures; nil for a replica on its own.
	sums *sums
}

func newHistorian(store *history.Store, r *reloader) *historian {
	h := &historian{store: store, reloader: r}
	h.NamedService = services.NewBasicService(nil, h.run, nil).WithName("history")
	return h
}

func (h *historian) run(ctx context.Context) error {
	for {
		now := time.Now()
		timer := time.NewTimer(now.Truncate(time.Second).Add(time.Second).Sub(now))
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
		h.tick(time.Now())
	}
}

// tick ends the second before now.
func (h *historian) tick(now time.Time) {
	others := func(string) *history.Flow { return nil }
	if h.sums != nil {
		others = h.sums.others(now)
	}
	h.store.Tick(now, func(name string) history.Gauges {
		g := history.Gauges{Target: math.NaN(), Others: others(name)}
		if r := h.reloader.rate(name); r != nil {
			g.Target = r.now()
		}
		return g
	})
	if h.sums != nil {
		h.sums.share(now)
	}
}
