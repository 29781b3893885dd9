package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/golang/snappy"
	"github.com/grafana/dskit/kv"
	"github.com/grafana/dskit/kv/codec"
	"github.com/grafana/dskit/kv/memberlist"

	"github.com/traffic-exporter/traffic_exporter/internal/override"
)

// keptFor is for how long changes are kept that have ended: the slots of a day, which may have a limit, are
// counted from its beginning.
const keptFor = 26 * time.Hour

const (
	// overridesKey is the key of the overrides in the store, and followedKey that of the rates
	// that were found for scenarios that follow one.
	overridesKey, followedKey = "overrides", "followed"
	// maxOverrides bounds the scenarios that have changes, whatever others send us.
	maxOverrides = 1000
)

// errNotConnected is returned while the store cannot be read yet.
var errNotConnected = errors.New("the fleet's store cannot be reached yet")

// Overrides are changes of the rate that the fleet shares: those that operators write, or
// those that are found for rates that are followed. Its methods are safe for concurrent use.
type Overrides struct {
	// key is where they are in the store.
	key    string
	logger *slog.Logger
	news   chan struct{}

	mu sync.Mutex
	// client is nil before the fleet has started.
	client kv.Client
	book   override.Book
}

func newOverrides(key string, logger *slog.Logger) *Overrides {
	return &Overrides{key: key, logger: logger, news: make(chan struct{}, 1), book: override.Book{}}
}

// connect sets the store.
func (o *Overrides) connect(client kv.Client) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.client = client
}

func (o *Overrides) store() kv.Client {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.client
}

// Book returns all changes that have been heard of.
func (o *Overrides) Book() override.Book {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.book.Clone()
}

// News receives when Book has changed.
func (o *Overrides) News() <-chan struct{} { return o.news }

// Change adds the change of a scenario that f makes out of its history. It returns f's
// error, or that of the store.
func (o *Overrides) Change(ctx context.Context, scenario string, f func(override.History) (override.History, error)) error {
	client := o.store()
	if client == nil {
		return errNotConnected
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	var refused error
	err := client.CAS(ctx, o.key, func(in any) (any, bool, error) {
		value := &overrides{book: override.Book{}}
		if v, ok := in.(*overrides); ok && v != nil {
			value.book = v.book.Clone()
		}
		// Expired changes would otherwise stay in etcd and Consul for ever.
		value.book.Forget(time.Now().Add(-keptFor))
		history, err := f(value.book[scenario])
		if refused = err; err != nil {
			return nil, false, err
		}
		value.book[scenario] = history
		return value, true, nil
	})
	if refused != nil {
		return refused
	}
	if err != nil {
		return fmt.Errorf("write to the fleet's store: %w", err)
	}
	// This replica need not wait for the watch to see its own write.
	if value, err := client.Get(ctx, o.key); err == nil {
		o.hear(value)
	}
	return nil
}

// watch follows the changes of the others until ctx ends.
func (o *Overrides) watch(ctx context.Context) {
	client := o.store()
	var watches sync.WaitGroup
	watches.Go(func() { poll(ctx, client, o.key, o.hear) })
	watch(ctx, client, o.key, o.hear)
	watches.Wait()
}

// hear takes in changes.
func (o *Overrides) hear(value any) {
	v, ok := value.(*overrides)
	if !ok || v == nil {
		return
	}
	o.mu.Lock()
	changed := o.book.Merge(v.book)
	o.mu.Unlock()
	if len(changed) == 0 {
		return
	}
	report := o.logger.Info
	if o.key == followedKey {
		report = o.logger.Debug // They change all the time.
	}
	report("overrides of the rate changed", "key", o.key, "scenarios", changed.Names())
	select {
	case o.news <- struct{}{}:
	default: // There is news already.
	}
}

// overrides is a Book as the store keeps it.
type overrides struct{ book override.Book }

var _ memberlist.Mergeable = (*overrides)(nil)

// Merge implements memberlist.Mergeable.
func (v *overrides) Merge(other memberlist.Mergeable, _ bool) (memberlist.Mergeable, error) {
	o, ok := other.(*overrides)
	if !ok {
		return nil, fmt.Errorf("merge overrides: found %T", other)
	}
	if o == nil {
		return nil, nil //nolint:nilnil // No change is nil, by the interface's contract.
	}
	if len(v.book)+len(o.book) > 2*maxOverrides {
		return nil, fmt.Errorf("merge overrides: more than %d scenarios", maxOverrides)
	}
	changed := v.book.Merge(o.book)
	if len(changed) == 0 {
		return nil, nil //nolint:nilnil // Likewise.
	}
	return &overrides{book: changed}, nil
}

// MergeContent implements memberlist.Mergeable.
func (v *overrides) MergeContent() []string { return v.book.Names() }

// RemoveTombstones implements memberlist.Mergeable. Changes that have expired need no
// mark of their own: they are forgotten when nothing that they replaced could come back.
func (v *overrides) RemoveTombstones(limit time.Time) (total, removed int) {
	if limit.IsZero() {
		return 0, 0
	}
	before := len(v.book)
	v.book.Forget(limit.Add(-keptFor))
	return len(v.book), before - len(v.book)
}

// Clone implements memberlist.Mergeable.
func (v *overrides) Clone() memberlist.Mergeable { return &overrides{book: v.book.Clone()} }

// overridesCodec writes overrides as compressed JSON.
type overridesCodec struct{}

var _ codec.Codec = overridesCodec{}

// CodecID implements codec.Codec.
func (overridesCodec) CodecID() string { return "trafficOverrides" }

// Encode implements codec.Codec.
func (overridesCodec) Encode(value any) ([]byte, error) {
	v, ok := value.(*overrides)
	if !ok {
		return nil, fmt.Errorf("encode overrides: found %T", value)
	}
	b, err := json.Marshal(v.book)
	if err != nil {
		return nil, fmt.Errorf("encode overrides: %w", err)
	}
	return snappy.Encode(nil, b), nil
}

// Decode implements codec.Codec.
func (overridesCodec) Decode(b []byte) (any, error) {
	v := &overrides{book: override.Book{}}
	plain, err := snappy.Decode(nil, b)
	if err == nil && len(plain) > 0 {
		err = json.Unmarshal(plain, &v.book)
	}
	if err != nil {
		return nil, fmt.Errorf("decode overrides: %w", err)
	}
	return v, nil
}
