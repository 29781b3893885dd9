package config

import (
	"encoding"
	"errors"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol/uri"
)

// decoder sets Go values from a tree of YAML. Unlike yaml.v3's own decoder, it is strict,
// reports every mistake and remembers where each value stands.
type decoder struct {
	*report
	getenv func(string) (string, bool)
	disk   Disk
	// secrets are the nodes that must not be shown.
	secrets map[*yaml.Node]bool
	// headers are header fields and, in the same order, the nodes of their values.
	headers []headerNodes
	// files are those that are named but not looked at.
	files []File
	// following are the anchors whose aliases are being followed.
	following map[*yaml.Node]bool
	// depth is how deep the steps are that are being read.
	depth int
	// aliased and expanded are how many values and bytes the file has grown by.
	aliased, expanded int
	fields            map[reflect.Type][]field
}

func newDecoder(r *report, getenv func(string) (string, bool), disk Disk) *decoder {
	return &decoder{
		report: r, getenv: getenv, disk: disk,
		secrets:   map[*yaml.Node]bool{},
		following: map[*yaml.Node]bool{},
		fields:    map[reflect.Type][]field{},
	}
}

// value sets v, which is described by f, from the node.
func (d *decoder) value(n *yaml.Node, path string, f field, v reflect.Value) {
	n, done := d.follow(n, path)
	defer done()
	if n == nil {
		return
	}
	d.locations[path] = location{n.Line, n.Column, n.Value}
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	_, isText := reflect.TypeAssert[encoding.TextUnmarshaler](v.Addr())
	kind := v.Kind()
	switch {
	// A type that is written as text may have keys as well, as a rate does.
	case !plainTag(n):
		d.at(position(n), path, "found %s, expected none", d.shownTag(n, v))
	case isNull(n) && !takesNull(v):
		d.at(position(n), path, "found nothing, expected %s%s", want(f, v), leaveOut(f))
	case decodeSelf(d, n, path, f, v):
	case n.Kind == yaml.SequenceNode && v.Type() == reflect.TypeFor[[]TrafficStep]():
		d.steps(n, path, f, v)
	case n.Kind == yaml.ScalarNode && v.Type() == reflect.TypeFor[[]Template]():
		one := make([]Template, 1)
		one[0].decode(d, n, path, f)
		v.Set(reflect.ValueOf(one))
	case n.Kind == yaml.MappingNode && kind == reflect.Struct && (!isText || len(d.fieldsOf(v.Type())) > 0):
		d.mapping(n, path, v)
	case n.Kind == yaml.MappingNode && v.Type() == reflect.TypeFor[Headers]():
		d.mappingOfHeaders(n, path, f, v)
	case n.Kind == yaml.ScalarNode && f.format == "secrets":
		d.at(position(n), path, "found a secret, expected %s", want(f, v))
	case n.Kind == yaml.SequenceNode && kind == reflect.Slice && v.Type() != reflect.TypeFor[Headers]():
		d.list(n, path, f, v)
	case n.Kind == yaml.ScalarNode && (isText || kind != reflect.Struct && kind != reflect.Slice):
		d.scalar(n, path, f, v)
	default:
		d.mismatch(n, path, f, v)
	}
}

// selfDecoder is what types implement that are written in ways of their own. They are handed
// no alias and no tag that YAML does not know, and nulls only if they take them.
type selfDecoder interface {
	decode(d *decoder, n *yaml.Node, path string, f field)
}

// decodeSelf has a value set itself and reports whether it can.
func decodeSelf(d *decoder, n *yaml.Node, path string, f field, v reflect.Value) bool {
	s, ok := reflect.TypeAssert[selfDecoder](v.Addr())
	if ok {
		s.decode(d, n, path, f)
	}
	return ok
}

// takesNull reports whether null is a value of the type.
func takesNull(v reflect.Value) bool {
	_, ok := reflect.TypeAssert[interface{ takesNull() }](v)
	return ok
}

// mismatch reports a value of the wrong kind.
func (d *decoder) mismatch(n *yaml.Node, path string, f field, v reflect.Value) {
	d.at(position(n), path, "found %s, expected %s%s", shown(n, v), want(f, v), d.listed(n, v))
}

// listed advises how things are named in a list, where a mapping has them by name.
func (d *decoder) listed(n *yaml.Node, v reflect.Value) string {
	if n.Kind != yaml.MappingNode || len(n.Content) < 2 || behind(n.Content[1]).Kind != yaml.MappingNode || !plainKey(n.Content[0].Value) {
		return ""
	}
	if v.Kind() != reflect.Slice || v.Type().Elem().Kind() != reflect.Struct {
		return ""
	}
	if _, named := findField(d.fieldsOf(v.Type().Elem()), "name"); !named {
		return ""
	}
	return " of elements with names: write - name: " + n.Content[0].Value
}

// leaveOut advises how to do without a value where that is possible.
func leaveOut(f field) string {
	if f.key == "" || f.required {
		return ""
	}
	return ": to do without, leave the key out"
}

