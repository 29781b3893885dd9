package dial_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/dial"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/protocoltest"
)

// world is a network in a bubble: a resolver, and addresses that all accept connections.
type world struct {
	wire protocoltest.ConnRecorder

	mu     sync.Mutex
	log    bytes.Buffer
	addrs  []netip.Addr
	err    error
	silent bool
	delay  time.Duration
	asked  int
	// refused are the addresses at which nothing listens.
	refused []string
	far     []net.Conn
}

func newWorld(addrs ...string) *world {
	w := new(world)
	w.resolveTo(addrs...)
	return w
}

// resolveTo has the name resolve to these addresses, at once.
func (w *world) resolveTo(addrs ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.addrs, w.err, w.silent, w.delay = nil, nil, false, 0
	for _, a := range addrs {
		w.addrs = append(w.addrs, netip.MustParseAddr(a))
	}
}

// fail has lookups fail, or be silent for good.
func (w *world) fail(err error, silent bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.err, w.silent = err, silent
}

func (w *world) lookups() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.asked
}

// logged returns the lines of the log so far.
func (w *world) logged() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Collect(strings.Lines(w.log.String()))
}

// Write implements io.Writer, for the log.
func (w *world) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.log.Write(p)
}

// LookupNetIP implements dial.Resolver.
func (w *world) LookupNetIP(ctx context.Context, _, host string) ([]netip.Addr, error) {
	w.mu.Lock()
	w.asked++
	addrs, err, silent, delay := slices.Clone(w.addrs), w.err, w.silent, w.delay
	w.mu.Unlock()
	if silent {
		delay = time.Hour
	}
	select {
	case <-time.After(delay):
	case <-ctx.Done():
		return nil, &net.DNSError{Err: ctx.Err().Error(), Name: host, IsTimeout: true}
	}
	return addrs, err
}

func (w *world) dial(_ context.Context, _, addr string) (net.Conn, error) {
	near, far := protocoltest.BufferedPipe()
	w.mu.Lock()
	defer w.mu.Unlock()
	if host, _, _ := net.SplitHostPort(addr); slices.Contains(w.refused, host) {
		return nil, errors.New("nothing listens there")
	}
	w.far = append(w.far, far)
	return near, nil
}

// origin returns an Origin in the world, for a name that is resolved each half minute, and
// the addresses that Changed received.
func (w *world) origin(t *testing.T, change func(*dial.Options)) (o *dial.Origin, told *[]string) {
	t.Helper()
	options := dial.Options{
		NextProtos: []string{protocol.HTTP1}, Timeout: 5 * time.Second, ResolveEvery: 30 * time.Second,
		Net: dial.Net{Resolver: w, DialContext: w.dial}, Observer: &w.wire,
		Logger: slog.New(slog.NewTextHandler(w, nil)),
	}
	if change != nil {
		change(&options)
	}
	d, err := dial.New(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	told = new([]string)
	return d.Origin(dial.Target{Addr: "target.test:80", Changed: func(addrs []string) { *told = addrs }}), told
}

// connect makes a connection, that is closed with the test, and returns its address.
func connect(t *testing.T, o *dial.Origin) dial.Ready {
	t.Helper()
	r, err := o.Connect(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Conn.Close() })
	return r
}

// wantDNS makes a connection, that has to fail for the name.
func wantDNS(t *testing.T, o *dial.Origin) {
	t.Helper()
	if _, err := o.Connect(t.Context(), ""); dial.Reason(err) != protocol.ReasonDNS {
		t.Errorf("failed as %q: %v", dial.Reason(err), err)
	}
}

// failures are the ways in which a name does not resolve.
func failures() map[string]error {
	return map[string]error{
		"NXDOMAIN":   &net.DNSError{Err: "no such host", IsNotFound: true},
		"SERVFAIL":   &net.DNSError{Err: "server misbehaving", IsTemporary: true},
		"no address": nil,
	}
}

func TestANewConnectionNeedsAFreshAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld("10.0.0.1")
		o, told := w.origin(t, nil)
		connect(t, o)
		time.Sleep(29 * time.Second)
		connect(t, o)
		if n := w.lookups(); n != 1 {
			t.Errorf("%d lookups within the time", n)
		}
		w.resolveTo("10.0.0.2")
		time.Sleep(2 * time.Second)
		if r := connect(t, o); r.Addr != "10.0.0.2:80" {
			t.Errorf("connected to %s", r.Addr)
		}
		if !slices.Equal(*told, []string{"10.0.0.2:80"}) {
			t.Errorf("told of %q", *told)
		}
		if all, outdated := w.wire.Resolutions(); len(all) != 2 || outdated != 0 {
			t.Errorf("%v, %d outdated", all, outdated)
		}
	})
}

