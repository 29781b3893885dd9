// Package mesh brings the latest values of each replica to all others: each sends its own
// over a connection to each, which is kept. So a value travels once to each replica, where
// gossip has each pass on what all others say, many times. Those that do not arrive, because
// two replicas do not reach each other, can be asked for at others.
//
// A value replaces those before it, so that what cannot be sent is forgotten and not queued.
package mesh

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	mathrand "math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Greeting is the first byte of each connection, sent by who connects: it separates them
// from others at the same port. Serve expects what comes after it.
const Greeting = 'm'

const (
	// helloWithin bounds the time until the other side has said who it is.
	helloWithin = 5 * time.Second
	// silentFor is for how long a connection is kept that nothing comes from.
	silentFor = time.Minute
	// oldAfter is the age at which who made a connection makes another, so that those with
	// certificates that have been replaced end. Those that the others made end later.
	oldAfter = 10 * time.Minute
	// asked is how many replicas are asked for missing values.
	asked = 2
)

// Kind separates a replica's values. There are Kinds of them.
type Kind uint8

// Kinds is the number of kinds.
const Kinds = 2

// Value is something that a replica says, and that replaces all that it has said before of
// that kind.
type Value struct {
	Kind Kind
	// ID is the replica's.
	ID string
	// Stamp says which of two values is newer.
	Stamp int64
	// Content is not modified once it is sent or heard.
	Content []byte
}

// Options are a replica's side of the mesh.
type Options struct {
	// Cluster has to be that of the others. ID is this replica's, and Address where the
	// others reach it.
	Cluster, ID, Address string
	// Dial connects to a replica.
	Dial func(ctx context.Context, address string) (net.Conn, error)
	// Hear takes in a value. It is called by many goroutines at once, also for values that
	// were heard before.
	Hear func(Value)
	// Known returns the newest value of kind 0 of a replica, for others who miss it.
	Known func(id string) (Value, bool)
	// Refuse is called for each connection of a stranger.
	Refuse func()
	Logger *slog.Logger
}

// Mesh is this replica's side. It is safe for concurrent use.
type Mesh struct {
	o      Options
	ctx    context.Context //nolint:containedctx // The peers' life, which Close ends.
	cancel context.CancelFunc
	work   sync.WaitGroup
	// relayed counts the values that were asked for.
	relayed atomic.Uint64

	mu sync.Mutex
	// latest are the frames with this replica's own values.
	latest [Kinds][]byte
	// peers are the others, by address.
	peers map[string]*peer
	// heard is when each address was last heard from directly.
	heard map[string]time.Time
}

// New returns a mesh without peers.
func New(o Options) *Mesh {
	m := &Mesh{o: o, peers: map[string]*peer{}, heard: map[string]time.Time{}}
	m.ctx, m.cancel = context.WithCancel(context.Background())
	return m
}

// Close ends all connections that this replica made, and waits for them. Those that others
// made end as theirs do.
func (m *Mesh) Close() {
	m.cancel()
	m.work.Wait()
}

// Meet sets the addresses of all others. That of this replica itself does not matter.
func (m *Mesh) Meet(addresses map[string]bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ctx.Err() != nil {
		return
	}
	for a := range addresses {
		if m.peers[a] == nil && a != m.o.Address {
			p := newPeer(m, a)
			m.peers[a] = p
			m.work.Go(p.run)
		}
	}
	for a, p := range m.peers {
		if !addresses[a] {
			p.cancel()
			delete(m.peers, a)
		}
	}
	for a, at := range m.heard {
		if time.Since(at) > silentFor {
			delete(m.heard, a)
		}
	}
}

// Say sends a value of this replica to all others, in the background.
func (m *Mesh) Say(v Value) {
	frame := v.append(nil)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.latest[v.Kind] = frame
	for _, p := range m.peers {
		p.offer(int(v.Kind), frame)
	}
}

// Ask asks a few replicas for newer values of kind 0 than those, whose content does not
// matter. It may ask those who are missing, too: one that cannot connect to this replica can
// respond to it.
func (m *Mesh) Ask(missing []Value) {
	frame := appendAsk(nil, missing)
	m.mu.Lock()
	defer m.mu.Unlock()
	var able []*peer
	for _, p := range m.peers {
		if p.isConnected() {
			able = append(able, p)
		}
	}
	mathrand.Shuffle(len(able), func(i, j int) { able[i], able[j] = able[j], able[i] })
	for _, p := range able[:min(asked, len(able))] {
		p.offer(asks, frame)
	}
}

