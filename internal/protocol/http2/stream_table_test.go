package http2

import (
	"math/rand/v2"
	"testing"
)

func TestStreamsAreFoundWhicheverOthersHaveEnded(t *testing.T) {
	for name, outlive := range map[string]int{"all end soon": 0, "one in ten lives long": 10, "one in three lives long": 3} {
		t.Run(name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(uint64(outlive), 6))
			var table streamTable
			open := map[uint32]*stream{}
			strays := false
			for id := uint32(1); id < 4000; id += 2 {
				open[id] = table.open(id)
				for other, s := range open {
					lives := outlive > 0 && other/2%uint32(outlive) == 0
					if age := (id - other) / 2; age > 50 && !lives || rng.IntN(100) == 0 {
						table.close(s)
						delete(open, other)
					}
				}
				checkTable(t, &table, open, id)
				strays = strays || table.strays > 0
			}
			if strays != (outlive > 0) {
				t.Errorf("strays: %t", strays)
			}
		})
	}
}

// checkTable fails the test unless a table has the open streams, up to an id.
func checkTable(t *testing.T, table *streamTable, open map[uint32]*stream, last uint32) {
	t.Helper()
	for id := max(1, int(last)-400) | 1; id <= int(last); id += 2 {
		if got, want := table.get(uint32(id)), open[uint32(id)]; got != want {
			t.Fatalf("stream %d: found %p, want %p", id, got, want)
		}
	}
	n, strays := 0, 0
	for i, s := range table.cells {
		if s != nil {
			n++
			strays += table.stray(i)
		}
	}
	if n != len(open) || table.n != n || table.strays != strays {
		t.Fatalf("%d streams, %d of them strays; counted %d and %d, want %d", n, strays, table.n, table.strays, len(open))
	}
}

// BenchmarkStreamTable opens a stream and ends the oldest of a hundred.
func BenchmarkStreamTable(b *testing.B) {
	var table streamTable
	id := uint32(1)
	for ; id < 200; id += 2 {
		table.open(id)
	}
	for b.Loop() {
		table.open(id)
		table.close(table.get(id - 198))
		id += 2
	}
}
