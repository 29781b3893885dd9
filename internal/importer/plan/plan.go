// Package plan decides what becomes of recorded exchanges: a journey whose steps are the requests in
// their order, or a mix of requests. It leaves out what browsers and other hosts add, has values captured
// that come from responses, asks the environment for secrets, and folds requests that differ in values.
package plan

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/importer/correlate"
	"github.com/traffic-exporter/traffic_exporter/internal/importer/document"
	"github.com/traffic-exporter/traffic_exporter/internal/importer/exchange"
	"github.com/traffic-exporter/traffic_exporter/internal/importer/sensitive"
)

// Options say how a configuration is planned.
type Options struct {
	// By is the command that asks, for the comment at the top.
	By string
	// Name is that of the scenario; the host's when it is empty.
	Name string
	// Rate is the scenario's, such as 1/m.
	Rate string
	// Hosts are hosts, with a port if it is not the scheme's, to which requests are kept beside the
	// one that most are sent to.
	Hosts []string
	// Static keeps requests for images, scripts, styles and fonts. Headers keeps those that browsers add.
	Static, Headers bool
	// Personal and Secrets write personal data and secrets as they are.
	Personal, Secrets bool
	// Insecure has the configuration accept any certificate.
	Insecure bool
	// MaxPause bounds pauses; 0 is for none.
	MaxPause time.Duration
	// Mix makes each request an entry of its own in place of steps of a journey.
	Mix bool
}

// Variable is an environment variable that the configuration needs.
type Variable struct {
	Name, Value string
	// Of says what it is, such as the form field password.
	Of string
}

// Plan is the configuration and what it needs.
type Plan struct {
	File document.File
	// Environment are the variables that have to be set, with the values that were recorded.
	Environment []Variable
}

// errNothing says that no request is left.
var errNothing = errors.New("found no request to import")

// New plans a configuration from exchanges in the order of their requests, which it does not keep.
func New(all []exchange.Exchange, o Options) (Plan, error) {
	p := &planner{o: o, detector: sensitive.New(), names: newNames(), requests: newNames()}
	kept := p.choose(all)
	if len(kept) == 0 {
		return Plan{}, fmt.Errorf("%w%s", errNothing, p.leftOut())
	}
	p.secrets = newKeeper(o, p.scenarioName(), p.detector)
	for i, e := range kept {
		p.drafts = append(p.drafts, newDraft(i, e, p))
	}
	p.trace()
	p.hide()
	p.merge()
	file := p.document()
	text, err := file.Encode()
	if err != nil {
		return Plan{}, err
	}
	v, found, err := p.secrets.leaked(text)
	if err != nil {
		return Plan{}, err
	}
	if found {
		return Plan{}, fmt.Errorf("found the value of the %s in a place from which it cannot be taken away, such as the name of a field", v.Of)
	}
	return Plan{File: file, Environment: p.secrets.environment()}, nil
}

// planner makes one plan.
type planner struct {
	o        Options
	detector *sensitive.Detector
	// names are those of placeholders and data, requests those of requests.
	names, requests *names
	secrets         *keeper
	// origin is the one that most requests are sent to.
	origin string
	// dropped counts the requests left out, by their kind; hosts counts requests to other hosts.
	dropped map[string]int
	hosts   map[string]int

	drafts []*draft
	groups []*group
	data   []document.Data
	// variables are those of the scenario.
	variables []document.Variable
	// cookies says that a response set one.
	cookies bool
}

// scenarioName returns the name that was asked for, or one made of the host.
func (p *planner) scenarioName() string {
	if p.o.Name != "" {
		return p.o.Name
	}
	_, host, _ := strings.Cut(p.origin, "://")
	host, _, _ = strings.Cut(host, ":")
	if host == "" || strings.Trim(host, "0123456789.[") == "" {
		return "imported"
	}
	return cleanName(strings.TrimPrefix(host, "www."), "imported")
}

