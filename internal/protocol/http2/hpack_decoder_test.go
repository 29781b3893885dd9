package http2

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/http2/hpack"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol/transcript"
)

// collected returns the fields of blocks as the decoder shows them, up to the first that
// cannot be decoded.
func collected(t *tables, blocks [][]byte) (fields [][2]string, ok bool) {
	d := newDecoder(t)
	var h head
	for _, block := range blocks {
		h.reset(headTap{to: new(transcript.Transcript)})
		ok := d.decode(block, &h)
		for _, f := range h.tap.fields {
			fields = append(fields, [2]string{f.Name, f.Value})
		}
		if !ok {
			return fields, false
		}
	}
	return fields, true
}

// reference returns the same as the library has it.
func reference(blocks [][]byte) (fields [][2]string, ok bool) {
	d := hpack.NewDecoder(tableSize, func(f hpack.HeaderField) { fields = append(fields, [2]string{f.Name, f.Value}) })
	for _, block := range blocks {
		if _, err := d.Write(block); err != nil {
			return fields, false
		}
		if err := d.Close(); err != nil {
			return fields, false
		}
	}
	return fields, true
}

func TestHuffmanIsTheLibrarys(t *testing.T) {
	h := newHuffman()
	random := rand.New(rand.NewPCG(3, 4))
	for n := range 3000 {
		text := make([]byte, n%70)
		for i := range text {
			text[i] = byte(random.UintN(256))
		}
		coded := hpack.AppendHuffmanString(nil, string(text))
		if got, ok := h.append(nil, coded); !ok || !bytes.Equal(got, text) {
			t.Fatalf("%q became %q, %t", text, got, ok)
		}
		for i := range coded { // And bytes that are not text.
			coded[i] = byte(random.UintN(256))
		}
		want, err := hpack.HuffmanDecodeToString(coded)
		if got, ok := h.append(nil, coded); ok != (err == nil) || ok && string(got) != want {
			t.Fatalf("%x became %q, %t, want %q, %v", coded, got, ok, want, err)
		}
	}
}

func TestBlocksAreDecodedAsTheLibraryDoes(t *testing.T) {
	tables := newTables()
	random := rand.New(rand.NewPCG(5, 6))
	names := []string{":status", "content-length", "server", "date", "x-long-name-of-a-field", "set-cookie"}
	var out bytes.Buffer
	e := hpack.NewEncoder(&out)
	var blocks [][]byte
	for i := range 2000 {
		if i%97 == 96 {
			e.SetMaxDynamicTableSize(uint32(random.IntN(tableSize + 1)))
		}
		for range random.IntN(8) {
			_ = e.WriteField(hpack.HeaderField{
				Name:      names[random.IntN(len(names))],
				Value:     strings.Repeat(string(rune('a'+random.IntN(20))), random.IntN(200)),
				Sensitive: random.IntN(10) == 0,
			})
		}
		blocks = append(blocks, bytes.Clone(out.Bytes()))
		out.Reset()
	}
	got, ok := collected(tables, blocks)
	want, _ := reference(blocks)
	if !ok || !slices.Equal(got, want) {
		t.Fatalf("decoded %d fields, want %d (%t)", len(got), len(want), ok)
	}
}

func TestLiteralsThatComeAgainAreDecodedAsBefore(t *testing.T) {
	tables := newTables()
	nginx := responseBlocks(t)["nginx"][0]
	coded := func(form byte, name, value string) string {
		return string(appendText(appendText([]byte{form}, name), value))
	}
	long := strings.Repeat("long ", maxRecent)
	for _, c := range []struct {
		name   string
		blocks []string
	}{
		{"a whole block", []string{string(nginx), string(nginx), string(nginx)}},
		{"a value that changes and changes back", []string{coded(0, "a", "1"), coded(0, "a", "2"), coded(0, "a", "1")}},
		{"a literal with more behind it", []string{coded(0, "a", "1"), coded(0, "a", "1") + coded(0, "b", "2")}},
		{"fields in another order", []string{coded(0, "a", "1") + coded(0, "b", "2"), coded(0, "b", "2") + coded(0, "a", "1")}},
		{"one that is too long to be remembered", []string{coded(0, "a", long), coded(0, "a", long)}},
		{"one that goes into the table each time", []string{coded(formIndexing, "a", "1"), coded(formIndexing, "a", "1"), "\xbe\xbf"}},
		{"a name in a table that changes", []string{
			coded(formIndexing, "a", "1"), "\x0f\x2f\x011", coded(formIndexing, "b", "2"), "\x0f\x2f\x011",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var blocks [][]byte
			for _, b := range c.blocks {
				blocks = append(blocks, []byte(b))
			}
			got, ok := collected(tables, blocks)
			want, wantOK := reference(blocks)
			if !ok || !wantOK || !slices.Equal(got, want) {
				t.Errorf("got %q, %t, want %q, %t", got, ok, want, wantOK)
			}
		})
	}
}

func TestALiteralThatComesAgainIsNotDecodedAnew(t *testing.T) {
	d := newDecoder(newTables())
	nginx := responseBlocks(t)["nginx"][0]
	var h head
	for range 2 {
		h.reset(headTap{})
		d.scratch = nil
		if !d.decode(nginx, &h) || h.status != 200 {
			t.Fatal("not decoded")
		}
	}
	if d.scratch != nil {
		t.Errorf("the second time decoded %q", d.scratch)
	}
}

func FuzzDecode(f *testing.F) {
	tables := newTables()
	f.Add([]byte(status200), []byte("\x88\x0f\x0d\x03200"))
	f.Add([]byte("\x40\x01a\x01b\xbe"), []byte("\x20\x3f\xe1\x1f\x40\x82\xff\xff\x01b"))
	f.Add([]byte("\x3f\xe1\x1f"), []byte("\xc0"))
	f.Fuzz(func(t *testing.T, first, second []byte) {
		blocks := [][]byte{first, second, first, second}
		got, ok := collected(tables, blocks)
		want, wantOK := reference(blocks)
		if ok && !wantOK || ok && !slices.Equal(got, want) {
			t.Fatalf("got %q, %t, want %q, %t", got, ok, want, wantOK)
		}
		if !ok && wantOK && !lax(blocks) {
			t.Fatalf("refused what decodes to %q", want)
		}
	})
}

// lax reports whether a block may hold what the library takes and we do not: integers
// of more bytes than any have that mean something, and sizes of the table in places
// where they do not belong.
func lax(blocks [][]byte) bool {
	for _, b := range blocks {
		long := 0
		for _, c := range b {
			if c >= 0x80 {
				long++
			} else {
				long = 0
			}
			if long >= 4 || c&0xe0 == formTableSize {
				return true
			}
		}
	}
	return false
}
