// Package openapi makes a mix of requests of an API's description (OpenAPI 3.0 and 3.1): one for each operation,
// with values from its examples and schemas. It reads no other file and asks no server.
package openapi

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/traffic-exporter/traffic_exporter/internal/importer/document"
	"github.com/traffic-exporter/traffic_exporter/internal/importer/plan"
	"github.com/traffic-exporter/traffic_exporter/internal/importer/sensitive"
)

// MaxSize bounds a description, in bytes.
const MaxSize = 16 << 20

// maxEntries is how many entries a scenario may have.
const maxEntries = 100

// Options say which operations are taken and where they are sent.
type Options struct {
	plan.Options

	// Methods are those of the operations that are taken; GET and HEAD if there are none.
	Methods []string
	// Server is the URL of the API, in place of the first that the description has.
	Server string
}

// The ways in which a description cannot be used.
var (
	errVersion = errors.New("found no openapi: 3.x, expected a description of OpenAPI 3: Swagger 2.0 has to be converted first")
	errServer  = errors.New("found no server with a host: --server says where the API is")
	errNone    = errors.New("found no operation to import: --method takes others than GET and HEAD")
	errTooLong = fmt.Errorf("found more than %d bytes, expected a shorter description", MaxSize)
)

// Read makes a plan of a description in YAML or JSON.
func Read(r io.Reader, o Options) (plan.Plan, error) {
	text, err := io.ReadAll(io.LimitReader(r, MaxSize+1))
	if err != nil {
		return plan.Plan{}, err
	}
	if len(text) > MaxSize {
		return plan.Plan{}, errTooLong
	}
	doc, err := openapi3.NewLoader().LoadFromData(text)
	if err != nil {
		return plan.Plan{}, fmt.Errorf("not a description of OpenAPI: %w", err)
	}
	if !strings.HasPrefix(doc.OpenAPI, "3.") || doc.Paths == nil {
		return plan.Plan{}, errVersion
	}
	a := &api{o: o, doc: doc, detector: sensitive.New(), names: map[string]bool{}, environment: map[string]plan.Variable{}}
	return a.plan()
}

// api is a description that a plan is made of.
type api struct {
	o        Options
	doc      *openapi3.T
	detector *sensitive.Detector
	// names are those of entries that are taken.
	names       map[string]bool
	environment map[string]plan.Variable
	// others counts operations of other methods, more those beyond what a scenario may have.
	others, more int
}

func (a *api) plan() (plan.Plan, error) {
	server, err := a.server()
	if err != nil {
		return plan.Plan{}, err
	}
	scenario := document.Scenario{Name: a.name(), Rate: document.String(a.o.Rate), BaseURL: document.Literal(server)}
	paths := a.doc.Paths.Map()
	for _, path := range sorted(paths) {
		item := paths[path]
		operations := item.Operations()
		for _, method := range sorted(operations) {
			switch {
			case !a.accepts(method):
				a.others++
			case len(scenario.Entries) == maxEntries:
				a.more++
			default:
				scenario.Entries = append(scenario.Entries, a.entry(path, method, item, operations[method]))
			}
		}
	}
	if len(scenario.Entries) == 0 {
		return plan.Plan{}, errNone
	}
	p := plan.Plan{File: document.File{Comment: a.comment(len(scenario.Entries), server), Scenarios: []document.Scenario{scenario}}}
	for _, name := range sorted(a.environment) {
		p.Environment = append(p.Environment, a.environment[name])
	}
	return p, nil
}

// sorted returns the keys of a map in their order.
func sorted[V any](m map[string]V) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// accepts reports whether operations of a method are taken.
func (a *api) accepts(method string) bool {
	if len(a.o.Methods) == 0 {
		return method == http.MethodGet || method == http.MethodHead
	}
	return slices.ContainsFunc(a.o.Methods, func(m string) bool { return strings.EqualFold(m, method) })
}

// name returns the name of the scenario.
func (a *api) name() string {
	if a.o.Name != "" {
		return a.o.Name
	}
	if a.doc.Info == nil {
		return "api"
	}
	return strings.ToLower(plan.CleanName(a.doc.Info.Title, "api"))
}

