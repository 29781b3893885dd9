package app

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/config"
	"github.com/traffic-exporter/traffic_exporter/internal/telemetry"
	"github.com/traffic-exporter/traffic_exporter/internal/timeline"
)

// The formats of a preview.
const (
	PreviewText = "text"
	PreviewJSON = "json"
	PreviewSVG  = "svg"
)

// PreviewOptions say what to preview, and how.
type PreviewOptions struct {
	File string
	// Scenario is the only one to preview; empty for all.
	Scenario string
	// From is the first instant, and For how long the preview goes on; 0 is a day.
	From time.Time
	For  time.Duration
	// Format is one of the formats; empty is PreviewText.
	Format string
	// Width is how many columns the text has; 0 is 80.
	Width int
}

// Preview writes the rate of each scenario for a time, with its peak, its slots and the number of its series, and
// the sums.
func Preview(w io.Writer, o PreviewOptions) error {
	if o.For < 0 || o.For > maxPreview {
		return fmt.Errorf("found a preview of %s, expected one of at most %s", o.For, maxPreview)
	}
	o.For, o.Width = cmp.Or(o.For, 24*time.Hour), cmp.Or(o.Width, 80)
	cfg, err := load(o.File, onlyRecordings())
	if err != nil {
		return err
	}
	var all []outlook
	for _, sc := range cfg.Scenarios {
		if o.Scenario != "" && sc.Name != o.Scenario {
			continue
		}
		one, err := newOutlook(sc, o)
		if err != nil {
			return fmt.Errorf("scenario %q: %w", sc.Name, err)
		}
		all = append(all, one)
	}
	if len(all) == 0 {
		return noScenario(cfg, o.Scenario)
	}
	switch o.Format {
	case PreviewJSON:
		return writeOutlooksJSON(w, all)
	case PreviewSVG:
		return writeOutlooksSVG(w, all)
	default:
		printOutlooks(w, all, o.For)
		return nil
	}
}

// outlook is the rate of a scenario over a time, in columns of a chart.
type outlook struct {
	scenario config.Scenario
	from     time.Time // in the scenario's time zone
	step     time.Duration
	means    []float64
	extremes []timeline.Extremes
	peak     float64
	peakAt   time.Time
	slots    uint64
	series   telemetry.Series
}

// newOutlook looks at a scenario's timeline, from the last full column before an instant on.
func newOutlook(sc config.Scenario, o PreviewOptions) (outlook, error) {
	loc, err := time.LoadLocation(sc.TimeZone)
	if err != nil {
		return outlook{}, err
	}
	m, err := newMix(sc, offline())
	if err != nil {
		return outlook{}, err
	}
	step := chartStep(o.For, o.Width)
	n := int((o.For + step - 1) / step)
	l := outlook{scenario: sc, from: columnStart(o.From.In(loc), step), step: step, series: telemetry.SeriesCount(scenarioSpec(sc, m))}
	t := sc.Timeline()
	for _, slots := range t.Integrals(l.from, step, n) {
		l.means = append(l.means, slots/step.Seconds())
	}
	l.extremes = t.Extremes(l.from, step, n)
	end := l.from.Add(o.For)
	l.slots = t.Count(l.from, end)
	l.peak, l.peakAt = t.Peak(l.from, end)
	return l, nil
}

// printOutlooks writes charts, what slots mean for the target, and the sums.
func printOutlooks(w io.Writer, all []outlook, length time.Duration) {
	var slots uint64
	var series telemetry.Series
	for _, l := range all {
		l.print(w, length)
		printFollow(w, l.scenario)
		printDailyLimit(w, l.scenario, l.from)
		printJourneys(w, l)
		printExchanges(w, l)
		printLogins(w, l.scenario)
		slots += l.slots
		series.Plain += l.series.Plain
		series.Classic += l.series.Classic
		series.Native += l.series.Native
	}
	fmt.Fprintf(w, "In all %s slots in %s (%s), %s.\n",
		thousands(slots), lengthText(length), perSecond(float64(slots)/length.Seconds()), seriesText(series))
}

