// Package document writes configurations: what an importer has decided, as YAML with comments that
// say why. It knows the language of the configuration and nothing of where the traffic came from.
package document

import (
	"bytes"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

// File is a configuration.
type File struct {
	// Comment stands at its top, a line each.
	Comment   []string
	Data      []Data
	Scenarios []Scenario
}

// Data are rows by a name.
type Data struct {
	Name    string
	Comment []string
	Rows    []*yaml.Node
	// Random says that rows are drawn, Weight, if not empty, names the column with how often.
	Random bool
	Weight string
}

// Scenario is a stream of requests.
type Scenario struct {
	Name    string
	Comment []string
	// Rate is its rate, such as String("10/s") or a mapping with a shape.
	Rate *yaml.Node
	// Poisson says that arrivals are those of independent users. TimeZone may be empty.
	Poisson  bool
	TimeZone string
	BaseURL  Text
	// Insecure accepts any certificate.
	Insecure  bool
	Headers   []Field
	Variables []Variable
	Entries   []Entry
}

// Field is a header or a parameter by name.
type Field struct {
	Name  string
	Value Text
}

// Variable is a variable by name, such as One("one_of", Strings(...)).
type Variable struct {
	Name    string
	Value   *yaml.Node
	Comment []string
}

// Entry is an entry of the mix: a request, or a journey if it has steps.
type Entry struct {
	// Name and Comment are those of a journey; a request has its own.
	Name    string
	Comment []string
	// Weight is left out if it is 0.
	Weight  int64
	Cookies bool
	Request *Request
	Steps   []Step
}

// Step is a step of a journey: a pause, a request, or steps that are repeated.
type Step struct {
	// Pause is how long to wait, at least, and PauseTo, if it is longer, at most.
	Pause, PauseTo time.Duration
	// Request may be the same as that of a step before: then it is written as an alias.
	Request *Request
	Repeat  *Repeat
}

// Repeat are steps that run once with each row of data.
type Repeat struct {
	Comment []string
	// Name stands for the row, Data names the data.
	Name, Data string
	Steps      []Step
}

// Request is a request.
type Request struct {
	Comment []string
	Name    string
	// Method is GET if it is empty.
	Method    string
	URL       Text
	Query     []Field
	Headers   []Field
	BasicAuth *BasicAuth
	Variables []Variable
	Body      Body
	// FollowRedirects has redirects followed.
	FollowRedirects bool
	// Status are the expected ones, none for the default.
	Status  []int
	Capture []Capture
}

// BasicAuth is how a request authenticates itself over HTTP.
type BasicAuth struct {
	User, Password Text
}

// Capture is a value of the response by name, such as One("json", String("id")).
type Capture struct {
	Name  string
	Value *yaml.Node
	// Comment stands above it.
	Comment []string
}

// Body is the body of a request: at most one of its fields is set.
type Body struct {
	// Text is a string as it is sent.
	Text *Text
	// JSON is what the function JSON returns.
	JSON *yaml.Node
	Form []Field
	// Multipart are the parts of a form with files.
	Multipart []Part
	GraphQL   *GraphQL
	// Random is how many random bytes stand for the recorded body.
	Random int
}

// Part is a part of a multipart form.
type Part struct {
	Name, Filename, Type string
	Text                 Text
}

// GraphQL is a GraphQL request. Its query has no placeholders; Variables is what the function JSON
// returns, or nil.
type GraphQL struct {
	Query     Text
	Variables *yaml.Node
	Operation string
}

// Encode returns the configuration as YAML.
func (f File) Encode() ([]byte, error) {
	root := NewMap()
	if len(f.Data) > 0 {
		all := NewMap()
		for _, d := range f.Data {
			all.set(d.Comment, d.Name, d.node())
		}
		root.Set("data", all.Node())
	}
	scenarios := List()
	for _, s := range f.Scenarios {
		scenarios.Content = append(scenarios.Content, s.node())
	}
	root.Set("scenarios", scenarios)
	for i := 1; i < len(root.node.Content); i += 2 {
		// The lists themselves stay open, however short they are.
		for _, n := range root.node.Content[i].Content {
			compact(n, false)
		}
	}
	var out bytes.Buffer
	if len(f.Comment) > 0 {
		out.WriteString(comment(f.Comment) + "\n")
	}
	e := yaml.NewEncoder(&out)
	e.SetIndent(2)
	if err := e.Encode(root.Node()); err != nil {
		return nil, err
	}
	return out.Bytes(), e.Close()
}

// set adds a key with a comment above it.
func (m *Map) set(lines []string, key string, value *yaml.Node) {
	if m.Set(key, value); value != nil && len(lines) > 0 {
		m.node.Content[len(m.node.Content)-2].HeadComment = comment(lines)
	}
}

// optional returns a string; nil if it is empty.
func optional(s string) *yaml.Node {
	if s == "" {
		return nil
	}
	return String(s)
}

func (d Data) node() *yaml.Node {
	m := NewMap().Set("rows", List(d.Rows...))
	if d.Random {
		m.Set("order", String("random"))
	}
	return m.Set("weight", optional(d.Weight)).Node()
}

func (s Scenario) node() *yaml.Node {
	m := NewMap().Set("name", String(s.Name)).Set("rate", s.Rate)
	if s.Poisson {
		m.Set("arrivals", String("poisson"))
	}
	m.Set("time_zone", optional(s.TimeZone)).Set("base_url", s.BaseURL.optional())
	if s.Insecure {
		m.Set("http_config", One("tls_config", One("insecure_skip_verify", Bool(true))))
	}
	m.Set("headers", fields(s.Headers))
	w := &scenarioWriter{anchors: map[*Request]*yaml.Node{}}
	requests := List()
	for _, e := range s.Entries {
		requests.Content = append(requests.Content, w.entry(e))
	}
	m.Set("variables", variables(append(s.Variables, helpers(m.node, requests)...))).Set("requests", requests)
	m.node.HeadComment = comment(s.Comment)
	return m.Node()
}

// optional returns the text as YAML; nil if it is empty.
func (t Text) optional() *yaml.Node { return optional(t.String()) }

// helpers returns the variables for single characters that texts use.
func helpers(nodes ...*yaml.Node) []Variable {
	var all []Variable
	for name, char := range map[string]string{BraceName: "{", DollarName: "$"} {
		for _, n := range nodes {
			if mentions(n, "{{ "+name+" }}") {
				all = append(all, Variable{Name: name, Value: One("one_of", Strings([]string{char}))})
				break
			}
		}
	}
	return all
}

func mentions(n *yaml.Node, text string) bool {
	if strings.Contains(n.Value, text) {
		return true
	}
	for _, c := range n.Content {
		if mentions(c, text) {
			return true
		}
	}
	return false
}

// fields returns fields as a mapping, in which those of one name are a list; nil if there are none.
func fields(all []Field) *yaml.Node {
	m := NewMap()
	at := map[string]int{}
	for _, f := range all {
		i, again := at[f.Name]
		if !again {
			at[f.Name] = len(m.node.Content) + 1
			m.Set(f.Name, f.Value.node())
			continue
		}
		if m.node.Content[i].Kind != yaml.SequenceNode {
			m.node.Content[i] = List(m.node.Content[i])
		}
		m.node.Content[i].Content = append(m.node.Content[i].Content, f.Value.node())
	}
	return m.Node()
}

func variables(all []Variable) *yaml.Node {
	m := NewMap()
	for _, v := range all {
		m.set(v.Comment, v.Name, v.Value)
	}
	return m.Node()
}

// status returns the expected statuses; nil for the default.
func status(all []int) *yaml.Node {
	if len(all) == 0 {
		return nil
	}
	n := List()
	for _, code := range all {
		n.Content = append(n.Content, plain("!!int", strconv.Itoa(code)))
	}
	return One("status", n)
}
