package mesh

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// network is where meshes find each other, without sockets.
type network struct {
	t *testing.T

	mu    sync.Mutex
	nodes map[string]*node
	// cut are the pairs of addresses, the one that connects first, between which nothing
	// passes. It is not noticed by those who are connected.
	cut map[[2]string]bool
	// down are those who accept no connections.
	down map[string]bool
	// dials counts attempts to connect.
	dials int
}

// node is a mesh and what it has heard.
type node struct {
	*Mesh
	name string

	mu    sync.Mutex
	heard map[string]Value
	times map[string]int
}

// add adds a mesh, which is closed with the test.
func (n *network) add(name string) *node {
	d := &node{name: name, heard: map[string]Value{}, times: map[string]int{}}
	d.Mesh = New(Options{
		Cluster: "test", ID: name, Address: name,
		Dial:   func(ctx context.Context, address string) (net.Conn, error) { return n.dial(ctx, name, address) },
		Hear:   d.hear,
		Known:  d.known,
		Refuse: func() { n.t.Errorf("%s has refused a stranger", name) },
		Logger: slog.New(slog.DiscardHandler),
	})
	n.mu.Lock()
	defer n.mu.Unlock()
	n.nodes[name] = d
	return d
}

func (d *node) hear(v Value) {
	d.mu.Lock()
	defer d.mu.Unlock()
	key := fmt.Sprint(v.Kind, v.ID)
	d.times[key]++
	if v.Stamp > d.heard[key].Stamp {
		d.heard[key] = v
	}
}

func (d *node) known(id string) (Value, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	v, ok := d.heard[fmt.Sprint(0, id)]
	return v, ok
}

// last returns the stamp of the last heartbeat that was heard from another.
func (d *node) last(from string) int64 {
	v, _ := d.known(from)
	return v.Stamp
}

func (d *node) say(stamp int64) {
	d.Say(Value{ID: d.name, Stamp: stamp, Content: fmt.Appendf(nil, "%s %d", d.name, stamp)})
}

// isCut reports whether nothing passes from one to another.
func (n *network) isCut(from, to string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.cut[[2]string{from, to}]
}

func (n *network) setCut(from, to string, is bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cut[[2]string{from, to}] = is
}

func (n *network) setDown(name string, is bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.down[name] = is
}

// attempts returns how many connections were tried.
func (n *network) attempts() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.dials
}

var errDown = errors.New("nobody listens")

func (n *network) dial(ctx context.Context, from, to string) (net.Conn, error) {
	n.mu.Lock()
	n.dials++
	d, down := n.nodes[to], n.down[to]
	n.mu.Unlock()
	switch {
	case n.isCut(from, to):
		<-ctx.Done()
		return nil, ctx.Err()
	case d == nil || down:
		return nil, errDown
	}
	near, far := net.Pipe()
	out, in := &cable{Conn: near, net: n, from: from, to: to}, &cable{Conn: far, net: n, from: to, to: from}
	go func() {
		var b [1]byte
		if _, err := in.Read(b[:]); err != nil || b[0] != Greeting {
			_ = in.Close()
			return
		}
		d.Serve(in)
	}()
	return out, nil
}

// cable is a connection that loses all writes while it is cut.
type cable struct {
	net.Conn
	net      *network
	from, to string
	// broken says that something was lost: the rest of the stream is not understood.
	mu     sync.Mutex
	broken bool
}

func (c *cable) Write(b []byte) (int, error) {
	c.mu.Lock()
	c.broken = c.broken || c.net.isCut(c.from, c.to)
	broken := c.broken
	c.mu.Unlock()
	if broken {
		return len(b), nil // The kernel takes it.
	}
	return c.Conn.Write(b)
}

// meet has all meet all.
func (n *network) meet() {
	all := map[string]bool{}
	for name := range n.nodes {
		all[name] = true
	}
	for _, d := range n.nodes {
		d.Meet(all)
	}
}

func (n *network) close() {
	for _, d := range n.nodes {
		d.Close()
	}
}

// test runs a test with a network in which time is not real.
func test(t *testing.T, f func(n *network)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		n := &network{t: t, nodes: map[string]*node{}, cut: map[[2]string]bool{}, down: map[string]bool{}}
		f(n)
		n.close()
	})
}

