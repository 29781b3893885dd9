package app

import (
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/config"
	"github.com/traffic-exporter/traffic_exporter/internal/engine"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/grpc/spec"
	"github.com/traffic-exporter/traffic_exporter/internal/session"
	"github.com/traffic-exporter/traffic_exporter/internal/timeline"
)

// tokens are those of a scenario's service account. They end with the client that sends them.
type tokens struct {
	*session.Tokens

	// fingerprint shows whether another configuration asks for the same.
	fingerprint string
	// recorder receives renewals. It is set once, before slots are due.
	recorder        session.Recorder
	recording, asks sync.Once
}

var _ engine.Needs = (*tokens)(nil)

// newTokens returns the tokens of a scenario, which are not asked for yet; nil if it has none.
func newTokens(sc config.Scenario, in surroundings) (*tokens, error) {
	o := sc.HTTPConfig.OAuth2
	if o == nil || in.offline || in.sink != nil {
		return nil, nil //nolint:nilnil // No tokens are what most scenarios have.
	}
	logger := in.logger.With("scenario", sc.Name)
	account := credentials(sc, in.observer, logger)
	account.Fence = in.fence
	grant, err := account.Grant()
	if err != nil {
		return nil, fmt.Errorf("scenario %q: %w", sc.Name, err)
	}
	return &tokens{Tokens: session.NewTokens(grant, logger), fingerprint: o.Fingerprint(), recorder: session.Nobody{}}, nil
}

// credentials translates how tokens are obtained.
func credentials(sc config.Scenario, observer protocol.ConnObserver, logger *slog.Logger) session.ClientCredentials {
	o := *sc.HTTPConfig.OAuth2
	params := map[string][]string{}
	for _, e := range o.EndpointParams {
		params[e.Name] = []string{string(e.Value)}
	}
	return session.ClientCredentials{
		ID: o.ClientID, Secret: string(o.ClientSecret), SecretFile: o.ClientSecretFile,
		TokenURL: o.TokenURL.String(), Scopes: o.Scopes, Params: params,
		TLS: tlsOptions(o.TLSConfig),
		Proxy: proxyOptions(config.HTTPConfig{
			ProxyURL: o.ProxyURL, NoProxy: o.NoProxy, ProxyFromEnvironment: o.ProxyFromEnvironment, ProxyConnectHeader: o.ProxyConnectHeader,
		}),
		UserAgent: userAgent(sc.HTTPConfig.UserAgent), FileFailed: observer.FileFailed, Logger: logger,
	}
}

// begin has the tokens asked for from now on, if slots are due soon; otherwise when one is.
func (t *tokens) begin(r session.Recorder, line *timeline.Timeline) {
	t.recording.Do(func() { t.recorder = r })
	if dueSoon(line) {
		t.ask()
	}
}

// dueSoon reports whether slots are due within a day.
func dueSoon(line *timeline.Timeline) bool {
	now := time.Now()
	return line.Count(now, now.Add(24*time.Hour)) > 0
}

func (t *tokens) ask() { t.asks.Do(func() { t.Start(t.recorder) }) }

// Lacks implements engine.Needs.
func (t *tokens) Lacks(_ timeline.Slot, now time.Time) (engine.DropReason, bool) {
	if t.There(now) {
		return 0, false
	}
	t.ask()
	return engine.DropNoToken, true
}

// count returns how many tokens there are. The tokens may be nil.
func (t *tokens) count() float64 {
	if t != nil && t.There(time.Now()) {
		return 1
	}
	return 0
}

// expiry returns when the token expires, in Unix time; 0 if nobody knows. The tokens may be nil.
func (t *tokens) expiry() float64 {
	if t == nil || t.Expires().IsZero() {
		return 0
	}
	return float64(t.Expires().UnixMilli()) / 1e3
}

// takeOver has tokens of the same account go on with those that there are.
func (t *tokens) takeOver(old *mix) {
	if old != nil && old.tokens != nil && old.tokens.fingerprint == t.fingerprint {
		t.Adopt(old.tokens.Tokens)
	}
}

// refusals is a Recorder that has tokens renewed which the target does not take.
type refusals struct {
	engine.Recorder
	tokens *tokens
}

// Exchanged implements engine.Recorder.
func (r *refusals) Exchanged(o engine.Outcome) {
	r.Recorder.Exchanged(o)
	if c := o.Result.Code; c == "401" || c == spec.Unauthenticated.String() {
		r.tokens.Refused(o.Result.Sent)
	}
}
