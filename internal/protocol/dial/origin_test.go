package dial_test

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestConnectionsGoToTheAddressWithTheFewest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld("10.0.0.1", "10.0.0.2", "10.0.0.3")
		o, _ := w.origin(t, nil)
		counts := map[string]int{}
		for range 9 {
			counts[connect(t, o).Addr]++
		}
		for addr, n := range counts {
			if n != 3 {
				t.Errorf("%d connections to %s", n, addr)
			}
		}
		// One that is asked for is taken, and one that is closed does not count.
		r, err := o.Connect(t.Context(), "10.0.0.2:80")
		if err != nil || r.Addr != "10.0.0.2:80" {
			t.Fatal(r.Addr, err)
		}
		_ = r.Conn.Close()
		again, err := o.Connect(t.Context(), "10.0.0.3:80")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = again.Conn.Close() }()
		if got := []string{connect(t, o).Addr, connect(t, o).Addr}; got[0] != "10.0.0.1:80" || got[1] != "10.0.0.2:80" {
			t.Errorf("connected to %q", got)
		}
	})
}

func TestAnAddressThatIsNotReachedIsLeftAloneForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld("10.0.0.1", "10.0.0.2")
		w.refused = []string{"10.0.0.1"}
		o, _ := w.origin(t, nil)
		for range 3 {
			if r := connect(t, o); r.Addr != "10.0.0.2:80" {
				t.Errorf("connected to %s", r.Addr)
			}
		}
		if !o.Resting("10.0.0.1:80", time.Now()) || o.Resting("10.0.0.2:80", time.Now()) {
			t.Error("it is not the one that was not reached that is left alone")
		}
		if addr := o.Bare(16); addr != "" {
			t.Errorf("%s is to get a connection", addr)
		}
		time.Sleep(5 * time.Second)
		if addr := o.Bare(16); addr != "10.0.0.1:80" {
			t.Errorf("%q is to get a connection", addr)
		}
		if _, err := o.ConnectOnly(t.Context(), "10.0.0.1:80"); err == nil {
			t.Error("connected to an address at which nothing listens")
		}
		if addr := o.Bare(16); addr != "" {
			t.Errorf("%s is to get a connection again", addr)
		}
		w.mu.Lock()
		w.refused = nil
		w.mu.Unlock()
		time.Sleep(5 * time.Second)
		if r := connect(t, o); r.Addr != "10.0.0.1:80" {
			t.Errorf("connected to %s", r.Addr)
		}
	})
}

func TestAnAdoptedConnectionCountsForWhoHasIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld("10.0.0.1", "10.0.0.2")
		o, _ := w.origin(t, nil)
		other, _ := w.origin(t, nil)
		connect(t, other)
		r := connect(t, o)
		other.Adopt(r)
		if got := connect(t, o).Addr; got != "10.0.0.1:80" {
			t.Errorf("where it is gone, connected to %s", got)
		}
		if got := connect(t, other).Addr; got != "10.0.0.2:80" {
			t.Errorf("where it came, connected to %s", got)
		}
	})
}

func TestAFailureCountsForNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld("10.0.0.1", "10.0.0.2")
		w.refused = []string{"10.0.0.1", "10.0.0.2"}
		o, _ := w.origin(t, nil)
		for range 5 {
			if _, err := o.Connect(t.Context(), ""); err == nil {
				t.Error("connected")
			}
		}
		if addr := o.Bare(1); addr != "10.0.0.1:80" {
			t.Errorf("%q has no connection", addr)
		}
	})
}
