package plan

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tidwall/gjson"
	"gopkg.in/yaml.v3"

	"github.com/traffic-exporter/traffic_exporter/internal/importer/document"
	"github.com/traffic-exporter/traffic_exporter/internal/importer/exchange"
	"github.com/traffic-exporter/traffic_exporter/internal/importer/sensitive"
)

// bodyKind is how a body is written.
type bodyKind int

const (
	bodyNone bodyKind = iota
	bodyJSON
	bodyGraphQL
	bodyForm
	bodyMultipart
	bodyText
	bodyRandom
)

// maxText bounds bodies that are written as text, in bytes.
const maxText = 64 << 10

// body is a body on its way into the configuration.
type body struct {
	kind   bodyKind
	data   []byte
	leaves []*leaf
	// parts are those of a multipart form, by their leaves.
	parts []document.Part
	note  string
}

// newBody takes the body of a request apart.
func newBody(r exchange.Request, d *sensitive.Detector) body {
	b := body{data: r.Body.Data}
	media := r.Header.MediaType()
	switch {
	case len(b.data) == 0:
	case r.Body.Truncated, !utf8.Valid(b.data) && media != "multipart/form-data":
		b.random()
	case media == "application/x-www-form-urlencoded" && b.form(d):
	case media == "multipart/form-data" && b.multipart(r.Header.Get("Content-Type"), d):
	case (exchange.IsJSON(media) || media == "" || media == "text/plain") && b.json(d):
	case len(b.data) > maxText || !utf8.Valid(b.data):
		b.random()
	default:
		b.kind = bodyText
		b.leaves = []*leaf{newLeaf(inText, "", string(b.data))}
	}
	return b
}

func (b *body) random() {
	b.kind = bodyRandom
	b.note = "The body was binary or long: random bytes of that length stand for it."
}

// form takes a form apart; false if it is none that can be written.
func (b *body) form(d *sensitive.Detector) bool {
	var leaves []*leaf
	for _, f := range exchange.Fields(strings.TrimSpace(string(b.data))) {
		if !goodKey(f.Name, d) {
			return false
		}
		leaves = append(leaves, newLeaf(inForm, f.Name, f.Value))
	}
	b.kind, b.leaves = bodyForm, leaves
	return len(leaves) > 0
}

// goodKey reports whether the name of a field can be written and gives nothing away.
func goodKey(name string, d *sensitive.Detector) bool {
	return name != "" && name != "<<" && utf8.ValidString(name) && !strings.Contains(name, "{{") && !strings.Contains(name, "${") && d.Value(name) == sensitive.None
}

// maxParts bounds the parts of a form.
const maxParts = 1000

// multipart takes a form with files apart. The content of the files is not kept.
func (b *body) multipart(contentType string, d *sensitive.Detector) bool {
	_, parameters, err := mime.ParseMediaType(contentType)
	if err != nil {
		return false
	}
	r := multipart.NewReader(bytes.NewReader(b.data), parameters["boundary"])
	var parts []document.Part
	var leaves []*leaf
	for {
		p, err := r.NextRawPart()
		if errors.Is(err, io.EOF) && len(parts) > 0 {
			break
		}
		if err != nil || len(parts) == maxParts {
			return false
		}
		content, err := io.ReadAll(p)
		if err != nil || !goodKey(p.FormName(), d) {
			return false
		}
		part := document.Part{Name: p.FormName(), Type: p.Header.Get("Content-Type")}
		text := string(content)
		if p.FileName() != "" || !utf8.Valid(content) {
			part.Filename = "file" + extension(p.FileName())
			text = strings.Repeat("x", min(len(content), maxText))
			b.note = "The content and the names of files are left out: x's of the same length stand for them."
		}
		parts = append(parts, part)
		leaves = append(leaves, newLeaf(inPart, part.Name, text))
	}
	b.kind, b.parts, b.leaves = bodyMultipart, parts, leaves
	return true
}

// extension returns the end of a file's name that says what it is.
func extension(name string) string {
	if i := strings.LastIndexByte(name, '.'); i > 0 && len(name)-i <= 5 && headerName(name[i+1:]) {
		return name[i:]
	}
	return ""
}

