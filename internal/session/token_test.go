package session_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/session"
)

// account is a Grant that is scripted: what it does the nth time is respond's.
type account struct {
	mu    sync.Mutex
	asked []time.Time
	// respond may be changed between.
	respond func(n int) (session.Token, error)
}

func (a *account) grant(context.Context) (session.Token, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked = append(a.asked, time.Now())
	return a.respond(len(a.asked))
}

// becomes changes what it does, once nothing goes on any more.
func (a *account) becomes(respond func(n int) (session.Token, error)) {
	synctest.Wait()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.respond = respond
}

func (a *account) times() []time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.asked)
}

// tally is a Recorder.
type tally struct {
	mu              sync.Mutex
	renewed, failed int
}

func (c *tally) SessionRenewed() { c.mu.Lock(); defer c.mu.Unlock(); c.renewed++ }
func (c *tally) SessionFailed()  { c.mu.Lock(); defer c.mu.Unlock(); c.failed++ }

// is fails the test unless so many attempts were counted.
func (c *tally) is(t *testing.T, renewed, failed int) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.renewed != renewed || c.failed != failed {
		t.Errorf("%d renewed and %d failed, want %d and %d", c.renewed, c.failed, renewed, failed)
	}
}

// numbered responds with tokens of a lifetime.
func numbered(lifetime time.Duration) func(int) (session.Token, error) {
	return func(n int) (session.Token, error) {
		return session.Token{Value: fmt.Sprintf("token-%d", n), Lifetime: lifetime}, nil
	}
}

// begin starts tokens in a bubble of virtual time, and closes them at the end.
func begin(t *testing.T, respond func(int) (session.Token, error)) (*session.Tokens, *account, *tally, *bytes.Buffer) {
	t.Helper()
	a, c, log := &account{respond: respond}, &tally{}, &bytes.Buffer{}
	tokens := session.NewTokens(a.grant, slog.New(slog.NewTextHandler(log, nil)))
	t.Cleanup(tokens.Close)
	tokens.Start(c)
	tokens.Start(c)
	synctest.Wait()
	return tokens, a, c, log
}

// sends fails the test unless requests would carry the token of this number now.
func sends(t *testing.T, tokens *session.Tokens, number int) {
	t.Helper()
	want := fmt.Sprintf("[Bearer token-%d]", number)
	if got := fmt.Sprint(tokens.Header()); got != want {
		t.Errorf("sends %s, want %s", got, want)
	}
}

func TestATokenIsRenewedAtSome80PercentOfItsLifetime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tokens, a, c, _ := begin(t, numbered(time.Hour))
		sends(t, tokens, 1)
		if want := time.Now().Add(time.Hour); !tokens.Expires().Equal(want) {
			t.Errorf("expires at %v, want %v", tokens.Expires(), want)
		}
		time.Sleep(8 * time.Hour)
		times := a.times()
		different := map[time.Duration]bool{}
		for i := 1; i < len(times); i++ {
			after := times[i].Sub(times[i-1])
			different[after] = true
			if after < 45*time.Minute || after > 51*time.Minute {
				t.Errorf("renewed after %v, want about 48 minutes", after)
			}
		}
		if len(times) < 9 || len(different) < 3 {
			t.Errorf("renewed %d times, after %d different times", len(times), len(different))
		}
		c.is(t, len(times), 0)
		if !tokens.There(time.Now()) {
			t.Error("there is no token")
		}
	})
}

func TestATokenWithoutLifetimeIsKeptAndRenewedNonetheless(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tokens, a, _, _ := begin(t, numbered(0))
		if !tokens.Expires().IsZero() {
			t.Errorf("expires at %v, though nobody knows", tokens.Expires())
		}
		a.becomes(func(int) (session.Token, error) { return session.Token{}, errors.New("away") })
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		sends(t, tokens, 1)
		if !tokens.There(time.Now()) {
			t.Error("a token that nobody says has ended is not used")
		}
	})
}

func TestTinyLifetimesDoNotMakeAStorm(t *testing.T) {
	for _, lifetime := range []time.Duration{time.Nanosecond, time.Millisecond, time.Second} {
		synctest.Test(t, func(t *testing.T) {
			tokens, a, _, _ := begin(t, numbered(lifetime))
			for range 60_000 {
				time.Sleep(time.Millisecond)
				tokens.There(time.Now()) // As slots ask.
				tokens.Refused(time.Now())
			}
			if n := len(a.times()); n < 2 || n > 62 {
				t.Errorf("with a lifetime of %v, asked %d times in a minute", lifetime, n)
			}
		})
	}
}

