//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// change asks a replica over the API for another rate and returns the status and the
// body of the response.
func (r *replica) change(t *testing.T, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut,
		"http://"+r.addr+"/api/v1/scenarios/"+steady+"/override", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	client := http.Client{Timeout: 10 * time.Second}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	answer := make([]byte, 1<<16)
	n, _ := resp.Body.Read(answer)
	return resp.StatusCode, string(answer[:n])
}

// rate runs a command that changes or lists rates, which has to succeed.
func (r *replica) rate(t *testing.T, args ...string) string {
	t.Helper()
	out, code := tool(t, append(append([]string{"rate"}, args...), "--url=http://"+r.addr)...)
	if code != 0 {
		t.Fatalf("rate %v: exit code %d: %s", args, code, out)
	}
	return out
}

// raisedBetween returns the whole seconds between which the raised rate was sent, going
// by slots that were due since an instant.
func (l *ledger) raisedBetween(t *testing.T, since time.Time) (from, until time.Time) {
	t.Helper()
	for _, s := range l.sent() {
		if s.due.Before(since) || l.timelines[raised].Segment(s.due).ID != s.segment {
			continue
		}
		if from.IsZero() || s.due.Before(from) {
			from = s.due
		}
		if s.due.After(until) {
			until = s.due
		}
	}
	if from.IsZero() {
		t.Fatal("the raised rate was never sent")
	}
	return from.Truncate(time.Second), until.Truncate(time.Second).Add(time.Second)
}

// soon fails the test unless a change took effect 2 to 3 s after it was asked for, which
// was between two instants.
func soon(t *testing.T, what string, effect, before, after time.Time) {
	t.Helper()
	if effect.Before(before.Add(2*time.Second)) || effect.After(after.Add(3*time.Second)) {
		t.Errorf("%s took effect at %v, but was asked for between %v and %v", what, effect, before, after)
	}
}

func TestARateIsChangedAtTheSameInstantOnEveryReplica(t *testing.T) {
	t.Parallel()
	const active = `traffic_override_active{scenario="` + steady + `"}`
	f := newGossipFleet(t, 3, "--web.enable-control")
	all := f.start(t, 3)
	begin := f.target.first(t)
	for _, r := range all {
		r.shows(t, active, 0)
	}

	asked := time.Now()
	all[0].rate(t, "set", steady, "600/s", "--for=10m", "--reason=end to end", "--by=the test")
	set := time.Now()
	for _, r := range all {
		r.shows(t, active, 1)
		r.shows(t, `traffic_target_rate{scenario="`+steady+`"}`, raised)
		list := r.rate(t, "list")
		for _, want := range []string{steady, "600", "end to end", "the test"} {
			if !strings.Contains(list, want) {
				t.Errorf("`rate list` of replica %s does not tell %q:\n%s", r.name, want, list)
			}
		}
	}
	f.target.waitUntil(t, set.Add(5*time.Second))
	clearing := time.Now()
	all[1].rate(t, "clear", steady)
	cleared := time.Now()
	for _, r := range all {
		r.shows(t, active, 0)
	}

	f.target.waitUntil(t, cleared.Add(5*time.Second))
	from, until := f.target.raisedBetween(t, begin)
	soon(t, "the raised rate", from, asked, set)
	soon(t, "the rate of the file", until, clearing, cleared)
	p := plan{{rate: steadyRate}, {from: from, rate: raised}, {from: until, rate: steadyRate}}
	f.target.exact(t, p, begin, cleared.Add(5*time.Second))

	// Over the API, by a factor, and until it expires.
	begin = cleared.Add(5 * time.Second)
	code, body := all[2].change(t, `{"factor": 2, "for": "5s", "reason": "end to end", "by": "the test"}`)
	var a struct {
		Data struct {
			Override struct{ From, Until time.Time }
		}
	}
	if err := json.Unmarshal([]byte(body), &a); code != http.StatusOK || err != nil {
		t.Fatalf("got %d %q, %v", code, body, err)
	}
	f.target.waitUntil(t, a.Data.Override.Until.Add(2*time.Second))
	from, until = f.target.raisedBetween(t, begin)
	if o := a.Data.Override; !from.Equal(o.From) || !until.Equal(o.Until) {
		t.Errorf("the raised rate was sent from %v until %v, but promised from %v until %v", from, until, o.From, o.Until)
	}
	p = plan{{rate: steadyRate}, {from: from, rate: raised}, {from: until, rate: steadyRate}}
	f.target.exact(t, p, begin, until.Add(2*time.Second))
}

func TestARateIsNotChangedWhereControlIsOff(t *testing.T) {
	t.Parallel()
	f := newGossipFleet(t, 1)
	r := f.start(t, 1)[0]
	const hint = "--web.enable-control"
	out, code := tool(t, "rate", "set", steady, "600/s", "--for=10m", "--reason=end to end", "--url=http://"+r.addr)
	if code == 0 || !strings.Contains(out, hint) {
		t.Errorf("`rate set` ends with %d and %q, want an error that names %s", code, out, hint)
	}
	if status, body := r.change(t, `{"rate": "600/s", "for": "10m", "reason": "end to end"}`); status != http.StatusForbidden || !strings.Contains(body, hint) {
		t.Errorf("the API answers %d %q, want 403 and %s", status, body, hint)
	}
	r.shows(t, fmt.Sprintf("traffic_target_rate{scenario=%q}", steady), steadyRate)
}