// trace finds out which values come from responses, and which ones the client made up.
func (p *planner) trace() {
	if p.o.Mix {
		return
	}
	sent, hidden := p.sent()
	sends := func(value string) bool {
		_, found := sent[value]
		return found && !hidden[value]
	}
	t := &tracer{p: p, index: correlate.NewIndex(p.detector, sends), sent: sent, placeholders: map[string]string{}, captured: map[captureKey]string{}}
	for _, d := range p.drafts {
		for _, l := range d.leaves() {
			t.leaf(d, l)
		}
		t.index.Add(d.n, d.e)
	}
}

// sent returns the number of the first exchange whose request had a value, and which values are secret or
// personal somewhere.
func (p *planner) sent() (first map[string]int, hidden map[string]bool) {
	first, hidden = map[string]int{}, map[string]bool{}
	for _, d := range p.drafts {
		for _, l := range d.leaves() {
			for _, value := range append(words(l.value), l.value, l.credentials()) {
				if _, again := first[value]; !again {
					first[value] = d.n
				}
			}
			if kindOf(l) != sensitive.None || p.detector.Value(l.value) != sensitive.None {
				hidden[l.value] = true
			}
		}
	}
	return first, hidden
}

// hide puts environment variables in the place of secrets.
func (p *planner) hide() {
	for _, d := range p.drafts {
		for _, l := range d.leaves() {
			p.secrets.learn(l)
		}
	}
	for _, d := range p.drafts {
		for _, l := range d.leaves() {
			p.secrets.hide(l)
		}
	}
}

// document writes down the plan.
func (p *planner) document() document.File {
	scenario := document.Scenario{Name: p.scenarioName(), Rate: document.String(p.o.Rate), BaseURL: document.Literal(p.origin), Insecure: p.o.Insecure}
	if p.o.Mix {
		scenario.Entries = p.mix()
	} else {
		steps := p.steps()
		scenario.Entries = []document.Entry{{Name: "visit", Cookies: p.cookies, Steps: steps}}
		scenario.Poisson = true
	}
	scenario.Headers = shared(p.groups)
	scenario.Variables = p.variables
	file := document.File{Data: p.data, Scenarios: []document.Scenario{scenario}}
	file.Comment = p.comment()
	return file
}

// comment returns what stands at the top.
func (p *planner) comment() []string {
	lines := []string{fmt.Sprintf("Written by traffic_exporter %s from %s to %s.", p.o.By, count(len(p.drafts), "request"), p.origin)}
	if text := p.leftOut(); text != "" {
		lines = append(lines, "Left out"+text)
	}
	if env := p.secrets.environment(); len(env) > 0 {
		lines = append(lines, "It needs these environment variables:")
		for _, v := range env {
			lines = append(lines, fmt.Sprintf("- %s: the %s", v.Name, v.Of))
		}
	}
	return lines
}

// count returns a number with its noun.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// shared takes the headers out of all requests that all of them have, and returns them.
func shared(groups []*group) []document.Field {
	var requests []*document.Request
	for _, g := range groups {
		if !slices.Contains(requests, g.request) {
			requests = append(requests, g.request)
		}
	}
	if len(requests) < 2 {
		return nil
	}
	var all []document.Field
	for _, f := range slices.Clone(requests[0].Headers) {
		same := func(o document.Field) bool {
			return strings.EqualFold(o.Name, f.Name) && o.Value.String() == f.Value.String()
		}
		alone := func(o document.Field) bool { return strings.EqualFold(o.Name, f.Name) }
		everywhere := !f.Value.Varies() && !strings.EqualFold(f.Name, "Content-Type")
		for _, r := range requests {
			n := 0
			for _, o := range r.Headers {
				if alone(o) {
					n++
				}
			}
			everywhere = everywhere && n == 1 && slices.ContainsFunc(r.Headers, same)
		}
		if !everywhere {
			continue
		}
		all = append(all, f)
		for _, r := range requests {
			r.Headers = slices.DeleteFunc(r.Headers, same)
		}
	}
	return all
}
