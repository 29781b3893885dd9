package script

import (
	"encoding/hex"
	"math"
	"strconv"
	"strings"
	"time"
)

// Source is how a variable gets its value: one of the types of this package that implement
// it.
type Source interface {
	// bind returns the source with the names that it uses resolved.
	bind(t *symbols, s *scope) (Source, error)
	draw(s *stream, j *Journey) (Value, error)
}

var (
	_ Source = OneOf{}
	_ Source = IntRange{}
	_ Source = Decimal{}
	_ Source = RandomText{}
	_ Source = UUID{}
	_ Source = Sequence{}
	_ Source = Row{}
	_ Source = Made{}
	_ Source = DueTime{}
	_ Source = Many{}
	_ Source = Secret(nil)
	_ Source = Given{}
)

// OneOf is one of several values, evenly, or by weights if there are any.
type OneOf struct {
	Options []Document
	Weights []int

	sums []uint64
}

func (o OneOf) bind(_ *symbols, s *scope) (Source, error) {
	bound := OneOf{Options: make([]Document, len(o.Options)), sums: sumsOf(o.Weights)}
	for i, d := range o.Options {
		var err error
		if bound.Options[i], err = d.Bind(s.lookup); err != nil {
			return nil, err
		}
	}
	return bound, nil
}

func (o OneOf) draw(s *stream, j *Journey) (Value, error) {
	i := 0
	if len(o.sums) > 0 {
		i = s.weighted(o.sums)
	} else {
		i = int(s.below(uint64(len(o.Options))))
	}
	return o.Options[i].Value(j)
}

// IntRange is a whole number from From to To, both included.
type IntRange struct{ From, To int64 }

func (r IntRange) bind(*symbols, *scope) (Source, error) { return r, nil }

func (r IntRange) draw(s *stream, _ *Journey) (Value, error) {
	return Int(r.From + int64(s.below(uint64(r.To)-uint64(r.From)+1))), nil
}

// Decimal is a number from From to To with so many digits behind the point, both ends
// included.
type Decimal struct {
	From, To float64
	Digits   int
}

func (d Decimal) bind(*symbols, *scope) (Source, error) { return d, nil }

func (d Decimal) draw(s *stream, _ *Journey) (Value, error) {
	return Value{Kind: Number, Text: strconv.FormatFloat(d.number(s), 'f', d.Digits, 64)}, nil
}

func (d Decimal) number(s *stream) float64 {
	unit := math.Pow10(d.Digits)
	low, high := math.Ceil(d.From*unit), math.Floor(d.To*unit)
	return (low + float64(s.below(uint64(max(0, high-low))+1))) / unit
}

// At returns one of many such numbers that follow from the slot that values are of, by its index.
func (d Decimal) At(v Values, index uint64) float64 {
	s := newStream(v.Slot().Hash, splitMix64(hashName("decimal")+index), 0)
	return d.number(&s)
}

// RandomText is so many characters of an alphabet of ASCII, each as likely.
type RandomText struct {
	Length   int
	Alphabet string
}

func (r RandomText) bind(*symbols, *scope) (Source, error) { return r, nil }

func (r RandomText) draw(s *stream, _ *Journey) (Value, error) {
	text := make([]byte, r.Length)
	n := uint64(len(r.Alphabet))
	for i := range text {
		text[i] = r.Alphabet[s.below(n)]
	}
	return String(string(text)), nil
}

// UUID is a UUID of version 4 (RFC 9562, section 5.4).
type UUID struct{}

func (u UUID) bind(*symbols, *scope) (Source, error) { return u, nil }

func (UUID) draw(s *stream, _ *Journey) (Value, error) {
	var b [16]byte
	for i, bits := 0, uint64(0); i < len(b); i++ {
		if i%8 == 0 {
			bits = s.next()
		}
		b[i] = byte(bits >> (8 * (i % 8)))
	}
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	var text [36]byte
	hex.Encode(text[:8], b[:4])
	hex.Encode(text[9:13], b[4:6])
	hex.Encode(text[14:18], b[6:8])
	hex.Encode(text[19:23], b[8:10])
	hex.Encode(text[24:], b[10:])
	text[8], text[13], text[18], text[23] = '-', '-', '-', '-'
	return String(string(text[:])), nil
}

// Sequence is the slot's number.
type Sequence struct{}