func position(n *yaml.Node) location { return location{line: n.Line, column: n.Column, text: n.Value} }

// fieldsOf returns the fields of a struct, which it computes once.
func (d *decoder) fieldsOf(t reflect.Type) []field {
	fields, ok := d.fields[t]
	if !ok {
		fields = fieldsOf(t)
		d.fields[t] = fields
	}
	return fields
}

// shown names the value found, unless it is a secret.
func shown(n *yaml.Node, v reflect.Value) string {
	if isSecret(v) && n.Kind == yaml.ScalarNode {
		return "a secret"
	}
	return kindOf(n)
}

// shownTag names a tag, unless it is a secret that begins with ! and lacks quotes.
func (d *decoder) shownTag(n *yaml.Node, v reflect.Value) string {
	if isSecret(v) || d.secrets[n] {
		return "a tag"
	}
	return "the tag " + quote(n.Tag)
}

func isSecret(v reflect.Value) bool {
	return v.Type() == reflect.TypeFor[Secret]() || v.Type() == reflect.TypeFor[SecretTemplate]()
}

// follow returns what an alias stands for, or nil when the report says why not. Call
// done when the node has been dealt with.
func (d *decoder) follow(n *yaml.Node, path string) (target *yaml.Node, done func()) {
	target, done = n, func() {}
	if n.Kind == yaml.AliasNode {
		target = n.Alias
		if d.following[target] {
			d.at(position(n), path, "the alias %q is within what it stands for", "*"+n.Value)
			return nil, done
		}
		d.following[target] = true
		done = func() { delete(d.following, n.Alias) }
	}
	if !d.afford(target) {
		done()
		return nil, func() {}
	}
	return target, done
}

// afford reports whether the file may have one more value, and reports, once, that
// aliases make it grow too much.
func (d *decoder) afford(n *yaml.Node) bool {
	if len(d.following) > 0 {
		d.aliased++
		d.expanded += len(n.Value)
	}
	switch {
	case d.aliased > maxAliased:
		d.stop(n, "aliases make the file larger than %d values", maxAliased)
	case d.expanded > maxExpanded:
		d.stop(n, "aliases and environment variables make the file larger by more than %d bytes", maxExpanded)
	}
	return !d.stopped
}

// stop reports that a limit is exceeded, and ends the decoding.
func (d *decoder) stop(n *yaml.Node, format string, limit int) {
	d.at(position(n), "", format, limit)
	d.stopped = true
}

// pair is a key of a mapping and its value.
type pair struct{ key, value *yaml.Node }

// pairs returns the pairs of a mapping. Those merged by << come last, without the keys
// that the mapping has itself.
func (d *decoder) pairs(n *yaml.Node, path string) []pair {
	var own, merged []pair
	lines := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		switch {
		case !d.afford(key):
			return own
		case key.Kind == yaml.ScalarNode && key.Tag == "!!merge":
			merged = append(merged, d.merge(value, path)...)
		case key.Kind != yaml.ScalarNode:
			d.note(position(key), path, "found %s as a key, expected a string", kindOf(key))
		case lines[key.Value] > 0:
			d.note(position(key), path, "duplicate key %s, first on line %d", quote(key.Value), lines[key.Value])
		default:
			lines[key.Value] = key.Line
			own = append(own, pair{key, value})
		}
	}
	for _, p := range merged {
		if _, there := lines[p.key.Value]; !there {
			lines[p.key.Value] = p.key.Line
			own = append(own, p)
		}
	}
	return own
}

// merge returns the pairs that << brings into the mapping at path.
func (d *decoder) merge(n *yaml.Node, path string) []pair {
	n, done := d.follow(n, path)
	defer done()
	switch {
	case n == nil:
		return nil
	case n.Kind == yaml.MappingNode:
		return d.pairs(n, path)
	case n.Kind == yaml.SequenceNode:
		var all []pair
		for _, one := range n.Content {
			all = append(all, d.merge(one, path)...)
		}
		return all
	default:
		d.note(position(n), path, "found %s to merge by <<, expected a mapping", kindOf(n))
		return nil
	}
}

// mapping sets the fields of a struct.
func (d *decoder) mapping(n *yaml.Node, path string, v reflect.Value) {
	d.fill(n, d.pairs(n, path), path, v, v.Type().Name(), d.fieldsOf(v.Type()))
}

// fill sets these fields of a struct from the pairs of a node. name is what the struct is
// called where advice is given.
func (d *decoder) fill(n *yaml.Node, pairs []pair, path string, v reflect.Value, name string, fields []field) {
	there := map[string]bool{}
	for _, p := range pairs {
		if d.stopped {
			return
		}
		key := p.key.Value
		there[key] = true
		if f, ok := findField(fields, key); ok {
			d.value(p.value, join(path, key), f, v.Field(f.index))
			continue
		}
		d.note(position(p.key), path, "unknown key %s: %s", quote(key), advice(name, fields, key))
	}
	for _, f := range fields {
		switch {
		case there[f.key]:
		case f.required:
			d.at(position(n), join(path, f.key), "missing, expected %s", want(f, v.Field(f.index)))
		default:
			setDefaults(f, v.Field(f.index))
		}
	}
}

