package fleet

import (
	"context"
	"maps"
	"sync"
	"time"

	"github.com/grafana/dskit/kv"

	"github.com/traffic-exporter/traffic_exporter/internal/membership"
	"github.com/traffic-exporter/traffic_exporter/internal/mesh"
)

const (
	// figuresKey is the key of the figures in the store. It is not that of the heartbeats, which
	// must not have to wait for them.
	figuresKey = "figures"
	// MaxFigures is of how many scenarios a member shares its figures, at most.
	MaxFigures = 100
	// MaxFigureBuckets bounds the histogram of a scenario. maxFigureReasons bounds the reasons, and
	// maxFigureMembers the members that there are figures of, whatever others share.
	MaxFigureBuckets                   = 128
	maxFigureReasons, maxFigureMembers = 64, 1000
	// figuresFor is how long figures are those of the present.
	figuresFor = 20 * time.Second
)

// Figures are a member's present figures of a scenario; rates are per second.
type Figures struct {
	// Sent are slots, Ended are requests.
	Sent, Ended float32
	// DroppedFor are the slots that were dropped, and FailedFor the requests that failed, by
	// reason.
	DroppedFor, FailedFor map[string]float32
	// Users are the journeys in progress, and Delay is the 99th percentile of the member's own
	// delay in seconds.
	Users, Delay float32
	// Good and Bad are the requests of the last 24 hours by the SLO, which the member has counted
	// since Since, in Unix seconds.
	Good, Bad float64
	Since     int64
	// Buckets are of latencies, as package history numbers them.
	Buckets Buckets
}

// bound cuts the figures to the size that a member may share.
func (f *Figures) bound() {
	f.Buckets = f.Buckets[:min(len(f.Buckets), 2*MaxFigureBuckets)]
	for _, reasons := range []*map[string]float32{&f.DroppedFor, &f.FailedFor} {
		if len(*reasons) > maxFigureReasons {
			*reasons = nil
		}
	}
}

// Buckets are pairs of a bucket's index and its count.
type Buckets []uint32

// MemberFigures are the figures of one member by scenario.
type MemberFigures struct {
	ID      string
	Figures map[string]Figures
}

// Totals are the figures that the members of the fleet exchange, for people: no traffic
// depends on them. Safe for concurrent use.
type Totals struct {
	fleet *Fleet
	news  chan struct{}

	mu     sync.Mutex
	client kv.Client // of a server; nil before the fleet has started
	// next are the figures to send next, and known are the latest of all members, by ID.
	next  *sentFigures
	known map[string]*known
}

// known are the latest figures of a member. They are decoded when somebody first looks at
// them.
type known struct {
	at      time.Time
	content []byte
	read    bool
	// all are the figures once they are read, nil if they could not be.
	all map[string]Figures
}

// figures returns the figures by scenario, nil if they cannot be read, with the reason the
// first time.
func (k *known) figures() (all map[string]Figures, err error) {
	if !k.read {
		k.all, err = decodeFigures(k.content)
		k.read, k.content = true, nil
	}
	return k.all, err
}

// Totals returns the figures that the members exchange.
func (f *Fleet) Totals() *Totals { return f.totals }

func newTotals(f *Fleet) *Totals {
	return &Totals{fleet: f, news: make(chan struct{}, 1), known: map[string]*known{}}
}

// Publish sends this replica's figures to the others, in the background: the store may take its time.
func (t *Totals) Publish(now time.Time, all map[string]Figures) {
	content, err := encodeFigures(all)
	if err != nil {
		t.fleet.logger.Debug("figures could not be shared", "err", err)
		return
	}
	t.mu.Lock()
	t.next = &sentFigures{at: now.UnixMilli(), content: content}
	t.mu.Unlock()
	select {
	case t.news <- struct{}{}:
	default: // It is being sent.
	}
}

// Of returns the figures of all members that send, and the names of those whose figures are not
// known.
func (t *Totals) Of(now time.Time) (all []MemberFigures, missing []string) {
	members := t.fleet.Status().Members
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, m := range members {
		if m.State != membership.Live && m.State != membership.Leaving {
			continue
		}
		if figures := t.of(m.ID, now); figures != nil {
			all = append(all, MemberFigures{ID: m.ID, Figures: figures})
		} else {
			missing = append(missing, m.Name)
		}
	}
	return all, missing
}

// of returns the figures of one member, nil if they are not known. The caller holds t.mu.
func (t *Totals) of(id string, now time.Time) map[string]Figures {
	one, ok := t.known[id]
	if !ok || now.Sub(one.at).Abs() > figuresFor {
		return nil
	}
	all, err := one.figures()
	if err != nil {
		t.fleet.logger.Debug("figures cannot be read", "id", id, "err", err)
	}
	return all
}

func (t *Totals) connect(client kv.Client) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.client = client
}

// run sends and receives figures until ctx ends.
func (t *Totals) run(ctx context.Context) {
	var watches sync.WaitGroup
	defer watches.Wait()
	if t.fleet.direct == nil {
		watches.Go(func() { watch(ctx, t.client, figuresKey, t.read) })
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.news:
			t.send(ctx)
		}
	}
}

// send sends this replica's figures to the others, through the store if that is a server.
func (t *Totals) send(ctx context.Context) {
	t.mu.Lock()
	next := *t.next
	t.mu.Unlock()
	if d := t.fleet.direct; d != nil {
		d.mesh.Say(mesh.Value{Kind: directFigures, ID: t.fleet.id, Stamp: next.at, Content: next.content})
	} else if err := t.write(ctx, next); err != nil {
		if ctx.Err() == nil {
			t.fleet.logger.Debug("figures could not be shared", "err", err)
		}
		return
	}
	t.hear(figures{t.fleet.id: next})
}

// write writes this replica's figures to the store, and leaves out those that are too old to
// be of use.
func (t *Totals) write(ctx context.Context, next sentFigures) error {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	return t.client.CAS(ctx, figuresKey, func(in any) (any, bool, error) {
		all := figures{}
		if v, ok := in.(*figures); ok && v != nil {
			maps.Copy(all, *v)
		}
		all.forget(time.UnixMilli(next.at))
		all[t.fleet.id] = next
		return &all, true, nil
	})
}

// read takes in what a server has.
func (t *Totals) read(value any) {
	if v, ok := value.(*figures); ok && v != nil {
		t.hear(*v)
	}
}

// hear takes in figures, which may have come before.
func (t *Totals) hear(others figures) {
	now := time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	maps.DeleteFunc(t.known, func(_ string, k *known) bool { return isStale(k.at, now) })
	for id, one := range others {
		at := time.UnixMilli(one.at)
		old, ok := t.known[id]
		if isStale(at, now) || ok && !at.After(old.at) || !ok && len(t.known) >= maxFigureMembers {
			continue
		}
		t.known[id] = &known{at: at, content: one.content}
	}
}

// isStale reports whether figures are too old for any use.
func isStale(at, now time.Time) bool { return now.Sub(at).Abs() > 2*figuresFor }
