package config

import (
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// field is what the tags of a struct's field say.
type field struct {
	index    int
	key      string
	required bool
	// preset is the text of the default; hasPreset reports whether there is one.
	preset    string
	hasPreset bool
	oneOf     []string
	min, max  string
	format    string
}

// fieldsOf returns the fields of a struct that are keys of the file.
func fieldsOf(t reflect.Type) []field {
	var fields []field
	for i := range t.NumField() {
		tag := t.Field(i).Tag
		key := tag.Get("yaml")
		if key == "" || key == "-" {
			continue
		}
		f := field{
			index: i, key: key, required: tag.Get("required") == "true",
			oneOf: strings.Fields(tag.Get("oneof")),
			min:   tag.Get("min"), max: tag.Get("max"), format: tag.Get("format"),
		}
		f.preset, f.hasPreset = tag.Lookup("default")
		fields = append(fields, f)
	}
	return fields
}

// bounds returns the range of the field in words.
func (f field) bounds() string {
	switch {
	case f.max == "":
		return "at least " + f.min
	case f.min == "":
		return "at most " + f.max
	default:
		return f.min + " to " + f.max
	}
}

// described is implemented by types of values that describe their syntax.
type described interface{ expectation() string }

// want describes the values of a field.
func want(f field, v reflect.Value) string {
	if len(f.oneOf) > 0 {
		return list(f.oneOf, "or")
	}
	if v.Kind() == reflect.Pointer {
		v = reflect.New(v.Type().Elem()).Elem()
	}
	if d, ok := reflect.TypeAssert[described](v); ok {
		return d.expectation()
	}
	switch v.Type() {
	case reflect.TypeFor[Headers]():
		return "a mapping"
	case reflect.TypeFor[[]Template]():
		return "a string or a list of strings"
	}
	switch v.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Int:
		return "a whole number"
	case reflect.Float64:
		return "a number"
	case reflect.Slice:
		return "a list"
	case reflect.Struct:
		return "a mapping"
	default:
		return "a string"
	}
}

// setText sets a value from text. An error names the expected syntax.
func setText(f field, v reflect.Value, text string) error {
	if u, ok := reflect.TypeAssert[encoding.TextUnmarshaler](v.Addr()); ok {
		return u.UnmarshalText([]byte(text))
	}
	bad := expectedError(want(f, v))
	switch v.Kind() {
	case reflect.Bool:
		if text != "true" && text != "false" {
			return bad
		}
		v.SetBool(text == "true")
	case reflect.Int:
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil && !errors.Is(err, strconv.ErrRange) || strings.HasPrefix(text, "+") {
			return bad // A number that does not fit is out of range, as every int has one.
		}
		v.SetInt(n)
	case reflect.Float64:
		n, err := strconv.ParseFloat(text, 64)
		if err != nil || !plainNumber(strings.TrimPrefix(text, "-")) {
			return bad
		}
		v.SetFloat(n)
	case reflect.String:
		v.SetString(text)
	case reflect.Slice:
		return setWords(v, text)
	default:
		return bad
	}
	return nil
}

// setWords sets a list from words, as defaults are written.
func setWords(v reflect.Value, text string) error {
	for word := range strings.FieldsSeq(text) {
		element := reflect.New(v.Type().Elem()).Elem()
		if err := setText(field{}, element, word); err != nil {
			return err
		}
		v.Set(reflect.Append(v, element))
	}
	return nil
}

// setDefaults sets a value that the file does not have.
func setDefaults(f field, v reflect.Value) {
	if f.hasPreset {
		if err := setText(f, v, f.preset); err != nil {
			// A tag in this package is wrong: every test that parses a file fails.
			panic(fmt.Sprintf("default of %q: %v", f.key, err))
		}
		return
	}
	if v.Kind() != reflect.Struct {
		return
	}
	for _, inner := range fieldsOf(v.Type()) {
		setDefaults(inner, v.Field(inner.index))
	}
}

// within reports whether a value, or the length of a list, is in the field's range.
func (f field) within(v reflect.Value) bool {
	return (f.min == "" || f.measure(v) >= f.limit(v, f.min)) &&
		(f.max == "" || f.measure(v) <= f.limit(v, f.max))
}

// measure returns what of a value its range limits. Durations and sizes in range are
// far below 2^53, so that nothing is lost.
func (field) measure(v reflect.Value) float64 {
	switch {
	case v.Kind() == reflect.Slice:
		return float64(v.Len())
	case v.CanInt():
		return float64(v.Int())
	case v.CanFloat():
		return v.Float()
	default:
		return 0
	}
}

// limit returns the measure of a limit's text, which is written like the value.
func (f field) limit(v reflect.Value, text string) float64 {
	target := reflect.New(v.Type()).Elem()
	if v.Kind() == reflect.Slice {
		target = reflect.New(reflect.TypeFor[int]()).Elem()
	}
	if err := setText(field{}, target, text); err != nil {
		panic(fmt.Sprintf("limit of %q: %v", f.key, err)) // As for a default.
	}
	return f.measure(target)
}

// preset returns the settings of a section that a file does not have.
func preset[T any]() *T {
	section := new(T)
	v := reflect.ValueOf(section).Elem()
	for _, f := range fieldsOf(v.Type()) {
		setDefaults(f, v.Field(f.index))
	}
	return section
}
