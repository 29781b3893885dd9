package http2

import (
	"maps"
	"slices"
	"sort"
	"sync"
	"sync/atomic"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/dial"
)

// firstLimit is how many streams a server is taken to allow until one says otherwise.
const firstLimit = 100

// origin is where requests go: an address, with TLS or without, with its connections and
// the requests that wait for one. Safe for concurrent use.
type origin struct {
	client *Client
	addr   string
	// dial makes the connections.
	dial *dial.Origin

	// usable are the connections that may have room, and turn is whose turn it is.
	usable atomic.Pointer[[]*conn]
	turn   atomic.Uint32
	// made is how many connections have been made.
	made atomic.Uint64
	// learned is how many streams a connection allowed that was made last.
	learned atomic.Int32
	// quota is how many requests the server takes on a connection.
	quota quota
	// waits is the number of those that wait.
	waits atomic.Int32
	// rewatch wakes the goroutine that watches the deadlines of waiting jobs, since there
	// is a new one.
	rewatch chan struct{}

	mu sync.Mutex
	// all are all connections, making is how many are being made, and opening how many of
	// them all are still for those that wait alone.
	all             map[*conn]struct{}
	making, opening int
	// waiting are the jobs that wait for a connection: first those that were refused, which
	// must not be refused again by a server that takes few requests on a connection; of each
	// kind the one that has to end first. While there are any, connections are being made, unless it is not yet time
	// for that or there is one that allows no streams for now.
	waiting []job
	pause   pause
	// spreadAfter is when connections may be made that nobody waits for; zero is at once.
	spreadAfter time.Time
	// watched says that a goroutine looks at the time of those that wait.
	watched bool
	closed  bool
}

// newOrigin returns an origin without connections.
func newOrigin(c *Client, addr string, secure bool) *origin {
	o := &origin{client: c, addr: addr, all: make(map[*conn]struct{}), rewatch: make(chan struct{}, 1)}
	o.learned.Store(firstLimit)
	o.usable.Store(new([]*conn))
	o.dial = c.dialer.Origin(dial.Target{Addr: addr, Secure: secure, Changed: o.changed})
	return o
}

// assumed returns how many streams a new connection is taken to allow.
func (c *Client) assumed(o *origin) int { return int(o.learned.Load()) }

// start sends the job on a connection, or lets it wait for one.
func (o *origin) start(j *job) {
	for {
		c := o.pick(j)
		if c == nil && o.wait(j) {
			return
		}
		if c != nil && c.begin(j) {
			return
		}
	}
}

// pick returns the connection with the fewest requests under way that has room for the job
// and may be used for it; nil if there is none. Equals take turns.
func (o *origin) pick(j *job) *conn {
	conns := *o.usable.Load()
	n := len(conns)
	if n == 0 {
		return nil
	}
	var best *conn
	fewest := int32(maxOpen)
	from := 0
	if n > 1 {
		from = int(o.turn.Add(1) % uint32(n))
	}
	for i := range n {
		c := conns[(from+i)%n]
		if busy := c.busy.Load(); busy < fewest && c.free.Load() > 0 && j.mayUse(c) {
			best, fewest = c, busy
		}
	}
	return best
}

// wait lets the job wait for a connection. It reports false if there is one with room
// already.
func (o *origin) wait(j *job) bool {
	o.mu.Lock()
	if o.closed {
		o.mu.Unlock()
		j.fail(dial.ErrClosed)
		return true
	}
	if j.anew {
		j.anew, j.after = false, o.made.Load()
	}
	if len(o.all)+o.making >= o.client.maxConns {
		j.anywhere() // There is not going to be another.
	}
	if o.pick(j) != nil {
		o.mu.Unlock()
		return false
	}
	// It began with the making of a connection.
	waiting := *j
	waiting.sent = waiting.began()
	o.queue(waiting)
	excess := o.grow()
	o.watchDeadlines()
	o.mu.Unlock()
	failAll(excess, o.tooMany())
	return true
}

