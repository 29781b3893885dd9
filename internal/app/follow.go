package app

import (
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"time"

	promconfig "github.com/prometheus/common/config"

	"github.com/traffic-exporter/traffic_exporter/internal/config"
	"github.com/traffic-exporter/traffic_exporter/internal/follow"
	"github.com/traffic-exporter/traffic_exporter/internal/override"
	"github.com/traffic-exporter/traffic_exporter/internal/timeline"
	"github.com/traffic-exporter/traffic_exporter/internal/web"
)

const (
	// pastFor is for how long rates that were found are remembered, for the page's chart of the
	// day, and maxPast how many of them: those of a day at one every 25 s.
	pastFor = 26 * time.Hour
	maxPast = 4096
)

// foundRates are the rates that were found for a scenario that follows one. It is not safe for
// concurrent use.
type foundRates struct {
	// highest bounds them, also those that a replica with another file has written.
	highest float64
	// past are the stretches in which they held, in order: more than the store remembers.
	past []timeline.Stretch
}

// lay lays the rates over the timeline of the file.
func (f *foundRates) lay(base *timeline.Timeline, h override.History, logger *slog.Logger) *timeline.Timeline {
	var news []timeline.Stretch
	for _, s := range h.Stretches() {
		held := follow.Held(s.Change)
		held.Rate = min(held.Rate, f.highest)
		t, err := base.Held(held)
		if err != nil || s.Change.Kind != override.Found {
			logger.Warn("a rate that was found cannot be applied", "err", err)
			continue
		}
		news = append(news, timeline.Stretch{From: s.From, Until: s.Until, Timeline: t})
	}
	f.remember(news)
	t, err := base.Splice(f.past)
	if err != nil {
		logger.Error("rates that were found cannot be applied", "err", err)
		return base
	}
	return t
}

// remember replaces the remembered stretches from the first new one on.
func (f *foundRates) remember(news []timeline.Stretch) {
	if len(news) == 0 {
		return
	}
	begin := news[0].From
	var all []timeline.Stretch
	for _, s := range f.past {
		if s.Until.After(begin) {
			s.Until = begin
		}
		if s.From.Before(s.Until) && s.Until.After(begin.Add(-pastFor)) {
			all = append(all, s)
		}
	}
	all = append(all, news...)
	f.past = all[max(0, len(all)-maxPast):]
}

// followed returns the rate that was found last and holds, NaN for none, and when it was found, in
// Unix time, 0 if never.
func (r *scenarioRate) followed() (rate, at float64) {
	found := r.applied.Load().found
	if n := len(found); n > 0 {
		at = float64(found[n-1].Written.UnixMilli()) / 1e3
	}
	if c, ok := found.At(time.Now()); ok {
		return min(c.Value, r.found.highest), at
	}
	return math.NaN(), at
}

// followStatus returns how the rate of a scenario is followed; nil if it is not.
func (c *controller) followStatus(sc config.Scenario, r *scenarioRate, now time.Time) *web.FollowStatus {
	if r.found == nil {
		return nil
	}
	s := &web.FollowStatus{}
	if f := (*c.reloader.running.Load())[sc.Name].follower; f != nil {
		s.Failure = f.Failure()
	}
	found := r.applied.Load().found
	if n := len(found); n > 0 {
		last := found[n-1]
		s.Found, s.Until, s.Replica = last.Written, last.Until, last.Replica
	}
	if in, ok := found.At(now); ok {
		rate := min(in.Value, r.found.highest)
		s.Rate = &rate
	}
	return s
}

// followers is what followers of rates have in common.
type followers struct {
	store overrideStore
	// asks reports whether this replica asks for all, whose ID is replica.
	asks    func() bool
	replica string
	logger  *slog.Logger
}

