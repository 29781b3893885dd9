package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"unicode"
)

// model is what the source of package config says about the file.
type model struct {
	// types are the declared types by name.
	types map[string]*typeDoc
	// order are the names of the structs, as one meets them reading the file.
	order []string
}

// typeDoc is a type and its doc comment; a struct has keys.
type typeDoc struct {
	name, doc string
	// underlying is the name of the type that it is made of, if that has one.
	underlying string
	keys       []key
}

// key is a key of the file: a field with a yaml tag.
type key struct {
	name, doc string
	// typ is the name of the value's type, or of its elements' if it is a list.
	typ    string
	isList bool
	// isMap says that it is a mapping of names to such values, or, with isList, to such a value or
	// a list of them.
	isMap    bool
	required bool
	preset   string
	hasOne   bool // a default
	oneOf    []string
	min, max string
	format   string
}

func parse(source string) (*model, error) {
	names, err := filepath.Glob(filepath.Join(source, "*.go"))
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	m := &model{types: map[string]*typeDoc{}}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			return nil, err
		}
		m.collect(file)
	}
	if m.types["Config"] == nil {
		return nil, fmt.Errorf("no type Config in %q", source)
	}
	m.walk("Config")
	return m, nil
}

func (m *model) collect(file *ast.File) {
	for _, decl := range file.Decls {
		general, ok := decl.(*ast.GenDecl)
		if !ok || general.Tok != token.TYPE {
			continue
		}
		for _, spec := range general.Specs {
			t, ok := spec.(*ast.TypeSpec)
			if !ok {
				continue
			}
			m.types[t.Name.Name] = describe(t, general.Doc)
		}
	}
}

func describe(t *ast.TypeSpec, doc *ast.CommentGroup) *typeDoc {
	d := &typeDoc{name: t.Name.Name, doc: text(doc)}
	switch u := t.Type.(type) {
	case *ast.Ident:
		d.underlying = u.Name
	case *ast.StructType:
		for _, f := range u.Fields.List {
			if k, ok := describeKey(f); ok {
				d.keys = append(d.keys, k)
			}
		}
	}
	return d
}

func describeKey(f *ast.Field) (key, bool) {
	if f.Tag == nil {
		return key{}, false
	}
	tag := reflect.StructTag(strings.Trim(f.Tag.Value, "`"))
	name := tag.Get("yaml")
	if name == "" || name == "-" {
		return key{}, false
	}
	k := key{
		name: name, doc: text(f.Doc), required: tag.Get("required") == "true",
		oneOf: strings.Fields(tag.Get("oneof")),
		min:   tag.Get("min"), max: tag.Get("max"), format: tag.Get("format"),
	}
	k.preset, k.hasOne = tag.Lookup("default")
	typ := f.Type
	if named, ok := typ.(*ast.IndexExpr); ok {
		k.isMap, typ = true, named.Index
	}
	if list, ok := typ.(*ast.ArrayType); ok {
		k.isList, typ = true, list.Elt
	}
	if pointer, ok := typ.(*ast.StarExpr); ok {
		typ = pointer.X
	}
	if ident, ok := typ.(*ast.Ident); ok {
		k.typ = ident.Name
	}
	return k, true
}

// text returns a comment as one line a paragraph.
func text(doc *ast.CommentGroup) string {
	return strings.Join(strings.Fields(doc.Text()), " ")
}

// walk lists the structs in the order in which one meets them.
func (m *model) walk(name string) {
	if name == "Headers" {
		name = "HeaderValue"
	}
	t := m.types[name]
	if t == nil || len(t.keys) == 0 || slices.Contains(m.order, name) {
		return
	}
	m.order = append(m.order, name)
	for _, k := range t.keys {
		m.walk(k.typ)
	}
}

// isStruct reports whether the type is written as a mapping of its keys.
func (m *model) isStruct(name string) bool { return slices.Contains(m.order, name) }

// label returns a type's name as the documentation writes it: TLSConfig is tls_config.
func label(name string) string {
	name = strings.ReplaceAll(name, "OAuth2", "Oauth2")
	var out strings.Builder
	runes := []rune(strings.ReplaceAll(name, "GraphQL", "Graphql"))
	for i, c := range runes {
		starts := i > 0 && unicode.IsUpper(c) &&
			(unicode.IsLower(runes[i-1]) || i+1 < len(runes) && unicode.IsLower(runes[i+1]))
		if starts {
			out.WriteByte('_')
		}
		out.WriteRune(unicode.ToLower(c))
	}
	return out.String()
}

// sentence returns a type's comment without its Go name at the beginning.
func (t *typeDoc) sentence() string {
	for _, verb := range []string{" is ", " are "} {
		if rest, ok := strings.CutPrefix(t.doc, t.name+verb); ok {
			return strings.ToUpper(rest[:1]) + rest[1:]
		}
	}
	return t.doc
}
