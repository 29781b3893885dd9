package script

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

func TestRandomBytesFollowFromTheSlotAndTheirOffset(t *testing.T) {
	const size = 10_000
	r := NewRandom(slotBits(42), size)
	whole := r.AppendAt(nil, 0, size)
	if r.Size() != size || len(whole) != size {
		t.Fatalf("%d bytes of %d", len(whole), r.Size())
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for range 10_000 {
		from := rng.IntN(size)
		n := rng.IntN(min(100, size-from) + 1)
		if got := NewRandom(slotBits(42), size).AppendAt([]byte("x"), int64(from), n); !bytes.Equal(got[1:], whole[from:from+n]) {
			t.Fatalf("%d bytes from %d on are others on their own", n, from)
		}
	}
	if bytes.Equal(whole, NewRandom(slotBits(43), size).AppendAt(nil, 0, size)) {
		t.Error("two slots have the same")
	}
	var counts [256]int
	for _, b := range whole {
		counts[b]++
	}
	sum := 0.0
	for _, n := range counts {
		const expected = size / 256.0
		sum += (float64(n) - expected) * (float64(n) - expected) / expected
	}
	if sum > 330 { // Chi-squared with 255 degrees of freedom: 1 in 1000.
		t.Errorf("chi-squared is %v", sum)
	}
}

func BenchmarkRandom(b *testing.B) {
	r := NewRandom(slotBits(42), 1<<40)
	b.SetBytes(64 << 10)
	var buf []byte
	at := int64(0)
	for b.Loop() {
		buf = r.AppendAt(buf[:0], at, 64<<10)
		at += 64 << 10
	}
}

// slotBits are the values of a slot without any.
type slotBits uint64

func (slotBits) Value(int) (Value, error) { return Value{}, nil }
func (b slotBits) Slot() Slot             { return Slot{Hash: uint64(b)} }
