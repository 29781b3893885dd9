package script

import (
	"strconv"

	"github.com/tidwall/gjson"
)

// Kind is the type of a Value.
type Kind uint8

// The kinds of values.
const (
	// Text is a string.
	Text Kind = iota
	// Number is a number as JSON writes it.
	Number
	// JSON is any other value of JSON: true, false, null, an object or a list.
	JSON
	// StandIn is a string in the place of any value: each of its fields is itself, and it is a list with itself as the
	// only element.
	StandIn
)

// Value is what a name stands for: a string, a number, or any other value of JSON as its
// text. The zero Value is the empty string. Values are immutable and comparable.
type Value struct {
	Kind Kind
	Text string
}

// String returns a Value that is a string.
func String(text string) Value { return Value{Text: text} }

// Int returns a Value that is a whole number.
func Int(n int64) Value { return Value{Kind: Number, Text: strconv.FormatInt(n, 10)} }

// FromJSON returns the Value of a JSON text, which has to be valid.
func FromJSON(text string) Value { return fromResult(gjson.Parse(text)) }

func fromResult(r gjson.Result) Value {
	switch r.Type {
	case gjson.String:
		return Value{Text: r.Str}
	case gjson.Number:
		return Value{Kind: Number, Text: r.Raw}
	default:
		return Value{Kind: JSON, Text: r.Raw}
	}
}

// Field returns what stands at a path within a value that is an object or a list; ok is false
// if there is nothing. The path is gjson's.
func (v Value) Field(path string) (field Value, ok bool) {
	if v.Kind == StandIn {
		return v, true
	}
	if v.Kind != JSON {
		return Value{}, false
	}
	r := gjson.Get(v.Text, path)
	return fromResult(r), r.Exists()
}

// Keys returns the keys of a value that is an object, in their order.
func (v Value) Keys() []string {
	r := gjson.Parse(v.Text)
	if v.Kind != JSON || !r.IsObject() {
		return nil
	}
	var keys []string
	r.ForEach(func(key, _ gjson.Result) bool {
		keys = append(keys, key.Str)
		return true
	})
	return keys
}

// AppendJSON appends the value as JSON.
func (v Value) AppendJSON(dst []byte) []byte {
	if v.Kind == Text || v.Kind == StandIn {
		return appendJSONString(dst, v.Text)
	}
	return append(dst, v.Text...)
}

// List returns the elements of a value that is a list; ok is false if it is none.
func (v Value) List() (elements []Value, ok bool) {
	if v.Kind == StandIn {
		return []Value{v}, true
	}
	ok = v.EachElement(func(one Value) bool {
		elements = append(elements, one)
		return true
	})
	return elements, ok
}

// EachElement calls f with each element of a value that is a list, until f returns false. It
// reports false if the value is none.
func (v Value) EachElement(f func(Value) bool) bool {
	if v.Kind != JSON {
		return false
	}
	r := gjson.Parse(v.Text)
	if !r.IsArray() {
		return false
	}
	r.ForEach(func(_, one gjson.Result) bool { return f(fromResult(one)) })
	return true
}

// listOf returns a list of values.
func listOf(values []Value) Value {
	dst := []byte{'['}
	for i, v := range values {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = v.AppendJSON(dst)
	}
	return Value{Kind: JSON, Text: string(append(dst, ']'))}
}
