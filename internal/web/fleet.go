package web

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	// maxSkew is the difference of clocks above which the page marks it.
	maxSkew = 500 * time.Millisecond
	// onTheWay is how long the fastest heartbeats take, at most, on their way through the fleet: smaller
	// differences of clocks cannot be separated from it.
	onTheWay = 50 * time.Millisecond
)

// templates are the pages that are put together here rather than in the browser.
//
//go:embed *.html
var templates embed.FS

// parsePage returns the template of a page, with its bar.
func parsePage(name string) (*template.Template, error) {
	return template.New(name).Funcs(template.FuncMap{
		"ago":         ago,
		"clock":       clock,
		"gossipState": gossipState,
		"offset":      offset,
		"percent":     percent,
		"shares":      shares,
		"skewed":      skewed,
		"tone":        tone,
	}).ParseFS(templates, "bar.html", name)
}

// fleetPage shows the fleet as this replica sees it.
type fleetPage struct {
	template *template.Template
	fleet    func() FleetStatus // nil if this replica runs on its own
}

func newFleetPage(fleet func() FleetStatus) (*fleetPage, error) {
	t, err := parsePage("fleet.html")
	return &fleetPage{template: t, fleet: fleet}, err
}

// fleetView is what the template is given.
type fleetView struct {
	FleetStatus
	// Alone says that there is no fleet to show.
	Alone bool
	Now   time.Time
}

// Sending is how many members are live.
func (v fleetView) Sending() int {
	return v.count(func(m MemberStatus) bool { return m.State == "live" })
}

// Different is how many members run another configuration than this replica.
func (v fleetView) Different() int {
	return v.count(func(m MemberStatus) bool { return !m.SameConfig })
}

func (v fleetView) count(ok func(MemberStatus) bool) int {
	n := 0
	for _, m := range v.Members {
		if ok(m) {
			n++
		}
	}
	return n
}

// ServeHTTP renders the whole page before it begins to send it.
func (p *fleetPage) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	view := fleetView{Alone: p.fleet == nil, Now: time.Now()}
	if p.fleet != nil {
		view.FleetStatus = p.fleet()
	}
	var page bytes.Buffer
	if err := p.template.Execute(&page, view); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	loads(w.Header())
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(page.Bytes()) // The client went away; nobody is left to notify.
}

// sharesOver is how wide the picture of all shares is, and sharesApart the gap between two.
const sharesOver, sharesApart = 1000, 1

// drawnShare is a member's share in the picture of all.
type drawnShare struct {
	MemberStatus

	From, Width float64
}

// shares lays the members' shares side by side. What nobody has stays free.
func shares(members []MemberStatus) []drawnShare {
	var all []drawnShare
	from := 0.0
	for _, m := range members {
		if m.Share > 0 {
			width := sharesOver * m.Share
			all = append(all, drawnShare{MemberStatus: m, From: from, Width: max(width/2, width-sharesApart)})
			from += width
		}
	}
	return all
}

// tone is the colour that suits a state: ok, new, warn, bad or off.
func tone(state string) string {
	switch state {
	case "live":
		return "ok"
	case "joining":
		return "new"
	case "leaving":
		return "warn"
	case "lost", "taken over":
		return "bad"
	default:
		return "off"
	}
}

// percent writes a part of 1 as a percentage.
func percent(x float64) string {
	return strconv.FormatFloat(x*100, 'f', 1, 64) + " %"
}

// ago returns how long before now an instant was, to the second, in at most two units.
func ago(now, t time.Time) string {
	if t.IsZero() {
		return "–"
	}
	d := now.Sub(t).Round(time.Second)
	switch {
	case d < 0:
		return "in " + short(-d)
	case d == 0:
		return "now"
	default:
		return short(d) + " ago"
	}
}

// short writes a duration of a second or more with its two greatest units.
func short(d time.Duration) string {
	var parts []string
	for _, unit := range []struct {
		name string
		size time.Duration
	}{{"d", 24 * time.Hour}, {"h", time.Hour}, {"min", time.Minute}, {"s", time.Second}} {
		n := d / unit.size
		d %= unit.size
		switch {
		case n > 0:
			parts = append(parts, fmt.Sprintf("%d %s", n, unit.name))
		case len(parts) > 0:
			return parts[0]
		}
		if len(parts) == 2 {
			break
		}
	}
	return strings.Join(parts, " ")
}

// clock writes an instant in full.
func clock(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.UTC().Format("2006-01-02 15:04:05 UTC")
}

// offset writes a difference of clocks: milliseconds below a second, and none that may just
// as well be the time of heartbeats on their way.
func offset(seconds float64) string {
	ms := math.Round(seconds * 1000)
	switch {
	case math.Abs(ms) <= float64(onTheWay.Milliseconds()):
		return fmt.Sprintf("within %d ms", onTheWay.Milliseconds())
	case math.Abs(ms) < 1000:
		return fmt.Sprintf("%+.0f ms", ms)
	default:
		return fmt.Sprintf("%+.1f s", seconds)
	}
}

// skewed reports whether clocks differ so much that it shows in the traffic.
func skewed(seconds float64) bool { return math.Abs(seconds) > maxSkew.Seconds() }
