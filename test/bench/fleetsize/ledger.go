//go:build linux

package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/timeline"
)

const (
	// scenario is what the fleet sends.
	scenario = "steady"
	// straggling is how long after it was due a slot may reach the target: the test measures
	// which replica sends which slot, not whether the machine is busy.
	straggling = 3 * time.Second
)

// ledger is a target that counts how often each slot was sent.
type ledger struct {
	addr     string
	server   *http.Server
	serving  sync.WaitGroup
	timeline *timeline.Timeline

	mu   sync.Mutex
	sent map[string]int
}

func startLedger(rate int) (*ledger, error) {
	tl, err := timeline.New(timeline.Options{Name: scenario, Shape: timeline.Steady{Rate: float64(rate)}, Arrivals: timeline.Uniform})
	if err != nil {
		return nil, err
	}
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	l := &ledger{addr: listener.Addr().String(), timeline: tl, sent: map[string]int{}}
	l.server = &http.Server{Handler: l, ReadHeaderTimeout: 10 * time.Second}
	l.serving.Go(func() {
		if err := l.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			panic(err)
		}
	})
	return l, nil
}

func (l *ledger) stop() {
	_ = l.server.Close()
	l.serving.Wait()
}

// ServeHTTP counts the slot that a request is for.
func (l *ledger) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	slot, _ := strings.CutPrefix(r.Header.Get("Traffic-Slot"), scenario+"/")
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sent[slot]++
}

// audit is how many slots were due in some time, and how many of them were not sent or
// were sent again.
type audit struct{ due, lost, doubled int }

// audit looks at the slots that were due in the whole seconds of a time.
func (l *ledger) audit(from, to time.Time) (a audit) {
	l.mu.Lock()
	defer l.mu.Unlock()
	from, to = from.Truncate(time.Second).Add(time.Second), to.Truncate(time.Second)
	c := l.timeline.Cursor(from)
	for s, ok := c.Next(to); ok; s, ok = c.Next(to) {
		a.due++
		switch n := l.sent[slotName(s)]; n {
		case 0:
			a.lost++
		default:
			a.doubled += n - 1
		}
	}
	return a
}
