package session

import (
	"container/heap"
	"context"
	"log/slog"
	"sync"
	"time"
)

// MaxUsers bounds the sessions of a scenario in a replica. Users beyond it have none.
const MaxUsers = 10_000

const (
	// look is how often it is seen who the users are.
	look = time.Second
	// loginPatience bounds one login.
	loginPatience = 2 * time.Minute
	// logEvery is the least time between two failures in the log.
	logEvery = time.Minute
)

// UsersOptions are what Users are made from.
type UsersOptions[S any] struct {
	// List returns the users, each by a key of its own, if they are others than when it returned
	// generation; first it is called with nil.
	List func(generation any) (users []string, now any, changed bool)
	// Login logs a user in, by its key and its number in the list. It is called by Concurrency
	// goroutines at most and ends soon after ctx. Its errors hold no secrets.
	Login func(ctx context.Context, key string, number int) (S, error)
	// RenewAfter is how long a session is used before its user logs in again, give or take a
	// twentieth.
	RenewAfter  time.Duration
	Concurrency int
	Logger      *slog.Logger
}

// Users holds the sessions of a scenario's users: each is logged in before it is needed, and
// again later. Create it with NewUsers. Safe for concurrent use.
type Users[S any] struct {
	o        UsersOptions[S]
	recorder Recorder
	// wake asks the loop to look who is due.
	wake    chan struct{}
	cancel  context.CancelFunc
	running sync.WaitGroup

	mu    sync.RWMutex
	users map[string]*user[S]
	// most bounds them.
	most       int
	queue      queue[S]
	busy       int
	there      int
	generation any
	started    bool
	closed     bool
	// failing is how many users could not log in the last time, and logged when that was logged.
	failing int
	logged  time.Time
}

// user is one of them. It is in the queue unless somebody logs it in.
type user[S any] struct {
	key    string
	number int
	// due is when it is to log in, and at its place in the queue; -1 while it logs in or when it
	// has gone.
	due time.Time
	at  int

	session S
	// has says that there is a session, begun when its login began, and refused that the target
	// has ended it.
	has, refused bool
	begun        time.Time
	// failures counts logins that failed one after the other, and early those of sessions that
	// were refused soon.
	failures, early int
}

// NewUsers returns Users. Nobody is logged in before Start.
func NewUsers[S any](o UsersOptions[S]) *Users[S] {
	return &Users[S]{o: o, recorder: Nobody{}, wake: make(chan struct{}, 1), users: map[string]*user[S]{}, most: MaxUsers}
}

// Adopt takes over the sessions of the same users, before Start.
func (u *Users[S]) Adopt(from *Users[S]) {
	from.mu.RLock()
	defer from.mu.RUnlock()
	for key, old := range from.users {
		if old.has && !old.refused {
			u.users[key] = &user[S]{key: key, number: old.number, session: old.session, has: true, begun: old.begun, at: -1}
			u.there++
		}
	}
}

// Start begins to log users in, until Stop. Calls after the first do nothing.
func (u *Users[S]) Start(r Recorder) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.closed || u.started {
		return
	}
	u.started = true
	u.recorder = r
	ctx, cancel := context.WithCancel(context.Background()) //nolint:gosec // Stop calls it.
	u.cancel = cancel
	u.running.Go(func() { u.run(ctx) })
}

// Stop ends it, and Wait waits for that. Logins in flight end when their client is closed.
func (u *Users[S]) Stop() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.closed = true
	if u.cancel != nil {
		u.cancel()
	}
}

// Wait is described at Stop.
func (u *Users[S]) Wait() { u.running.Wait() }

// Obtain logs one user in, instead of Start.
func (u *Users[S]) Obtain(ctx context.Context, key string, number int) error {
	s, err := u.o.Login(ctx, key, number)
	if err != nil {
		return err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.users[key] = &user[S]{key: key, number: number, session: s, has: true, begun: time.Now(), at: -1}
	return nil
}

// Of returns the session of a user; the zero value if there is none.
func (u *Users[S]) Of(key string) S {
	u.mu.RLock()
	defer u.mu.RUnlock()
	if x := u.users[key]; x != nil && x.has {
		return x.session
	}
	var none S
	return none
}

// There reports whether a user has a session.
func (u *Users[S]) There(key string) bool {
	u.mu.RLock()
	defer u.mu.RUnlock()
	x := u.users[key]
	return x != nil && x.has
}

// Count returns how many sessions there are.
func (u *Users[S]) Count() int {
	u.mu.RLock()
	defer u.mu.RUnlock()
	return u.there
}

// Refused says that the target ended the session of a request that was sent then. The user logs
// in again, once; until that fails the old session stays in use.
func (u *Users[S]) Refused(key string, sent time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	x := u.users[key]
	if x == nil || !x.has || x.refused || !sent.After(x.begun) {
		return
	}
	x.refused = true
	if x.at < 0 {
		return // It logs in already.
	}
	lived := time.Since(x.begun)
	if x.early++; lived >= lastRetry {
		x.early = 0
	}
	x.due = time.Now()
	if x.early > 0 {
		// New sessions do not help, or the target would have taken this one.
		x.due = x.due.Add(max(0, backOff(x.early)-lived))
	}
	heap.Fix(&u.queue, x.at)
	u.poke()
}

func (u *Users[S]) poke() {
	select {
	case u.wake <- struct{}{}:
	default:
	}
}

// run logs users in until ctx ends.
func (u *Users[S]) run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		u.reconcile()
		timer.Reset(u.begin(ctx))
		select {
		case <-ctx.Done():
		case <-timer.C:
		case <-u.wake:
		}
	}
}