// queue puts a job among those that wait.
func (o *origin) queue(j job) {
	i := len(o.waiting)
	for i > 0 && j.waitsBefore(&o.waiting[i-1]) {
		i--
	}
	o.waiting = slices.Insert(o.waiting, i, j)
	o.waits.Store(int32(len(o.waiting)))
}

// dequeue takes jobs out from the i-th up to the k-th.
func (o *origin) dequeue(i, k int) []job {
	taken := slices.Clone(o.waiting[i:k])
	o.waiting = slices.Delete(o.waiting, i, k)
	o.waits.Store(int32(len(o.waiting)))
	return taken
}

// unserved returns for how many jobs more there is no room, even on the connections that
// are being made.
func (o *origin) unserved() int {
	quota, _ := o.quota.within(o.client.perConn)
	return len(o.waiting) - (o.making+o.opening)*min(o.client.assumed(o), quota)
}

// grow makes connections for those that wait. It returns those who are one too many.
func (o *origin) grow() (excess []job) {
	if o.pause.left(time.Now()) > 0 {
		return nil
	}
	if o.learned.Load() == 0 {
		// The server allows no streams for now: another connection is of no more use.
		if len(o.waiting) > 0 && len(o.all)+o.making == 0 {
			o.making++
			o.client.work.Go(o.make)
		}
		return nil
	}
	// Once for both decisions: what a connection may have can change meanwhile.
	for n := o.unserved(); n > 0; n = o.unserved() {
		if len(o.all)+o.making >= o.client.maxConns {
			return o.dequeue(len(o.waiting)-n, len(o.waiting))
		}
		o.making++
		o.client.work.Go(o.make)
	}
	return nil
}

// tooMany is the error of a job for which there is no connection to be made.
func (o *origin) tooMany() error {
	return &dial.Error{Step: dial.StepConnect, Addr: o.addr, Err: dial.ErrTooManyConns}
}

// failAll ends jobs.
func failAll(jobs []job, err error) {
	for i := range jobs {
		jobs[i].fail(err)
	}
}

// serve gives those that wait to connections with room.
func (o *origin) serve() {
	for {
		o.mu.Lock()
		if len(o.waiting) == 0 {
			o.mu.Unlock()
			return
		}
		if len(o.all)+o.making >= o.client.maxConns {
			o.waiting[0].anywhere() // There is not going to be another.
		}
		i, c := o.pickWaiting()
		if c == nil {
			excess := o.grow()
			o.mu.Unlock()
			failAll(excess, o.tooMany())
			return
		}
		j := o.dequeue(i, i+1)[0]
		o.mu.Unlock()
		if !c.begin(&j) {
			o.start(&j)
		}
	}
}

// waitingAgain returns how many of those that wait were refused, which come first.
func (o *origin) waitingAgain() int {
	return sort.Search(len(o.waiting), func(i int) bool { return !o.waiting[i].again })
}

// pickWaiting returns the index of the first that waits and a connection for it: of those that
// were refused, or of the others, since those may go to more connections. The connection is nil
// if there is none.
func (o *origin) pickWaiting() (int, *conn) {
	if c := o.pick(&o.waiting[0]); c != nil {
		return 0, c
	}
	if i := o.waitingAgain(); i > 0 && i < len(o.waiting) {
		return i, o.pick(&o.waiting[i])
	}
	return 0, nil
}

// make makes a connection and gives it work.
func (o *origin) make() {
	r, err := o.dial.Connect(o.client.ctx, "")
	if err != nil {
		o.connectFailed(err)
		return
	}
	o.use(r)
}

// makeTo makes a connection to an address that has none, without which there are others.
func (o *origin) makeTo(addr string) {
	r, err := o.dial.ConnectOnly(o.client.ctx, addr)
	if err != nil {
		o.mu.Lock()
		o.making--
		o.mu.Unlock()
		o.serve() // Somebody may have begun to wait for it.
		return
	}
	o.use(r)
}

