package session_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/session"
)

// place is where users log in.
type place struct {
	mu sync.Mutex
	// takes is how long a login takes, and away says that none succeeds.
	takes time.Duration
	away  bool
	// users are who there are, in a list that is replaced.
	users *[]string

	logins    map[string][]time.Time
	now, most int
}

func (p *place) list(generation any) ([]string, any, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if generation == any(p.users) {
		return nil, p.users, false
	}
	return *p.users, p.users, true
}

func (p *place) login(ctx context.Context, key string, number int) (string, error) {
	p.mu.Lock()
	p.now++
	p.most = max(p.most, p.now)
	p.logins[key] = append(p.logins[key], time.Now())
	session, takes := fmt.Sprintf("%s-%d of %d", key, len(p.logins[key]), number), p.takes
	p.mu.Unlock()
	timer := time.NewTimer(takes)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now--
	if p.away || ctx.Err() != nil {
		return "", errors.New("nobody can log in")
	}
	return session, nil
}

func (p *place) set(change func()) {
	synctest.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
}

// times returns when a user logged in.
func (p *place) times(key string) []time.Time {
	synctest.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]time.Time(nil), p.logins[key]...)
}

func names(n int) *[]string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("user-%d", i)
	}
	return &all
}

// open starts the sessions of so many users, in a bubble of virtual time.
func open(t *testing.T, n int) (*session.Users[string], *place, *tally, *bytes.Buffer) {
	t.Helper()
	p, c, log := &place{takes: time.Second, users: names(n), logins: map[string][]time.Time{}}, &tally{}, &bytes.Buffer{}
	u := session.NewUsers(session.UsersOptions[string]{
		List: p.list, Login: p.login, RenewAfter: time.Hour, Concurrency: 5, Logger: slog.New(slog.NewTextHandler(log, nil)),
	})
	t.Cleanup(func() { u.Stop(); u.Wait() })
	u.Start(c)
	u.Start(c)
	return u, p, c, log
}

// there fails the test unless there are so many sessions.
func there(t *testing.T, u *session.Users[string], want int) {
	t.Helper()
	synctest.Wait()
	if got := u.Count(); got != want {
		t.Errorf("%d sessions, want %d", got, want)
	}
}

func TestUsersLogInAFewAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, p, c, _ := open(t, 100)
		time.Sleep(10*time.Second + time.Millisecond)
		there(t, u, 50)
		time.Sleep(11 * time.Second)
		there(t, u, 100)
		if p.most != 5 {
			t.Errorf("%d logins at once, want 5", p.most)
		}
		if got := u.Of("user-7"); got != "user-7-1 of 7" || !u.There("user-7") {
			t.Errorf("session %q", got)
		}
		if u.Of("nobody") != "" || u.There("nobody") {
			t.Error("nobody has a session")
		}
		c.is(t, 100, 0)
	})
}

func TestSessionsAreRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, p, _, _ := open(t, 10)
		time.Sleep(5 * time.Hour)
		there(t, u, 10)
		different := map[time.Duration]bool{}
		for i := range 10 {
			times := p.times(fmt.Sprintf("user-%d", i))
			for j := 1; j < len(times); j++ {
				after := times[j].Sub(times[j-1])
				different[after] = true
				if after < 56*time.Minute || after > 64*time.Minute {
					t.Errorf("renewed after %v, want about an hour", after)
				}
			}
		}
		if len(different) < 10 {
			t.Errorf("renewed after %d different times, want many", len(different))
		}
	})
}

