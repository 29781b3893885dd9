package fleet

import (
	"bytes"
	"context"
	"encoding/gob"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/golang/snappy"
	"github.com/grafana/dskit/kv"
	"github.com/grafana/dskit/kv/codec"
	"github.com/grafana/dskit/kv/memberlist"

	"github.com/traffic-exporter/traffic_exporter/internal/membership"
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
	client kv.Client // nil before the fleet has started
	// next are the figures to send next, and known are the latest of all members.
	next  *told
	known figures
}

// told are the figures of a member as it sent them.
type told struct {
	// At is when, by its clock, in milliseconds.
	At      int64
	Figures map[string]Figures
}

// Totals returns the figures that the members exchange.
func (f *Fleet) Totals() *Totals { return f.totals }

func newTotals(f *Fleet) *Totals {
	return &Totals{fleet: f, news: make(chan struct{}, 1), known: figures{}}
}

// Tell sends this replica's figures to the others, in the background: the store may take its time.
func (t *Totals) Tell(now time.Time, all map[string]Figures) {
	t.mu.Lock()
	t.next = &told{At: now.UnixMilli(), Figures: all}
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
		one, ok := t.known[m.ID]
		if !ok || now.Sub(time.UnixMilli(one.At)).Abs() > figuresFor {
			missing = append(missing, m.Name)
			continue
		}
		all = append(all, MemberFigures{ID: m.ID, Figures: one.Figures})
	}
	return all, missing
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
	watches.Go(func() { watch(ctx, t.client, figuresKey, t.hear) })
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.news:
			t.send(ctx)
		}
	}
}

// send writes this replica's figures, and leaves out those that are too old to be of use.
func (t *Totals) send(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	t.mu.Lock()
	next := t.next
	t.mu.Unlock()
	err := t.client.CAS(ctx, figuresKey, func(in any) (any, bool, error) {
		all := figures{}
		if v, ok := in.(*figures); ok && v != nil {
			maps.Copy(all, *v)
		}
		all.forget(time.UnixMilli(next.At))
		all[t.fleet.id] = *next
		return &all, true, nil
	})
	if err != nil && ctx.Err() == nil {
		t.fleet.logger.Debug("figures could not be shared", "err", err)
		return
	}
	t.hear(&figures{t.fleet.id: *next})
}

func (t *Totals) hear(value any) {
	v, ok := value.(*figures)
	if !ok || v == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.known.merge(*v)
	t.known.forget(time.Now())
}

// figures are those of all members, by ID.
type figures map[string]told

var _ memberlist.Mergeable = (*figures)(nil)

// merge takes in newer figures, and returns them.
func (f figures) merge(others figures) figures {
	changed := figures{}
	for id, o := range others {
		if own, ok := f[id]; (!ok && len(f) < maxFigureMembers) || (ok && own.At < o.At) {
			f[id], changed[id] = o, o
		}
	}
	return changed
}

// forget drops figures that are too old for any use.
func (f figures) forget(now time.Time) {
	maps.DeleteFunc(f, func(_ string, o told) bool { return now.Sub(time.UnixMilli(o.At)).Abs() > 2*figuresFor })
}

// Merge implements memberlist.Mergeable.
func (f *figures) Merge(other memberlist.Mergeable, _ bool) (memberlist.Mergeable, error) {
	o, ok := other.(*figures)
	if !ok {
		return nil, fmt.Errorf("merge figures: found %T", other)
	}
	if o == nil {
		return nil, nil //nolint:nilnil // No change is nil, by the interface's contract.
	}
	changed := f.merge(*o)
	if len(changed) == 0 {
		return nil, nil //nolint:nilnil // Likewise.
	}
	return &changed, nil
}

// MergeContent implements memberlist.Mergeable.
func (f *figures) MergeContent() []string { return slices.Sorted(maps.Keys(*f)) }

// RemoveTombstones implements memberlist.Mergeable.
func (f *figures) RemoveTombstones(limit time.Time) (total, removed int) {
	before := len(*f)
	if !limit.IsZero() {
		f.forget(time.Now())
	}
	return len(*f), before - len(*f)
}

// Clone implements memberlist.Mergeable. Figures that a member sent never change.
func (f *figures) Clone() memberlist.Mergeable {
	c := maps.Clone(*f)
	return &c
}

// figuresCodec writes figures in gob, compressed.
type figuresCodec struct{}

var _ codec.Codec = figuresCodec{}

// CodecID implements codec.Codec.
func (figuresCodec) CodecID() string { return "trafficFigures" }

// Encode implements codec.Codec.
func (figuresCodec) Encode(value any) ([]byte, error) {
	v, ok := value.(*figures)
	if !ok {
		return nil, fmt.Errorf("encode figures: found %T", value)
	}
	var b bytes.Buffer
	if err := gob.NewEncoder(&b).Encode(map[string]told(*v)); err != nil {
		return nil, fmt.Errorf("encode figures: %w", err)
	}
	return snappy.Encode(nil, b.Bytes()), nil
}

// Decode implements codec.Codec.
func (figuresCodec) Decode(b []byte) (any, error) {
	plain, err := snappy.Decode(nil, b)
	v := map[string]told{}
	if err == nil && len(plain) > 0 {
		err = gob.NewDecoder(bytes.NewReader(plain)).Decode(&v)
	}
	if err != nil {
		return nil, fmt.Errorf("decode figures: %w", err)
	}
	f := figures{}
	for id, o := range v {
		if len(o.Figures) <= MaxFigures {
			for name, one := range o.Figures {
				one.bound()
				o.Figures[name] = one
			}
			f[id] = o
		}
	}
	return &f, nil
}
