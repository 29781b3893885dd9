//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/dashboards/rules"
	"github.com/traffic-exporter/traffic_exporter/test/freeport"
)

// trouble is something that goes wrong with replicas of a job, and the alerts that fire then. They
// do not before that, and are resolved once it has been mended.
type trouble struct {
	job    string
	alerts []string
	// addresses are the targets of the job.
	addresses []string
	begin     func(t *testing.T, d discovery)
	mend      func(t *testing.T, d discovery)
}

// TestAlertsFireWhenReplicasAreInTrouble goes all the way for the alerts that are about replicas
// and not about the target: real replicas, Prometheus with the rules that are shipped, a minute
// of theirs in a second, and Alertmanager.
func TestAlertsFireWhenReplicasAreInTrouble(t *testing.T) {
	t.Parallel()
	takeTurn(t)
	received := &notified{}
	webhook := httptest.NewServer(received)
	t.Cleanup(webhook.Close)
	dir := t.TempDir()
	content, err := rules.File(scale)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "rules.yaml"), string(content))
	am := startAlertmanager(t, webhook.URL)

	troubles := []trouble{
		killed(t), missing(t), withStore(t), withFiles(t, dir), knocked(t), waiting(t), disagreeing(t), dropping(t), withholding(t), unresolved(t),
	}
	if mayTrace(t) {
		troubles = append(troubles, skewed(t), hung(t))
	}
	config := fmt.Sprintf(`
global: {scrape_interval: 500ms, scrape_timeout: 500ms}
rule_files: [%q]
alerting: {alertmanagers: [{static_configs: [{targets: [%q]}]}]}
scrape_configs:
`, filepath.Join(dir, "rules.yaml"), am.addr)
	var found []discovery
	for _, trouble := range troubles {
		d := discovery{filepath.Join(dir, trouble.job+".json")}
		d.finds(t)
		found = append(found, d)
		config += d.job(trouble.job)
	}
	p := runPrometheus(t, config)

	t.Log("no replica is found at all")
	received.awaitsOfJob(t, "firing", "", "TrafficExporterAbsent")
	for i, trouble := range troubles {
		found[i].finds(t, trouble.addresses...)
	}
	received.awaitsOfJob(t, "resolved", "", "TrafficExporterAbsent")
	// A while of theirs in which all is well, longer than the longest of their windows and waits.
	healthy := time.NewTimer(25 * time.Second)
	<-healthy.C
	for _, trouble := range troubles {
		if names := received.firedOf(trouble.job, trouble.alerts); len(names) > 0 {
			t.Errorf("of job %s, where nothing is wrong, the alerts %q fire", trouble.job, names)
		}
	}
	for i, trouble := range troubles {
		trouble.begin(t, found[i])
	}
	for _, trouble := range troubles {
		for _, name := range trouble.alerts {
			received.awaitsOfJob(t, "firing", trouble.job, name)
		}
	}
	for i, trouble := range troubles {
		trouble.mend(t, found[i])
	}
	for _, trouble := range troubles {
		for _, name := range trouble.alerts {
			received.awaitsOfJob(t, "resolved", trouble.job, name)
		}
	}
	p.sound(t)
}

// firedOf returns those of some alerts of a job that have fired, whatever they concern.
func (n *notified) firedOf(job string, alerts []string) []string {
	return slices.DeleteFunc(namesOf(n.of("firing", job)), func(name string) bool { return !slices.Contains(alerts, name) })
}

// visitor is a replica that comes and goes. It need not become ready.
type visitor struct{ *process }

func (v *visitor) comes(t *testing.T, at, config string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "config.yaml")
	write(t, file, config)
	v.process = start(t, env().exporter, "--config.file="+file, "--web.listen-address="+at)
}

func (v *visitor) goes(t *testing.T, _ discovery) {
	t.Helper()
	v.signal(t, syscall.SIGTERM)
	v.exit(t)
}

// someReplicas returns a fleet that is not looked at for what it sends, and its replicas.
func someReplicas(t *testing.T, n int) (*fleet, []*replica) {
	t.Helper()
	places := loopback(t, n)
	f := newFleet(t, freeport.Address(t), places, "  cluster: e2e\n"+gossip(places))
	return f, f.start(t, n)
}

// killed is a fleet of three. One dies.
func killed(t *testing.T) trouble {
	t.Helper()
	f, all := someReplicas(t, 3)
	place := f.places[2]
	return trouble{
		job: "killed", alerts: []string{"TrafficReplicaDown"},
		addresses: []string{all[0].addr, all[1].addr, all[2].addr},
		begin:     func(t *testing.T, _ discovery) { t.Helper(); all[2].kill(t) },
		mend:      func(t *testing.T, _ discovery) { t.Helper(); f.again(place); f.launch(t) },
	}
}