func TestWaitersShareALookup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld("10.0.0.1")
		w.delay = 500 * time.Millisecond
		o, _ := w.origin(t, nil)
		var all sync.WaitGroup
		for i := range 10 {
			all.Go(func() {
				time.Sleep(time.Duration(i) * 10 * time.Millisecond)
				want := w.delay - time.Duration(i)*10*time.Millisecond
				if r := connect(t, o); r.Phases.DNS != want {
					t.Errorf("waited %s, want %s", r.Phases.DNS, want)
				}
			})
		}
		all.Wait()
		if n := w.lookups(); n != 1 {
			t.Errorf("%d lookups", n)
		}
		if all, _ := w.wire.Resolutions(); len(all) != 1 || all[0].Took != w.delay || all[0].Err != nil {
			t.Errorf("the wire was told of %v", all)
		}
	})
}

func TestOldAddressesServeForATime(t *testing.T) {
	for name, err := range failures() {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld("10.0.0.1")
				o, _ := w.origin(t, nil)
				connect(t, o)
				w.resolveTo()
				w.fail(err, false)
				time.Sleep(30 * time.Second)
				const n = 20
				for range n { // Until 20 s of 30 are over.
					if r := connect(t, o); r.Phases.DNS != 0 {
						t.Errorf("it waited %s", r.Phases.DNS)
					}
					time.Sleep(time.Second)
				}
				all, outdated := w.wire.Resolutions()
				if outdated != n || len(all) < n-2 || len(all) > n+2 {
					t.Errorf("%d outdated connections and %d lookups in %d s", outdated, len(all), n)
				}
				for _, r := range all[1:] {
					if r.Err == nil {
						t.Error("a lookup that did not fail")
					}
				}
				if lines := w.logged(); len(lines) != 1 || !strings.Contains(lines[0], "WARN") {
					t.Errorf("logged %q", lines)
				}
				time.Sleep(11 * time.Second)
				wantDNS(t, o)
				w.resolveTo("10.0.0.2")
				time.Sleep(time.Second)
				if r := connect(t, o); r.Addr != "10.0.0.2:80" {
					t.Errorf("connected to %s", r.Addr)
				}
				if lines := w.logged(); len(lines) != 2 || !strings.Contains(lines[1], "INFO") {
					t.Errorf("logged %q", lines)
				}
			})
		})
	}
}

// TestASilentResolverIsNotWaitedFor has one connection find out that the resolver is silent:
// those after it do not wait, until the time of grace is over.
func TestASilentResolverIsNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld("10.0.0.1")
		o, _ := w.origin(t, nil)
		connect(t, o)
		w.fail(nil, true)
		time.Sleep(30 * time.Second)
		if r := connect(t, o); r.Phases.DNS != time.Second {
			t.Errorf("the first waited %s", r.Phases.DNS)
		}
		for range 20 {
			if r := connect(t, o); r.Phases.DNS != 0 {
				t.Errorf("another one waited %s", r.Phases.DNS)
			}
			time.Sleep(time.Second)
		}
		time.Sleep(10 * time.Second)
		begin := time.Now()
		wantDNS(t, o)
		if took := time.Since(begin); took > 5*time.Second {
			t.Errorf("it took %s", took)
		}
		if _, outdated := w.wire.Resolutions(); outdated != 21 {
			t.Errorf("%d outdated connections", outdated)
		}
		if lines := w.logged(); len(lines) != 1 {
			t.Errorf("logged %q", lines)
		}
	})
}

func TestASlowResolverIsWaitedForWhereItMustBe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld("10.0.0.1")
		w.delay = 3 * time.Second
		o, _ := w.origin(t, nil)
		if r := connect(t, o); r.Phases.DNS != w.delay {
			t.Errorf("the first waited %s", r.Phases.DNS)
		}
		time.Sleep(30 * time.Second)
		if r := connect(t, o); r.Phases.DNS != time.Second {
			t.Errorf("with an old address at hand it waited %s", r.Phases.DNS)
		}
		time.Sleep(3 * time.Second)
		connect(t, o)
		all, outdated := w.wire.Resolutions()
		if len(all) != 2 || outdated != 1 || all[1].Took != w.delay {
			t.Errorf("%v, %d outdated", all, outdated)
		}
	})
}

