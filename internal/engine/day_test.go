package engine

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/share"
	"github.com/traffic-exporter/traffic_exporter/internal/timeline"
)

// TestAFleetSendsTheSlotsOfADayThatItMay runs three replicas over two midnights. One of them comes later, while the
// rate is three times as high for an hour and a replica restarts.
func TestAFleetSendsTheSlotsOfADayThatItMay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const most = 1000
		begin := time.Now()
		first, late := begin.Add(90*time.Minute), begin.Add(2*time.Hour)
		two := share.NewView([]share.Member{{ID: "a", Weight: 1}, {ID: "b", Weight: 2}})
		three := share.NewView([]share.Member{{ID: "a", Weight: 1}, {ID: "b", Weight: 2}, {ID: "c", Weight: 1}})
		base, client, _ := scenario(t, 0.1)
		base.Limits.MaxPerDay = most
		faster, err := base.Timeline.Scaled(3)
		if err != nil {
			t.Fatal(err)
		}
		spliced, err := base.Timeline.Splice([]timeline.Stretch{{From: begin.Add(time.Hour), Until: late, Timeline: faster}})
		if err != nil {
			t.Fatal(err)
		}
		var books []*ledger
		start := func(id string, line *timeline.Timeline) (*Engine, Scenario) {
			book := &ledger{tb: t}
			books = append(books, book)
			sc := base
			sc.Timeline, sc.Recorder = line, book
			e := newEngine(Options{Arcs: arcsFunc(func(due time.Time) share.Arc {
				if due.Before(first) {
					return two.Arc(id)
				}
				return three.Arc(id)
			})})
			e.Apply([]Scenario{sc})
			return e, sc
		}
		a, scA := start("a", base.Timeline)
		b, scB := start("b", base.Timeline)
		time.Sleep(30 * time.Minute)
		scA.Timeline, scB.Timeline = spliced, spliced
		a.Apply([]Scenario{scA})
		b.Apply([]Scenario{scB})
		time.Sleep(time.Hour)
		c, _ := start("c", spliced)
		time.Sleep(20 * time.Hour)
		stop(t, b) // In the time in which nothing is sent.
		b, _ = start("b", spliced)
		end := begin.Add(48*time.Hour + 10*time.Minute)
		time.Sleep(time.Until(end))
		for _, e := range []*Engine{a, b, c} {
			stop(t, e)
		}

		all := client.all()
		uniqueSlots(t, all)
		for day := range 2 {
			from := begin.Add(time.Duration(day) * 24 * time.Hour)
			if n := client.between(from, from.Add(24*time.Hour)); n != most {
				t.Errorf("%d slots are sent on day %d, want %d", n, day, most)
			}
			last, _ := spliced.Nth(most, from, from.Add(24*time.Hour))
			if n := client.between(from, last); n != most {
				t.Errorf("%d slots are sent on day %d before slot %d is due, want all", n, day, most)
			}
		}
		if n, want := client.between(begin.Add(48*time.Hour), end), spliced.Count(begin.Add(48*time.Hour), end); n != want {
			t.Errorf("%d slots are sent on the third day, want %d", n, want)
		}
		var due, dropped uint64
		for _, book := range books {
			book.check()
			due, dropped = due+book.due, dropped+book.drops(DropDailyLimit)
		}
		if want := spliced.Count(begin, end); due != want || dropped != want-uint64(len(all)) {
			t.Errorf("%d slots due of %d, %d sent and %d dropped", due, want, len(all), dropped)
		}
	})
}

func TestADayWithFewSlotsIsSentAsAWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sc, _, book := scenario(t, 0.1)
		sc.Limits.MaxPerDay = 8640
		book.balances(t, run(t, sc, 25*time.Hour))
		if n := book.drops(DropDailyLimit); n > 0 {
			t.Errorf("%d slots are dropped", n)
		}
	})
}
