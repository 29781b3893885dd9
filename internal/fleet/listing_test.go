package fleet

import (
	"cmp"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"testing"
	"time"

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

// listed decodes a list of replicas as the gossip does.
func listed(tb testing.TB, replicas map[string]ring.InstanceDesc) *listing {
	tb.Helper()
	v, err := listingCodec{}.Decode(message(tb, replicas))
	if err != nil {
		tb.Fatal(err)
	}
	return v.(*listing)
}

func beatOf(second int64, state ring.InstanceState) ring.InstanceDesc {
	return ring.InstanceDesc{
		Addr: "127.0.0.1:1", Timestamp: second, State: state,
		Versions: ring.InstanceVersions{fieldSent: uint64(second), fieldAsked: 2, fieldHash: 1 << 63, fieldDirect: 1},
	}
}

// TestAListingMergesAsARingDoes merges messages one after the other, into a listing and into
// dskit's own type.
func TestAListingMergesAsARingDoes(t *testing.T) {
	got, want := &listing{}, ring.NewDesc()
	for _, tc := range []struct {
		name     string
		replicas map[string]ring.InstanceDesc
		news     []string
	}{
		{"a first heartbeat", map[string]ring.InstanceDesc{"a": beatOf(1, ring.ACTIVE)}, []string{"a"}},
		{"a copy of it", map[string]ring.InstanceDesc{"a": beatOf(1, ring.ACTIVE)}, nil},
		{"that of another", map[string]ring.InstanceDesc{"b": beatOf(1, ring.ACTIVE)}, []string{"b"}},
		{"the next one", map[string]ring.InstanceDesc{"a": beatOf(2, ring.ACTIVE)}, []string{"a"}},
		{"the one before again", map[string]ring.InstanceDesc{"a": beatOf(1, ring.ACTIVE)}, nil},
		{"a leave in the same second", map[string]ring.InstanceDesc{"a": beatOf(2, ring.LEFT)}, []string{"a"}},
		{"a copy of the leave", map[string]ring.InstanceDesc{"a": beatOf(2, ring.LEFT)}, nil},
		{"a heartbeat that was sent before the leave", map[string]ring.InstanceDesc{"a": beatOf(2, ring.ACTIVE)}, nil},
		{"all of them", map[string]ring.InstanceDesc{"a": beatOf(2, ring.LEFT), "b": beatOf(1, ring.ACTIVE)}, nil},
		{"all of them and one more", map[string]ring.InstanceDesc{"a": beatOf(2, ring.LEFT), "b": beatOf(1, ring.ACTIVE), "c": beatOf(1, ring.ACTIVE)}, []string{"c"}},
		{"an entry without a time", map[string]ring.InstanceDesc{"d": {}}, nil},
		{"nobody", map[string]ring.InstanceDesc{}, nil},
	} {
		change, err := got.Merge(listed(t, tc.replicas), false)
		if err != nil {
			t.Fatalf("%s: %v", tc.name, err)
		}
		if _, err := want.Merge(&ring.Desc{Ingesters: tc.replicas}, false); err != nil {
			t.Fatal(err)
		}
		var news []string
		if change != nil {
			news = slices.Sorted(slices.Values(change.MergeContent()))
		}
		if !slices.Equal(news, tc.news) {
			t.Errorf("%s: %v are new, want %v", tc.name, news, tc.news)
		}
		if desc := got.desc(); !reflect.DeepEqual(desc.Ingesters, want.Ingesters) {
			t.Errorf("%s: %v, want %v", tc.name, desc, want)
		}
	}
}

func TestAReplicaThatIsTakenOutHasLeft(t *testing.T) {
	l := listed(t, map[string]ring.InstanceDesc{"a": beatOf(1, ring.ACTIVE), "b": beatOf(1, ring.ACTIVE)})
	without, err := listingOf(&ring.Desc{Ingesters: map[string]ring.InstanceDesc{"a": beatOf(2, ring.ACTIVE)}}, *l)
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Now().Unix()
	change, err := l.Merge(without, true)
	if err != nil {
		t.Fatal(err)
	}
	if got := slices.Sorted(slices.Values(change.MergeContent())); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("%v changed, want a and b", got)
	}
	if b := l.desc().Ingesters["b"]; b.State != ring.LEFT || b.Timestamp < begin || b.Addr != "127.0.0.1:1" {
		t.Errorf("b is %v, want one that has just left", b)
	}
	c := l.Clone().(*listing)
	if total, removed := c.RemoveTombstones(time.Unix(begin-1, 0)); total != 1 || removed != 0 {
		t.Errorf("%d tombstones and %d removed, want 1 and 0", total, removed)
	}
	if total, removed := c.RemoveTombstones(time.Time{}); total != 0 || removed != 1 || len(*c) != 1 || len(*l) != 2 {
		t.Errorf("%d tombstones, %d removed, %d left in the copy, %d in the listing, want 0, 1, 1 and 2", total, removed, len(*c), len(*l))
	}
}

