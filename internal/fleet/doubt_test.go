package fleet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/grafana/dskit/ring"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/traffic-exporter/traffic_exporter/test/freeport"
)

// journal is a log that can be read while it is written.
type journal struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.buf.Write(p)
}

func (j *journal) count(text string) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Count(j.buf.String(), text)
}

func TestAReplicaThatReachesNobodyWaitsAndSaysSo(t *testing.T) {
	options := gossip(t, 2)
	var log journal
	o := options[0]
	o.StartAloneAfter = time.Hour
	o.Logger = slog.New(slog.NewTextHandler(&log, nil))
	// A name that does not resolve is as good as one that hangs.
	o.Memberlist.Join = append(o.Memberlist.Join, "dns+nowhere.invalid:7946")
	first := run(t, o)
	eventually(t, func() error {
		if s := first.Status(); !s.View.Waiting || s.View.Live || log.count("none of the replicas in join") != 1 {
			return fmt.Errorf("it does not wait: %s", s.View.Why)
		}
		return nil
	})
	options[1].StartAloneAfter = time.Hour
	second := run(t, options[1])
	counts(t, first, 2)
	counts(t, second, 2)
	if first.Status().View.Waiting {
		t.Error("it waits though it has found the others")
	}
}

// hang returns the address of somebody who takes connections and never says anything.
func hang(t *testing.T) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l.Addr().String()
}

func TestSeedsThatHangHoldNobodyUp(t *testing.T) {
	options := gossip(t, 2)
	var stale []string
	for range 20 {
		stale = append(stale, hang(t))
	}
	first := run(t, options[0])
	counts(t, first, 1)
	// One after the other they would hold it up for minutes.
	options[1].StartAloneAfter = time.Hour
	options[1].Memberlist.Join = append(stale, options[1].Memberlist.Join...)
	counts(t, run(t, options[1]), 2)
}

// A stop may come while seeds wait to be reached: that takes seconds if there are many.
func TestAStopDoesNotWaitForSeeds(t *testing.T) {
	for name, seed := range map[string]func(*testing.T) string{
		"absent": func(t *testing.T) string { t.Helper(); return freeport.Address(t) },
		"hang":   hang,
	} {
		t.Run(name, func(t *testing.T) {
			var log journal
			o := gossip(t, 1)[0]
			o.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
			for range 2 * maxDials {
				o.Memberlist.Join = append(o.Memberlist.Join, seed(t))
			}
			f := run(t, o)
			eventually(t, func() error {
				if log.count("a replica in join cannot be reached") == 0 {
					return errors.New("no seed has been tried")
				}
				return nil
			})
			halt(t, f)
		})
	}
}

// An attempt to reach a replica that hangs takes as long as the pause before the next one.
func TestAStopDoesNotTryTheLostAgain(t *testing.T) {
	var tried atomic.Int64
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var conns []net.Conn // It says nothing, and keeps them.
	var listening sync.WaitGroup
	listening.Go(func() {
		for {
			conn, ended := l.Accept()
			if ended != nil {
				return
			}
			conns = append(conns, conn)
			tried.Add(1)
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		listening.Wait()
		for _, c := range conns {
			_ = c.Close()
		}
	})

	f, err := New(gossip(t, 1)[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := f.start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.stop(nil); err != nil {
			t.Error(err)
		}
	})
	sent := time.Now().Add(-20 * time.Second).UnixMilli()
	other := ring.InstanceDesc{Addr: l.Addr().String(), Versions: ring.InstanceVersions{fieldSent: uint64(sent), fieldAsked: uint64(sent)}}
	f.hear([]arrival{{id: "other-1", words: wordsOf(other)}})
	f.tick(time.Now().Round(0))
	if len(f.lost()) != 1 {
		t.Fatal("it is not taken for lost")
	}

	const loops = 10
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var work sync.WaitGroup
	for range loops {
		work.Go(func() { f.reunite(ctx) })
	}
	eventually(t, func() error {
		if n := tried.Load(); n < loops {
			return fmt.Errorf("%d of %d have tried to reach it", n, loops)
		}
		return nil
	})
	cancel()
	before := tried.Load()
	work.Wait()
	if n := tried.Load() - before; n != 0 {
		t.Errorf("it was tried %d times more after the stop", n)
	}
}

func TestThoseWhoDoNotKnowOfMostSeedsFoundNoFleet(t *testing.T) {
	options := gossip(t, 2)
	stale := []string{hang(t), hang(t), hang(t)}
	var fleet []*Fleet
	for _, o := range options {
		o.StartAloneAfter = time.Hour
		o.Memberlist.Join = append(slices.Clone(stale), o.Memberlist.Join...)
		fleet = append(fleet, run(t, o))
	}
	for _, f := range fleet {
		eventually(t, func() error {
			if _, why := f.Live(); !strings.Contains(why, "most of the replicas in join have not been reached") {
				return fmt.Errorf("it does not wait for the rest: %s", why)
			}
			return nil
		})
	}
}

func TestMembersThatDifferAreLoggedOnce(t *testing.T) {
	var log journal
	o := gossip(t, 1)[0]
	o.Logger = slog.New(slog.NewTextHandler(&log, nil))
	f, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	f.SetConfig(1)
	for sent, m := range []struct {
		config, floor uint64
		logged        int
	}{{1, 1, 0}, {2, 1, 1}, {2, 1, 1}, {2, 3, 2}, {1, 1, 2}} {
		other := ring.InstanceDesc{Addr: "127.0.0.1:1", Versions: ring.InstanceVersions{fieldSent: uint64(sent) + 1, fieldConfig: m.config, fieldMinReplicas: m.floor}}
		f.hear([]arrival{{id: "other-1", words: wordsOf(other)}})
		if n := log.count("runs another configuration"); n != m.logged {
			t.Errorf("config %d, min_replicas %d: logged %d times, want %d", m.config, m.floor, n, m.logged)
		}
	}
}

// After a rollout the replicas that were replaced are remembered, with the configuration that
// they had.
func TestThoseThatHaveLeftAreNotComparedWith(t *testing.T) {
	var logs [2]journal
	options := gossip(t, 2)
	var fleet []*Fleet
	for i, o := range options {
		o.Logger = slog.New(slog.NewTextHandler(&logs[i], nil))
		fleet = append(fleet, run(t, o))
	}
	for _, f := range fleet {
		counts(t, f, 2)
	}
	if err := fleet[1].Leave(t.Context()); err != nil {
		t.Fatal(err)
	}
	halt(t, fleet[1])
	counts(t, fleet[0], 1)
	fleet[0].SetConfig(1)
	another := options[1]
	another.Memberlist.Listen, another.Registerer = freeport.Address(t), prometheus.NewRegistry()
	fresh := run(t, another)
	fresh.SetConfig(1)
	counts(t, fleet[0], 2)
	eventually(t, func() error {
		if n := fleet[0].Status().Mismatched; n != 0 {
			return fmt.Errorf("%d members run other scenarios", n)
		}
		return nil
	})
	if logs[0].count(`runs another configuration" id=`+fleet[1].ID()) != 0 {
		t.Error("it is compared with a replica that has left")
	}
}
