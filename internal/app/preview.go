package app

import (
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

// Preview draws the rate of each scenario for a day from an instant on, with its
// peak, its requests and the number of its series, and the sums.
func Preview(w io.Writer, file string, from time.Time) error {
	cfg, err := load(file, disk{recordings: true})
	if err != nil {
		return err
	}
	var requests uint64
	var series telemetry.Series
	for _, sc := range cfg.Scenarios {
		loc, err := time.LoadLocation(sc.TimeZone)
		if err != nil {
			return fmt.Errorf("scenario %q: %w", sc.Name, err)
		}
		day := newDay(sc.Timeline(), from.In(loc))
		m, err := newMix(sc, offline())
		if err != nil {
			return fmt.Errorf("scenario %q: %w", sc.Name, err)
		}
		n := telemetry.SeriesCount(scenarioSpec(sc, m))
		day.print(w, sc, n)
		printFollow(w, sc)
		printJourneys(w, sc, day)
		printExchanges(w, sc, day)
		printLogins(w, sc)
		requests += day.requests
		series.Plain += n.Plain
		series.Classic += n.Classic
		series.Native += n.Native
	}
	fmt.Fprintf(w, "In all %s slots in 24 h (%s), %s.\n",
		thousands(requests), perSecond(float64(requests)/(24*time.Hour).Seconds()), seriesText(series))
	return nil
}

// day is a scenario's timeline over 24 hours.
type day struct {
	from     time.Time
	means    []float64 // the mean rate in each column of the chart
	peak     float64
	peakAt   time.Time
	requests uint64
}

// newDay looks at a timeline for 24 hours from the last full column before an instant.
func newDay(t *timeline.Timeline, from time.Time) day {
	d := day{from: from.Truncate(chartColumn)}
	for _, slots := range t.Integrals(d.from, chartColumn, chartColumns) {
		d.means = append(d.means, slots/chartColumn.Seconds())
	}
	end := d.from.Add(24 * time.Hour)
	d.requests = t.Count(d.from, end)
	d.peak, d.peakAt = t.Peak(d.from, end)
	return d
}

// print writes the scenario's head line and its chart, in its own time zone.
func (d day) print(w io.Writer, sc config.Scenario, n telemetry.Series) {
	fmt.Fprintf(w, "%s: %s arrivals, peak %s at %s, %s slots in 24 h, %s\n\n", sc.Name, sc.Arrivals,
		perSecond(d.peak), d.peakAt.Round(time.Second).In(d.from.Location()).Format("15:04:05 MST"), thousands(d.requests), seriesText(n))
	fmt.Fprintln(w, chart(d.means, perSecond, func(column int) string {
		return d.from.Add(time.Duration(column) * chartColumn).Format("15:04")
	}))
}

// printFollow writes what the chart cannot show of a rate that is followed.
func printFollow(w io.Writer, sc config.Scenario) {
	if sc.Rate.Follow != nil {
		fmt.Fprintf(w, "The rate is followed, up to %s: this is that of otherwise, while none is found.\n\n", perSecond(highest(sc)))
	}
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
func printJourneys(w io.Writer, sc config.Scenario, d day) {
	if !slices.ContainsFunc(sc.Requests, func(r config.Request) bool { return r.Steps != nil }) {
		return
	}
	all := burdenOfSlot(sc)
	atLeast := ""
	if all.least {
		atLeast = "at least "
	}
	fmt.Fprintf(w, "A slot is %s%.3g requests: %s%s at the peak, by %s%.4g users at a time, and those who wait for a response.\n\n",
		atLeast, all.requests, atLeast, perSecond(d.peak*all.requests), atLeast, d.peak*all.pauses.Seconds())
}

// printExchanges writes how many connections a scenario's exchanges keep open by their pauses, if they
// have any.
func printExchanges(w io.Writer, sc config.Scenario, d day) {
	if held := burdenOfSlot(sc).held; held > 0 {
		fmt.Fprintf(w, "Pauses in exchanges over WebSockets keep %.4g connections open at the peak: they count towards max_in_flight, which is %d in each replica.\n\n",
			d.peak*held.Seconds(), sc.Limits.MaxInFlight)
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