// use gives work to a connection that has been made.
func (o *origin) use(r dial.Ready) {
	if isForeign(r) {
		o.client.handOver(r, o.removeForeign())
		return
	}
	if !o.add(r, 1) {
		_ = r.Conn.Close() // Nothing was sent: nobody needs the error.
		return
	}
	o.serve()
	o.client.Flush()
	o.spread()
}

// connectFailed ends those that waited for a connection that could not be made. Those who are
// left wait for others that are being made.
func (o *origin) connectFailed(err error) {
	o.mu.Lock()
	o.making--
	failed := o.dequeue(0, max(0, min(o.unserved(), len(o.waiting))))
	o.mu.Unlock()
	failAll(failed, err)
}

// removeForeign returns those that waited for a connection that is not for us.
func (o *origin) removeForeign() []job {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.making--
	return o.dequeue(0, min(len(o.waiting), max(1, o.unserved())))
}

// adopt takes a connection that somebody else has made. It reports false if the client is
// closed.
func (o *origin) adopt(r dial.Ready) bool {
	r.Phases.Protocol = protocol.HTTP2
	o.dial.Adopt(r)
	if !o.add(r, 0) {
		return false
	}
	o.serve()
	return true
}

// add takes a connection, that has been counted among so many as being made, and has it
// read. Those that wait use it before anybody else does: they may have been refused by a
// server that takes few requests on a connection. It reports false if the client is closed.
func (o *origin) add(r dial.Ready, made int) bool {
	now := time.Now()
	o.mu.Lock()
	o.making -= made
	if o.closed {
		o.mu.Unlock()
		return false
	}
	c := newConn(o, r, now) // Here, so that it knows the quota that refused any of those that wait.
	o.all[c] = struct{}{}
	o.opening++
	room := int(c.free.Load())
	if sure := c.streams.left - c.trial; o.waitingAgain() > sure {
		room = min(room, sure)
	}
	first := o.dequeue(0, min(len(o.waiting), room))
	o.client.unflushed.add(c) // Its greeting goes out even if no request goes with it.
	// It fails if it is closed already, which the reader will notice.
	_ = r.Conn.Open(r.Phases)
	o.client.work.Go(c.read)
	o.mu.Unlock()
	for i := range first {
		if !c.begin(&first[i]) {
			o.start(&first[i])
		}
	}
	o.show(c)
	return true
}

const (
	// maxSpread is the most addresses of a name that connections are kept to without need.
	maxSpread = 16
	// spreadPause is how long no connections are made without need after one that ended
	// without a request.
	spreadPause = time.Second
)

// spread makes a connection to an address that has none, one at a time, while there is one to
// another.
func (o *origin) spread() {
	now := time.Now()
	o.mu.Lock()
	defer o.mu.Unlock()
	room := len(o.all) > 0 && len(o.all)+o.making < o.client.maxConns && o.making == 0
	if !room || o.closed || o.client.perConn == 1 || o.pause.left(now) > 0 || now.Before(o.spreadAfter) {
		return
	}
	if addr := o.dial.Bare(maxSpread); addr != "" {
		o.making++
		o.client.work.Go(func() { o.makeTo(addr) })
	}
}

// endedInVain takes the end of a connection that brought no response, though there may have
// been requests.
func (o *origin) endedInVain(now time.Time, requests bool) {
	if requests {
		o.pause.ended(now)
		return
	}
	o.mu.Lock()
	o.spreadAfter = now.Add(spreadPause)
	o.mu.Unlock()
}

// refresh resolves the name anew if it is time for that, in the background.
func (o *origin) refresh() { o.dial.Refresh(time.Now()) }

// changed takes the addresses of the name. Connections to others end with their last
// requests.
func (o *origin) changed(addrs []string) {
	all := o.conns()
	for _, c := range all {
		if !slices.Contains(addrs, c.ready.Addr) {
			c.finish()
		}
	}
	if len(all) > 0 {
		o.spread()
	}
}

