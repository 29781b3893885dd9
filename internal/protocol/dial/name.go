package dial

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// retryEvery is the longest time between two queries for a name that are not responded to,
	// and the time between two lookups of a name that cannot be resolved while its old
	// addresses are in use. shortestRetry is the shortest between two queries.
	retryEvery    = time.Second
	shortestRetry = 100 * time.Millisecond
	// longestWait is the longest that a connection waits for a lookup, where there are old
	// addresses that it may go to.
	longestWait = time.Second
	// longestLookup is the longest that a lookup takes, and mostQueries how many times it asks.
	longestLookup = 10 * time.Second
	mostQueries   = 5
	// warnEvery is the time between two warnings: a resolver that is only slow is one that hangs
	// again and again.
	warnEvery = time.Minute
	// failureHolds is how long all callers share a failure: a name that does not exist must
	// not cost the resolver a query for each request.
	failureHolds = 100 * time.Millisecond
)

// errNoResponse is a resolver that is silent.
var errNoResponse = errors.New("no response from the resolver")

// name is a host and port, with its addresses as current as the options demand. It resolves
// only when somebody asks. Safe for concurrent use.
type name struct {
	dialer     *Dialer
	host, port string
	// fixed are the addresses of a host that is an address, so that there is nothing to
	// resolve.
	fixed []string
	// changed is called with the addresses when they are others than before. Calls do not
	// overlap, and those who wait for the lookup go on after it.
	changed func(addrs []string)
	// due is when the next lookup in the background is, in nanoseconds of Unix time; 0 for
	// none.
	due atomic.Int64

	mu sync.Mutex
	// known are the addresses and resolved is when they were found; zero before that.
	known    []string
	resolved time.Time
	// running is the lookup on its way; nil if there is none.
	running *lookup
	// outage is when the lookups began to fail, or to hang; zero if they do not.
	outage time.Time
	// warned is when an outage was logged last, and said that this one was logged.
	warned time.Time
	said   bool
	// hung says that the last lookup got no response.
	hung bool
	// failure is what the last lookup failed for, at failedAt.
	failure  error
	failedAt time.Time
}

// lookup is a lookup of a name, shared by all callers that need it.
type lookup struct {
	began time.Time
	// asked says that a query has been sent, or is about to be.
	asked atomic.Bool
	// done is closed at its end, and err set before.
	done chan struct{}
	err  error
}

// resolution is what a name was resolved to, and when. It may be handed from one name to
// another one of the same host and port.
type resolution struct {
	host, port string
	addrs      []string
	at         time.Time
}

// silence returns the error of callers that cannot wait for it any longer: the resolver is silent,
// unless no query has been sent to it.
func (l *lookup) silence(host string) error {
	if l != nil && !l.asked.Load() {
		return errTooManyLookups
	}
	return &net.DNSError{Err: errNoResponse.Error(), Name: host, IsTimeout: true}
}

// ended reports whether it has ended.
func (l *lookup) ended() bool {
	select {
	case <-l.done:
		return true
	default:
		return false
	}
}

// found are addresses to connect to.
type found struct {
	addrs []string
	// waited is how long the connection had to wait for them.
	waited time.Duration
	// outdated says that they are older than they should be.
	outdated bool
}

// newName returns the name of addr, host:port.
func newName(d *Dialer, addr string, changed func([]string)) *name {
	n := &name{dialer: d, changed: changed}
	var err error
	n.host, n.port, err = net.SplitHostPort(addr)
	if err != nil {
		n.host = addr // It is going to fail when it is resolved.
	} else if _, err = netip.ParseAddr(n.host); err == nil {
		n.fixed = []string{addr}
		changed(n.fixed)
	}
	return n
}

// current returns the addresses, for a new connection. Those that are older than they should
// be are resolved again first. While that fails there is a time of grace, in which the old
// ones serve: from the moment that the resolver fails or is silent, without waiting for it.
// Errors are of type *Error.
func (n *name) current(ctx context.Context) (found, error) {
	if n.fixed != nil {
		return found{addrs: n.fixed}, nil
	}
	begin := time.Now()
	f, l, err := n.ask(begin) //nolint:contextcheck // A lookup is shared, and belongs to the Dialer.
	if err == nil && l != nil {
		f, err = n.wait(ctx, l)
	}
	if err != nil {
		return found{}, &Error{Step: StepConnect, Addr: net.JoinHostPort(n.host, n.port), Err: err}
	}
	f.waited = time.Since(begin)
	if l == nil {
		f.waited = 0
	}
	return f, nil
}

// ask returns the addresses if they serve as they are, and otherwise the lookup to wait for.
func (n *name) ask(now time.Time) (found, *lookup, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	every := n.dialer.every
	switch {
	case n.fresh(now):
		return found{addrs: n.known}, nil, nil
	case !n.outage.IsZero() && n.inGrace(now):
		if now.UnixNano() >= n.due.Load() {
			n.look(now)
		}
		return n.old(), nil, nil
	case n.running == nil && n.failure != nil && every > 0 && now.Sub(n.failedAt) < failureHolds:
		return found{}, nil, n.failure
	}
	if n.look(now); n.running == nil {
		return found{}, nil, ErrClosed
	}
	return found{}, n.running, nil
}

