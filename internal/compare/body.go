package compare

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
)

// errNotJSON is a body that is not one value of JSON.
var errNotJSON = errors.New("no JSON")

// canonical returns a body of JSON in the one way in which all bodies that count as equal are written: without
// ignored places, keys in order, numbers by their value, and lists whose order does not matter in order.
func (r *Rules) canonical(body string) ([]byte, error) {
	d := json.NewDecoder(strings.NewReader(body))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, errNotJSON
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errNotJSON
	}
	return json.Marshal(clean(v, r.Ignore, r.Unordered))
}

// clean returns a value without its ignored places, with lists in order whose order does not matter.
func clean(v any, ignore, unordered paths) any {
	if ignore.here() {
		return nil
	}
	switch v := v.(type) {
	case map[string]any:
		for key, one := range v {
			if below := ignore.key(key); below.here() {
				delete(v, key)
			} else {
				v[key] = clean(one, below, unordered.key(key))
			}
		}
	case []any:
		for i, one := range v {
			v[i] = clean(one, ignore.element(i), unordered.element(i))
		}
		if unordered.here() {
			sortByText(v)
		}
	case json.Number:
		return json.Number(number(string(v)))
	}
	return v
}

// sortByText puts values into the order of their texts.
func sortByText(all []any) {
	type written struct {
		value any
		text  []byte
	}
	texts := make([]written, len(all))
	for i, v := range all {
		text, _ := json.Marshal(v) // It was decoded, so it can be encoded.
		texts[i] = written{v, text}
	}
	slices.SortFunc(texts, func(a, b written) int { return bytes.Compare(a.text, b.text) })
	for i, t := range texts {
		all[i] = t.value
	}
}

// number returns a number of JSON in the one way in which all of its value are written: 1, 1.0 and 10e-1 are 1e0.
// One whose exponent is beyond all measure stays as it is.
func number(text string) string {
	mantissa, exponent := text, int64(0)
	if i := strings.IndexAny(text, "eE"); i >= 0 {
		var err error
		if exponent, err = strconv.ParseInt(text[i+1:], 10, 32); err != nil {
			return text
		}
		mantissa = text[:i]
	}
	mantissa, negative := strings.CutPrefix(mantissa, "-")
	integer, fraction, _ := strings.Cut(mantissa, ".")
	digits := strings.TrimLeft(integer+fraction, "0")
	exponent -= int64(len(fraction))
	significant := strings.TrimRight(digits, "0")
	if significant == "" {
		return "0"
	}
	exponent += int64(len(digits) - len(significant))
	if negative {
		significant = "-" + significant
	}
	return significant + "e" + strconv.FormatInt(exponent, 10)
}

// maxWay bounds how far the way to a difference is followed.
const maxWay = 32

// difference returns the path to the first place at which two bodies differ that canonical has returned.
func difference(a, b []byte) string {
	return strings.Join(differs(decoded(a), decoded(b), maxWay), ".")
}

func decoded(text []byte) any {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	_ = d.Decode(&v) // It was encoded, so it can be decoded.
	return v
}

// differs returns the way to where two values differ, as far as most keys; nil if they do so at once.
func differs(a, b any, most int) []string {
	if most == 0 {
		return nil
	}
	switch a := a.(type) {
	case map[string]any:
		if b, ok := b.(map[string]any); ok {
			return objectsDiffer(a, b, most-1)
		}
	case []any:
		if b, ok := b.([]any); ok {
			return listsDiffer(a, b, most-1)
		}
	}
	return nil
}

// objectsDiffer returns the way by the first of all keys, in order, whose values differ or which only one has.
func objectsDiffer(a, b map[string]any, most int) []string {
	var keys []string
	for key := range a {
		keys = append(keys, key)
	}
	for key := range b {
		if _, both := a[key]; !both {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	for _, key := range keys {
		one, there := a[key]
		other, too := b[key]
		if there != too || !same(one, other) {
			return append([]string{strings.ReplaceAll(key, ".", `\.`)}, differs(one, other, most)...)
		}
	}
	return nil
}

// listsDiffer returns the way by the first element that differs. Where only the lengths do it is the length, which
// is # in gjson.
func listsDiffer(a, b []any, most int) []string {
	for i := range min(len(a), len(b)) {
		if !same(a[i], b[i]) {
			return append([]string{strconv.Itoa(i)}, differs(a[i], b[i], most)...)
		}
	}
	return []string{"#"}
}

func same(a, b any) bool {
	one, _ := json.Marshal(a)
	other, _ := json.Marshal(b)
	return bytes.Equal(one, other)
}