// print writes the scenario's head line and its chart, in its own time zone.
func (l outlook) print(w io.Writer, length time.Duration) {
	at := "15:04:05 MST"
	if length > 24*time.Hour {
		at = "Mon 2 Jan " + at
	}
	fmt.Fprintf(w, "%s: %s arrivals, peak %s at %s, %s slots in %s, %s\n\n", l.scenario.Name, l.scenario.Arrivals,
		perSecond(l.peak), l.peakAt.Round(time.Second).In(l.from.Location()).Format(at), thousands(l.slots), lengthText(length), seriesText(l.series))
	fmt.Fprintln(w, chart(l.extremes, perSecond, labels(l.from, l.step, len(l.extremes))))
}

// lengthText writes how long a preview is: in hours up to two days.
func lengthText(d time.Duration) string {
	switch {
	case d%(24*time.Hour) == 0 && d > 48*time.Hour:
		return fmt.Sprintf("%d days", d/(24*time.Hour))
	case d%time.Hour == 0:
		return fmt.Sprintf("%d h", d/time.Hour)
	default:
		return d.String()
	}
}

// printFollow writes what the chart cannot show of a rate that is followed.
func printFollow(w io.Writer, sc config.Scenario) {
	if sc.Rate.Follow != nil {
		fmt.Fprintf(w, "The rate is followed, up to %s: this is that of otherwise, while none is found.\n\n", perSecond(highest(sc)))
	}
}

// printDailyLimit says when the slots of the day have been sent that may be.
func printDailyLimit(w io.Writer, sc config.Scenario, at time.Time) {
	most := uint64(sc.Limits.MaxSlotsPerDay)
	if most == 0 {
		return
	}
	start, end := sc.Timeline().Day(at)
	spent, ok := sc.Timeline().Nth(most, start, end)
	if !ok {
		fmt.Fprintf(w, "The day has %s slots, within max_slots_per_day (%s).\n\n", thousands(sc.Timeline().Count(start, end)), thousands(most))
		return
	}
	fmt.Fprintf(w, "The first %s slots of the day are sent, until %s (max_slots_per_day); %s are not.\n\n",
		thousands(most), spent.In(at.Location()).Format("15:04:05 MST"), thousands(sc.Timeline().Count(spent, end)))
}

// burden is what a slot means for the target, on average and if nothing fails.
type burden struct {
	requests float64
	pauses   time.Duration
	// held are the pauses within exchanges over WebSockets, which keep their connections open.
	held time.Duration
	// least says that there may be more: a loop runs once for each element of a list that only
	// the target knows.
	least bool
}

// burdenOf returns the burden of steps.
func burdenOf(steps []config.TrafficStep) burden {
	var sum burden
	for _, s := range steps {
		switch {
		case s.Pause != nil:
			sum.pauses += meanOf(*s.Pause)
		case s.Repeat != nil:
			turns := float64(s.Repeat.From+s.Repeat.To) / 2
			if s.Repeat.All {
				turns, sum.least = 1, true
			}
			sum.add(burdenOf(s.Steps), turns)
		case s.Choose != nil:
			weights := 0
			for _, o := range s.Choose {
				weights += o.Weight
			}
			for _, o := range s.Choose {
				sum.add(burdenOf(o.Steps), float64(o.Weight)/float64(weights))
			}
		case s.Parallel != nil:
			// Pauses are between steps: a group has none.
			sum.add(burden{requests: float64(len(s.Parallel)), least: s.Each != nil}, 1)
		default:
			sum.add(burdenOfRequest(s.Request), 1)
		}
	}
	return sum
}

// burdenOfRequest returns the burden of a request.
func burdenOfRequest(r *config.Request) burden {
	b := burden{requests: 1}
	for _, t := range r.Exchange {
		if t.Pause != nil {
			b.held += meanOf(*t.Pause)
		}
	}
	return b
}

// meanOf returns how long a pause is on average.
func meanOf(p config.Pause) time.Duration {
	if p.Mean > 0 {
		return time.Duration(p.Mean)
	}
	return time.Duration(p.From+p.To) / 2
}

