//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// rowsOfData is how many rows the data of a fleet has.
const rowsOfData = 997

// gate is a target of journeys: the first request of each is entered in a ledger and gets a
// cookie, by which the second one has to be known.
type gate struct {
	*ledger

	mu       sync.Mutex
	cookies  map[string]string // slots by cookie
	ended    int
	mistakes []string
}

func (g *gate) mistake(format string, args ...any) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.mistakes = append(g.mistakes, fmt.Sprintf(format, args...))
}

// ServeHTTP implements http.Handler.
func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	slot := r.Header.Get("Traffic-Slot")
	seq, err := strconv.Atoi(slot[strings.LastIndexByte(slot, '/')+1:])
	if row := r.Header.Get("X-Row"); err != nil || row != strconv.Itoa(seq%rowsOfData) {
		g.mistake("slot %q has row %q", slot, row)
	}
	if r.URL.Path == "/begin" {
		g.enter(slot, "", time.Now())
		g.mu.Lock()
		cookie := strconv.Itoa(len(g.cookies))
		g.cookies[cookie] = slot
		g.mu.Unlock()
		http.SetCookie(w, &http.Cookie{Name: "user", Value: cookie})
		fmt.Fprintf(w, `{"token": "t-%s"}`, cookie)
		return
	}
	cookie, err := r.Cookie("user")
	if err != nil {
		g.mistake("slot %q comes without a cookie", slot)
		return
	}
	g.mu.Lock()
	owner := g.cookies[cookie.Value]
	g.ended++
	g.mu.Unlock()
	if owner != slot || r.URL.Path != "/end/t-"+cookie.Value {
		g.mistake("slot %q has the cookie of %q and asks for %s", slot, owner, r.URL.Path)
	}
}

// newJourneyFleet returns a fleet whose slots are journeys through a gate.
func newJourneyFleet(t *testing.T, n int) (*fleet, *gate) {
	t.Helper()
	f := newGossipFleet(t, n)
	g := &gate{ledger: f.target, cookies: map[string]string{}}
	server := httptest.NewServer(g)
	t.Cleanup(server.Close)
	var rows strings.Builder
	rows.WriteString("row\n")
	for i := range rowsOfData {
		fmt.Fprintln(&rows, i)
	}
	write(t, filepath.Join(filepath.Dir(f.file), "rows.csv"), rows.String())
	text, err := os.ReadFile(f.file)
	if err != nil {
		t.Fatal(err)
	}
	head, _, _ := strings.Cut(string(text), "    requests:")
	write(t, f.file, "data: {rows: {file: rows.csv}}\n"+head+fmt.Sprintf(`    base_url: %s
    headers: {X-Row: "{{ row.row }}"}
    variables: {row: {row: rows}}
    requests:
      - name: visit
        cookies: true
        steps:
          - {name: begin, url: /begin, capture: {token: {json: token}}}
          - pause: {from: 200ms, to: 2s}
          - {name: end, url: "/end/{{ token }}"}
`, server.URL))
	return f, g
}

// clean fails the test if anything was wrong with a request.
func (g *gate) clean(t *testing.T) {
	t.Helper()
	g.mu.Lock()
	defer g.mu.Unlock()
	if n := len(g.mistakes); n > 0 {
		t.Errorf("%d mistakes, such as: %s", n, g.mistakes[0])
	}
}

