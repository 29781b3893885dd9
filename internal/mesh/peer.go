package mesh

import (
	"bufio"
	"context"
	mathrand "math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// dialTimeout and writeTimeout bound how long a replica that hangs holds up its own values.
	// Those of others do not wait for it.
	dialTimeout, writeTimeout = time.Second, time.Second
	// retryFirst is the time before an address is tried again that could not be connected to. It
	// doubles with each attempt, up to retrySoon for patientFor, and to retryLast after that.
	retryFirst, retrySoon, retryLast = 250 * time.Millisecond, 2 * time.Second, 10 * time.Second
	patientFor                       = 30 * time.Second
	// deafAfter is the age of a connection, and the time since a replica was last heard from, after which
	// the connection is taken to lead nowhere: all say something each second. The kernel
	// keeps writes to one that is cut, and retries more and more seldom.
	deafAfter = 2500 * time.Millisecond
)

// asks is the place in the outbox after those of the kinds of values.
const asks = Kinds

// peer is another replica, to which this one has a connection or tries to have one.
type peer struct {
	mesh    *Mesh
	address string
	ctx     context.Context //nolint:containedctx // Its life, which cancel ends.
	cancel  context.CancelFunc
	// wake has a value when there is something in the outbox.
	wake chan struct{}
	// link is nil before the first connection, and may have ended. Only run sets it.
	link atomic.Pointer[link]

	mu sync.Mutex
	// outbox are the frames to send, one of each kind and one that asks.
	outbox [Kinds + 1][]byte
	// failing is since when it cannot be connected to, zero if it can, and retry when the next
	// attempt may be made.
	failing, retry time.Time
	attempts       int
}

// link is a connection to a peer.
type link struct {
	net.Conn
	made time.Time
	// ended says that it is closed.
	ended atomic.Bool
}

func (l *link) end() {
	l.ended.Store(true)
	_ = l.Close()
}

func newPeer(m *Mesh, address string) *peer {
	p := &peer{mesh: m, address: address, wake: make(chan struct{}, 1)}
	p.ctx, p.cancel = context.WithCancel(m.ctx)
	p.wake <- struct{}{} // It introduces itself.
	return p
}

// offer puts a frame into the outbox, in the place of one that was not sent yet.
func (p *peer) offer(place int, frame []byte) {
	p.mu.Lock()
	p.outbox[place] = frame
	p.mu.Unlock()
	select {
	case p.wake <- struct{}{}:
	default: // It is awake.
	}
}

// collect empties the outbox.
func (p *peer) collect(b []byte) []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, frame := range p.outbox {
		b = append(b, frame...)
		p.outbox[i] = nil
	}
	return b
}

// hope has the next attempt made at once.
func (p *peer) hope() {
	p.mu.Lock()
	again := !p.retry.IsZero()
	p.failing, p.retry, p.attempts = time.Time{}, time.Time{}, 0
	p.mu.Unlock()
	if !again {
		return
	}
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

func (p *peer) isConnected() bool {
	l := p.link.Load()
	return l != nil && !l.ended.Load()
}

// run sends the frames that are offered until the peer or the mesh ends.
func (p *peer) run() {
	defer p.hangUp()
	var b []byte
	for {
		select {
		case <-p.ctx.Done():
			return
		case <-p.wake:
		}
		now := time.Now()
		b = p.collect(b[:0])
		if p.isConnected() && !p.isWorn(now) && p.write(b) {
			continue
		}
		// A connection that the other side has closed is replaced at once.
		p.hangUp()
		if p.mayTry(now) {
			p.connect()
		}
	}
}

// isWorn reports whether the connection should be replaced.
func (p *peer) isWorn(now time.Time) bool {
	age := now.Sub(p.link.Load().made)
	return age > oldAfter || age > deafAfter && now.Sub(p.mesh.lastHeard(p.address)) > deafAfter
}

// mayTry reports whether it is time for an attempt to connect.
func (p *peer) mayTry(now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !now.Before(p.retry)
}

// connect makes a connection and introduces this replica.
func (p *peer) connect() {
	ctx, cancel := context.WithTimeout(p.ctx, dialTimeout)
	defer cancel()
	conn, err := p.mesh.o.Dial(ctx, p.address)
	if err != nil {
		p.failed(time.Now())
		p.mesh.o.Logger.Debug("another replica cannot be reached", "address", p.address, "err", err)
		return
	}
	l := &link{Conn: conn, made: time.Now()}
	p.link.Store(l)
	if p.write(p.mesh.introduction([]byte{Greeting})) {
		p.mesh.work.Go(func() { p.read(l) })
	}
}

// failed notes when to try again.
func (p *peer) failed(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.failing.IsZero() {
		p.failing = now
	}
	most := retrySoon
	if now.Sub(p.failing) > patientFor {
		most = retryLast
	}
	pause := min(most, retryFirst<<min(p.attempts, 8))
	p.attempts++
	p.retry = now.Add(pause - time.Duration(mathrand.Int64N(int64(pause/4))))
}

// write reports whether it could send something. The connection has ended if not.
func (p *peer) write(b []byte) bool {
	l := p.link.Load()
	_ = l.SetWriteDeadline(time.Now().Add(writeTimeout)) // The write fails if this does.
	if _, err := l.Write(b); err != nil {
		l.end()
		return false
	}
	return true
}

// hangUp ends the connection, if there is one.
func (p *peer) hangUp() {
	if l := p.link.Load(); l != nil {
		l.end()
	}
}

// read hears what comes back until the connection ends: the other's latest values, and those
// that it was asked for.
func (p *peer) read(l *link) {
	defer l.end()
	m := p.mesh
	r := bufio.NewReaderSize(l, 512)
	them, err := m.greeted(r)
	if err != nil {
		p.failed(time.Now())
	} else {
		p.hope() // It counts as reached once it has said who it is.
	}
	for err == nil {
		var id string
		number, content, ended := readFrame(r)
		if ended != nil {
			return
		}
		if id, err = m.take(number, content); id != "" && id != them.id {
			m.relayed.Add(1)
		}
	}
	m.o.Logger.Debug("another replica cannot be understood", "address", p.address, "err", err)
}
