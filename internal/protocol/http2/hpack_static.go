package http2

import (
	"golang.org/x/net/http/httpguts"
	"golang.org/x/net/http2/hpack"
)

// numStatic is the number of fields in HPACK's static table, which count from 1.
const numStatic = 61

// tables are what coding headers looks up and never changes: one for a client.
type tables struct {
	huffman *huffman
	// static is HPACK's static table, with nothing at 0.
	static [numStatic + 1]staticField
	// inName and inValue are the bytes that names and values may hold.
	inName, inValue [256]bool
}

// staticField is a field of the static table.
type staticField struct {
	name, value string
	// nameText and valueText are the same, for taps.
	nameText, valueText []byte
	fact                fact
}

// newTables returns the tables, as the library of HPACK has them.
func newTables() *tables {
	t := &tables{huffman: newHuffman()}
	for b := range 256 {
		upper := 'A' <= b && b <= 'Z'
		t.inName[b] = b < 0x80 && !upper && httpguts.IsTokenRune(rune(b))
		t.inValue[b] = httpguts.ValidHeaderFieldValue(string([]byte{byte(b)}))
	}
	i := 0
	d := hpack.NewDecoder(0, func(f hpack.HeaderField) {
		name, value := []byte(f.Name), []byte(f.Value)
		t.static[i] = staticField{name: f.Name, value: f.Value, nameText: name, valueText: value, fact: t.classify(name, value)}
	})
	for i = 1; i <= numStatic; i++ {
		_, _ = d.Write([]byte{0x80 | byte(i)}) // An index of the static table cannot fail.
	}
	return t
}
