package config

import (
	"reflect"

	"gopkg.in/yaml.v3"
)

// Check is a check of one value of a response: a value, which it must equal, or a mapping of conditions that must all
// hold.
type Check struct {
	// It equals this.
	Equals *JSON `yaml:"equals"`
	// It does not equal this.
	Not *JSON `yaml:"not"`
	// It contains this text.
	Contains *Template `yaml:"contains"`
	// It does not contain this text.
	NotContains *Template `yaml:"not_contains"`
	// It matches this regular expression somewhere. RE2.
	Matches string `yaml:"matches"`
	// Whether it is there.
	Exists *bool `yaml:"exists"`
	// It is a number of at least this.
	AtLeast *float64 `yaml:"at_least"`
	// It is a number of at most this.
	AtMost *float64 `yaml:"at_most"`
	// It equals one of these.
	OneOf []JSON `yaml:"one_of" min:"1" max:"1000"`
}

func (Check) expectation() string {
	return "a value that it equals, or a mapping such as {exists: true}"
}

func (Check) takesNull() {}

func (c *Check) decode(d *decoder, n *yaml.Node, path string, _ field) {
	v := reflect.ValueOf(c).Elem()
	if n.Kind == yaml.MappingNode {
		d.mapping(n, path, v)
		return
	}
	c.Equals = &JSON{}
	c.Equals.decode(d, n, path, field{})
}

// given returns the keys that are there.
func (c Check) given() []string {
	var keys []string
	v := reflect.ValueOf(c)
	for _, f := range fieldsOf(v.Type()) {
		if !v.Field(f.index).IsZero() {
			keys = append(keys, f.key)
		}
	}
	return keys
}

// SizeCheck is a check of the size of a body: a number of bytes, which it must equal, or a mapping.
type SizeCheck struct {
	// It is this.
	Equals *Bytes `yaml:"equals"`
	// It is at least this.
	AtLeast *Bytes `yaml:"at_least"`
	// It is at most this.
	AtMost *Bytes `yaml:"at_most"`
}

func (SizeCheck) expectation() string {
	return "a number of bytes such as 512, or a mapping such as {at_most: 1MiB}"
}

// UnmarshalText sets a check for equality. An error names the expected syntax.
func (s *SizeCheck) UnmarshalText(text []byte) error {
	var b Bytes
	if err := b.UnmarshalText(text); err != nil {
		return expectedError(s.expectation())
	}
	*s = SizeCheck{Equals: &b}
	return nil
}

// Check returns the check as one of a number of bytes.
func (s SizeCheck) Check() Check {
	var c Check
	if s.Equals != nil {
		n := float64(*s.Equals)
		c.AtLeast, c.AtMost = &n, &n
	}
	if s.AtLeast != nil {
		n := float64(*s.AtLeast)
		c.AtLeast = &n
	}
	if s.AtMost != nil {
		n := float64(*s.AtMost)
		c.AtMost = &n
	}
	return c
}