// server returns the URL of the API without a slash at its end, with the defaults of its variables.
func (a *api) server() (string, error) {
	text := a.o.Server
	if text == "" && len(a.doc.Servers) > 0 {
		text = a.doc.Servers[0].URL
		for name, v := range a.doc.Servers[0].Variables {
			text = strings.ReplaceAll(text, "{"+name+"}", v.Default)
		}
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || strings.ContainsAny(text, "{}") {
		return "", errServer
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	return strings.TrimSuffix(u.String(), "/"), nil
}

// comment returns what stands at the top.
func (a *api) comment(n int, server string) []string {
	lines := []string{fmt.Sprintf("Written by traffic_exporter %s: %d operations of the API at %s.", a.o.By, n, server)}
	if a.others > 0 {
		lines = append(lines, fmt.Sprintf("Left out: %d operations of other methods (--method takes them).", a.others))
	}
	if a.more > 0 {
		lines = append(lines, fmt.Sprintf("Left out: %d operations beyond the %d entries that a scenario may have.", a.more, maxEntries))
	}
	if len(a.environment) > 0 {
		lines = append(lines, "It needs these environment variables:")
		for _, name := range sorted(a.environment) {
			lines = append(lines, fmt.Sprintf("- %s: the %s", name, a.environment[name].Of))
		}
	}
	return lines
}

// env returns an environment variable for a secret. Only the name of the secret is known.
func (a *api) env(word, of string) document.Text {
	name := strings.ToUpper(strings.ReplaceAll(plan.CleanName(a.name()+"_"+word, "SECRET"), "-", "_"))
	a.environment[name] = plan.Variable{Name: name, Of: of}
	return document.Env(name)
}

// entryName returns a name that no entry has yet: that of the operation, or one made of its method and
// path.
func (a *api) entryName(path, method string, op *openapi3.Operation) string {
	name := plan.CleanName(op.OperationID, "")
	if name == "" || a.detector.Value(name) != sensitive.None {
		name = plan.CleanName(strings.ToLower(method)+" "+path, "operation")
	}
	name = name[:min(len(name), 56)]
	for i := 1; ; i++ {
		candidate := name
		if i > 1 {
			candidate = fmt.Sprintf("%s_%d", name, i)
		}
		if !a.names[candidate] {
			a.names[candidate] = true
			return candidate
		}
	}
}

// entry returns the request for an operation.
func (a *api) entry(path, method string, item *openapi3.PathItem, op *openapi3.Operation) document.Entry {
	r := &document.Request{Name: a.entryName(path, method, op), Method: method}
	if op.Summary != "" && a.detector.Value(op.Summary) == sensitive.None {
		r.Comment = []string{op.Summary[:min(len(op.Summary), 200)]}
	}
	w := &writer{api: a, request: r, used: map[string]bool{}}
	w.url(path, parameters(item, op))
	w.body(op)
	w.security(op)
	r.Status = statuses(op)
	return document.Entry{Weight: 1, Request: r}
}

// parameters returns those of an operation, and those of its path that it does not replace.
func parameters(item *openapi3.PathItem, op *openapi3.Operation) []*openapi3.Parameter {
	var all []*openapi3.Parameter
	for _, refs := range []openapi3.Parameters{op.Parameters, item.Parameters} {
		for _, ref := range refs {
			p := ref.Value
			if p != nil && !slices.ContainsFunc(all, func(o *openapi3.Parameter) bool { return o.Name == p.Name && o.In == p.In }) {
				all = append(all, p)
			}
		}
	}
	return all
}

// statuses returns those of success that the description has.
func statuses(op *openapi3.Operation) []int {
	var all []int
	if op.Responses == nil {
		return nil
	}
	for _, key := range op.Responses.Keys() {
		code := 0
		if _, err := fmt.Sscanf(key, "%3d", &code); err == nil && len(key) == 3 && 200 <= code && code <= 299 {
			all = append(all, code)
		}
	}
	slices.SortFunc(all, cmp.Compare[int])
	return all
}
