package document

import (
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

// scenarioWriter writes the entries of a scenario.
type scenarioWriter struct {
	// anchors are the requests that were written, for those that come again.
	anchors map[*Request]*yaml.Node
}

func (w *scenarioWriter) entry(e Entry) *yaml.Node {
	var m *Map
	if e.Request != nil {
		m = e.Request.mapping(e.Weight, e.Cookies)
	} else {
		m = NewMap().Set("name", String(e.Name))
		m.node.HeadComment = comment(e.Comment)
		weigh(m, e.Weight, e.Cookies)
		m.Set("steps", w.steps(e.Steps))
	}
	return m.Node()
}

func weigh(m *Map, weight int64, cookies bool) {
	if weight > 0 {
		m.Set("weight", Int(weight))
	}
	if cookies {
		m.Set("cookies", Bool(true))
	}
}

func (w *scenarioWriter) steps(all []Step) *yaml.Node {
	list := List()
	for _, s := range all {
		list.Content = append(list.Content, w.step(s))
	}
	return list
}

func (w *scenarioWriter) step(s Step) *yaml.Node {
	switch {
	case s.Repeat != nil:
		each := One(s.Repeat.Name, One("from", String(s.Repeat.Data)))
		m := NewMap().Set("repeat", String("all")).Set("each", each).Set("steps", w.steps(s.Repeat.Steps))
		m.node.HeadComment = comment(s.Repeat.Comment)
		return m.Node()
	case s.Request != nil:
		return w.request(s.Request)
	case s.PauseTo > s.Pause:
		return One("pause", NewMap().Set("from", Duration(s.Pause)).Set("to", Duration(s.PauseTo)).Node())
	default:
		return One("pause", Duration(s.Pause))
	}
}

// request writes a request, or an alias of the one that was written already.
func (w *scenarioWriter) request(r *Request) *yaml.Node {
	if n := w.anchors[r]; n != nil {
		n.Anchor = strings.ReplaceAll(r.Name, ".", "_")
		return &yaml.Node{Kind: yaml.AliasNode, Value: n.Anchor, Alias: n}
	}
	n := r.mapping(0, false).Node()
	w.anchors[r] = n
	return n
}

// mapping returns the request with the keys of an entry.
func (r *Request) mapping(weight int64, cookies bool) *Map {
	m := NewMap().Set("name", String(r.Name))
	m.node.HeadComment = comment(r.Comment)
	weigh(m, weight, cookies)
	if r.Method != "GET" {
		m.Set("method", optional(r.Method))
	}
	m.Set("url", r.URL.node()).Set("query", fields(r.Query)).Set("headers", fields(r.Headers)).Set("basic_auth", r.BasicAuth.node()).Set("variables", variables(r.Variables))
	if r.FollowRedirects {
		m.Set("follow_redirects", Bool(true))
	}
	m.Set("body", r.Body.node()).Set("expect", status(r.Status))
	captures := NewMap()
	for _, c := range r.Capture {
		captures.set(c.Comment, c.Name, c.Value)
	}
	return m.Set("capture", captures.Node())
}

func (b *BasicAuth) node() *yaml.Node {
	if b == nil {
		return nil
	}
	return NewMap().Set("username", b.User.node()).Set("password", b.Password.node()).Node()
}

func (b Body) node() *yaml.Node {
	switch {
	case b.Text != nil:
		return b.Text.body()
	case b.JSON != nil:
		return One("json", b.JSON)
	case b.Form != nil:
		return One("form", fields(b.Form))
	case b.Multipart != nil:
		parts := List()
		for _, p := range b.Multipart {
			parts.Content = append(parts.Content, p.node())
		}
		return One("multipart", parts)
	case b.GraphQL != nil:
		g := NewMap().Set("query", b.GraphQL.Query.node()).Set("variables", b.GraphQL.Variables)
		return One("graphql", g.Set("operation_name", optional(b.GraphQL.Operation)).Node())
	case b.Random > 0:
		return One("random", String(strconv.Itoa(b.Random)))
	default:
		return nil
	}
}

// body returns a string as a body. Braces that are no placeholders need no escapes there.
func (t Text) body() *yaml.Node {
	text := t.String()
	if t.Varies() || !strings.Contains(text, "{{") {
		return String(text)
	}
	var plain strings.Builder
	for _, p := range t.parts {
		if p.env != "" {
			plain.WriteString("${" + p.env + "}")
			continue
		}
		plain.WriteString(strings.ReplaceAll(p.text, "${", "$${"))
	}
	if strings.Contains(text, "{{ "+DollarName) {
		return String(text)
	}
	return One("verbatim", String(plain.String()))
}

func (p Part) node() *yaml.Node {
	m := NewMap().Set("name", String(p.Name)).Set("filename", optional(p.Filename)).Set("type", optional(p.Type))
	return m.Set("text", p.Text.node()).Node()
}

// Duration returns a duration as the configuration writes it, in whole milliseconds.
func Duration(d time.Duration) *yaml.Node {
	d = max(d, time.Millisecond).Round(time.Millisecond)
	if d%time.Second == 0 {
		return String(strconv.FormatInt(int64(d/time.Second), 10) + "s")
	}
	return String(strconv.FormatInt(d.Milliseconds(), 10) + "ms")
}
