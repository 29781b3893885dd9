package script

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"
)

// Check is an expectation of a part of a response. All that is set must hold.
type Check struct {
	// Name is unique among the checks of its step: its path in the file, such as json errors.
	Name string
	Part Part
	// Size says that it is about the length of the body, in bytes, in place of the part.
	Size bool

	Equals, Not           *Document
	Contains, NotContains *Template
	Matches               *regexp.Regexp
	Exists                *bool
	AtLeast, AtMost       *float64
	OneOf                 []Document
}

// bind returns the check with the names that it uses resolved.
func (c Check) bind(s *scope) (Check, error) {
	for _, d := range []**Document{&c.Equals, &c.Not} {
		if *d == nil {
			continue
		}
		bound, err := (*d).Bind(s.lookup)
		if err != nil {
			return Check{}, err
		}
		*d = &bound
	}
	for _, t := range []**Template{&c.Contains, &c.NotContains} {
		if *t == nil {
			continue
		}
		bound, err := (*t).Bind(s.lookup)
		if err != nil {
			return Check{}, err
		}
		*t = &bound
	}
	options := make([]Document, len(c.OneOf))
	for i, d := range c.OneOf {
		var err error
		if options[i], err = d.Bind(s.lookup); err != nil {
			return Check{}, err
		}
	}
	c.OneOf = options
	return c, nil
}

// failure returns why the check does not hold; nil if it does.
func (c *Check) failure(r *Response, v Values) error {
	if c.Size {
		return c.bounds(float64(len(r.Body)), strconv.Quote(strconv.Itoa(len(r.Body))+" bytes"))
	}
	values := c.Part.of(r)
	if c.Exists != nil && *c.Exists != (len(values) > 0) {
		return fmt.Errorf("%s: found %s", c.Name, existence(len(values) > 0))
	}
	if len(values) == 0 {
		if c.needsValue() {
			return fmt.Errorf("%s: found nothing", c.Name)
		}
		return nil
	}
	// Of a field that is there several times, any one will do, but none may be what it must not.
	var err error
	for _, value := range values {
		if err = c.wants(value, v); err == nil {
			break
		}
	}
	if err != nil {
		return err
	}
	for _, value := range values {
		if err := c.forbids(value, v); err != nil {
			return err
		}
	}
	return nil
}

func existence(there bool) string {
	if there {
		return "it"
	}
	return "nothing"
}

// needsValue reports whether the check fails if there is no value.
func (c *Check) needsValue() bool {
	return c.Equals != nil || c.Contains != nil || c.Matches != nil || c.AtLeast != nil || c.AtMost != nil || len(c.OneOf) > 0
}

// wants returns an error if the value is not what it has to be.
func (c *Check) wants(value Value, v Values) error {
	if c.Equals != nil {
		if err := c.equals(value, *c.Equals, v); err != nil {
			return err
		}
	}
	if len(c.OneOf) > 0 {
		var err error
		for _, d := range c.OneOf {
			if err = c.equals(value, d, v); err == nil {
				break
			}
		}
		if err != nil {
			return fmt.Errorf("%s: found %s, which is none of those expected", c.Name, c.shown(value, v))
		}
	}
	if c.Contains != nil {
		text, err := c.Contains.Text(v)
		if err != nil {
			return err
		}
		if !strings.Contains(value.Text, text) {
			return fmt.Errorf("%s: %s does not contain %s", c.Name, c.shown(String(value.Text), v), shorten(hide(text, v)))
		}
	}
	if c.Matches != nil && !c.Matches.MatchString(value.Text) {
		return fmt.Errorf("%s: %s does not match %s", c.Name, c.shown(String(value.Text), v), c.Matches)
	}
	if c.AtLeast != nil || c.AtMost != nil {
		n, err := strconv.ParseFloat(value.Text, 64)
		if err != nil {
			return fmt.Errorf("%s: %s is no number", c.Name, c.shown(String(value.Text), v))
		}
		return c.bounds(n, c.shown(String(value.Text), v))
	}
	return nil
}

// forbids returns an error if the value is what it must not be.
func (c *Check) forbids(value Value, v Values) error {
	if c.Not != nil && c.equals(value, *c.Not, v) == nil {
		return fmt.Errorf("%s: found %s", c.Name, c.shown(value, v))
	}
	if c.NotContains != nil {
		text, err := c.NotContains.Text(v)
		if err != nil {
			return err
		}
		if strings.Contains(value.Text, text) {
			return fmt.Errorf("%s: %s contains %s", c.Name, c.shown(String(value.Text), v), shorten(hide(text, v)))
		}
	}
	return nil
}

// bounds returns an error if the number is out of the bounds.
func (c *Check) bounds(n float64, shown string) error {
	switch {
	case c.AtLeast != nil && !(n >= *c.AtLeast):
		return fmt.Errorf("%s: %s is less than %v", c.Name, shown, *c.AtLeast)
	case c.AtMost != nil && !(n <= *c.AtMost):
		return fmt.Errorf("%s: %s is more than %v", c.Name, shown, *c.AtMost)
	}
	return nil
}

// equals returns an error if the value is not the document's.
func (c *Check) equals(value Value, d Document, v Values) error {
	want, err := d.Value(v)
	if err != nil {
		return err
	}
	if same(value, want, c.Part.JSON != "") {
		return nil
	}
	return fmt.Errorf("%s: found %s, expected %s", c.Name, c.shown(value, v), c.shown(want, v))
}

// same reports whether two values are equal. Numbers are compared as numbers; a value that
// is not from JSON has no type, so that only its string counts.
func same(a, b Value, typed bool) bool {
	if a.Text == b.Text && (!typed || a.Kind == b.Kind) {
		return true
	}
	if a.Kind == JSON && b.Kind == JSON {
		return sameJSON(gjson.Parse(a.Text), gjson.Parse(b.Text))
	}
	if typed && (a.Kind != Number || b.Kind != Number) {
		return false
	}
	if a.Kind != Number && b.Kind != Number {
		return false
	}
	x, errX := strconv.ParseFloat(a.Text, 64)
	y, errY := strconv.ParseFloat(b.Text, 64)
	return errX == nil && errY == nil && x == y
}

// shown returns a value that the check is about for people, without secrets: strings are quoted,
// and long ones are cut.
func (c *Check) shown(value Value, v Values) string {
	if c.Part.isSecret() {
		return Hidden
	}
	text := hide(value.Text, v)
	if value.Kind == Text {
		return shorten(text)
	}
	if len(text) > maxShown {
		return text[:maxShown] + "..."
	}
	return text
}

// hide returns a string without the secrets among the values, if these are a journey's.
func hide(text string, v Values) string {
	if j, ok := v.(*Journey); ok {
		return j.Hide(text)
	}
	return text
}

// maxShown is how much of a string is shown, in bytes.
const maxShown = 80

// shorten returns a string for people, quoted and not too long.
func shorten(text string) string {
	if len(text) > maxShown {
		return strconv.Quote(text[:maxShown]) + "..."
	}
	return strconv.Quote(text)
}
