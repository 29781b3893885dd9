package config

import (
	"reflect"
	"strings"
)

// Canonical returns the configuration in canonical form, secrets included, such that
// it can be parsed again.
func (c *Config) Canonical() string {
	return strings.ReplaceAll(canonical(reflect.ValueOf(*c)), "${", "$${")
}