func TestWhileRenewalFailsTheTokenServesUntilItExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tokens, a, c, log := begin(t, numbered(10*time.Minute))
		a.becomes(func(int) (session.Token, error) { return session.Token{}, errors.New("the server is away") })
		time.Sleep(10*time.Minute - time.Second)
		sends(t, tokens, 1)
		if !tokens.There(time.Now()) {
			t.Error("the token is given up before it expires")
		}
		time.Sleep(time.Second)
		if tokens.There(time.Now()) {
			t.Error("the token is used after it has expired")
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		n := len(a.times()) - 1
		if n < 60 || n > 140 {
			t.Errorf("tried %d times in an hour, want about one a minute", n)
		}
		c.is(t, 1, n)
		if got := strings.Count(log.String(), "the server is away"); got != 1 {
			t.Errorf("logged %d times: %s", got, log)
		}
		a.becomes(numbered(10 * time.Minute))
		time.Sleep(61 * time.Second)
		synctest.Wait()
		if !tokens.There(time.Now()) {
			t.Error("there is no token though the server is back")
		}
		if !strings.Contains(log.String(), "a token is obtained again") {
			t.Errorf("the log does not say that it is well again: %s", log)
		}
	})
}

func TestRetriesBackOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tokens, a, _, _ := begin(t, func(int) (session.Token, error) { return session.Token{}, errors.New("no") })
		if tokens.Header() != nil || tokens.There(time.Now()) || !tokens.Expires().IsZero() {
			t.Error("there is a token")
		}
		time.Sleep(10 * time.Minute)
		times := a.times()
		for i := 1; i < len(times); i++ {
			most := min(time.Minute, time.Second<<(i-1))
			if after := times[i].Sub(times[i-1]); after < most/2 || after > most {
				t.Errorf("attempt %d comes %v after the one before, want %v to %v", i+1, after, most/2, most)
			}
		}
	})
}

func TestATokenThatTheTargetRefusesIsRenewedEarlyOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tokens, a, _, _ := begin(t, numbered(time.Hour))
		time.Sleep(10 * time.Minute)
		sent := time.Now()
		for range 100 {
			tokens.Refused(sent)
		}
		synctest.Wait()
		sends(t, tokens, 2)
		time.Sleep(time.Second)
		tokens.Refused(sent) // It was sent with a token that has been replaced since.
		time.Sleep(10 * time.Minute)
		if n := len(a.times()); n != 2 {
			t.Errorf("asked %d times, want 2", n)
		}
		tokens.Refused(time.Now())
		synctest.Wait()
		sends(t, tokens, 3)
	})
}

func TestNewTokensThatAreRefusedAsWellDoNotMakeAStorm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tokens, a, _, _ := begin(t, numbered(time.Hour))
		for range 600 {
			time.Sleep(100 * time.Millisecond)
			tokens.Refused(time.Now())
		}
		if n := len(a.times()); n < 4 || n > 12 {
			t.Errorf("asked %d times in a minute, want few", n)
		}
	})
}

func TestASuspendIsNoticed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tokens, a, _, _ := begin(t, numbered(time.Hour))
		time.Sleep(time.Minute)
		// The wall clock has gone on, timers have not.
		if tokens.There(time.Now().Add(2 * time.Hour)) {
			t.Error("the token is used after it has expired")
		}
		synctest.Wait()
		if n := len(a.times()); n != 1 {
			t.Errorf("asked %d times though the process' own clock says that it is valid", n)
		}
	})
}

func TestTokensThatNoHeaderCanCarryAreRefused(t *testing.T) {
	for name, value := range map[string]string{"empty": "", "a line break": "a\r\nX: y", "not ASCII": "tökén", "huge": strings.Repeat("x", 1<<20)} {
		t.Run(name, func(t *testing.T) {
			tokens := session.NewTokens(func(context.Context) (session.Token, error) { return session.Token{Value: value}, nil }, slog.New(slog.DiscardHandler))
			if err := tokens.Obtain(t.Context()); err == nil || tokens.Header() != nil {
				t.Errorf("error %v, sends %v", err, tokens.Header())
			}
		})
	}
}

func TestTokensAreTakenOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old, _, _, _ := begin(t, numbered(time.Hour))
		a := &account{respond: numbered(time.Hour)}
		tokens := session.NewTokens(a.grant, slog.New(slog.DiscardHandler))
		tokens.Adopt(old)
		tokens.Start(session.Nobody{})
		defer tokens.Close()
		synctest.Wait()
		sends(t, tokens, 1)
		if len(a.times()) != 0 {
			t.Error("asked for a token though there is one")
		}
		time.Sleep(52 * time.Minute)
		if len(a.times()) != 1 {
			t.Errorf("asked %d times, want 1", len(a.times()))
		}
	})
}

func TestCloseEndsAnAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &tally{}
		tokens := session.NewTokens(func(ctx context.Context) (session.Token, error) {
			<-ctx.Done()
			return session.Token{}, ctx.Err()
		}, slog.New(slog.DiscardHandler))
		tokens.Start(c)
		synctest.Wait()
		tokens.Close()
		tokens.Close()
		tokens.Start(c)
		c.is(t, 0, 0)
	})
}

func TestSendingATokenAllocatesNothing(t *testing.T) {
	tokens := session.NewTokens(func(context.Context) (session.Token, error) { return session.Token{Value: "x"}, nil }, slog.New(slog.DiscardHandler))
	if err := tokens.Obtain(t.Context()); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	if n := testing.AllocsPerRun(100, func() {
		if !tokens.There(now) || len(tokens.Header()) != 1 {
			t.Error("there is no token")
		}
		tokens.Refused(time.Time{})
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