// burdenOfSlot returns the burden of a slot of a scenario.
func burdenOfSlot(sc config.Scenario) burden {
	var all burden
	weights := 0
	for _, r := range sc.Requests {
		weights += r.Weight
	}
	for i := range sc.Requests {
		r := &sc.Requests[i]
		one := burdenOfRequest(r)
		if r.Steps != nil {
			one = burdenOf(r.Steps)
		}
		all.add(one, float64(r.Weight)/float64(weights))
	}
	return all
}

// add adds so many times another burden.
func (l *burden) add(o burden, times float64) {
	l.requests += times * o.requests
	l.pauses += time.Duration(times * float64(o.pauses))
	l.held += time.Duration(times * float64(o.held))
	l.least = l.least || o.least
}

// printJourneys writes what a scenario's journeys make of its slots, if it has any.
func printJourneys(w io.Writer, l outlook) {
	sc := l.scenario
	if !slices.ContainsFunc(sc.Requests, func(r config.Request) bool { return r.Steps != nil }) {
		return
	}
	all := burdenOfSlot(sc)
	atLeast := ""
	if all.least {
		atLeast = "at least "
	}
	fmt.Fprintf(w, "A slot is %s%.3g requests: %s%s at the peak, by %s%.4g users at a time, and those who wait for a response.\n\n",
		atLeast, all.requests, atLeast, perSecond(l.peak*all.requests), atLeast, l.peak*all.pauses.Seconds())
}

// printExchanges writes how many connections a scenario's exchanges keep open by their pauses, if they
// have any.
func printExchanges(w io.Writer, l outlook) {
	if held := burdenOfSlot(l.scenario).held; held > 0 {
		fmt.Fprintf(w, "Pauses in exchanges over WebSockets keep %.4g connections open at the peak: they count towards max_in_flight, which is %d in each replica.\n\n",
			l.peak*held.Seconds(), l.scenario.Limits.MaxInFlight)
	}
}

// printLogins writes what the users of a scenario cost who log in, if any do.
func printLogins(w io.Writer, sc config.Scenario) {
	s := sc.Session
	if s == nil {
		return
	}
	each := burdenOf(s.Steps).requests
	n := usersOf(sc)
	if n == 0 {
		fmt.Fprintf(w, "Logins in each replica: one for each row of data every %s, requests for each: %.3g.\n\n", s.RenewAfter, each)
		return
	}
	rate := float64(n) * each / time.Duration(s.RenewAfter).Seconds()
	fmt.Fprintf(w, "Logins in each replica: %s every %s, requests at %s on average.\n\n", thousands(uint64(n)), s.RenewAfter, perSecond(rate))
}

// usersOf returns how many users log in; 0 if only a file says that.
func usersOf(sc config.Scenario) int {
	v, _ := sc.Variables.Get(sc.Session.For)
	switch {
	case sc.Session.For == "":
		return 1
	case v.Int != nil:
		return v.Int.To - v.Int.From + 1
	case v.OneOf != nil:
		return len(v.OneOf.Values)
	}
	d, _ := sc.Data().Get(v.Row)
	return len(d.Rows)
}

func seriesText(n telemetry.Series) string {
	return fmt.Sprintf("%d series (%d with native histograms alone, %d with classic ones as well)",
		n.Plain+n.Native+n.Classic, n.Plain+n.Native, n.Plain+n.Native+n.Classic)
}

// perSecond writes a rate with three significant digits, in the unit that suits it.
func perSecond(rate float64) string {
	switch {
	case rate == 0:
		return "0/s"
	case rate >= 1:
		return significant(rate) + "/s"
	case rate*60 >= 1:
		return significant(rate*60) + "/m"
	case rate*3600 >= 1:
		return significant(rate*3600) + "/h"
	default:
		return significant(rate*86400) + "/d"
	}
}

// significant writes a number with at least three digits, without exponent.
func significant(x float64) string {
	digits := max(0, 2-int(math.Floor(math.Log10(x))))
	text := strconv.FormatFloat(x, 'f', digits, 64)
	short, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return text
	}
	return strconv.FormatFloat(short, 'f', -1, 64)
}

// thousands writes a number with commas.
func thousands(n uint64) string {
	text := strconv.FormatUint(n, 10)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
