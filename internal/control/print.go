package control

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/prometheus/common/model"

	"github.com/traffic-exporter/traffic_exporter/internal/web"
)

// Change returns a request for what a person writes: a rate such as 600/s, or a factor
// such as x2.
func Change(text string) (web.OverrideRequest, error) {
	number, isFactor := strings.CutPrefix(text, "x")
	if !isFactor {
		return web.OverrideRequest{Rate: text}, nil
	}
	f, err := strconv.ParseFloat(number, 64)
	if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
		return web.OverrideRequest{}, fmt.Errorf("found %q, expected a rate such as 600/s or a factor such as x2, x0.5 or x0", text)
	}
	return web.OverrideRequest{Factor: &f}, nil
}

// PrintList writes the scenarios as a table.
func PrintList(w io.Writer, all []web.ScenarioStatus, now time.Time) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "SCENARIO\tFILE\tTARGET\tOVERRIDE\tUNTIL\tREASON\tBY")
	for _, s := range all {
		change, until, reason, by := "-", "-", "-", "-"
		if o := s.Override; o != nil {
			change, reason, by = overrideText(s, now), orDash(o.Reason), orDash(o.By)
			if !o.Clear {
				until = when(o.Until, now)
			}
		}
		fmt.Fprintln(table, strings.Join([]string{s.Name, perSecond(s.FileRate), perSecond(s.TargetRate), change, until, reason, by}, "\t"))
	}
	return table.Flush()
}

// PrintChange writes the coming rate of a scenario on one line.
func PrintChange(w io.Writer, s web.ScenarioStatus, now time.Time) {
	o := s.Override
	switch {
	case o == nil:
		fmt.Fprintf(w, "%s: %s, as the file says\n", s.Name, perSecond(s.FileRate))
	case o.Clear:
		fmt.Fprintf(w, "%s: back to the file's %s from %s\n", s.Name, perSecond(s.FileRate), when(o.From, now))
	default:
		capped := ""
		if o.Capped {
			capped = fmt.Sprintf(", held back to max_rate %s", perSecond(s.MaxRate))
		}
		fmt.Fprintf(w, "%s: %s (the file says %s) from %s until %s%s\n",
			s.Name, changeText(o), perSecond(s.FileRate), when(o.From, now), when(o.Until, now), capped)
	}
}

// overrideText describes a change, whether it waits and whether it is held back.
func overrideText(s web.ScenarioStatus, now time.Time) string {
	text := changeText(s.Override)
	if !s.Override.Active {
		text += " from " + when(s.Override.From, now)
	}
	if s.Override.Capped {
		text += " (capped at " + perSecond(s.MaxRate) + ")"
	}
	return text
}

func changeText(o *web.OverrideStatus) string {
	switch {
	case o.Rate != nil:
		return perSecond(*o.Rate)
	case o.Factor != nil:
		return "x" + strconv.FormatFloat(*o.Factor, 'f', -1, 64)
	default:
		return "clear"
	}
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

// when writes an instant by the local clock, with its date unless it is today's, and
// how far ahead it is.
func when(t, now time.Time) string {
	t = t.In(now.Location())
	layout := "15:04:05 MST"
	if t.Format(time.DateOnly) != now.Format(time.DateOnly) {
		layout = time.DateOnly + " " + layout
	}
	ahead := t.Sub(now).Round(time.Second)
	switch {
	case ahead > 0:
		return fmt.Sprintf("%s (in %s)", t.Format(layout), model.Duration(ahead))
	case ahead < 0:
		return fmt.Sprintf("%s (%s ago)", t.Format(layout), model.Duration(-ahead))
	default:
		return t.Format(layout) + " (now)"
	}
}

// perSecond writes a rate as the file has it: by the second, or by the minute, hour or
// day where it is small.
func perSecond(rate float64) string {
	unit := "s"
	for _, next := range []struct {
		unit   string
		factor float64
	}{{"m", 60}, {"h", 60}, {"d", 24}} {
		if rate == 0 || math.Abs(rate) >= 1 {
			break
		}
		rate, unit = rate*next.factor, next.unit
	}
	return strconv.FormatFloat(math.Round(rate*1000)/1000, 'f', -1, 64) + "/" + unit
}
