package web

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// sampleFleet is a fleet with a member in every state.
func sampleFleet(now time.Time) FleetStatus {
	member := func(name, state string, share float64, since time.Duration) MemberStatus {
		return MemberStatus{
			ID: name + "-3f9a1c", Name: name, Address: "10.42.3.17:7946", Weight: 1, Share: share, State: state,
			Since: now.Add(-since), LastHeartbeat: now.Add(-400 * time.Millisecond), ClockOffset: 0.003,
			Config: "9c1f0b7a55e2d410", SameConfig: true,
		}
	}
	f := FleetStatus{
		Self: "traffic-exporter-0-3f9a1c", Store: "memberlist", Cluster: "staging/traffic-exporter",
		Live: true, StoreUp: true, Second: now.Truncate(time.Second), ClockSkew: -0.0021,
		Members: []MemberStatus{
			member("traffic-exporter-0", "live", 0.25, 50*time.Hour),
			member("traffic-exporter-1", "live", 0.25, 3*time.Hour+20*time.Minute),
			member("traffic-exporter-2", "leaving", 0.25, time.Second),
			member("traffic-exporter-3", "lost", 0.25, 7*time.Second),
			member("traffic-exporter-4", "taken over", 0, 5*time.Minute),
			member("traffic-exporter-5", "joining", 0, -2*time.Second),
			member("traffic-exporter-6", "standby", 0, 26*time.Minute),
		},
	}
	f.Members[0].ClockOffset = 0
	f.Members[1].ClockOffset = 0.812
	f.Members[3].LastHeartbeat = now.Add(-7 * time.Second)
	f.Members[4].LastHeartbeat = now.Add(-5 * time.Minute)
	f.Members[5].Config, f.Members[5].SameConfig = "77ab03d2e1904c5f", false
	return f
}

func renderFleet(t *testing.T, fleet func() FleetStatus) string {
	t.Helper()
	page, err := newFleetPage(fleet)
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	page.ServeHTTP(w, httptest.NewRequest("GET", "/fleet", http.NoBody))
	if w.Code != 200 || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/html") {
		t.Fatalf("got %d, %s", w.Code, w.Header().Get("Content-Type"))
	}
	return w.Body.String()
}

func TestTheFleetPageShowsEveryMember(t *testing.T) {
	f := sampleFleet(time.Now())
	page := renderFleet(t, func() FleetStatus { return f })
	for _, want := range []string{
		`<h1>traffic-exporter-0-3f9a1c</h1>`, `<span class="pill ok">live</span>`, "staging/traffic-exporter", "memberlist",
		`<dt>Members</dt><dd>7<small>2 live</small>`, `class="alarm">differs<small>on 1 of 7</small>`, "within 50 ms",
		`<tr class="self">`, "this replica", `<span class="pill warn">leaving</span>`, `<span class="pill bad">lost</span>`,
		`<span class="pill bad">taken over</span>`, `<span class="pill new">joining</span>`, `<span class="pill off">standby</span>`,
		"25.0 %", "10.42.3.17:7946", `class="num alarm">&#43;812 ms`, "3 h 20 min ago", "2 d 2 h ago", "7 s ago", "in 2 s",
		`class="alarm"><code>77ab03d2e1904c5f</code><small>different</small>`, `x="250" width="249"`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("no %q on the page", want)
		}
	}
}

func TestTheFleetPageShowsProblems(t *testing.T) {
	f := FleetStatus{Self: "a", Store: "etcd", Cluster: "c", Why: "not seen by the others", ClockSkew: 1.26, Second: time.Unix(1e9, 0)}
	page := renderFleet(t, func() FleetStatus { return f })
	for _, want := range []string{
		`<span class="pill bad">not live: not seen by the others</span>`, `class="alarm">etcd<small>no response, the last view is held`,
		`class="alarm">&#43;1.3 s`, "No member is known yet.", "2001-09-09 01:46:40 UTC",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("no %q on the page", want)
		}
	}
}

func TestTheFleetPageOfALoneReplicaSaysSo(t *testing.T) {
	page := renderFleet(t, nil)
	if !strings.Contains(page, "runs on its own") || strings.Contains(page, "<table>") || strings.Contains(page, "reload.js") {
		t.Errorf("the page is %s", page)
	}
}

func TestTheFleetPageEscapesWhatMembersSay(t *testing.T) {
	evil := `"><script>alert(1)</script>`
	f := FleetStatus{Self: evil, Cluster: evil, Members: []MemberStatus{{ID: evil, Name: evil, Address: evil, State: evil, Share: 1, Config: evil}}}
	if page := renderFleet(t, func() FleetStatus { return f }); strings.Contains(page, "<script>") || strings.Contains(page, `="">`) {
		t.Errorf("the page is %s", page)
	}
}

func TestTimesReadWell(t *testing.T) {
	now := time.Unix(1e9, 0)
	for want, before := range map[string]time.Duration{
		"now":            400 * time.Millisecond,
		"1 s ago":        700 * time.Millisecond,
		"in 2 s":         -2 * time.Second,
		"59 s ago":       59 * time.Second,
		"1 min ago":      time.Minute,
		"5 min 3 s ago":  5*time.Minute + 3*time.Second,
		"1 h ago":        time.Hour + 30*time.Second,
		"3 h 20 min ago": 3*time.Hour + 20*time.Minute + 9*time.Second,
		"40 d 1 h ago":   40*24*time.Hour + 119*time.Minute,
	} {
		if got := ago(now, now.Add(-before)); got != want {
			t.Errorf("%v before is %q, want %q", before, got, want)
		}
	}
	if got := ago(now, time.Time{}); got != "–" {
		t.Errorf("no time is %q", got)
	}
}

func TestOffsetsReadWell(t *testing.T) {
	for want, seconds := range map[string]float64{"within 50 ms": -0.05, "+51 ms": 0.051, "-812 ms": -0.812, "+1.0 s": 0.9996, "-86400.0 s": -86400} {
		if got := offset(seconds); got != want {
			t.Errorf("%v is %q, want %q", seconds, got, want)
		}
	}
}