func TestAllHearAll(t *testing.T) {
	test(t, func(n *network) {
		var all []*node
		for i := range 5 {
			all = append(all, n.add(fmt.Sprint("r", i)))
		}
		all[0].say(1) // Before it knows anybody.
		n.meet()
		synctest.Wait()
		for _, d := range all {
			if got := d.Connected(); got != 4 {
				n.t.Errorf("%s is connected to %d others, want 4", d.name, got)
			}
			if d != all[0] && d.last("r0") != 1 {
				n.t.Errorf("%s has not heard what r0 said before they met", d.name)
			}
		}
		for stamp := range int64(3) {
			for _, d := range all {
				d.say(10 + stamp)
				d.Say(Value{Kind: 1, ID: d.name, Stamp: stamp, Content: []byte("figures")})
			}
			synctest.Wait()
			for _, d := range all {
				for _, from := range all {
					if d != from && (d.last(from.name) != 10+stamp || string(d.heard["0"+from.name].Content) != fmt.Sprintf("%s %d", from.name, 10+stamp)) {
						n.t.Fatalf("%s has heard %v of %s, want %d", d.name, d.heard["0"+from.name], from.name, 10+stamp)
					}
				}
			}
		}
		if n.attempts() != 5*4 {
			n.t.Errorf("%d connections were made, want %d", n.attempts(), 5*4)
		}
	})
}

func TestOnlyTheLastValueIsSentToWhomItCouldNotBeSent(t *testing.T) {
	test(t, func(n *network) {
		a, b := n.add("a"), n.add("b")
		n.setDown("b", true)
		a.Meet(map[string]bool{"b": true})
		for stamp := range int64(40) {
			a.say(1 + stamp)
			time.Sleep(time.Second)
		}
		// Every 2 s for half a minute, then every 10 s.
		if n.attempts() < 15 || n.attempts() > 30 {
			n.t.Errorf("%d attempts to connect in 40 s", n.attempts())
		}
		n.setDown("b", false)
		b.Meet(map[string]bool{"a": true})
		synctest.Wait() // a is reached, so that it tries b at once.
		if got := b.times["0a"]; b.last("a") != 40 || got > 2 {
			n.t.Errorf("%d values are heard, the last is %d, want the last of 40, and that by its own connection and the other's", got, b.last("a"))
		}
	})
}

func TestThoseWhoDoNotReachEachOtherAskOthers(t *testing.T) {
	test(t, func(n *network) {
		a, b, c := n.add("a"), n.add("b"), n.add("c")
		n.setCut("a", "b", true)
		n.setCut("b", "a", true)
		n.meet()
		for stamp := range int64(5) {
			for _, d := range []*node{a, b, c} {
				d.say(1 + stamp)
			}
			time.Sleep(500 * time.Millisecond)
			for _, d := range [][2]*node{{a, b}, {b, a}} {
				if d[0].last(d[1].name) != stamp {
					n.t.Fatalf("%s has heard %d of %s, want %d", d[0].name, d[0].last(d[1].name), d[1].name, stamp)
				}
				d[0].Ask([]Value{{ID: d[1].name, Stamp: stamp}, {ID: "unknown"}, {ID: "c", Stamp: 1 + stamp}})
			}
			time.Sleep(500 * time.Millisecond)
			for _, d := range []*node{a, b} {
				if d.last("a")+d.last("b") != 1+stamp {
					n.t.Fatalf("%s has heard %d and %d", d.name, d.last("a"), d.last("b"))
				}
			}
		}
		if a.Relayed() != 5 || b.Relayed() != 5 || c.Relayed() != 0 {
			n.t.Errorf("relayed to a, b and c: %d, %d and %d, want 5, 5 and none", a.Relayed(), b.Relayed(), c.Relayed())
		}
	})
}

func TestAConnectionThatLeadsNowhereIsReplaced(t *testing.T) {
	test(t, func(n *network) {
		a, b := n.add("a"), n.add("b")
		n.meet()
		stamp := int64(0)
		pass := func(seconds int) {
			for range seconds {
				stamp++
				a.say(stamp)
				b.say(stamp)
				time.Sleep(time.Second)
			}
		}
		pass(3)
		if a.last("b") != stamp || b.last("a") != stamp {
			n.t.Fatal("they do not hear each other")
		}
		n.setCut("a", "b", true)
		n.setCut("b", "a", true)
		before := stamp
		pass(20)
		if a.last("b") != before || b.last("a") != before {
			n.t.Error("they hear each other through what is cut")
		}
		n.setCut("a", "b", false)
		n.setCut("b", "a", false)
		pass(4)
		if a.last("b") != stamp || b.last("a") != stamp {
			n.t.Errorf("4 s after it has healed, of %d are heard %d and %d", stamp, a.last("b"), b.last("a"))
		}
	})
}