// missing is a fleet of three. One dies, and service discovery forgets it.
func missing(t *testing.T) trouble {
	t.Helper()
	f, all := someReplicas(t, 3)
	place := f.places[2]
	return trouble{
		job: "missing", alerts: []string{"TrafficReplicaMissing"},
		addresses: []string{all[0].addr, all[1].addr, all[2].addr},
		begin: func(t *testing.T, d discovery) {
			t.Helper()
			all[2].kill(t)
			d.finds(t, all[0].addr, all[1].addr)
		},
		mend: func(t *testing.T, d discovery) {
			t.Helper()
			f.again(place)
			d.finds(t, all[0].addr, all[1].addr, f.launch(t).addr)
		},
	}
}

// withStore is a replica whose store hangs.
func withStore(t *testing.T) trouble {
	t.Helper()
	store := newEtcd(t)
	store.launch(t)
	e := startExporter(t, "fleet:\n  name: one\n  cluster: alerts\n"+store.section+steadyConfig(freeport.Address(t), "0/s"))
	return trouble{
		job: "store", alerts: []string{"TrafficStoreAway"}, addresses: []string{e.addr},
		begin: func(t *testing.T, _ discovery) { t.Helper(); store.signal(t, syscall.SIGSTOP) },
		mend:  func(t *testing.T, _ discovery) { t.Helper(); store.signal(t, syscall.SIGCONT) },
	}
}

// withFiles is a replica whose files become wrong.
func withFiles(t *testing.T, dir string) trouble {
	t.Helper()
	web, password := filepath.Join(dir, "web.yaml"), filepath.Join(dir, "password")
	write(t, web, "http_server_config: {http2: false}\n")
	write(t, password, "secret")
	target := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(target.Close)
	config := steadyConfig(strings.TrimPrefix(target.URL, "http://"), "5/s") +
		fmt.Sprintf("    http_config: {basic_auth: {username: me, password_file: %q}}\n", password)
	e := startExporter(t, config, "--web.config.file="+web)
	return trouble{
		job: "files", alerts: []string{"TrafficConfigReloadFailed", "TrafficWebConfigStale", "TrafficFilesStale"}, addresses: []string{e.addr},
		begin: func(t *testing.T, _ discovery) {
			t.Helper()
			write(t, e.file, config+"nonsense: true\n")
			write(t, web, "nonsense: true\n")
			write(t, password, strings.Repeat("x", 5<<20))
		},
		mend: func(t *testing.T, _ discovery) {
			t.Helper()
			write(t, e.file, config)
			write(t, web, "http_server_config: {http2: false}\n")
			write(t, password, "secret")
		},
	}
}

// knocked is a replica at whose door a stranger knocks.
func knocked(t *testing.T) trouble {
	t.Helper()
	at := freeport.Address(t)
	e := startExporter(t, fmt.Sprintf("fleet: {name: one, cluster: ours, listen: %q}\n", at)+steadyConfig(freeport.Address(t), "0/s"))
	var stranger visitor
	return trouble{
		job: "knocked", alerts: []string{"TrafficStrangersRefused"}, addresses: []string{e.addr},
		begin: func(t *testing.T, _ discovery) {
			t.Helper()
			stranger.comes(t, freeport.Address(t), fmt.Sprintf("fleet: {name: two, cluster: theirs, listen: \"127.0.0.1:0\", join: [%q]}\n", at)+steadyConfig(freeport.Address(t), "0/s"))
		},
		mend: stranger.goes,
	}
}

// waiting are two replicas that have no majority any more, as three others hang.
func waiting(t *testing.T) trouble {
	t.Helper()
	_, all := someReplicas(t, 5)
	signal := func(s syscall.Signal) func(t *testing.T, _ discovery) {
		return func(t *testing.T, _ discovery) {
			t.Helper()
			for _, r := range all[2:] {
				r.signal(t, s)
			}
		}
	}
	return trouble{
		job: "waiting", alerts: []string{"TrafficReplicaSilent"}, addresses: []string{all[0].addr, all[1].addr},
		begin: signal(syscall.SIGSTOP), mend: signal(syscall.SIGCONT),
	}
}