// Retry has all replicas tried again at once that could not be reached.
func (m *Mesh) Retry() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range m.peers {
		p.hope()
	}
}

// Connected returns how many others this replica has a connection to.
func (m *Mesh) Connected() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := 0
	for _, p := range m.peers {
		if p.isConnected() {
			n++
		}
	}
	return n
}

// Relayed returns how many values were heard from another replica than the one that said
// them.
func (m *Mesh) Relayed() uint64 { return m.relayed.Load() }

// introduction returns what this replica begins a connection with: who it is, and all of its
// latest values.
func (m *Mesh) introduction(b []byte) []byte {
	b = hello{cluster: m.o.Cluster, id: m.o.ID, address: m.o.Address}.append(b)
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, frame := range m.latest {
		b = append(b, frame...)
	}
	return b
}

// lastHeard returns when an address was last heard from directly, which is never for the
// zero time.
func (m *Mesh) lastHeard(address string) time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.heard[address]
}

// note notes that an address is heard from directly.
func (m *Mesh) note(address string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.heard[address] = time.Now()
}

// hope has an address tried again at once: it is there.
func (m *Mesh) hope(address string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if p := m.peers[address]; p != nil {
		p.hope()
	}
}

// errStranger is returned for connections of other clusters.
var errStranger = errors.New("of another cluster")

// Serve reads what another replica says over a connection that it made, after the greeting,
// until it ends, and closes it.
func (m *Mesh) Serve(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	stop := context.AfterFunc(m.ctx, func() { _ = conn.Close() })
	defer stop()
	if err := m.listen(conn); !errors.Is(err, io.EOF) && m.ctx.Err() == nil {
		m.o.Logger.Debug("a connection of another replica ended", "remote_address", conn.RemoteAddr(), "err", err)
	}
}

// listen returns why a connection ended.
func (m *Mesh) listen(conn net.Conn) error {
	ends := time.Now().Add(oldAfter * 3 / 2)
	_ = conn.SetDeadline(time.Now().Add(helloWithin)) // Nothing can be done about an error that the next read has not.
	r := bufio.NewReader(conn)
	them, err := m.greeted(r)
	if err != nil {
		m.o.Refuse()
		return err
	}
	if _, err := conn.Write(m.introduction(nil)); err != nil {
		return err
	}
	m.hope(them.address)
	for {
		deadline := time.Now().Add(silentFor)
		if deadline.After(ends) {
			deadline = ends
		}
		_ = conn.SetDeadline(deadline)
		number, content, err := readFrame(r)
		if err != nil {
			return err
		}
		m.note(them.address)
		if number == frameAsk {
			err = m.help(conn, content)
		} else {
			_, err = m.take(number, content)
		}
		if err != nil {
			return err
		}
	}
}

// greeted reads who the other side is, and returns an error if that is a stranger.
func (m *Mesh) greeted(r *bufio.Reader) (hello, error) {
	number, content, err := readFrame(r)
	switch {
	case err != nil:
		return hello{}, fmt.Errorf("it has not said who it is: %w", unexpected(err))
	case number != frameHello:
		return hello{}, errFrame
	}
	h, err := readHello(content)
	if err == nil && h.cluster != m.o.Cluster {
		err = errStranger
	}
	return h, err
}

// take hears a frame if it is a value, and returns the ID of whose it is.
func (m *Mesh) take(number int, content []byte) (id string, err error) {
	if number < frameValue || number >= frameValue+Kinds {
		return "", nil
	}
	v, err := readValue(Kind(number-frameValue), content)
	if err == nil {
		m.o.Hear(v)
	}
	return v.ID, err
}

// help sends what another replica misses and this one has.
func (m *Mesh) help(conn net.Conn, content []byte) error {
	missing, err := readAsk(content)
	if err != nil {
		return err
	}
	var b []byte
	for _, v := range missing {
		if known, ok := m.o.Known(v.ID); ok && known.Stamp > v.Stamp {
			b = known.append(b)
		}
	}
	if len(b) == 0 {
		return nil
	}
	_, err = conn.Write(b)
	return err
}