// TestALostQueryIsNotTheEndOfALookup has a resolver that begins to respond while the client
// waits for a query that the resolver never saw.
func TestALostQueryIsNotTheEndOfALookup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.fail(nil, true)
		o, _ := w.origin(t, nil)
		time.AfterFunc(1500*time.Millisecond, func() { w.resolveTo("10.0.0.1") })
		if r := connect(t, o); r.Phases.DNS != 2*time.Second {
			t.Errorf("it waited %s", r.Phases.DNS)
		}
		all, _ := w.wire.Resolutions()
		if len(all) != 3 || all[0].Err == nil || all[0].Took != 2*time.Second || all[1].Err == nil || all[2].Err != nil || all[2].Took != 0 {
			t.Errorf("the wire was told of %v", all)
		}
	})
}

// TestTheLogIsNotFilled has a resolver that is slow, and one that then fails for good.
func TestTheLogIsNotFilled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld("10.0.0.1")
		w.delay = time.Second
		o, _ := w.origin(t, func(o *dial.Options) { o.ResolveEvery = time.Second })
		for range 1000 { // For 50 s.
			connect(t, o)
			time.Sleep(50 * time.Millisecond)
		}
		if lines := w.logged(); len(lines) != 2 {
			t.Errorf("slow: %d lines", len(lines))
		}
		w.fail(errors.New("it is gone"), false)
		for range 100 {
			_, _ = o.Connect(t.Context(), "")
			time.Sleep(time.Second)
		}
		if lines := w.logged(); len(lines) != 3 {
			t.Errorf("gone: %d lines", len(lines))
		}
	})
}

func TestWithoutGraceANameThatIsGoneIsAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld("10.0.0.1")
		o, _ := w.origin(t, func(o *dial.Options) { o.ResolveGrace = -1 })
		connect(t, o)
		w.fail(errors.New("it is gone"), false)
		time.Sleep(29 * time.Second)
		connect(t, o)
		time.Sleep(time.Second)
		_, err := o.Connect(t.Context(), "")
		if err == nil {
			t.Error("no failure")
		}
		if _, outdated := w.wire.Resolutions(); outdated != 0 {
			t.Errorf("%d outdated connections", outdated)
		}
	})
}

// TestANameThatIsNotThereCostsFewLookups makes a connection each millisecond.
func TestANameThatIsNotThereCostsFewLookups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		o, _ := w.origin(t, nil)
		for range 1000 {
			wantDNS(t, o)
			time.Sleep(time.Millisecond)
		}
		if n := w.lookups(); n < 9 || n > 11 {
			t.Errorf("%d lookups in a second", n)
		}
		if lines := w.logged(); len(lines) != 1 {
			t.Errorf("logged %q", lines)
		}
	})
}

func TestANameIsRefreshedInTheBackground(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld("10.0.0.1")
		o, told := w.origin(t, nil)
		o.Refresh(time.Now()) // There is nothing yet to refresh.
		synctest.Wait()
		if n := w.lookups(); n != 0 {
			t.Errorf("%d lookups before anybody needs an address", n)
		}
		connect(t, o)
		refresh := func(d time.Duration) {
			for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
				o.Refresh(time.Now())
			}
			synctest.Wait()
		}
		w.resolveTo("10.0.0.2", "10.0.0.1")
		refresh(31 * time.Second)
		if n := w.lookups(); n != 2 || len(*told) != 2 {
			t.Errorf("%d lookups, and told of %q", n, *told)
		}
		w.fail(errors.New("it is gone"), false)
		refresh(40 * time.Second)
		if n := w.lookups(); n < 11 || n > 14 {
			t.Errorf("%d lookups", n)
		}
		if len(w.logged()) != 1 || len(*told) != 2 {
			t.Errorf("logged %q, told of %q", w.logged(), *told)
		}
		w.resolveTo("10.0.0.1")
		refresh(2 * time.Second)
		if len(w.logged()) != 2 || len(*told) != 1 {
			t.Errorf("logged %q, told of %q", w.logged(), *told)
		}
	})
}