// disagreeing are replicas that are two fleets, where one was expected.
func disagreeing(t *testing.T) trouble {
	t.Helper()
	_, all := someReplicas(t, 2)
	at := freeport.Address(t)
	var third visitor
	return trouble{
		job: "disagreeing", alerts: []string{"TrafficMembersDisagree"}, addresses: []string{all[0].addr, all[1].addr, at},
		begin: func(t *testing.T, _ discovery) {
			t.Helper()
			third.comes(t, at, "fleet: {name: lonely, listen: \"127.0.0.1:0\"}\n"+steadyConfig(freeport.Address(t), "0/s"))
		},
		mend: third.goes,
	}
}

// dropping is a replica with too few requests in flight for a target that becomes slow.
func dropping(t *testing.T) trouble {
	t.Helper()
	target := &changeable{}
	server := httptest.NewServer(target)
	t.Cleanup(server.Close)
	e := startExporter(t, steadyConfig(strings.TrimPrefix(server.URL, "http://"), "50/s")+"    limits: {max_in_flight: 5}\n    timeout: 5s\n")
	return trouble{
		job: "dropping", alerts: []string{"TrafficSlotsDropped"}, addresses: []string{e.addr},
		begin: func(*testing.T, discovery) { target.becomes(2*time.Second, 0) },
		mend:  func(*testing.T, discovery) { target.becomes(0, 0) },
	}
}

// withholding is a replica whose journeys have more steps than their ceiling has room for.
func withholding(t *testing.T) trouble {
	t.Helper()
	target := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(target.Close)
	config := func(ceiling string) string {
		return fmt.Sprintf(`
scenarios:
  - name: s
    rate: 10/s
    base_url: %s
    limits: {max_rate: %s}
    requests:
      - name: journey
        steps: [{name: one, url: /}, {name: two, url: /}, {name: three, url: /}]
`, target.URL, ceiling)
	}
	e := startExporter(t, config("40/s"))
	return trouble{
		job: "withholding", alerts: []string{"TrafficJourneysWithheld"}, addresses: []string{e.addr},
		begin: func(t *testing.T, _ discovery) { t.Helper(); write(t, e.file, config("12/s")) },
		mend:  func(t *testing.T, _ discovery) { t.Helper(); write(t, e.file, config("40/s")) },
	}
}

// unresolved is a replica whose target has a name that nobody knows.
func unresolved(t *testing.T) trouble {
	t.Helper()
	target := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(target.Close)
	config := func(host string) string {
		return steadyConfig(host, "5/s") + "    http_config: {keep_alive: false, dns_ttl: 1s}\n    timeout: 2s\n"
	}
	e := startExporter(t, config(strings.TrimPrefix(target.URL, "http://")))
	return trouble{
		job: "unresolved", alerts: []string{"TrafficDNSFailing"}, addresses: []string{e.addr},
		begin: func(t *testing.T, _ discovery) { t.Helper(); write(t, e.file, config("nobody.invalid:80")) },
		mend: func(t *testing.T, _ discovery) {
			t.Helper()
			write(t, e.file, config(strings.TrimPrefix(target.URL, "http://")))
		},
	}
}

// skewed are two replicas. The clock of one is set.
func skewed(t *testing.T) trouble {
	t.Helper()
	places, second := loopback(t, 2), newTracer(t)
	places[1].enter = second.enter()
	f := &fleet{file: filepath.Join(t.TempDir(), "config.yaml"), places: places}
	write(t, f.file, "fleet:\n  name: ${REPLICA}\n  cluster: e2e\n"+gossip(places)+steadyConfig(freeport.Address(t), "0/s")) // Each call costs its tracer two stops.
	all := f.start(t, 2)
	return trouble{
		job: "skewed", alerts: []string{"TrafficClockSkew"}, addresses: []string{all[0].addr, all[1].addr},
		begin: func(t *testing.T, _ discovery) { t.Helper(); second.clock(t, time.Second) },
		mend:  func(t *testing.T, _ discovery) { t.Helper(); second.clock(t, 0) },
	}
}

// hung is a replica whose system does not let it send any more.
func hung(t *testing.T) trouble {
	t.Helper()
	target := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(target.Close)
	system := newTracer(t)
	// A thread that hangs in the system holds up each collection of garbage.
	enter := append(system.enter(), "env", "GOGC=off", "GOMAXPROCS=4")
	e := startExporterIn(t, enter, steadyConfig(strings.TrimPrefix(target.URL, "http://"), "2/s"))
	return trouble{
		job: "hung", alerts: []string{"TrafficScenarioSilent"}, addresses: []string{e.addr},
		begin: func(t *testing.T, _ discovery) { t.Helper(); system.hang(t) },
		mend:  func(t *testing.T, _ discovery) { t.Helper(); system.clock(t, 0) },
	}
}