// fresh reports whether the addresses are as current as the options demand.
func (n *name) fresh(now time.Time) bool {
	return n.known != nil && now.Sub(n.resolved) < n.dialer.every
}

// inGrace reports whether the addresses may serve although they are not fresh.
func (n *name) inGrace(now time.Time) bool {
	return n.known != nil && now.Sub(n.resolved) < n.dialer.every+n.dialer.grace
}

// old returns the addresses that are known.
func (n *name) old() found { return found{addrs: n.known, outdated: true} }

// wait waits for a lookup, in the time of grace only for a while.
func (n *name) wait(ctx context.Context, l *lookup) (found, error) {
	var hangs <-chan time.Time
	if wait := n.patience(); wait > 0 {
		timer := time.NewTimer(wait - time.Since(l.began))
		defer timer.Stop()
		hangs = timer.C
	}
	select {
	case <-l.done:
	case <-hangs:
		if !l.ended() {
			n.fail(errNoResponse)
			n.mu.Lock()
			defer n.mu.Unlock()
			return n.old(), nil
		}
	case <-ctx.Done():
		if errors.Is(ctx.Err(), context.Canceled) {
			return found{}, ctx.Err()
		}
		return found{}, l.silence(n.host)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case l.err == nil:
		return found{addrs: n.known}, nil
	case n.inGrace(time.Now()):
		return n.old(), nil
	}
	return found{}, l.err
}

