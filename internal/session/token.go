package session

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// unknownLifetime is after how long a token is renewed whose lifetime the server does not say.
	unknownLifetime = time.Hour
	// shortest is how long a token is kept at least, however soon it expires.
	shortest = time.Second
	// maxToken bounds a token, in bytes: more does not fit into headers.
	maxToken = 32 << 10
)

// Token is what an authorization server has granted.
type Token struct {
	Value string
	// Lifetime is how long it is valid, from when it was asked for; 0 if nobody knows.
	Lifetime time.Duration
}

// errToken is a token that no header can carry.
var errToken = errors.New("the access token is empty, too long or holds characters that no header can carry")

// sendable reports whether a header can carry the token.
func (t Token) sendable() bool {
	return t.Value != "" && len(t.Value) <= maxToken && !strings.ContainsFunc(t.Value, func(c rune) bool { return c <= ' ' || c >= 0x7f })
}

// Grant asks for a token. Its errors hold no secrets. It is not called concurrently.
type Grant func(ctx context.Context) (Token, error)

// Tokens holds the token of a service account: it is asked for before it is needed, and
// renewed at some 80 % of its lifetime. When that fails the old one serves until it expires.
// Create it with NewTokens. Safe for concurrent use.
type Tokens struct {
	grant    Grant
	logger   *slog.Logger
	recorder Recorder

	held atomic.Pointer[held]
	// wake asks the loop to look at the token.
	wake chan struct{}

	mu      sync.Mutex
	cancel  context.CancelFunc
	closed  bool
	running sync.WaitGroup
	// failure is the last one logged; it is the loop's.
	failure string
}

// held is a token that is in use.
type held struct {
	header []string
	// asked is when it was asked for, and expires when it ends by the wall clock; zero if that is
	// not known. renew is when to renew it.
	asked, expires time.Time
	renew          time.Duration
	// refused says that the target does not take it.
	refused atomic.Bool
}

// expired reports whether it has ended.
func (h *held) expired(now time.Time) bool { return !h.expires.IsZero() && !now.Before(h.expires) }

// NewTokens returns Tokens that hold none before Start or Obtain.
func NewTokens(grant Grant, logger *slog.Logger) *Tokens {
	return &Tokens{grant: grant, logger: logger, recorder: Nobody{}, wake: make(chan struct{}, 1)}
}

// Adopt takes over the token of another, so that a change of something else leaves no gap. It
// comes before Start.
func (t *Tokens) Adopt(from *Tokens) {
	if h := from.held.Load(); h != nil {
		t.held.Store(h)
	}
}

// Start begins to ask for tokens, until Close. Calls after the first do nothing.
func (t *Tokens) Start(r Recorder) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed || t.cancel != nil {
		return
	}
	t.recorder = r
	ctx, cancel := context.WithCancel(context.Background())
	t.cancel = cancel
	t.running.Go(func() { t.run(ctx) })
}

// Close ends it, and waits for that. The last token stays.
func (t *Tokens) Close() {
	t.mu.Lock()
	t.closed = true
	if t.cancel != nil {
		t.cancel()
	}
	t.mu.Unlock()
	t.running.Wait()
}

// Obtain asks for a token once, instead of Start.
func (t *Tokens) Obtain(ctx context.Context) error {
	asked := time.Now()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	token, err := t.grant(ctx)
	switch {
	case err != nil:
		return err
	case !token.sendable():
		return errToken
	}
	t.held.Store(newHeld(token, asked))
	return nil
}

func newHeld(token Token, asked time.Time) *held {
	h := &held{header: []string{"Bearer " + token.Value}, asked: asked, renew: unknownLifetime}
	if token.Lifetime > 0 {
		h.expires = asked.Round(0).Add(token.Lifetime) // By the wall clock, which goes on in a suspend.
		h.renew = token.Lifetime / 5 * 4
	}
	h.renew = max(shortest, around(h.renew))
	return h
}

// Header returns the values of Authorization: one, or none before there is a token. Do not
// modify them.
func (t *Tokens) Header() []string {
	if h := t.held.Load(); h != nil {
		return h.header
	}
	return nil
}

// There reports whether there is a token that has not expired.
func (t *Tokens) There(now time.Time) bool {
	h := t.held.Load()
	switch {
	case h == nil:
		return false
	case h.expired(now):
		t.poke() // A suspend stops timers.
		return false
	}
	return true
}

// Expires returns when the token does; zero if there is none or nobody knows.
func (t *Tokens) Expires() time.Time {
	if h := t.held.Load(); h != nil {
		return h.expires
	}
	return time.Time{}
}

// Refused says that the target did not take the token of a request that was sent then. The
// token is renewed early, once.
func (t *Tokens) Refused(sent time.Time) {
	h := t.held.Load()
	if h != nil && sent.After(h.asked) && !h.refused.Load() && h.refused.CompareAndSwap(false, true) {
		t.poke()
	}
}

func (t *Tokens) poke() {
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

// run asks for tokens until ctx ends.
func (t *Tokens) run(ctx context.Context) {
	failures, early := 0, 0
	if h := t.held.Load(); h != nil && !t.await(ctx, h) { // It was adopted.
		return
	}
	for ctx.Err() == nil {
		err := t.Obtain(ctx)
		if ctx.Err() != nil {
			return
		}
		t.report(err)
		if err != nil {
			failures++
			pause(ctx, backOff(failures))
			continue
		}
		failures = 0
		h := t.held.Load()
		if !t.await(ctx, h) {
			return
		}
		lived := time.Since(h.asked)
		switch {
		case !h.refused.Load() || lived >= lastRetry:
			early = 0
		default:
			// New tokens do not help, or the target would have taken this one.
			early++
			pause(ctx, backOff(early)-lived)
		}
	}
}

// await waits until a token needs renewal, and returns false when ctx ends.
func (t *Tokens) await(ctx context.Context, h *held) bool {
	timer := time.NewTimer(h.renew - time.Since(h.asked))
	defer timer.Stop()
	for !h.refused.Load() {
		select {
		case <-ctx.Done():
			return false
		case <-timer.C:
			return true
		case <-t.wake:
			if h.expired(time.Now()) && time.Since(h.asked) >= shortest {
				return true
			}
		}
	}
	return ctx.Err() == nil
}

// pause waits, no longer than ctx lasts.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// report counts an attempt, and logs when attempts begin to fail, fail otherwise or
// cease to fail.
func (t *Tokens) report(err error) {
	if err != nil {
		t.recorder.SessionFailed()
		if text := err.Error(); text != t.failure {
			t.failure = text
			t.logger.Warn("no token can be obtained", "err", err)
		}
		return
	}
	t.recorder.SessionRenewed()
	if t.failure != "" {
		t.failure = ""
		t.logger.Info("a token is obtained again")
	}
}
