package app

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/config"
	"github.com/traffic-exporter/traffic_exporter/internal/fleet"
	"github.com/traffic-exporter/traffic_exporter/internal/history"
	"github.com/traffic-exporter/traffic_exporter/internal/web"
)

// shared are the fleet's members with the figures that they share.
type shared struct {
	self string
	// summed says that the figures of all members that send are known.
	summed  bool
	status  *web.LiveFleet
	members []fleet.MemberFigures
	names   map[string]string
}

// shared returns the fleet's figures.
func (v *viewer) shared(now time.Time) shared {
	if v.fleet == nil {
		return shared{}
	}
	status := v.fleet.Status()
	known, missing := v.fleet.Totals().Of(now)
	s := shared{self: status.Self, members: known, names: map[string]string{}}
	f := &web.LiveFleet{Self: status.Self, Live: status.View.Live, Why: status.View.Why, Members: []web.LiveMember{}}
	switch {
	case len(v.controller.reloader.current().Scenarios) > fleet.MaxFigures:
		f.Note = fmt.Sprintf("a fleet sums up to %d scenarios, and there are more", fleet.MaxFigures)
	case len(missing) > 0:
		f.Note = "the figures of " + someOf(missing) + " are not known"
	case len(known) == 0:
		f.Note = "no member sends"
	default:
		s.summed = true
	}
	self := slices.IndexFunc(status.Members, func(m fleet.MemberStatus) bool { return m.ID == status.Self })
	for _, m := range status.Members {
		s.names[m.ID] = m.Name
		f.Members = append(f.Members, web.LiveMember{
			ID: m.ID, Name: m.Name, State: string(m.State), Share: m.Share, Sent: s.sent(m.ID),
			SameConfig: self >= 0 && m.Config == status.Members[self].Config,
		})
	}
	f.Summed, s.status = s.summed, f
	return s
}

// someOf writes the first names of a list and the number of the others.
func someOf(names []string) string {
	const most = 3
	if more := len(names) - most; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), more)
	}
	return strings.Join(names, ", ")
}

// sent returns what a member sends of all scenarios; nil if that is not known.
func (s shared) sent(id string) *web.Number {
	i := slices.IndexFunc(s.members, func(m fleet.MemberFigures) bool { return m.ID == id })
	if i < 0 {
		return nil
	}
	sum := web.Number(0)
	for _, f := range s.members[i].Figures {
		sum += web.Number(finite(f.Sent))
	}
	return &sum
}

// add adds what the other members do to this replica's figures of a scenario, if that is known of
// all. The delay is then that of the member that is latest.
func (s shared) add(scenario string, r *history.Recent) {
	if !s.summed {
		return
	}
	for _, m := range s.members {
		if f, ok := m.Figures[scenario]; ok && m.ID != s.self {
			addFigures(r.Flow, f)
			if d := float64(f.Delay); math.IsNaN(r.Delay) || d > r.Delay {
				r.Delay = d
			}
		}
	}
}

// budget returns the remaining error budget of a scenario, of the whole fleet if it is summed.
func (s shared) budget(sc config.Scenario, h *history.Scenario) *web.LiveSLO {
	good, bad, since := h.Budget()
	b := web.LiveSLO{Objective: float64(sc.SLO.Objective), Latency: time.Duration(sc.SLO.Latency).Seconds(), Good: good, Bad: bad, Since: since, Whole: since}
	for _, m := range s.members {
		if f, ok := m.Figures[sc.Name]; ok && s.summed && m.ID != s.self {
			b.Good, b.Bad = b.Good+finite(f.Good), b.Bad+finite(f.Bad)
			if at := time.Unix(f.Since, 0); at.Before(b.Since) {
				b.Since = at
			} else if at.After(b.Whole) {
				b.Whole = at
			}
		}
	}
	b.Left = web.Number(left(b.Good, b.Bad, b.Objective))
	return &b
}

// left returns the remaining error budget, from 1 down.
func left(good, bad, objective float64) float64 {
	if bad == 0 {
		return 1
	}
	return 1 - bad/((good+bad)*(1-objective))
}

// parts returns each member's part in a scenario.
func (s shared) parts(sc config.Scenario) []web.LiveShared {
	var all []web.LiveShared
	for _, m := range s.members {
		f, ok := m.Figures[sc.Name]
		if !ok {
			continue
		}
		flow := &history.Flow{}
		addFigures(flow, f)
		one := web.LiveShared{ID: m.ID, Name: s.names[m.ID], LiveFigures: figures(flow), Users: web.Number(flow.Users), Delay: web.Number(f.Delay), Left: web.Number(math.NaN())}
		if sc.SLO != nil {
			one.Left = web.Number(left(finite(f.Good), finite(f.Bad), float64(sc.SLO.Objective)))
		}
		all = append(all, one)
	}
	return all
}
