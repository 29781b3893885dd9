package cluster

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"
)

// row is what came of a step.
type row struct {
	due, lost, doubled int
	took               time.Duration
	failed             bool
}

// report is what came of all steps, in the order of the first that ran them.
type report struct {
	mu    sync.Mutex
	steps []string
	rows  map[key]row
}

// key names a step with a version of Helm.
type key struct {
	step  string
	major int
}

// add adds what came of a step with a version of Helm.
func (r *report) add(step string, h helm, of row) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.rows == nil {
		r.rows = map[key]row{}
	}
	if !slices.Contains(r.steps, step) {
		r.steps = append(r.steps, step)
	}
	r.rows[key{step, h.major}] = of
}

// print writes a table of them.
func (r *report) print(helms []helm) {
	r.mu.Lock()
	defer r.mu.Unlock()
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	heads, below := []string{"step"}, []string{""}
	for _, h := range helms {
		heads = append(heads, h.String(), "", "", "", "")
		below = append(below, "", "took", "due", "lost", "doubled")
	}
	fmt.Fprintln(w, strings.Join(heads, "\t"))
	fmt.Fprintln(w, strings.Join(below, "\t"))
	for _, step := range r.steps {
		cells := []string{step}
		for _, h := range helms {
			of, ran := r.rows[key{step, h.major}]
			result := "ok"
			switch {
			case !ran:
				cells = append(cells, "-", "", "", "", "")
				continue
			case of.failed:
				result = "FAILED"
			}
			cells = append(cells, result, of.took.Round(100*time.Millisecond).String())
			due, lost := "", ""
			if of.due > 0 {
				due, lost = fmt.Sprint(of.due), fmt.Sprint(of.lost)
			}
			cells = append(cells, due, lost, fmt.Sprint(of.doubled))
		}
		fmt.Fprintln(w, strings.Join(cells, "\t"))
	}
	_ = w.Flush()
}