func TestWithoutATimeEachConnectionIsResolvedAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld("10.0.0.1")
		o, _ := w.origin(t, func(o *dial.Options) { o.ResolveEvery = 0 })
		for range 5 {
			connect(t, o)
			o.Refresh(time.Now())
		}
		if n := w.lookups(); n != 5 {
			t.Errorf("%d lookups", n)
		}
		w.fail(errors.New("it is gone"), false)
		if _, err := o.Connect(t.Context(), ""); err == nil {
			t.Error("no failure")
		}
	})
}

func TestClosingEndsALookup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.fail(nil, true)
		d, err := dial.New(dial.Options{Timeout: time.Hour, Net: dial.Net{Resolver: w}, Observer: &w.wire, Logger: slog.New(slog.NewTextHandler(w, nil))})
		if err != nil {
			t.Fatal(err)
		}
		o := d.Origin(dial.Target{Addr: "target.test:80"})
		ended := make(chan error, 1)
		go func() {
			_, err := o.Connect(t.Context(), "")
			ended <- err
		}()
		synctest.Wait()
		if err := o.Unresolved(); dial.Reason(err) != protocol.ReasonDNS {
			t.Errorf("who waits is told of %v", err)
		}
		d.Close()
		if err := <-ended; dial.Reason(err) != protocol.ReasonCanceled {
			t.Errorf("got %v", err)
		}
		if _, err := o.Connect(t.Context(), ""); dial.Reason(err) != protocol.ReasonCanceled {
			t.Errorf("after closing, got %v", err)
		}
		if all, _ := w.wire.Resolutions(); len(all) != 0 || len(w.logged()) != 0 {
			t.Errorf("told of %v, logged %q", all, w.logged())
		}
	})
}

func TestAnAddressNeedsNoLookup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		for _, addr := range []string{"127.0.0.1:80", "[::1]:80", "[fe80::1%lo]:80"} {
			var told []string
			d, err := dial.New(dial.Options{Timeout: time.Second, Net: dial.Net{Resolver: w, DialContext: w.dial}})
			if err != nil {
				t.Fatal(err)
			}
			o := d.Origin(dial.Target{Addr: addr, Changed: func(addrs []string) { told = addrs }})
			if !slices.Equal(told, []string{addr}) {
				t.Errorf("told of %q", told)
			}
			if r := connect(t, o); r.Addr != addr || r.Phases.DNS != 0 || w.lookups() != 0 {
				t.Errorf("%s: got %+v", addr, r)
			}
			d.Close()
		}
		d, err := dial.New(dial.Options{Timeout: time.Second})
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		if _, err := d.Origin(dial.Target{Addr: "no port"}).Connect(t.Context(), ""); err == nil {
			t.Error("no error")
		}
	})
}

