package plan

import (
	"cmp"
	"net/url"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/traffic-exporter/traffic_exporter/internal/importer/document"
	"github.com/traffic-exporter/traffic_exporter/internal/importer/sensitive"
)

// The lengths from which on a secret is looked for as a whole value, and within other values.
const (
	shortestWhole  = 4
	shortestWithin = 8
)

// keeper keeps secrets and personal data, for which the configuration has environment variables.
type keeper struct {
	o        Options
	prefix   string
	detector *sensitive.Detector
	names    *names
	byValue  map[string]Variable
	// known are the values that were recognised somewhere, the longest first once sorted is set.
	known  []string
	of     map[string]string
	sorted bool
}

func newKeeper(o Options, scenario string, d *sensitive.Detector) *keeper {
	prefix := strings.ToUpper(strings.ReplaceAll(snake(cleanName(scenario, "imported")), "-", "_"))
	return &keeper{o: o, prefix: prefix, detector: d, names: newNames(), byValue: map[string]Variable{}, of: map[string]string{}}
}

// hides reports whether values of a kind are kept out of the file.
func (k *keeper) hides(kind sensitive.Kind) bool {
	return kind == sensitive.Secret && !k.o.Secrets || kind == sensitive.Personal && !k.o.Personal
}

// kindOf returns what the place and the name of a value say of it.
func kindOf(l *leaf) sensitive.Kind {
	switch {
	case l.place == inPassword:
		return sensitive.Secret
	case l.place == inPath && plainWord(l.value), l.place == inUser:
		return sensitive.None // /token/refresh is no secret.
	default:
		return sensitive.Name(l.name)
	}
}

// plainWord reports whether a segment is made of small letters, as those that name things are.
func plainWord(s string) bool {
	return strings.Trim(s, "abcdefghijklmnopqrstuvwxyz-_.") == ""
}

// trivial reports whether a value says nothing, whatever its name is.
func trivial(value string) bool {
	switch strings.ToLower(value) {
	case "", "true", "false", "null", "on", "off", "yes", "no", "0", "1":
		return true
	default:
		return false
	}
}

// learn notes the sensitive parts of a value, so that they are known wherever they stand.
func (k *keeper) learn(l *leaf) {
	for _, p := range l.pieces {
		if p.other != nil {
			continue
		}
		if k.hides(kindOf(l)) && !trivial(p.text) && l.literal() {
			k.note(p.text, l)
		}
		for _, s := range k.detector.Find(p.text) {
			if k.hides(s.Kind) {
				k.note(p.text[s.Start:s.End], l)
			}
		}
	}
}

func (k *keeper) note(value string, l *leaf) {
	if _, known := k.of[value]; !known {
		k.of[value] = describe(l)
		k.known = append(k.known, value)
	}
}

// describe says what a value is, for people.
func describe(l *leaf) string {
	switch {
	case l.place == inText, l.name == "", l.place == inUser, l.place == inPassword:
		return l.place.String()
	case l.place == inPath:
		return "segment of the path behind " + cleanName(l.name, "it")
	default:
		return l.place.String() + " " + cleanName(l.name, "")
	}
}

// hide puts environment variables in the place of sensitive parts.
func (k *keeper) hide(l *leaf) {
	if !k.sorted {
		slices.SortStableFunc(k.known, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
		k.sorted = true
	}
	if l.literal() && !trivial(l.value) && (k.hides(kindOf(l)) || len(l.value) >= shortestWhole && k.of[l.value] != "") {
		l.set(k.variable(l.value, l))
		return
	}
	l.replace(func(text string) []replacement { return k.within(text, l) })
}

// within returns the replacements of the sensitive parts of a string.
func (k *keeper) within(text string, l *leaf) []replacement {
	var all []replacement
	add := func(start, end int) {
		overlaps := func(r replacement) bool { return start < r.end && r.start < end }
		if !slices.ContainsFunc(all, overlaps) {
			all = append(all, replacement{start, end, k.variable(text[start:end], l)})
		}
	}
	for _, s := range k.detector.Find(text) {
		if k.hides(s.Kind) && !trivial(text[s.Start:s.End]) {
			add(s.Start, s.End)
		}
	}
	for _, value := range k.known {
		if len(value) < shortestWithin {
			break
		}
		for from := 0; ; {
			at := strings.Index(text[from:], value)
			if at < 0 {
				break
			}
			add(from+at, from+at+len(value))
			from += at + len(value)
		}
	}
	slices.SortFunc(all, func(a, b replacement) int { return a.start - b.start })
	return all
}

// variable returns the environment variable for a value. In a path it holds the value as URLs have it.
func (k *keeper) variable(value string, l *leaf) document.Text {
	if l.place == inPath {
		value = url.PathEscape(value)
	}
	v, known := k.byValue[value]
	if !known {
		word := l.name
		switch {
		case l.place == inText, l.place == inPath && plainWord(word) && word == "":
			word = "value"
		case l.place == inHeader && strings.EqualFold(l.name, "Authorization"):
			word = "token"
		}
		name := k.prefix + "_" + strings.ToUpper(strings.ReplaceAll(snake(cleanName(strings.TrimPrefix(word, "X-"), "value")), "-", "_"))
		v = Variable{Name: k.names.unique(name), Value: value, Of: describe(l)}
		k.byValue[value] = v
	}
	return document.Env(v.Name)
}

// sensitive reports whether a value is kept out of the file.
func (k *keeper) sensitive(l *leaf) bool {
	return k.of[l.value] != "" || k.hides(k.detector.Value(l.value))
}

// environment returns the variables by their names.
func (k *keeper) environment() []Variable {
	var all []Variable
	for _, v := range k.byValue {
		all = append(all, v)
	}
	slices.SortFunc(all, func(a, b Variable) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

// leaked returns a variable whose value is in a configuration although it must not be. A plain word may be
// the name of a field as well, as password may.
func (k *keeper) leaked(text []byte) (Variable, bool, error) {
	var file yaml.Node
	if err := yaml.Unmarshal(text, &file); err != nil {
		return Variable{}, false, err
	}
	names, values := written(&file)
	for _, v := range k.environment() {
		if len(v.Value) >= shortestWithin && (strings.Contains(values, v.Value) || !plainWord(v.Value) && strings.Contains(names, v.Value)) {
			return v, true, nil
		}
	}
	return Variable{}, false, nil
}

// written returns all that a document has, a line each: keys and comments, and the rest.
func written(n *yaml.Node) (names, values string) {
	names = strings.Join([]string{n.HeadComment, n.LineComment, n.FootComment, ""}, "\n")
	values = n.Value + "\n"
	for i, inner := range n.Content {
		innerNames, innerValues := written(inner)
		if n.Kind == yaml.MappingNode && i%2 == 0 {
			innerNames, innerValues = innerNames+innerValues, ""
		}
		names, values = names+innerNames, values+innerValues
	}
	return names, values
}
