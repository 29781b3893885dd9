package main

import (
	_ "embed" // The template below.
	"fmt"
	"slices"
	"strings"
	"text/template"
)

// width is how wide comments in the reference are.
const width = 96

// page returns docs/configuration.md: the template, with the reference in it.
func (m *model) page() ([]byte, error) {
	t, err := template.New("configuration.md").Delims("<%", "%>").Parse(pageTemplate)
	if err != nil {
		return nil, err
	}
	var out strings.Builder
	err = t.Execute(&out, map[string]string{"Values": m.values(), "Reference": m.reference()})
	if err != nil {
		return nil, fmt.Errorf("write page: %w", err)
	}
	return []byte(out.String()), nil
}

// values returns a list of the types that are written as text.
func (m *model) values() string {
	var names []string
	for name := range m.types {
		if pattern(name) != "" || isText(name) || name == "JSON" || name == "OneOf" || name == "Elements" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var out strings.Builder
	for _, name := range names {
		fmt.Fprintf(&out, "- `<%s>`: %s\n", label(name), lowerFirst(m.types[name].sentence()))
	}
	return strings.TrimSuffix(out.String(), "\n")
}

// lowerFirst starts a string in lower case, unless it starts with an acronym.
func lowerFirst(text string) string {
	if len(text) > 1 && strings.ToUpper(text[:2]) == text[:2] && text[1] != ' ' {
		return text
	}
	return strings.ToLower(text[:1]) + text[1:]
}

// reference returns a section for each struct.
func (m *model) reference() string {
	var out strings.Builder
	for i, name := range m.order {
		if i > 0 {
			fmt.Fprintf(&out, "\n### `<%s>`\n\n%s\n", label(name), m.types[name].sentence())
		}
		out.WriteString("\n```yaml\n")
		for _, k := range m.types[name].keys {
			for _, line := range wrap(k.doc+k.limits(), width) {
				out.WriteString("# " + line + "\n")
			}
			out.WriteString(m.line(k) + "\n")
		}
		out.WriteString("```\n")
	}
	return strings.Trim(out.String(), "\n")
}

// limits returns a key's range as a sentence.
func (k key) limits() string {
	unit := ""
	switch {
	case k.isMap:
		unit = " keys"
	case k.isList:
		unit = " elements"
	}
	switch {
	case k.min == "" && k.max == "":
		return ""
	case k.max == "":
		return " At least " + k.min + unit + "."
	case k.min == "":
		return " At most " + k.max + unit + "."
	default:
		return " From " + k.min + " to " + k.max + unit + "."
	}
}

// line returns how a key is written, with brackets round optional ones.
func (m *model) line(k key) string {
	value := m.placeholder(k)
	switch {
	case k.isMap && k.isList:
		return fmt.Sprintf("%s:\n  [ <string>: %s | [%s, ...] ... ]", k.name, value, value)
	case k.isMap:
		return fmt.Sprintf("%s:\n  [ <string>: %s ... ]", k.name, value)
	case k.isList && k.required:
		return fmt.Sprintf("%s:\n  - %s ...", k.name, value)
	case k.isList && k.hasOne:
		return fmt.Sprintf("%s:\n  [ - %s ... | default = [%s] ]", k.name, value, strings.Join(strings.Fields(k.preset), ", "))
	case k.isList:
		return fmt.Sprintf("%s:\n  [ - %s ... ]", k.name, value)
	case k.typ == "Headers":
		return fmt.Sprintf("%s:\n  [ <string>: <header_value> | [<header_value>, ...] ... ]", k.name)
	case k.required:
		return k.name + ": " + value
	case k.hasOne:
		return fmt.Sprintf("[ %s: %s | default = %s ]", k.name, value, k.preset)
	default:
		return fmt.Sprintf("[ %s: %s ]", k.name, value)
	}
}

// placeholder returns what stands for a value.
func (m *model) placeholder(k key) string {
	switch {
	case len(k.oneOf) > 0:
		return "<" + strings.Join(k.oneOf, "|") + ">"
	case k.format == "name":
		return "<name>"
	case k.format == "listen", k.format == "advertise":
		return "<ip:port>"
	case k.format == "host:port":
		return "<host:port>"
	case m.isStruct(k.typ), pattern(k.typ) != "", isText(k.typ), k.typ == "JSON", k.typ == "OneOf", k.typ == "Elements":
		return "<" + label(k.typ) + ">"
	case k.typ == "bool":
		return "<boolean>"
	case k.typ == "int":
		return "<int>"
	case k.typ == "float64":
		return "<float>"
	default:
		return "<string>"
	}
}

// wrap breaks a string into lines.
func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		if line != "" && len(line)+1+len(word) > width {
			lines = append(lines, line)
			line = ""
		}
		line = strings.TrimPrefix(line+" "+word, " ")
	}
	return append(lines, line)
}

//go:embed configuration.md.tmpl
var pageTemplate string