// addresses returns those that are known, whatever their age.
func (n *name) addresses() []string {
	if n.fixed != nil {
		return n.fixed
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.known
}

// patience returns how long a connection waits for a lookup before it goes to an old
// address; 0 if it must not. It ends within the time of grace.
func (n *name) patience() time.Duration {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.inGrace(time.Now()) {
		return 0
	}
	return min(longestWait, n.dialer.grace/4, n.dialer.wait/2)
}

// refresh resolves the name again in the background if that is due.
func (n *name) refresh(now time.Time) {
	if due := n.due.Load(); due == 0 || now.UnixNano() < due {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if now.UnixNano() >= n.due.Load() {
		n.look(now)
	}
}

// waiting returns the error for callers that cannot wait any longer, if they wait for a
// lookup; nil if they do not.
func (n *name) waiting() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	now := time.Now()
	if n.running == nil && n.outage.IsZero() || n.fresh(now) || n.inGrace(now) {
		return nil
	}
	return &Error{Step: StepConnect, Addr: net.JoinHostPort(n.host, n.port), Err: n.running.silence(n.host)}
}

// look begins a lookup unless there is one. The caller holds mu.
func (n *name) look(now time.Time) {
	if n.running != nil {
		return
	}
	l := &lookup{began: now, done: make(chan struct{})}
	if n.dialer.spawn(func() { n.run(l) }) {
		n.running = l
	}
}

// run makes a lookup.
func (n *name) run(l *lookup) {
	d := n.dialer
	ctx, cancel := context.WithTimeout(d.ctx, min(d.timeout, longestLookup))
	defer cancel()
	n.mu.Lock()
	hung := n.hung
	n.mu.Unlock()
	addrs, err := n.query(ctx, l, hung)
	hung = err != nil && ctx.Err() != nil && (hung || l.asked.Load())
	if d.ctx.Err() != nil {
		err = context.Canceled // It was not the resolver that failed.
	}
	if err != nil {
		n.fail(err)
	} else {
		n.succeed(addrs, time.Now())
	}
	n.mu.Lock()
	n.running, n.hung = nil, hung
	n.mu.Unlock()
	l.err = err
	close(l.done)
}

// response is what came of a query.
type response struct {
	query int
	addrs []string
	err   error
}

// query asks the resolver until it responds, again after a second or a quarter of what requests
// wait, and then more and more slowly: a query or its response may have been lost, and what the
// resolver could not do a second ago it may be able to do now. The observer receives the query
// that was responded to and, as failed, those before it. hung says that the last lookup got no response.
func (n *name) query(ctx context.Context, l *lookup, hung bool) ([]string, error) {
	ctx, cancel := context.WithCancel(ctx)
	responses := make(chan response, mostQueries)
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	again := n.dialer.retry
	timer := time.NewTimer(again)
	defer timer.Stop()
	var asked []time.Time
	for {
		if i := len(asked); i < mostQueries {
			asked = append(asked, time.Now())
			running.Go(func() {
				addrs, err := n.resolve(ctx, l, hung || i > 0)
				responses <- response{i, addrs, err}
			})
		}
		select {
		case r := <-responses:
			if ctx.Err() != nil {
				r.query = 0 // None was responded to, and those that are given up end in any order.
			}
			n.report(asked[:r.query+1], r.err)
			return r.addrs, r.err
		case <-timer.C:
			again = min(2*again, retryEvery)
			timer.Reset(again)
		}
	}
}

// report reports queries to the observer. Only the last one was responded to.
func (n *name) report(asked []time.Time, err error) {
	if n.dialer.ctx.Err() != nil {
		return // It was us who gave them up.
	}
	now, last := time.Now(), len(asked)-1
	for _, at := range asked[:last] {
		n.dialer.observer.Resolved(now.Sub(at), errNoResponse)
	}
	n.dialer.observer.Resolved(now.Sub(asked[last]), err)
}

// fail takes a lookup that has failed, or hangs.
func (n *name) fail(err error) {
	now := time.Now()
	n.mu.Lock()
	ours := errors.Is(err, context.Canceled)
	if n.outage.IsZero() && !ours {
		n.outage = now
	}
	warn := !n.said && !ours && now.Sub(n.warned) >= warnEvery
	if warn {
		n.warned, n.said = now, true
	}
	if !errors.Is(err, errNoResponse) {
		n.failure, n.failedAt = err, now
	}
	serves, until := n.inGrace(now), n.resolved.Add(n.dialer.every+n.dialer.grace)
	if n.known != nil {
		n.due.Store(now.Add(retryEvery).UnixNano())
	}
	n.mu.Unlock()
	switch {
	case !warn:
	case serves:
		n.dialer.logger.Warn("name cannot be resolved again, its old addresses serve for a while", "name", n.host, "err", err, "until", until)
	default:
		n.dialer.logger.Warn("name cannot be resolved", "name", n.host, "err", err)
	}
}

// succeed takes the addresses that a lookup has found now. Those that were known, in another
// order, stay as they are.
func (n *name) succeed(addrs []string, now time.Time) {
	n.mu.Lock()
	outage, said := n.outage, n.said
	n.said = false
	n.outage, n.failure, n.resolved = time.Time{}, nil, now
	n.due.Store(0)
	if n.dialer.every > 0 {
		n.due.Store(now.Add(n.dialer.every).UnixNano())
	}
	same := slices.Equal(slices.Sorted(slices.Values(addrs)), slices.Sorted(slices.Values(n.known)))
	if !same {
		n.known = addrs
	}
	n.mu.Unlock()
	if said {
		n.dialer.logger.Info("name is resolved again", "name", n.host, "outage_seconds", now.Sub(outage).Seconds())
	}
	if !same {
		n.changed(addrs)
	}
}

// latest returns what the name was resolved to last.
func (n *name) latest() resolution {
	n.mu.Lock()
	defer n.mu.Unlock()
	return resolution{n.host, n.port, n.known, n.resolved}
}

// adopt takes what another name was resolved to, if it is the same and that was later.
func (n *name) adopt(r resolution) {
	n.mu.Lock()
	if n.host != r.host || n.port != r.port || !r.at.After(n.resolved) || n.running != nil {
		n.mu.Unlock()
		return
	}
	l := &lookup{done: make(chan struct{})}
	n.running = l // So that no other call of changed overlaps.
	n.mu.Unlock()
	n.succeed(r.addrs, r.at)
	n.mu.Lock()
	n.running = nil
	n.mu.Unlock()
	close(l.done)
}

// resolve returns the addresses of the name, as host:port. Those of IPv6 and of IPv4 take turns.
// doubtful says that the query before got no response.
func (n *name) resolve(ctx context.Context, l *lookup, doubtful bool) ([]string, error) {
	if n.port == "" {
		return nil, &net.AddrError{Err: "missing port in address", Addr: n.host}
	}
	end, err := n.dialer.descriptors.lookup(ctx, doubtful)
	if err != nil {
		return nil, errTooManyLookups
	}
	defer end()
	l.asked.Store(true)
	// A query that is repeated may bring the addresses of both families.
	ips, err := n.dialer.net.lookup(ctx, n.host, n.dialer.retry+n.dialer.retry/4)
	if err == nil && len(ips) == 0 {
		err = &net.DNSError{Err: "no addresses", Name: n.host, IsNotFound: true}
	}
	if err != nil {
		return nil, err
	}
	var all []string
	for _, ip := range interleave(ips) {
		if addr := net.JoinHostPort(ip.Unmap().String(), n.port); !slices.Contains(all, addr) {
			all = append(all, addr)
		}
	}
	return all, nil
}

// interleave makes the families of addresses take turns, the first one's first.
func interleave(all []netip.Addr) []netip.Addr {
	var first, second []netip.Addr
	for _, ip := range all {
		if ip.Unmap().Is4() == all[0].Unmap().Is4() {
			first = append(first, ip)
		} else {
			second = append(second, ip)
		}
	}
	mixed := make([]netip.Addr, 0, len(all))
	for i := range max(len(first), len(second)) {
		if i < len(first) {
			mixed = append(mixed, first[i])
		}
		if i < len(second) {
			mixed = append(mixed, second[i])
		}
	}
	return mixed
}
