package fleet

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/grafana/dskit/kv/consul"

	"github.com/go-kit/log"

	"github.com/traffic-exporter/traffic_exporter/internal/override"
)

// inMemory returns overrides in a store that is not shared.
func inMemory(t *testing.T) *Overrides {
	t.Helper()
	client, closer := consul.NewInMemoryClient(overridesCodec{}, log.NewNopLogger(), nil)
	t.Cleanup(func() { _ = closer.Close() })
	o := newOverrides(overridesKey, slog.New(slog.DiscardHandler))
	o.connect(client)
	return o
}

// set adds a change that lasts for a while.
func set(now time.Time, value float64, lasts time.Duration) func(override.History) (override.History, error) {
	return func(h override.History) (override.History, error) {
		h, _, _ = h.Add(override.Change{Kind: override.Rate, Value: value, Until: override.Begin(now).Add(lasts)}, now)
		return h, nil
	}
}

func TestAChangeIsKnownToItsAuthorAtOnce(t *testing.T) {
	o := inMemory(t)
	now := time.Now()
	if err := o.Change(t.Context(), "shop", set(now, 5, time.Minute)); err != nil {
		t.Fatal(err)
	}
	if c, ok := o.Book()["shop"].At(override.Begin(now)); !ok || c.Value != 5 {
		t.Errorf("%v, %v", c, ok)
	}
	select {
	case <-o.News():
	default:
		t.Error("nobody was told")
	}
}

func TestARefusedChangeChangesNothing(t *testing.T) {
	o := inMemory(t)
	refusal := errors.New("no")
	err := o.Change(t.Context(), "shop", func(override.History) (override.History, error) { return nil, refusal })
	if !errors.Is(err, refusal) || len(o.Book()) != 0 {
		t.Errorf("error %v, book %v", err, o.Book())
	}
}

func TestWhatHasExpiredDoesNotStayInTheStore(t *testing.T) {
	o := inMemory(t)
	if err := o.Change(t.Context(), "old", set(time.Now().Add(-keptFor-time.Hour), 5, time.Minute)); err != nil {
		t.Fatal(err)
	}
	if err := o.Change(t.Context(), "new", set(time.Now(), 5, time.Minute)); err != nil {
		t.Fatal(err)
	}
	value, err := o.store().Get(t.Context(), overridesKey)
	if err != nil {
		t.Fatal(err)
	}
	if names := value.(*overrides).book.Names(); len(names) != 1 || names[0] != "new" {
		t.Errorf("the store has %v", names)
	}
}

func TestBeforeTheStoreIsThereChangesAreRefused(t *testing.T) {
	o := newOverrides(overridesKey, slog.New(slog.DiscardHandler))
	if err := o.Change(context.Background(), "shop", nil); !errors.Is(err, errNotConnected) {
		t.Errorf("error %v", err)
	}
}

func FuzzDecodeOverrides(f *testing.F) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	h, _ := set(now, 5, time.Minute)(nil)
	b, err := overridesCodec{}.Encode(&overrides{book: override.Book{"shop": h}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		value, err := overridesCodec{}.Decode(b)
		if err != nil {
			return
		}
		v := value.(*overrides)
		// Whatever a stranger sends is merged and looked at without harm.
		mine := &overrides{book: override.Book{"shop": h}}
		if _, err := mine.Merge(v, false); err != nil {
			return
		}
		for _, name := range mine.book.Names() {
			for _, s := range mine.book[name].Stretches() {
				if !s.From.Before(s.Until) {
					t.Errorf("a stretch from %v until %v", s.From, s.Until)
				}
			}
		}
		if again, err := (&overrides{book: mine.book.Clone()}).Merge(mine, false); err != nil || again != nil {
			t.Errorf("merging the same again changed %v (%v)", again, err)
		}
	})
}
