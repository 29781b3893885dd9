package fleet

import (
	"fmt"
	"testing"

	"github.com/grafana/dskit/ring"
)

// message returns an encoded list of replicas.
func message(tb testing.TB, replicas map[string]ring.InstanceDesc) []byte {
	tb.Helper()
	b, err := ring.GetCodec().Encode(&ring.Desc{Ingesters: replicas})
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func TestOnlyNewsIsDecoded(t *testing.T) {
	beat := func(second int64, state ring.InstanceState) ring.InstanceDesc {
		return ring.InstanceDesc{
			Addr: "127.0.0.1:1", Timestamp: second, State: state,
			Versions: ring.InstanceVersions{fieldSent: 1, fieldAsked: 2, fieldHash: 1 << 63},
		}
	}
	c := newCopyCodec(ring.GetCodec())
	for _, tc := range []struct {
		what     string
		replicas map[string]ring.InstanceDesc
		news     bool
	}{
		{"a first heartbeat", map[string]ring.InstanceDesc{"a": beat(1, ring.ACTIVE)}, true},
		{"a copy of it, whose numbers may be in another order", map[string]ring.InstanceDesc{"a": beat(1, ring.ACTIVE)}, false},
		{"that of another", map[string]ring.InstanceDesc{"b": beat(1, ring.ACTIVE)}, true},
		{"the next one", map[string]ring.InstanceDesc{"a": beat(2, ring.ACTIVE)}, true},
		{"the one before again", map[string]ring.InstanceDesc{"a": beat(1, ring.ACTIVE)}, false},
		{"a leave in the same second", map[string]ring.InstanceDesc{"a": beat(2, ring.LEFT)}, true},
		{"a copy of the leave", map[string]ring.InstanceDesc{"a": beat(2, ring.LEFT)}, false},
		{"what came before the leave", map[string]ring.InstanceDesc{"a": beat(2, ring.ACTIVE)}, false},
		{"all of them", map[string]ring.InstanceDesc{"a": beat(2, ring.LEFT), "b": beat(1, ring.ACTIVE)}, false},
		{"all of them and one more", map[string]ring.InstanceDesc{"a": beat(2, ring.LEFT), "b": beat(1, ring.ACTIVE), "c": beat(1, ring.ACTIVE)}, true},
		{"nobody", map[string]ring.InstanceDesc{}, false},
	} {
		v, err := c.Decode(message(t, tc.replicas))
		if err != nil {
			t.Fatalf("%s: %v", tc.what, err)
		}
		want := 0
		if tc.news {
			want = len(tc.replicas)
		}
		if n := len(v.(*ring.Desc).Ingesters); n != want {
			t.Errorf("%s: %d replicas are decoded, want %d", tc.what, n, want)
		}
	}
}

func TestWhatCannotBeReadIsAnError(t *testing.T) {
	c := newCopyCodec(ring.GetCodec())
	whole := message(t, map[string]ring.InstanceDesc{"a": {Addr: "127.0.0.1:1", Timestamp: 1}})
	for range 2 {
		for _, b := range [][]byte{[]byte("nonsense"), whole[:len(whole)-1]} {
			if v, err := c.Decode(b); err == nil {
				t.Errorf("%q is %v, want an error", b, v)
			}
		}
	}
}

func TestTheMemoryOfCopiesIsBounded(t *testing.T) {
	c := newCopyCodec(ring.GetCodec())
	for i := range 3 * remembers {
		if _, err := c.Decode(message(t, map[string]ring.InstanceDesc{fmt.Sprint("r", i): {Timestamp: 1}})); err != nil {
			t.Fatal(err)
		}
	}
	if len(c.seen) > remembers {
		t.Errorf("%d replicas are remembered, want at most %d", len(c.seen), remembers)
	}
}

func FuzzStamps(f *testing.F) {
	f.Add(message(f, map[string]ring.InstanceDesc{"a": {Addr: "127.0.0.1:1", Timestamp: 1, State: ring.LEFT}, "b": {}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := ring.GetCodec().Decode(b)
		stamps, ok := stampsOf(b)
		if err != nil || !ok {
			return
		}
		for id, d := range v.(*ring.Desc).Ingesters {
			if s := stamps[id]; s.second != d.Timestamp || s.left != (d.State == ring.LEFT) {
				t.Errorf("the stamp of %q is %v, want that of %v", id, s, d)
			}
		}
	})
}

func BenchmarkACopy(b *testing.B) {
	m := message(b, map[string]ring.InstanceDesc{"traffic-exporter-0-12345678": {
		Addr: "10.0.0.1:7946", Timestamp: 1, Versions: ring.InstanceVersions{1: 1, 2: 1 << 60, 3: 1 << 40, 4: 1 << 40, 5: 1, 6: 0, 7: 0, 8: 1 << 60, 9: 1 << 32, 10: 1 << 60, 11: 1, 12: 0},
	}})
	c := newCopyCodec(ring.GetCodec())
	for b.Loop() {
		if _, err := c.Decode(m); err != nil {
			b.Fatal(err)
		}
	}
}