// follower returns what follows the rate of a scenario; nil if it follows none. It does not ask
// yet.
func (f *followers) follower(sc config.Scenario) (*follow.Follower, error) {
	c := sc.Rate.Follow
	if c == nil {
		return nil, nil //nolint:nilnil // Most scenarios follow none.
	}
	logger := f.logger.With("scenario", sc.Name)
	ask, err := server(c.Prometheus, logger).Query(c.Query)
	if err != nil {
		return nil, fmt.Errorf("scenario %q: rate.follow.prometheus: %w", sc.Name, err)
	}
	p := follow.Policy{
		Every: time.Duration(c.Every), Smooth: time.Duration(c.Smooth), Hold: time.Duration(c.Hold),
		Scale: sc.Rate.Scale, Min: float64(sc.Rate.Min), Max: highest(sc), Otherwise: sc.Timeline().Rate,
	}
	if c.MaxStep != nil {
		p.MaxStep = float64(*c.MaxStep)
	}
	return follow.New(follow.Options{
		Scenario: sc.Name, Policy: p, Ask: ask, Store: f.store, Asks: f.asks, Replica: f.replica, Logger: logger,
	}), nil
}

// highest returns the highest rate that a scenario follows.
func highest(sc config.Scenario) float64 {
	most := float64(*sc.Rate.Max)
	if limit := float64(sc.Limits.MaxRate); limit > 0 {
		most = min(most, limit)
	}
	return most
}

// newFound returns where the rates are kept that a scenario follows; nil if it follows none.
func newFound(sc config.Scenario) *foundRates {
	if sc.Rate.Follow == nil {
		return nil
	}
	return &foundRates{highest: highest(sc)}
}

// server translates how a Prometheus is asked.
func server(p config.PrometheusServer, logger *slog.Logger) follow.Server {
	s := follow.Server{URL: p.URL.String(), HTTP: clientConfig(p.HTTPConfig), Header: http.Header{}, UserAgent: userAgent(""), Logger: logger}
	for _, f := range p.HTTPConfig.Headers {
		s.Header.Add(f.Name, f.Value)
	}
	return s
}

// clientConfig translates how a server is reached that is no target, but for its headers.
func clientConfig(h config.QueryHTTPConfig) promconfig.HTTPClientConfig {
	var c promconfig.HTTPClientConfig
	if a := h.BasicAuth; a != nil {
		c.BasicAuth = &promconfig.BasicAuth{
			Username: a.Username, UsernameFile: a.UsernameFile, Password: promconfig.Secret(a.Password), PasswordFile: a.PasswordFile,
		}
	}
	if a := h.Authorization; a != nil {
		c.Authorization = &promconfig.Authorization{
			Type: a.Type, Credentials: promconfig.Secret(a.Credentials), CredentialsFile: a.CredentialsFile,
		}
	}
	c.ProxyConfig = promconfig.ProxyConfig{
		ProxyURL: promconfig.URL{URL: h.ProxyURL.URL}, NoProxy: h.NoProxy, ProxyFromEnvironment: h.ProxyFromEnvironment,
	}
	if t := h.TLSConfig; t != nil {
		c.TLSConfig = promconfig.TLSConfig{
			CA: t.CA, CAFile: t.CAFile, Cert: t.Cert, CertFile: t.CertFile, Key: promconfig.Secret(t.Key), KeyFile: t.KeyFile,
			ServerName: t.ServerName, InsecureSkipVerify: t.InsecureSkipVerify,
			MinVersion: promconfig.TLSVersion(tlsVersion(t.MinVersion)), MaxVersion: promconfig.TLSVersion(tlsVersion(t.MaxVersion)),
		}
	}
	return c
}

// closeFollowers ends the followers that are not among others, and waits for that.
func closeFollowers(of, others map[string]built) {
	for name, b := range of {
		if b.follower != nil && b.follower != others[name].follower {
			b.follower.Close()
		}
	}
}

// stopFollowing ends all followers.
func (r *reloader) stopFollowing(error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	closeFollowers(*r.running.Load(), nil)
	return nil
}