func TestARefusedSessionIsRenewedOnceAndGivenUpWhenThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, p, _, log := open(t, 10)
		time.Sleep(10 * time.Minute)
		sent := time.Now()
		for range 100 {
			u.Refused("user-1", sent)
			u.Refused("nobody", sent)
		}
		synctest.Wait()
		if got := u.Of("user-1"); got != "user-1-1 of 1" {
			t.Errorf("session %q is used while the user logs in again", got)
		}
		time.Sleep(2 * time.Second)
		u.Refused("user-1", sent) // It was sent with the session before.
		time.Sleep(10 * time.Minute)
		if got := u.Of("user-1"); got != "user-1-2 of 1" || len(p.times("user-1")) != 2 {
			t.Errorf("session %q, %d logins", got, len(p.times("user-1")))
		}
		p.set(func() { p.away = true })
		u.Refused("user-1", time.Now())
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if u.There("user-1") {
			t.Error("a session that has ended and cannot be renewed is used")
		}
		there(t, u, 9)
		time.Sleep(10 * time.Hour) // The others are old by now, but nobody has refused them.
		there(t, u, 9)
		if n := strings.Count(log.String(), "nobody can log in"); n < 60 || n > 700 {
			t.Errorf("logged %d times in 10 hours", n)
		}
		p.set(func() { p.away = false })
		time.Sleep(2 * time.Minute)
		there(t, u, 10)
	})
}

func TestSessionsThatAreRefusedAtOnceDoNotMakeAStorm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, p, _, _ := open(t, 1)
		for range 6000 {
			time.Sleep(100 * time.Millisecond)
			u.Refused("user-0", time.Now())
		}
		if n := len(p.times("user-0")); n < 8 || n > 40 {
			t.Errorf("%d logins in 10 minutes, want few", n)
		}
	})
}

func TestFailuresOfAUserBackOffAndLeaveOthersAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, p, c, _ := open(t, 3)
		p.set(func() { p.away = true })
		time.Sleep(time.Hour)
		there(t, u, 0)
		n := len(p.times("user-0"))
		if n < 50 || n > 140 {
			t.Errorf("%d logins of a user in an hour, want about one a minute", n)
		}
		p.set(func() { p.away = false })
		time.Sleep(2 * time.Minute)
		there(t, u, 3)
		_ = c
	})
}

func TestUsersComeAndGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, p, _, _ := open(t, 10)
		time.Sleep(time.Minute)
		there(t, u, 10)
		p.set(func() { p.users = &[]string{"user-9", "user-9", "new"} })
		time.Sleep(3 * time.Second)
		there(t, u, 2)
		if !u.There("new") || u.There("user-1") || u.Of("user-9") != "user-9-1 of 9" {
			t.Errorf("new %v, gone %v, session %q", u.There("new"), u.There("user-1"), u.Of("user-9"))
		}
		time.Sleep(2 * time.Hour)
		if n := len(p.times("user-1")); n != 1 {
			t.Errorf("who has gone logged in %d times", n)
		}
	})
}

func TestThereAreNoMoreSessionsThanTheBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		p := &place{users: names(25), logins: map[string][]time.Time{}}
		u := session.NewUsers(session.UsersOptions[string]{
			List: p.list, Login: p.login, RenewAfter: time.Hour, Concurrency: 5, Logger: slog.New(slog.NewTextHandler(&log, nil)),
		})
		defer func() { u.Stop(); u.Wait() }()
		session.Bound(u, 20)
		u.Start(session.Nobody{})
		time.Sleep(time.Minute)
		there(t, u, 20)
		if u.There("user-20") || !strings.Contains(log.String(), "more users than have sessions") {
			t.Errorf("user 20 has a session, %v, or the log does not say so: %s", u.There("user-20"), log.String())
		}
	})
}

func TestSessionsAreTakenOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old, _, _, _ := open(t, 10)
		time.Sleep(30 * time.Minute)
		p := &place{users: names(11), logins: map[string][]time.Time{}}
		u := session.NewUsers(session.UsersOptions[string]{
			List: p.list, Login: p.login, RenewAfter: time.Hour, Concurrency: 5, Logger: slog.New(slog.DiscardHandler),
		})
		u.Adopt(old)
		there(t, u, 10)
		u.Start(session.Nobody{})
		defer func() { u.Stop(); u.Wait() }()
		time.Sleep(time.Second)
		there(t, u, 11)
		if u.Of("user-3") != "user-3-1 of 3" || len(p.times("user-3")) != 0 || len(p.times("user-10")) != 1 {
			t.Errorf("session %q, %d logins", u.Of("user-3"), len(p.times("user-3")))
		}
		time.Sleep(35 * time.Minute)
		if n := len(p.times("user-3")); n != 1 {
			t.Errorf("%d logins within 35 minutes more, want 1", n)
		}
	})
}