// json takes a document apart; false if it is none that can be written.
func (b *body) json(d *sensitive.Detector) bool {
	if !json.Valid(b.data) {
		return false
	}
	good := true
	var keys func(v gjson.Result, depth int)
	keys = func(v gjson.Result, depth int) {
		v.ForEach(func(key, value gjson.Result) bool {
			good = good && depth < 90 && (!v.IsObject() || key.Str == "" || goodKey(key.Str, d))
			if good && (value.IsObject() || value.IsArray()) {
				keys(value, depth+1)
			}
			return good
		})
	}
	root := gjson.ParseBytes(b.data)
	if root.IsObject() || root.IsArray() {
		keys(root, 0)
	}
	if !good {
		return false
	}
	var leaves []*leaf
	if _, err := document.JSON(b.data, func(path []string, value string, number bool) document.Text {
		l := newLeaf(inJSON, "", value)
		l.path = strings.Join(path, "\x00")
		l.number = number
		for _, name := range slices.Backward(path) {
			if _, err := strconv.Atoi(name); err != nil {
				l.names = append(l.names, name)
			}
		}
		if len(l.names) > 0 {
			l.name = l.names[0]
		}
		leaves = append(leaves, l)
		return document.Literal(value)
	}); err != nil {
		return false
	}
	b.kind, b.leaves = bodyJSON, leaves
	if isGraphQL(root) {
		b.kind = bodyGraphQL
	}
	return true
}

// isGraphQL reports whether a document is a request of GraphQL that can be written as one.
func isGraphQL(root gjson.Result) bool {
	good, query := root.IsObject(), ""
	root.ForEach(func(key, value gjson.Result) bool {
		switch key.Str {
		case "query":
			query = strings.TrimSpace(value.Str)
		case "operationName":
			good = good && (value.Type == gjson.String || value.Type == gjson.Null) && !strings.Contains(value.Str, "{{")
		case "variables":
			good = good && (value.IsObject() || value.Type == gjson.Null)
		default:
			good = false
		}
		return good
	})
	begins := func(word string) bool { return strings.HasPrefix(query, word) }
	return good && (begins("{") || begins("query") || begins("mutation")) && strings.Contains(query, "{") && !strings.Contains(query, "{{")
}

// impliedType reports whether a Content-Type follows from the kind of the body anyway.
func (b *body) impliedType(contentType string) bool {
	media, parameters, err := mime.ParseMediaType(contentType)
	plain := err == nil && (len(parameters) == 0 || len(parameters) == 1 && strings.EqualFold(parameters["charset"], "utf-8"))
	switch b.kind {
	case bodyJSON, bodyGraphQL:
		return plain && media == "application/json"
	case bodyForm:
		return plain && media == "application/x-www-form-urlencoded"
	case bodyMultipart:
		return true
	case bodyNone:
		return contentType != "" // Nothing has a type.
	default:
		return false
	}
}

// write returns the body as the configuration has it.
func (b *body) write() (document.Body, error) {
	switch b.kind {
	case bodyJSON, bodyGraphQL:
		return b.writeJSON()
	case bodyForm:
		var all []document.Field
		for _, l := range b.leaves {
			all = append(all, document.Field{Name: l.name, Value: l.text()})
		}
		return document.Body{Form: all}, nil
	case bodyMultipart:
		all := slices.Clone(b.parts)
		for i, l := range b.leaves {
			all[i].Text = l.text()
		}
		return document.Body{Multipart: all}, nil
	case bodyText:
		text := b.leaves[0].text()
		return document.Body{Text: &text}, nil
	case bodyRandom:
		return document.Body{Random: len(b.data)}, nil
	default:
		return document.Body{}, nil
	}
}

// writeJSON writes the document with what stands in the place of its values.
func (b *body) writeJSON() (document.Body, error) {
	at := 0
	n, err := document.JSON(b.data, func(_ []string, _ string, _ bool) document.Text {
		l := b.leaves[at]
		at++
		return l.text()
	})
	if err != nil || b.kind == bodyJSON {
		return document.Body{JSON: n}, err
	}
	g := &document.GraphQL{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		value := n.Content[i+1]
		switch n.Content[i].Value {
		case "query":
			g.Query = b.leafAt("query").text()
		case "operationName":
			if value.Tag == "!!str" {
				g.Operation = value.Value
			}
		case "variables":
			if value.Kind == yaml.MappingNode && len(value.Content) > 0 {
				g.Variables = value
			}
		}
	}
	if g.Query.Varies() {
		return document.Body{}, fmt.Errorf("found a query of GraphQL that varies")
	}
	return document.Body{GraphQL: g}, nil
}

func (b *body) leafAt(path string) *leaf {
	for _, l := range b.leaves {
		if l.path == path {
			return l
		}
	}
	return newLeaf(inJSON, path, "")
}