// That each slot's journey begins once, with the row of the slot's number, is each row once a
// pass.
func TestAFleetSharesJourneysAndTheRowsOfData(t *testing.T) {
	t.Parallel()
	f, g := newJourneyFleet(t, 4)
	all := f.start(t, 3)
	begin := f.target.first(t)
	all = append(all, f.launch(t))
	all[3].ready(t)
	agree(t, 4, all...)
	all[0].leave(t)
	agree(t, 3, all[1:]...)
	f.target.exact(t, always(), begin, time.Now().Add(time.Second))
	g.clean(t)

	view, _ := all[1].members(t)
	_, victim := all[1].members(t)
	killed := time.Now()
	all[1].signal(t, syscall.SIGKILL)
	agree(t, 2, all[2:]...)
	from, to := killed.Add(-time.Second), killed.Add(takeover)
	f.target.exact(t, always(), begin, from)
	f.target.exact(t, always(), to, to.Add(3*time.Second))
	f.target.lost(t, view, victim, from, to)
	g.clean(t)

	// Those who stop finish what they have begun; of the killed one's users some are missing.
	for _, r := range all[2:] {
		r.leave(t)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if lost := len(g.cookies) - g.ended; lost > 2*steadyRate {
		t.Errorf("of %d journeys %d did not end", len(g.cookies), lost)
	}
	g.mistakes = nil
}

func TestPrometheusSeesEachStepAndJourney(t *testing.T) {
	t.Parallel()
	seen := map[string]*arrivals{"list": {}, "slow": {}, "picture": {}, "item": {}, "buy": {}, "check": {}, "never": {}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen[strings.Split(r.URL.Path, "/")[1]].observe(r)
		switch r.URL.Path {
		case "/list":
			fmt.Fprint(w, `{"items": [1, 2, 3], "total": 3}`)
		case "/check":
			fmt.Fprint(w, `{"total": 2}`)
		case "/slow":
			time.Sleep(500 * time.Millisecond)
		}
	}))
	t.Cleanup(server.Close)
	e := startExporter(t, fmt.Sprintf(`
scenarios:
  - name: shop
    rate: 60/s
    base_url: %s
    requests:
      - name: page
        weight: 1
        steps:
          - {name: page, url: /list, capture: {items: {json: items}}}
          - parallel: [{name: news, url: /slow}, {name: menu, url: /slow}]
          - parallel: [{name: picture, url: "/picture/{{ item }}"}]
            each: {item: {from: items}}
            at_once: 2
      - name: visit
        weight: 4
        steps:
          - {name: list, url: /list, capture: {items: {json: items}}}
          - pause: 1s
          - {repeat: all, each: {item: {from: items}}, steps: [{name: item, url: "/item/{{ item }}"}]}
          - choose:
              - {weight: 1, steps: [{name: buy, method: POST, url: /buy, body: {json: {n: "{{ items.0 }}"}}}]}
              - {weight: 3, steps: []}
      - name: broken
        weight: 1
        steps:
          - {name: check, url: /check, expect: {json: {total: 3}}}
          - {name: never, url: /never}
`, server.URL))
	p := startPrometheus(t, e.addr)
	at := p.gather(t, 15*time.Second)
	rate := func(request string) string {
		return fmt.Sprintf(`sum(rate(traffic_requests_total{request=%q}[10s]))`, request)
	}
	// The mix is drawn slot by slot, so that the share of each varies: the target knows it.
	perSecond := func(of string) float64 { return float64(seen[of].between(at.Add(-10*time.Second), at)) / 10 }
	pages := perSecond("slow") / 2
	visits, failed := perSecond("list")-pages, perSecond("check")
	within(t, visits+pages+failed, 60, 1)
	within(t, visits, 40, 6) // Five standard deviations.
	within(t, pages, 10, 5)
	within(t, failed, 10, 5)
	gauged := time.UnixMilli(int64(1000 * p.mustValue(t, `max(timestamp(traffic_journeys_in_progress))`, at)))
	// A visit pauses for a second, and a page takes half of one.
	begun, ended := seen["list"].between(gauged.Add(-time.Second), gauged), seen["slow"].between(gauged.Add(-time.Second), gauged.Add(-500*time.Millisecond))/2
	inProgress := float64(begun - ended)
	for expr, want := range map[string][2]float64{
		rate("visit/list"):                     {visits, 3},
		rate("visit/item"):                     {perSecond("item"), 9},
		rate("visit/buy"):                      {perSecond("buy"), 4},
		rate("broken/check"):                   {failed, 3},
		rate("page/news"):                      {pages, 3},
		rate("page/menu"):                      {pages, 3},
		rate("page/picture"):                   {perSecond("picture"), 9},
		rate("broken/never") + " or vector(0)": {0, 0},
		`sum(rate(traffic_steps_skipped_total{request="broken/never"}[10s]))`:                     {failed, 3},
		`sum(rate(traffic_check_failures_total{request="broken/check",check="json total"}[10s]))`: {failed, 3},
		`sum(rate(traffic_request_failures_total{reason="check"}[10s]))`:                          {failed, 3},
		`sum(traffic_journeys_in_progress)`:                                                       {inProgress, 7},
		`sum(traffic_slots_in_flight)`:                                                            {inProgress, 7},
		`histogram_sum(sum(rate(traffic_journey_duration_seconds{journey="visit",outcome="success"}[10s]))) / histogram_count(sum(rate(traffic_journey_duration_seconds{journey="visit"}[10s])))`: {1, 0.1},
		// Two requests of 0.5 s at once take 0.5 s.
		`histogram_sum(sum(rate(traffic_journey_duration_seconds{journey="page",outcome="success"}[10s]))) / histogram_count(sum(rate(traffic_journey_duration_seconds{journey="page"}[10s])))`: {0.5, 0.1},
		`histogram_count(sum(rate(traffic_journey_duration_seconds{outcome="failure"}[10s])))`:                                                                                                  {failed, 3},
		`sum(traffic_slots_due_total) - sum(traffic_slots_finished_total) - sum(traffic_slots_in_flight) - sum(traffic_slots_dropped_total)`:                                                    {0, 0},
	} {
		within(t, p.mustValue(t, expr, at), want[0], want[1])
	}
	p.quiet(t)
}