func (q Sequence) bind(*symbols, *scope) (Source, error) { return q, nil }

func (Sequence) draw(_ *stream, j *Journey) (Value, error) {
	return Value{Kind: Number, Text: strconv.FormatUint(j.slot.Seq, 10)}, nil
}

// Row is a row of a table: that of the slot's number, or a random one.
type Row struct {
	Table  Table
	Random bool
}

func (r Row) bind(*symbols, *scope) (Source, error) { return r, nil }

func (r Row) draw(s *stream, j *Journey) (Value, error) {
	rows := r.Table()
	switch {
	case rows.Len() == 0:
		return Value{}, errNoRows
	case !r.Random:
		return rows.values[j.slot.Seq%uint64(rows.Len())], nil
	case rows.sums != nil:
		return rows.values[s.weighted(rows.sums)], nil
	default:
		return rows.values[s.below(uint64(rows.Len()))], nil
	}
}

// Made is a string made of other variables.
type Made struct{ Template Template }

func (m Made) bind(_ *symbols, s *scope) (Source, error) {
	t, err := m.Template.Bind(s.lookup)
	return Made{t}, err
}

// draw makes a string even of a single number, which in JSON is another thing.
func (m Made) draw(_ *stream, j *Journey) (Value, error) {
	text, err := m.Template.Text(j)
	return String(text), err
}

// The formats of a DueTime beside layouts of package time.
const (
	FormatUnix      = "unix"
	FormatUnixMilli = "unix_ms"
	FormatRFC3339   = "rfc3339"
)

// DueTime is the slot's due time, moved by Shift, and then rounded down to a multiple of Floor
// since the Unix epoch if that is not 0. Format is one of the constants or a layout of package
// time.
type DueTime struct {
	Shift, Floor time.Duration
	Format       string
}

func (d DueTime) bind(*symbols, *scope) (Source, error) { return d, nil }

func (d DueTime) draw(_ *stream, j *Journey) (Value, error) {
	at := j.slot.Due.Add(d.Shift)
	if d.Floor > 0 {
		// Not by Truncate, which counts from the year 1.
		at = at.Add(-time.Duration(at.UnixNano() % int64(d.Floor)))
	}
	switch d.Format {
	case FormatUnix:
		return Int(at.Unix()), nil
	case FormatUnixMilli:
		return Int(at.UnixMilli()), nil
	case FormatRFC3339:
		return String(at.Format(time.RFC3339)), nil
	default:
		return String(at.Format(d.Format)), nil
	}
}

// Many is several values: a list, or a string if they are joined. Each is drawn with
// variables of its own.
type Many struct {
	From, To  int
	Each      Source
	Variables []Variable
	// Join stands between the values of the string.
	Join   string
	Joined bool

	locals []int
}

func (m Many) bind(t *symbols, s *scope) (Source, error) {
	inner := &scope{outer: s, names: map[string]int{}}
	var err error
	if m.locals, err = t.declare(inner, m.Variables); err != nil {
		return nil, err
	}
	m.Each, err = m.Each.bind(t, inner)
	return m, err
}

func (m Many) draw(s *stream, j *Journey) (Value, error) {
	n := m.From + int(s.below(uint64(m.To-m.From+1)))
	values := make([]Value, 0, n)
	for range n {
		j.redraw(m.locals)
		v, err := m.Each.draw(s, j)
		if err != nil {
			return Value{}, err
		}
		values = append(values, v)
	}
	if !m.Joined {
		return listOf(values), nil
	}
	texts := make([]string, n)
	for i, v := range values {
		texts[i] = v.Text
	}
	return String(strings.Join(texts, m.Join)), nil
}

// Secret returns a string that may change from time to time, as its file does: each journey
// keeps the one of its first use. It is called concurrently and must not block.
type Secret func() string

func (f Secret) bind(*symbols, *scope) (Source, error) { return f, nil }

func (f Secret) draw(*stream, *Journey) (Value, error) { return String(f()), nil }

// Given is a value that is not drawn: the journey is given it when it begins, by Journey.Give.
// It is a secret, as sessions are.
type Given struct{}

func (g Given) bind(*symbols, *scope) (Source, error) { return g, nil }

func (Given) draw(*stream, *Journey) (Value, error) { return Value{}, errUnset }