// makeAhead makes a connection for requests to come, unless there is one that has used less
// than half of the quota, or one is being made.
func (o *origin) makeAhead() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed || o.making > 0 || len(o.all) >= o.client.maxConns || o.pause.left(time.Now()) > 0 {
		return
	}
	quota, _ := o.quota.within(maxOpen)
	if slices.ContainsFunc(*o.usable.Load(), func(c *conn) bool { return int(c.free.Load()) > quota/2 }) {
		return
	}
	o.making++
	o.client.work.Go(o.make)
}

// limit applies a quota that was learned to the connections that there are.
func (o *origin) limit(n int) {
	for _, c := range o.conns() {
		c.limit(n)
	}
}

// conns returns all connections.
func (o *origin) conns() []*conn {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Collect(maps.Keys(o.all))
}

// show adds a connection that was opened to those that may have room, unless it has ended.
func (o *origin) show(c *conn) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.opening--
	if _, there := o.all[c]; there {
		conns := append(slices.Clone(*o.usable.Load()), c)
		o.usable.Store(&conns)
	}
}

// hide takes a connection out of those that may have room.
func (o *origin) hide(c *conn) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.hideLocked(c)
}

func (o *origin) hideLocked(c *conn) {
	conns := *o.usable.Load()
	if i := slices.Index(conns, c); i >= 0 {
		conns = slices.Delete(slices.Clone(conns), i, i+1)
		o.usable.Store(&conns)
	}
}

// remove removes a connection that has ended.
func (o *origin) remove(c *conn) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.hideLocked(c)
	delete(o.all, c)
}

// close ends all that is in flight and lets nothing begin.
func (o *origin) close() {
	o.mu.Lock()
	o.closed = true
	waiting := o.dequeue(0, len(o.waiting))
	conns := slices.Collect(maps.Keys(o.all))
	o.mu.Unlock()
	failAll(waiting, dial.ErrClosed)
	for _, c := range conns {
		c.abort(dial.ErrClosed)
	}
}

// watchDeadlines makes sure that somebody looks at the time of those that wait.
func (o *origin) watchDeadlines() {
	if len(o.waiting) == 0 {
		return
	}
	if !o.watched {
		o.watched = true
		o.client.work.Go(o.watch)
		return
	}
	select {
	case o.rewatch <- struct{}{}:
	default:
	}
}

// watch ends those that waited too long, until nobody waits or the client is closed.
func (o *origin) watch() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-o.rewatch:
		case <-o.client.ctx.Done():
		}
		now := time.Now()
		next := o.expire(now)
		if next.IsZero() {
			return
		}
		wait := next.Sub(now)
		if left := o.pause.left(now); left > 0 {
			wait = min(wait, left)
		} else {
			o.serve() // The pause may have ended.
			o.client.Flush()
		}
		timer.Reset(wait)
	}
}

// expire ends those that waited too long and returns when the next will have; zero if
// nobody waits.
func (o *origin) expire(now time.Time) (next time.Time) {
	o.mu.Lock()
	again := o.waitingAgain()
	late, next := o.dequeueLate(now, again, len(o.waiting))
	lateAgain, nextAgain := o.dequeueLate(now, 0, again)
	next = earlier(next, nextAgain)
	err := errTimeout
	if unresolved := o.dial.Unresolved(); unresolved != nil {
		err = unresolved
	}
	if next.IsZero() {
		o.watched = false
	}
	o.mu.Unlock()
	failAll(append(lateAgain, late...), err)
	return next
}

// dequeueLate takes out those from the i-th up to the k-th that have waited too long, and
// returns when the next of them will have; zero if there is none.
func (o *origin) dequeueLate(now time.Time, i, k int) (late []job, next time.Time) {
	n := i
	for n < k && !now.Before(o.waiting[n].deadline) {
		n++
	}
	if n < k {
		next = o.waiting[n].deadline
	}
	return o.dequeue(i, n), next
}

// InUse reports whether there are connections or requests that wait for one.
func (o *origin) InUse() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.all)+o.making+len(o.waiting) > 0
}