func findField(fields []field, key string) (field, bool) {
	for _, f := range fields {
		if f.key == key {
			return f, true
		}
	}
	return field{}, false
}

// hide marks a secret, by way of aliases too.
func (d *decoder) hide(n *yaml.Node) {
	d.secrets[n] = true
	if n.Kind == yaml.AliasNode {
		d.secrets[n.Alias] = true
	}
}

// list sets a slice.
func (d *decoder) list(n *yaml.Node, path string, f field, v reflect.Value) {
	if size := reflect.ValueOf(make([]struct{}, len(n.Content))); !f.within(size) {
		d.at(position(n), path, "found %d elements, expected %s", len(n.Content), f.bounds())
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content)))
	for i, one := range n.Content {
		d.value(one, element(path, i), field{format: f.format}, v.Index(i))
	}
}

// scalar sets everything that is written as one text.
func (d *decoder) scalar(n *yaml.Node, path string, f field, v reflect.Value) {
	if isSecret(v) || v.Type() == reflect.TypeFor[ProxyURL]() && strings.Contains(n.Value, "@") {
		d.hide(n)
	}
	text, ok := d.expandedText(n, path)
	if !ok {
		return
	}
	// Quotes make a string of a number, unless a variable has to be quoted.
	if quoted := n.ShortTag() == "!!str" && text == n.Value; quoted && isPlain(v) {
		d.at(position(n), path, "found %s, expected %s%s", shown(n, v), want(f, v), unquote(f, v, text))
		return
	}
	if err := f.set(v, text); err != nil {
		d.at(position(n), path, "%s", problem(n, v, err))
		return
	}
	switch f.format {
	case "file":
		d.named(n, path, text, v)
	case "folder", "recording":
		v.SetString(d.beside(text))
	case "content":
		v.SetString(d.beside(text))
		d.files = append(d.files, File{Path: v.String(), file: d.file, path: path, place: position(n)})
	}
}

// beside returns the name of a file, which is taken from the folder of the configuration.
func (d *decoder) beside(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(filepath.Dir(d.file), name)
}

// expandedText returns the text of a scalar with the environment in it; ok is false when the
// report says why not.
func (d *decoder) expandedText(n *yaml.Node, path string) (text string, ok bool) {
	text, err := expand(n.Value, d.getenv, maxExpanded-d.expanded)
	if errors.Is(err, errTooLarge) {
		d.expanded = maxExpanded + 1
		d.afford(n)
		return "", false
	}
	if err != nil {
		d.at(position(n), path, "%v", err)
		return "", false
	}
	d.expanded += max(0, len(text)-len(n.Value))
	return text, true
}

// named sets the name of a file, which is taken from the folder of the configuration, and has
// somebody look at it.
func (d *decoder) named(n *yaml.Node, path, text string, v reflect.Value) {
	text = d.beside(text)
	v.SetString(text)
	if d.disk == nil {
		return
	}
	if err := d.disk.Look(text); err != nil {
		found := quote(n.Value)
		if strings.Contains(n.Value, "${") {
			found += " from the environment"
		}
		d.note(position(n), path, "found %s, which cannot be read: %v", found, err)
	}
}

// isPlain reports whether values of the type are written without quotes.
func isPlain(v reflect.Value) bool {
	if _, ok := reflect.TypeAssert[encoding.TextUnmarshaler](v.Addr()); ok {
		return false
	}
	return v.Kind() == reflect.Bool || v.Kind() == reflect.Int || v.Kind() == reflect.Float64
}

// unquote advises to leave out quotes where that helps.
func unquote(f field, v reflect.Value, text string) string {
	if f.set(reflect.New(v.Type()).Elem(), text) != nil {
		return ""
	}
	return " without quotes"
}

// set sets a value from text and checks it against the tags.
func (f field) set(v reflect.Value, text string) error {
	if err := setText(f, v, text); err != nil {
		return err
	}
	switch {
	case len(f.oneOf) > 0 && !slices.Contains(f.oneOf, text):
		return expectedError(want(f, v))
	case v.Kind() != reflect.Slice && !f.within(v):
		return expectedError(f.bounds())
	}
	return checkFormat(f.format, text)
}

// problem puts the value found before the expected syntax.
func problem(n *yaml.Node, v reflect.Value, err error) string {
	if masked, ok := errors.AsType[maskedError](err); ok {
		return masked.Error()
	}
	if host, ok := errors.AsType[*uri.HostError](err); ok {
		return hostProblem(n.Value, host)
	}
	found := shown(n, v)
	if strings.Contains(n.Value, "${") {
		found += " from the environment"
	}
	return "found " + found + ", " + err.Error()
}