func TestConnectionsAreReplacedInTime(t *testing.T) {
	test(t, func(n *network) {
		a, b := n.add("a"), n.add("b")
		n.meet()
		for stamp := range int64(3600) {
			a.say(stamp)
			b.say(stamp)
			time.Sleep(time.Second)
			if a.last("b") != stamp || b.last("a") != stamp {
				n.t.Fatalf("%d is not heard", stamp)
			}
		}
		if n.attempts() != 2*6 {
			n.t.Errorf("%d connections in an hour, want one every ten minutes each", n.attempts())
		}
	})
}

func TestThoseWhoAreNotMetAnyMoreAreLeft(t *testing.T) {
	test(t, func(n *network) {
		a, b := n.add("a"), n.add("b")
		n.meet()
		a.say(1)
		synctest.Wait()
		a.Meet(nil)
		a.say(2)
		synctest.Wait()
		if a.Connected() != 0 || b.last("a") != 1 {
			n.t.Errorf("a is connected to %d, b has heard %d", a.Connected(), b.last("a"))
		}
		b.Close()
		b.Meet(map[string]bool{"a": true}) // It has ended.
	})
}

// served serves a connection in which a stranger says something, and returns whether it was
// refused and after what time it ended.
func served(t *testing.T, say []byte, more time.Duration) (refused bool, after time.Duration, heard []Value) {
	t.Helper()
	synctest.Test(t, func(*testing.T) {
		m := New(Options{
			Cluster: "test", ID: "a", Address: "a", Refuse: func() { refused = true },
			Hear: func(v Value) { heard = append(heard, v) }, Logger: slog.New(slog.DiscardHandler),
		})
		near, far := net.Pipe()
		go func() {
			var b [4096]byte
			for {
				if _, err := near.Read(b[:]); err != nil {
					return
				}
			}
		}()
		ended := make(chan struct{})
		go func() {
			for len(say) > 0 {
				if _, err := near.Write(say[:1]); err != nil {
					return
				}
				say = say[1:]
				select { // It takes its time.
				case <-ended:
				case <-time.After(more):
				}
			}
		}()
		begin := time.Now()
		m.Serve(far)
		after = time.Since(begin)
		close(ended)
		_ = near.Close()
		m.Close()
	})
	return refused, after, heard
}

func TestStrangersAreRefused(t *testing.T) {
	good := hello{cluster: "test", id: "b", address: "b"}.append(nil)
	huge := append([]byte{byte(frameValue)<<3 | 2}, 0xff, 0xff, 0xff, 0xff, 0x7f)
	for name, tc := range map[string]struct {
		say     []byte
		more    time.Duration
		refused bool
		within  time.Duration
	}{
		"another cluster":                {hello{cluster: "other", id: "b"}.append(nil), 0, true, 0},
		"no hello":                       {Value{ID: "b"}.append(nil), 0, true, 0},
		"garbage":                        {[]byte("GET / HTTP/1.1\r\n\r\n"), 0, true, 0},
		"nothing":                        {nil, 0, true, helloWithin},
		"a hello of a byte a second":     {good, time.Second, true, helloWithin},
		"silence after it":               {good, 0, false, silentFor},
		"a frame of 32 GiB":              {slices.Concat(good, huge), 0, false, 0},
		"a damaged value":                {slices.Concat(good, appendFrame(nil, frameValue, []byte{0x0a, 9})), 0, false, 0},
		"a damaged ask":                  {slices.Concat(good, appendFrame(nil, frameAsk, []byte{0x0a, 1, 7})), 0, false, 0},
		"a frame that is announced only": {slices.Concat(good, []byte{byte(frameValue)<<3 | 2, 0xff, 0xff, 0x7f}), 0, false, silentFor},
	} {
		t.Run(name, func(t *testing.T) {
			refused, after, heard := served(t, tc.say, tc.more)
			if refused != tc.refused || after != tc.within || len(heard) > 0 {
				t.Errorf("refused: %v after %v, heard %v, want %v after %v", refused, after, heard, tc.refused, tc.within)
			}
		})
	}
}

func TestWhatIsNotKnownIsPassedOver(t *testing.T) {
	say := hello{cluster: "test", id: "b", address: "b"}.append(nil)
	say = appendFrame(say, 99, []byte("something new"))
	say = Value{Kind: 1, ID: "b", Stamp: -7, Content: make([]byte, 100_000)}.append(say)
	_, after, heard := served(t, say, 0)
	if len(heard) != 1 || heard[0].ID != "b" || heard[0].Kind != 1 || heard[0].Stamp != -7 || len(heard[0].Content) != 100_000 || after != silentFor {
		t.Errorf("heard %d values, ended after %v", len(heard), after)
	}
}