func TestEntriesThatStayAreNotEncodedAgain(t *testing.T) {
	l := listed(t, map[string]ring.InstanceDesc{"a": beatOf(1, ring.ACTIVE), "b": beatOf(1, ring.ACTIVE)})
	desc := l.desc()
	desc.Ingesters["b"] = beatOf(2, ring.ACTIVE)
	next, err := listingOf(desc, *l)
	if err != nil {
		t.Fatal(err)
	}
	if (*next)["a"] != (*l)["a"] || (*next)["b"] == (*l)["b"] {
		t.Error("want the entry of a to be the same and that of b another")
	}
}

func TestADamagedMessageIsAnError(t *testing.T) {
	whole := message(t, map[string]ring.InstanceDesc{"a": {Addr: "127.0.0.1:1", Timestamp: 1}})
	for _, b := range [][]byte{[]byte("nonsense"), whole[:len(whole)-1]} {
		if v, err := (listingCodec{}).Decode(b); err == nil {
			t.Errorf("%q is %v, want an error", b, v)
		}
	}
}

func TestAListingIsShownAsARing(t *testing.T) {
	replicas := map[string]ring.InstanceDesc{"a": beatOf(1, ring.ACTIVE)}
	got, err := json.Marshal(listed(t, replicas))
	if err != nil {
		t.Fatal(err)
	}
	want, err := json.Marshal(&ring.Desc{Ingesters: replicas})
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Errorf("got %s, want %s", got, want)
	}
}

// FuzzListing decodes what dskit's own codec can decode, to the same, and encodes it again.
func FuzzListing(f *testing.F) {
	f.Add(message(f, map[string]ring.InstanceDesc{"a": {Addr: "127.0.0.1:1", Timestamp: 1, State: ring.LEFT}, "b": {}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		want, err := ring.GetCodec().Decode(b)
		v, ours := listingCodec{}.Decode(b)
		if err != nil || ours != nil {
			return
		}
		l := v.(*listing)
		for id, d := range want.(*ring.Desc).Ingesters {
			w := (*l)[id].said()
			slices.SortFunc(w.numbers, func(a, b number) int { return cmp.Compare(a.key, b.key) })
			numbers := wordsOf(d).numbers
			slices.SortFunc(numbers, func(a, b number) int { return cmp.Compare(a.key, b.key) })
			if len(w.numbers) == len(d.Versions) && (w.address != d.Addr || !slices.Equal(w.numbers, numbers)) {
				t.Errorf("%q says %v, want %v", id, w, d)
			}
			if s := (*l)[id].stamp; s.second != d.Timestamp || s.left != (d.State == ring.LEFT) {
				t.Errorf("the stamp of %q is %v, want that of %v", id, s, d)
			}
		}
		again, err := listingCodec{}.Encode(l)
		if err != nil {
			t.Fatal(err)
		}
		got, err := ring.GetCodec().Decode(again)
		if err != nil {
			t.Fatal(err)
		}
		if a, b := got.(*ring.Desc).Ingesters, want.(*ring.Desc).Ingesters; !slices.Equal(slices.Sorted(maps.Keys(a)), slices.Sorted(maps.Keys(b))) {
			t.Errorf("encoded and decoded again %v, want %v", a, b)
		}
	})
}

func BenchmarkACopy(b *testing.B) {
	replicas := map[string]ring.InstanceDesc{"traffic-exporter-0-12345678": {
		Addr: "10.0.0.1:7946", Timestamp: 1, Versions: ring.InstanceVersions{1: 1, 2: 1 << 60, 3: 1 << 40, 4: 1 << 40, 5: 1, 6: 0, 7: 0, 8: 1 << 60, 9: 1 << 32, 10: 1 << 60, 11: 1, 12: 0},
	}}
	m, known := message(b, replicas), listed(b, replicas)
	b.ReportAllocs()
	for b.Loop() {
		v, err := listingCodec{}.Decode(m)
		if err != nil {
			b.Fatal(err)
		}
		if change, err := known.Merge(v.(*listing), false); change != nil || err != nil {
			b.Fatal(change, err)
		}
	}
}
