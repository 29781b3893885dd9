package plan

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/importer/correlate"
	"github.com/traffic-exporter/traffic_exporter/internal/importer/document"
	"github.com/traffic-exporter/traffic_exporter/internal/importer/fold"
)

// shortestPause is the shortest think time of a user; a shorter pause is a browser at work.
const shortestPause = 500 * time.Millisecond

// steps returns the journey.
func (p *planner) steps() []document.Step {
	of := map[*draft]*group{}
	for _, g := range p.groups {
		for _, d := range g.drafts {
			of[d] = g
		}
	}
	var steps []document.Step
	var end time.Time
	for i := 0; i < len(p.drafts); i++ {
		d := p.drafts[i]
		pause := p.pause(end, d)
		end = later(end, d)
		g := of[d]
		if !g.inTurn {
			steps = append(appendPause(steps, pause, pause), document.Step{Request: g.request})
			continue
		}
		steps = appendPause(steps, pause, pause)
		least, most := time.Duration(0), time.Duration(0)
		for j, next := range g.drafts[1:] {
			between := p.pause(end, next)
			if least = min(least, between); j == 0 {
				least = between
			}
			most = max(most, between)
			end = later(end, next)
		}
		steps = append(steps, document.Step{Repeat: p.repeat(g, least, most)})
		i += len(g.drafts) - 1
	}
	return steps
}

// later returns when the requests until this one have ended.
func later(end time.Time, d *draft) time.Time {
	if own := d.e.Start.Add(d.e.Took); own.After(end) {
		return own
	}
	return end
}

// repeat returns the steps that send the rows of a group in turn.
func (p *planner) repeat(g *group, least, most time.Duration) *document.Repeat {
	r := &document.Repeat{Name: g.name, Data: g.data, Steps: []document.Step{{Request: g.request}}}
	r.Comment = []string{fmt.Sprintf("%s in a row that differed in values, sent as they were recorded.", count(len(g.drafts), "request"))}
	r.Steps = appendPause(r.Steps, least, most)
	return r
}

func appendPause(steps []document.Step, from, to time.Duration) []document.Step {
	if to == 0 {
		return steps
	}
	return append(steps, document.Step{Pause: max(from, time.Millisecond), PauseTo: to})
}

// pause returns how long the user waited before a request, rounded.
func (p *planner) pause(end time.Time, d *draft) time.Duration {
	if end.IsZero() || d.e.Start.IsZero() {
		return 0
	}
	waited := min(d.e.Start.Sub(end), p.o.MaxPause)
	switch {
	case waited < shortestPause:
		return 0
	case waited < 10*time.Second:
		return waited.Round(500 * time.Millisecond)
	default:
		return waited.Round(time.Second)
	}
}

// maxEntries is how many entries a scenario may have.
const maxEntries = 100

// mix returns the requests as entries of a mix.
func (p *planner) mix() []document.Entry {
	var all []document.Entry
	for _, g := range p.groups {
		if len(all) == maxEntries {
			p.dropped["requests beyond the 100 entries that a scenario may have"] += len(g.drafts)
			continue
		}
		all = append(all, document.Entry{Weight: int64(len(g.drafts)), Request: g.request})
	}
	return all
}

// requestName returns the name of a group's request: what it is about, behind the method unless that is GET.
func (p *planner) requestName(g *group, route fold.Route) string {
	d := g.drafts[0]
	word, varies := "", false
	for i, l := range d.path {
		switch {
		case slices.Contains(g.columns, i), i < len(route.Varies) && route.Varies[i], !l.literal(), fold.IsValue(l.value):
			varies = true
		case l.value != "" && !p.secrets.sensitive(l):
			word, varies = l.value, false
		}
	}
	name := strings.ToLower(cleanName(strings.TrimSuffix(strings.TrimSuffix(word, ".html"), ".php"), "index"))
	if varies {
		name = strings.ToLower(cleanName(correlate.Singular(name), "item"))
	}
	if method := d.e.Request.Method; method != "GET" {
		name = strings.ToLower(cleanName(method, "x")) + "_" + name
	}
	return p.requests.unique(strings.ReplaceAll(name, "-", "_"))
}