// TestRealResolversFail asks a server on loopback, as a process does.
func TestRealResolversFail(t *testing.T) {
	at := protocoltest.Raw(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
	_, port, _ := net.SplitHostPort(at)
	for name, fail := range map[string]func(*protocoltest.NameServer){
		"NXDOMAIN": func(s *protocoltest.NameServer) { s.Fail(protocoltest.NXDomain) },
		"SERVFAIL": func(s *protocoltest.NameServer) { s.Fail(protocoltest.ServFail) },
		"silence":  func(s *protocoltest.NameServer) { s.Silence() },
	} {
		t.Run(name, func(t *testing.T) {
			names := protocoltest.NewNameServer(t, "127.0.0.1")
			names.Delay(10 * time.Millisecond)
			w := new(protocoltest.ConnRecorder)
			d, err := dial.New(dial.Options{
				NextProtos: []string{protocol.HTTP1}, Timeout: 200 * time.Millisecond, ResolveEvery: 50 * time.Millisecond,
				Net: dial.Net{Resolver: names.Resolver()}, Observer: w,
			})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(d.Close)
			o := d.Origin(dial.Target{Addr: "target.test:" + port})
			connect(t, o)
			if all, _ := w.Resolutions(); len(all) != 1 || all[0].Took < 10*time.Millisecond {
				t.Errorf("the wire was told of %v", all)
			}
			fail(names)
			protocoltest.Eventually(t, "connections fail as dns", func() bool {
				r, err := o.Connect(t.Context(), "")
				if err == nil {
					_ = r.Conn.Close()
				}
				return dial.Reason(err) == protocol.ReasonDNS
			})
			names.Set("127.0.0.1")
			protocoltest.Eventually(t, "connections are made again", func() bool {
				r, err := o.Connect(t.Context(), "")
				if err == nil {
					_ = r.Conn.Close()
				}
				return err == nil
			})
			failed := 0
			all, _ := w.Resolutions()
			for _, r := range all {
				if r.Err != nil {
					failed++
				}
			}
			if failed == 0 {
				t.Error("the wire was not told of a failure")
			}
		})
	}
}

func TestARealResolverIsAskedAgain(t *testing.T) {
	names := protocoltest.NewNameServer(t, "127.0.0.1")
	names.Silence()
	w := new(protocoltest.ConnRecorder)
	d, err := dial.New(dial.Options{
		NextProtos: []string{protocol.HTTP1}, Timeout: protocoltest.Long, ResolveEvery: time.Hour,
		Net: dial.Net{Resolver: names.Resolver()}, Observer: w,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	_, port, _ := net.SplitHostPort(protocoltest.Raw(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }))
	o := d.Origin(dial.Target{Addr: "target.test:" + port})
	made := make(chan dial.Ready)
	go func() { made <- connect(t, o) }()
	protocoltest.Eventually(t, "a query is lost", func() bool { return names.Lookups() > 0 })
	names.Set("127.0.0.1")
	if r := <-made; r.Phases.DNS > 4*time.Second { // The resolver's own timeout is 5 s.
		t.Errorf("it waited %s", r.Phases.DNS)
	}
	if all, _ := w.Resolutions(); len(all) < 2 || all[0].Err == nil || all[len(all)-1].Err != nil {
		t.Errorf("the wire was told of %v", all)
	}
}

// TestAResolverThatIsSilentAboutAFamily has the addresses of the other one, as behind a firewall
// that drops the queries for AAAA records.
func TestAResolverThatIsSilentAboutAFamily(t *testing.T) {
	for _, c := range []struct {
		name          string
		mute          []uint16
		timeout, wait time.Duration
		want          string
	}{
		{name: "IPv6", mute: []uint16{protocoltest.TypeAAAA}, timeout: protocoltest.Long, want: "127.0.0.1:80"},
		{name: "IPv4", mute: []uint16{protocoltest.TypeA}, timeout: protocoltest.Long, want: "[::1]:80"},
		{name: "IPv6, before a short timeout ends", mute: []uint16{protocoltest.TypeAAAA}, timeout: time.Second, want: "127.0.0.1:80"},
		{name: "IPv6, before requests give up", mute: []uint16{protocoltest.TypeAAAA}, timeout: protocoltest.Long, wait: time.Second, want: "127.0.0.1:80"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			names := protocoltest.NewNameServer(t, "127.0.0.1", "::1")
			names.SilenceAbout(c.mute...)
			dialed := make(chan string, 1)
			d, err := dial.New(dial.Options{
				NextProtos: []string{protocol.HTTP1}, Timeout: c.timeout, Wait: c.wait, ResolveEvery: time.Hour,
				Net: dial.Net{Resolver: names.Resolver(), DialContext: func(_ context.Context, _, addr string) (net.Conn, error) {
					dialed <- addr
					here, there := net.Pipe()
					t.Cleanup(func() { _ = there.Close() })
					return here, nil
				}},
			})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(d.Close)
			r := connect(t, d.Origin(dial.Target{Addr: "target.test:80"}))
			if r.Phases.DNS > 4*time.Second { // The resolver's own timeout is 5 s.
				t.Errorf("it waited %s", r.Phases.DNS)
			}
			if got := <-dialed; got != c.want {
				t.Errorf("connected to %s, want %s", got, c.want)
			}
		})
	}
}

// TestSilenceAboutBothIsATimeout has an address for neither family.
func TestSilenceAboutBothIsATimeout(t *testing.T) {
	names := protocoltest.NewNameServer(t, "127.0.0.1")
	names.SilenceAbout(protocoltest.TypeA, protocoltest.TypeAAAA)
	d, err := dial.New(dial.Options{NextProtos: []string{protocol.HTTP1}, Timeout: 2 * time.Second, Net: dial.Net{Resolver: names.Resolver()}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	_, err = d.Origin(dial.Target{Addr: "target.test:80"}).Connect(t.Context(), "")
	if dns, ok := errors.AsType[*net.DNSError](err); !ok || !dns.IsTimeout {
		t.Errorf("failed as %v", err)
	}
}
