package grafana

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Values are the values of variables, by name, as they stand in a query.
type Values map[string]string

// reference is a variable in a string: $name, ${name} or ${name:format}. The class after
// $ leaves out digits, which are groups of regular expressions.
const reference = `\$(?:\{([A-Za-z_]\w*)(?::\w+)?\}|([A-Za-z_]\w*))`

// Interpolate puts the values of variables in the place of their names. A variable
// without a value is an error.
func (v Values) Interpolate(text string) (string, error) {
	var missing []string
	result := regexp.MustCompile(reference).ReplaceAllStringFunc(text, func(ref string) string {
		name := Variables(ref)[0]
		value, ok := v[name]
		if !ok {
			missing = append(missing, name)
		}
		return value
	})
	if len(missing) > 0 {
		return "", fmt.Errorf("no value for %s in %q", strings.Join(missing, ", "), text)
	}
	return result, nil
}

// Variables returns the names of the variables that a string refers to, sorted, each once.
func Variables(text string) []string {
	var all []string
	for _, m := range regexp.MustCompile(reference).FindAllStringSubmatch(text, -1) {
		all = append(all, m[1]+m[2])
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// Choose returns what stands in a query for chosen values of a variable, as Grafana
// writes it for Prometheus: a regular expression if there may be several.
func (v Variable) Choose(chosen []string) string {
	if !v.Multi {
		return chosen[0]
	}
	if len(chosen) == 0 {
		return v.AllValue
	}
	var quoted []string
	for _, c := range chosen {
		// The backslash is doubled, since the expression stands in a quoted text.
		quoted = append(quoted, strings.ReplaceAll(regexp.QuoteMeta(c), `\`, `\\`))
	}
	return "(" + strings.Join(quoted, "|") + ")"
}
