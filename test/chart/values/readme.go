package values

import (
	"bytes"
	_ "embed" // For the template.
	"encoding/json"
	"strings"
	"text/template"
)

//go:embed readme.md.tmpl
var readme string

// Readme returns the chart's README.md with a table of all values.
func Readme(root *Value) ([]byte, error) {
	t, err := template.New("readme").Parse(readme)
	if err != nil {
		return nil, err
	}
	var rows []row
	for _, leaf := range root.Leaves() {
		r := row{Key: leaf.Path, Description: strings.ReplaceAll(leaf.Description, "|", `\|`)}
		if r.Default, err = leaf.text(); err != nil {
			return nil, err
		}
		rows = append(rows, r)
	}
	var out bytes.Buffer
	err = t.Execute(&out, rows)
	return out.Bytes(), err
}

// row is one of the table's.
type row struct{ Key, Default, Description string }

// text returns the default as one would write it on a line.
func (v *Value) text() (string, error) {
	var value any
	if err := v.Default.Decode(&value); err != nil {
		return "", err
	}
	text, err := json.Marshal(value)
	return strings.ReplaceAll(string(text), "|", `\|`), err
}