// reconcile sees who the users are.
func (u *Users[S]) reconcile() {
	keys, generation, changed := u.o.List(u.generation)
	if !changed {
		return
	}
	if len(keys) > u.most {
		u.o.Logger.Warn("there are more users than have sessions", "users", len(keys), "most", u.most)
		keys = keys[:u.most]
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.generation = generation
	left := make(map[string]*user[S], len(keys))
	u.queue, u.there, u.failing = u.queue[:0], 0, 0
	now := time.Now()
	for i, key := range keys {
		if left[key] != nil {
			continue // There are two rows alike.
		}
		x := u.users[key]
		switch {
		case x == nil:
			x = &user[S]{key: key, due: now, at: -1}
			u.queue = append(u.queue, x)
		case x.at >= 0:
			u.queue = append(u.queue, x)
		case x.due.IsZero(): // It was adopted.
			x.due = x.begun.Add(around(u.o.RenewAfter))
			u.queue = append(u.queue, x)
		}
		x.number = i
		left[key] = x
		if x.has {
			u.there++
		}
		if x.failures > 0 {
			u.failing++
		}
	}
	u.users = left
	for i, x := range u.queue {
		x.at = i
	}
	heap.Init(&u.queue)
}

// begin begins the logins that are due, as many as may go on at a time, and returns how long
// there is to wait until more may be.
func (u *Users[S]) begin(ctx context.Context) time.Duration {
	u.mu.Lock()
	defer u.mu.Unlock()
	now := time.Now()
	for len(u.queue) > 0 && u.busy < u.o.Concurrency && !u.queue[0].due.After(now) {
		x, _ := heap.Pop(&u.queue).(*user[S])
		u.busy++
		number := x.number
		u.running.Go(func() { u.login(ctx, x, number) })
	}
	if len(u.queue) == 0 || u.busy >= u.o.Concurrency {
		return look
	}
	return min(look, max(0, u.queue[0].due.Sub(now)))
}

// login logs a user in.
func (u *Users[S]) login(ctx context.Context, x *user[S], number int) {
	begun := time.Now()
	limited, cancel := context.WithTimeout(ctx, loginPatience)
	s, err := u.o.Login(limited, x.key, number)
	cancel()
	u.mu.Lock()
	defer u.mu.Unlock()
	u.busy--
	defer u.poke()
	if ctx.Err() != nil {
		return
	}
	present := u.users[x.key] == x
	if err != nil {
		u.failed(x, present, err)
	} else {
		u.obtained(x, present, s, begun)
	}
	if present {
		heap.Push(&u.queue, x)
	}
}

// failed notes that a user could not log in.
func (u *Users[S]) failed(x *user[S], present bool, err error) {
	u.recorder.SessionFailed()
	if x.failures++; x.failures == 1 && present {
		u.failing++
	}
	if x.refused && x.has {
		var none S
		x.session, x.has, x.refused = none, false, false
		if present {
			u.there--
		}
	}
	x.due = time.Now().Add(backOff(x.failures))
	if now := time.Now(); u.logged.IsZero() || now.Sub(u.logged) >= logEvery {
		u.logged = now
		u.o.Logger.Warn("a user cannot log in; others of the next minute are only counted", "number", x.number, "failing", u.failing, "users", len(u.users), "err", err)
	}
}

// obtained notes a session.
func (u *Users[S]) obtained(x *user[S], present bool, s S, begun time.Time) {
	u.recorder.SessionRenewed()
	if present {
		if x.failures > 0 {
			u.failing--
		}
		if !x.has {
			u.there++
		}
	}
	x.session, x.has, x.refused, x.begun, x.failures = s, true, false, begun, 0
	x.due = begun.Add(around(u.o.RenewAfter))
}

// queue has the user first who is due first.
type queue[S any] []*user[S]

// Len implements heap.Interface.
func (q queue[S]) Len() int { return len(q) }

// Less implements heap.Interface.
func (q queue[S]) Less(i, j int) bool { return q[i].due.Before(q[j].due) }

// Swap implements heap.Interface.
func (q queue[S]) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].at, q[j].at = i, j
}

// Push implements heap.Interface.
func (q *queue[S]) Push(x any) {
	u, _ := x.(*user[S])
	u.at = len(*q)
	*q = append(*q, u)
}

// Pop implements heap.Interface.
func (q *queue[S]) Pop() any {
	last := (*q)[len(*q)-1]
	(*q)[len(*q)-1] = nil
	*q = (*q)[:len(*q)-1]
	last.at = -1
	return last
}
