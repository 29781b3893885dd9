package config

import (
	"reflect"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// Variable is a value that is drawn for each slot, and follows from it: uuid, sequence (the number of the slot), or a mapping with exactly
// one of these keys.
type Variable struct {
	// One of these values, evenly, or by the weights of a mapping such as {a: 70, b: 30}.
	OneOf *OneOf `yaml:"one_of"`
	// A whole number.
	Int *IntRange `yaml:"int"`
	// A decimal number.
	Decimal *DecimalRange `yaml:"decimal"`
	// Random characters.
	RandomText *RandomText `yaml:"random_text"`
	// A row of the data of that name.
	Row string `yaml:"row"`
	// A string made of other variables.
	Text *Template `yaml:"text"`
	// The time at which the slot is due.
	Time *TimeValue `yaml:"time"`
	// Several values, joined to a string or as a list.
	Many *Many `yaml:"many"`
	// A secret: the content of a file without the line end, read again when it changes.
	File string `yaml:"file" format:"file"`
	// A signed JSON Web Token, which is a secret too.
	JWT *JWT `yaml:"jwt"`

	// word is uuid or sequence; empty for a mapping.
	word string
}

func (Variable) expectation() string {
	return "uuid, sequence, or a mapping with one kind such as {one_of: [a, b]}"
}

// UnmarshalText sets the variable from a word. An error names the expected syntax.
func (v *Variable) UnmarshalText(text []byte) error {
	if word := string(text); word != "uuid" && word != "sequence" {
		return expectedError(v.expectation())
	}
	*v = Variable{word: string(text)}
	return nil
}

// Kind returns uuid, sequence or the key that says what the variable is.
func (v Variable) Kind() string {
	if v.word != "" {
		return v.word
	}
	return strings.Join(v.kinds(), " ")
}

// Secret reports whether the value is never shown.
func (v Variable) Secret() bool { return v.File != "" || v.JWT != nil }

// kinds returns the keys that are there.
func (v Variable) kinds() []string {
	var kinds []string
	for _, kind := range []struct {
		key   string
		there bool
	}{
		{"one_of", v.OneOf != nil},
		{"int", v.Int != nil},
		{"decimal", v.Decimal != nil},
		{"random_text", v.RandomText != nil},
		{"row", v.Row != ""},
		{"text", v.Text != nil},
		{"time", v.Time != nil},
		{"many", v.Many != nil},
		{"file", v.File != ""},
		{"jwt", v.JWT != nil},
	} {
		if kind.there {
			kinds = append(kinds, kind.key)
		}
	}
	return kinds
}

func (v Variable) canonical() string {
	if v.word != "" {
		return v.word
	}
	return canonicalStruct(reflect.ValueOf(v), fieldsOf(reflect.TypeFor[Variable]()))
}

// OneOf is a list of values, or a mapping of values to weights.
type OneOf struct {
	Values []JSON
	// Weights are as many as there are values; nil means evenly.
	Weights []int
}

func (OneOf) expectation() string { return "a list of values, or a mapping of values to weights" }

func (o *OneOf) decode(d *decoder, n *yaml.Node, path string, f field) {
	const most = 10_000
	switch {
	case n.Kind == yaml.ScalarNode:
		d.mismatch(n, path, f, reflect.ValueOf(o).Elem())
	case len(n.Content) == 0:
		d.at(position(n), path, "found nothing to choose from, expected values")
	case len(n.Content) > 2*most:
		d.at(position(n), path, "found more than %d values, expected fewer: write a file of data", most)
	case n.Kind == yaml.SequenceNode:
		o.Values = make([]JSON, len(n.Content))
		for i, one := range n.Content {
			d.value(one, element(path, i), field{}, reflect.ValueOf(&o.Values[i]).Elem())
		}
	default:
		o.weighted(d, n, path)
	}
}

func (o *OneOf) weighted(d *decoder, n *yaml.Node, path string) {
	o.Weights = []int{}
	for _, p := range d.pairs(n, path) {
		at := join(path, p.key.Value)
		w := jsonWriter{decoder: d, key: true}
		w.scalar(p.key, at)
		var weight int
		d.value(p.value, at, field{min: "0", max: "1000000"}, reflect.ValueOf(&weight).Elem())
		o.Values = append(o.Values, JSON{Text: w.out.String(), strings: w.strings})
		o.Weights = append(o.Weights, weight)
	}
	if !slices.ContainsFunc(o.Weights, func(w int) bool { return w > 0 }) && d.ok(path) {
		d.at(position(n), path, "found only weights of 0, expected one above it")
	}
}

func (o OneOf) canonical() string {
	parts := make([]string, len(o.Values))
	for i, value := range o.Values {
		parts[i] = value.canonical()
		if o.Weights != nil { // Keys are not expanded, and may be long.
			parts[i] = "? " + strings.ReplaceAll(parts[i], "${", `\x24{`) + " : " + strconv.Itoa(o.Weights[i])
		}
	}
	if o.Weights != nil {
		return "{" + strings.Join(parts, ", ") + "}"
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

// IntRange is a range of whole numbers, both ends included.
type IntRange struct {
	// The lowest.
	From int `yaml:"from" required:"true" min:"-9007199254740991" max:"9007199254740991"`
	// The highest.
	To int `yaml:"to" required:"true" min:"-9007199254740991" max:"9007199254740991"`
}

// DecimalRange is a range of decimal numbers, both ends included.
type DecimalRange struct {
	// The lowest.
	From float64 `yaml:"from" required:"true" min:"-9007199254740991" max:"9007199254740991"`
	// The highest.
	To float64 `yaml:"to" required:"true" min:"-9007199254740991" max:"9007199254740991"`
	// How many digits follow the point.
	Digits int `yaml:"digits" default:"2" min:"0" max:"15"`
}

// RandomText is random characters.
type RandomText struct {
	// How many.
	Length int `yaml:"length" required:"true" min:"1" max:"65536"`
	// Which ones.
	Of string `yaml:"of" default:"alphanumeric" oneof:"letters digits hex alphanumeric"`
}

// TimeValue is the time at which the slot is due, moved and rounded.
type TimeValue struct {
	// How much later. Not together with minus.
	Plus Duration `yaml:"plus"`
	// How much earlier.
	Minus Duration `yaml:"minus"`
	// What the time is rounded down to a multiple of, after it has been moved.
	Floor Duration `yaml:"floor" min:"1ms"`
	// How it is written: unix (seconds), unix_ms, rfc3339, or as Go's time package would write 2006-01-02 15:04:05. In UTC.
	Format string `yaml:"format" default:"rfc3339"`
}

// Many is several values, joined to a string, or, without join, a list.
type Many struct {
	// The least of them.
	From int `yaml:"from" required:"true" min:"0" max:"1000"`
	// The most of them.
	To int `yaml:"to" required:"true" min:"0" max:"1000"`
	// What each of them is: a variable that is drawn so often.
	Each *Variable `yaml:"each" required:"true"`
	// Variables for each that are drawn as often.
	Variables Named[Variable] `yaml:"variables" max:"100" format:"names"`
	// What stands between them.
	Join *string `yaml:"join"`
}
