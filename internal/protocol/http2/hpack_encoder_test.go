package http2

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/http2/hpack"
)

// decoded returns the fields of a block as the library decodes it.
func decoded(t *testing.T, d *hpack.Decoder, block []byte) (fields [][2]string) {
	t.Helper()
	all, err := d.DecodeFull(block)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range all {
		fields = append(fields, [2]string{f.Name, f.Value})
	}
	return fields
}

func TestBlocksAreWhatWasMeant(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	tables := newTables()
	set := fieldSet{tables: tables, ids: make(map[[2]string]uint32)}
	names := []string{":method", ":path", ":authority", "user-agent", "accept", "x-a", "x-b", "cookie", "authorization"}
	values := []string{"", "GET", "/", "/a/path", strings.Repeat("long ", 30), "\x80\xff", "gzip, deflate", strings.Repeat("z", 2000)}
	entries := make([][]uint32, 20)
	for i := range entries {
		for range 1 + random.IntN(8) {
			entries[i] = append(entries[i], set.id(names[random.IntN(len(names))], values[random.IntN(len(values))]))
		}
	}
	texts := make([][2]string, len(set.fields))
	for text, id := range set.ids {
		texts[id] = text
	}
	for _, size := range []int{tableSize, 0, 100, 1000, 1 << 20} {
		e := newEncoder(set.fields, len(entries))
		d := hpack.NewDecoder(tableSize, nil)
		for round := range 300 {
			if round == 20 || round == 100 {
				e.resize(size)
			}
			if round == 60 {
				e.resize(tableSize - 1)
			}
			entry := random.IntN(len(entries))
			b := e.fixed(e.begin(nil), entry, entries[entry])
			value := strings.Repeat("v", random.IntN(300))
			b = e.varying(b, slotName, []byte(value), &e.slot)
			want := make([][2]string, 0, len(entries[entry])+1)
			for _, id := range entries[entry] {
				want = append(want, texts[id])
			}
			want = append(want, [2]string{slotName, value})
			if got := decoded(t, d, b); !slices.Equal(got, want) {
				t.Fatalf("size %d, round %d:\ngot  %q\nwant %q", size, round, got, want)
			}
		}
	}
}
