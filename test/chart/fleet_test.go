package chart

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	apps "k8s.io/api/apps/v1"
	batch "k8s.io/api/batch/v1"
	core "k8s.io/api/core/v1"

	"github.com/traffic-exporter/traffic_exporter/test/chart/ledger"
)

// patience is how long the test waits for what should happen soon.
const patience = 30 * time.Second

// What the defaults render is a fleet that sends to its target, loses no slot while it is
// rolled, and takes a new rate without a restart. Pods are processes here, their addresses
// are of the loopback interface, and the test does what the Deployment's controller and
// kubelet would.
func TestTheDefaultsRunAndRollWithoutLosingASlot(t *testing.T) {
	needsLoopback(t)
	// Not beside others: a replica that gets no processor for a second loses slots.
	c := newCluster(t)
	c.startTarget(t)
	var running []*pod
	for range *c.m.deployment(t).Spec.Replicas {
		running = append(running, c.startReplica(t))
	}
	for _, p := range running {
		p.ready(t)
	}
	c.agree(t, running)
	from := last(t, c.ledger)

	running = c.roll(t, running)
	c.agree(t, running)
	to := last(t, c.ledger)
	passes(t, c.ledger, to, 50) // Long after the slots that were due by then.
	audit := c.ledger.Audit(from, to)
	for _, problem := range audit.Problems() {
		t.Error(problem)
	}
	t.Logf("%d slots were sent while the fleet was rolled", audit.Due)
	if audit.Due < 50 {
		t.Errorf("only %d slots were due", audit.Due)
	}

	c.helmTest(t, running[0])
	c.apply(t, render(t, set(t, "demo: {rate: 50/s}")))
	for _, p := range running {
		p.shows(t, `traffic_target_rate{scenario="demo"}`, 50)
		p.shows(t, "go_gc_gomemlimit_bytes", 241591910)
		p.shows(t, "traffic_config_last_reload_successful", 1)
	}
	var stopping []*pod
	for _, p := range running {
		p.terminate(t)
		stopping = append(stopping, p)
	}
	for _, p := range stopping {
		p.gone(t, c.grace)
	}
}

// otherPort is what the gossip's port is changed to.
const otherPort = 7947

// While the gossip's port is changed old and new replicas are one fleet.
func TestAnotherPortIsRolledOutWithoutLosingASlot(t *testing.T) {
	needsLoopback(t)
	c := newCluster(t)
	c.startTarget(t)
	var running []*pod
	for range *c.m.deployment(t).Spec.Replicas {
		running = append(running, c.startReplica(t))
	}
	c.agree(t, running)
	from := last(t, c.ledger)

	c.m = render(t, set(t, fmt.Sprintf("fleet: {port: %d}", otherPort)))
	c.apply(t, c.m)
	running = c.roll(t, running)
	c.agree(t, running)
	to := last(t, c.ledger)
	passes(t, c.ledger, to, 50)
	audit := c.ledger.Audit(from, to)
	for _, problem := range audit.Problems() {
		t.Error(problem)
	}
	t.Logf("%d slots were sent while the port was changed", audit.Due)
	if audit.Due < 50 {
		t.Errorf("only %d slots were due", audit.Due)
	}
}

// What cannot be rolled out stops first: nothing is sent twice, and nothing for a while.
func TestReplicasThatCouldNotHearEachOtherDoNotRunTogether(t *testing.T) {
	needsLoopback(t)
	c := newCluster(t)
	c.startTarget(t)
	var old, fresh []*pod
	for range *c.m.deployment(t).Spec.Replicas {
		old = append(old, c.startReplica(t))
	}
	c.agree(t, old)
	from := last(t, c.ledger)

	before := c.m.deployment(t)
	const values = "fleet: {config: {cluster: other}}"
	if s := upgrade(t, before, values).deployment(t).Spec.Strategy.Type; s != apps.RecreateDeploymentStrategyType {
		t.Fatalf("the strategy is %s", s)
	}
	c.m = render(t, set(t, values))
	c.apply(t, c.m)
	begin := time.Now()
	for _, p := range old {
		p.terminate(t)
	}
	for _, p := range old {
		p.gone(t, c.grace)
	}
	stopped := last(t, c.ledger)
	for range old {
		fresh = append(fresh, c.startReplica(t))
	}
	for _, p := range fresh {
		p.ready(t)
	}
	took := time.Since(begin)
	c.agree(t, fresh)
	passes(t, c.ledger, stopped, 0)
	to := last(t, c.ledger)
	passes(t, c.ledger, to, 50)
	audit := c.ledger.Audit(from, to)
	if len(audit.Doubled) > 0 || len(audit.Strange) > 0 {
		t.Errorf("%d slots were sent more than once, and requests are for the slots %q", len(audit.Doubled), audit.Strange)
	}
	t.Logf("of %d slots %d were not sent, while all replicas were replaced within %v", audit.Due, len(audit.Lost), took)
}

// needsLoopback skips the test where most of 127.0.0.0/8 cannot be listened on.
func needsLoopback(t *testing.T) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("needs all of 127.0.0.0/8")
	}
}

// network returns the first three bytes of addresses that nobody else is likely to listen
// on.
func network() string {
	return fmt.Sprintf("127.%d.%d.", 1+rand.IntN(250), rand.IntN(250))
}

// cluster is what stands in for one: manifests, and a network of addresses for pods.
type cluster struct {
	m      *manifests
	ledger *ledger.Ledger
	// network is that of the pods, without the last byte of their addresses.
	network string
	// config is the folder that the configuration is mounted at.
	config   string
	grace    time.Duration
	replicas int
}

const (
	// pods are the most replicas that are started.
	pods = 6
	// targetHost and ledgerHost are the last bytes of the addresses of the target and of
	// what requests to it go through.
	targetHost, ledgerHost = 200, 201
)

func newCluster(t *testing.T) *cluster {
	t.Helper()
	c := &cluster{m: render(t), config: t.TempDir()}
	c.network = network()
	c.grace = time.Duration(*c.m.deployment(t).Spec.Template.Spec.TerminationGracePeriodSeconds) * time.Second
	c.ledger = startLedger(t, c.address(ledgerHost)+":9871", "http://"+c.address(targetHost)+":9871")
	c.apply(t, c.m)
	return c
}

func (c *cluster) address(host int) string { return c.network + strconv.Itoa(host) }

// apply mounts the configuration with the names that the cluster's DNS would know
// replaced by addresses.
func (c *cluster) apply(t *testing.T, m *manifests) {
	t.Helper()
	data := map[string]string{}
	for key, text := range get[*core.ConfigMap](t, m, name).Data {
		data[key] = c.resolve(t, text)
	}
	mounted(t, c.config, data)
}

// resolve replaces names by addresses. Each has to be there.
func (c *cluster) resolve(t *testing.T, text string) string {
	t.Helper()
	// What SRV records say: each pod at the port that it has.
	var join []string
	for i := range pods {
		for _, port := range []int{7946, otherPort} {
			join = append(join, fmt.Sprintf("%s:%d", c.address(i+1), port))
		}
	}
	const service = name + "-fleet." + namespace + ".svc"
	for old, replacement := range map[string]string{
		"- dnssrv+_gossip._tcp." + service + "\n": "- " + strings.Join(join, "\n  - ") + "\n",
		// An address of a pod that there is not.
		"- dns+" + service + ":":                                 "- " + c.address(pods+1) + ":",
		"http://" + name + "-demo-target." + namespace + ".svc:": "http://" + c.address(ledgerHost) + ":",
		// Who sends which slot is looked at, and not whether this machine is busy.
		"max_rate: 1000/s": "max_rate: 1000/s\n    late_after: 20s",
	} {
		if !strings.Contains(text, old) {
			t.Fatalf("found no %q in\n%s", old, text)
		}
		text = strings.ReplaceAll(text, old, replacement)
	}
	return text
}

// arguments returns a container's with paths and addresses replaced.
func arguments(c core.Container, replacements ...string) []string {
	var all []string
	for _, arg := range c.Args {
		all = append(all, strings.NewReplacer(replacements...).Replace(arg))
	}
	return all
}

func (c *cluster) startTarget(t *testing.T) {
	t.Helper()
	for id, pod := range c.m.pods() {
		if strings.HasSuffix(id, "-demo-target") {
			container := container(t, pod.Spec, "target")
			start(t, id, nil, arguments(container, "--listen-address=:", "--listen-address="+c.address(targetHost)+":")...)
			return
		}
	}
	t.Fatal("found no target")
}

// startReplica starts another pod and does not wait for it.
func (c *cluster) startReplica(t *testing.T) *pod {
	t.Helper()
	c.replicas++
	ip, id := c.address(c.replicas), fmt.Sprintf("pod-%d", c.replicas)
	container := container(t, c.m.deployment(t).Spec.Template.Spec, "traffic-exporter")
	args := arguments(container, "/etc/traffic_exporter/config/", c.config+"/", "--web.listen-address=:", "--web.listen-address="+ip+":")
	p := &pod{process: start(t, id, environment(t, container, id, ip), args...)}
	probe := container.ReadinessProbe.HTTPGet
	port := slices.IndexFunc(container.Ports, func(p core.ContainerPort) bool { return p.Name == probe.Port.StrVal })
	p.url = fmt.Sprintf("http://%s:%d", ip, container.Ports[port].ContainerPort)
	p.probe = p.url + probe.Path
	return p
}

// roll replaces all replicas as the controller does with maxSurge 1 and maxUnavailable 0:
// as soon as a new one is ready an old one has to go, and while it does the next new one
// is started.
func (c *cluster) roll(t *testing.T, old []*pod) []*pod {
	t.Helper()
	var fresh []*pod
	for _, p := range old {
		next := c.startReplica(t)
		next.ready(t)
		fresh = append(fresh, next)
		p.terminate(t)
	}
	for _, p := range old {
		p.gone(t, c.grace)
	}
	return fresh
}

// agree waits until each of the pods counts all of them.
func (c *cluster) agree(t *testing.T, all []*pod) {
	t.Helper()
	for _, p := range all {
		p.shows(t, "traffic_fleet_members", float64(len(all)))
		p.shows(t, "traffic_fleet_live", 1)
	}
}

// helmTest runs the containers of the pod of `helm test` against one of the replicas.
func (c *cluster) helmTest(t *testing.T, p *pod) {
	t.Helper()
	test := get[*batch.Job](t, c.m, name+"-test").Spec.Template
	folder := t.TempDir()
	text := get[*core.ConfigMap](t, c.m, name+"-test").Data["test.yaml"]
	service := "http://" + name + "." + namespace + ".svc:9870"
	if !strings.Contains(text, service) {
		t.Fatalf("found no %q in\n%s", service, text)
	}
	write(t, filepath.Join(folder, "test.yaml"), strings.ReplaceAll(text, service, p.url))
	if len(test.Spec.Containers) < 4 {
		t.Errorf("the pod of helm test has %d containers", len(test.Spec.Containers))
	}
	for _, container := range test.Spec.Containers {
		args := arguments(container, "/etc/traffic_exporter/config/", c.config+"/", "/etc/traffic_exporter/test/", folder+"/")
		run := start(t, "helm test "+container.Name, environment(t, container, "test", c.address(100)), args...)
		run.gone(t, patience)
	}
}

// process is a running container.
type process struct {
	id   string
	cmd  *exec.Cmd
	done chan struct{}
	err  error
}

// start runs the binary with a container's arguments and environment.
func start(t *testing.T, id string, environment []string, args ...string) *process {
	t.Helper()
	return startCommand(t, id, append([]string{"PATH="}, environment...), append([]string{env().exporter}, args...)...)
}

// startCommand runs a command, which does not outlive the test.
func startCommand(t *testing.T, id string, environment []string, command ...string) *process {
	t.Helper()
	p := &process{id: id, cmd: exec.Command(command[0], command[1:]...), done: make(chan struct{})}
	p.cmd.Env = environment
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	p.cmd.Stdout, p.cmd.Stderr = log, log
	if err = p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.done
		_ = log.Close()
		if t.Failed() {
			t.Logf("output of %s:\n%s", id, read(t, log.Name()))
		}
	})
	return p
}

// terminate does what kubelet does first.
func (p *process) terminate(t *testing.T) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
}

// gone waits until the process has ended, with 0.
func (p *process) gone(t *testing.T, grace time.Duration) {
	t.Helper()
	select {
	case <-p.done:
		if p.err != nil {
			t.Errorf("%s: %v", p.id, p.err)
		}
	case <-time.After(grace):
		t.Errorf("%s has not ended within %v", p.id, grace)
	}
}

// pod is a replica.
type pod struct {
	*process
	url, probe string
}

func (p *pod) ready(t *testing.T) {
	t.Helper()
	eventually(t, func() error {
		_, err := ask(p.probe)
		return err
	})
}

// shows waits until a series has a value.
func (p *pod) shows(t *testing.T, series string, want float64) {
	t.Helper()
	eventually(t, func() error {
		body, err := ask(p.url + "/metrics")
		if err != nil {
			return err
		}
		for line := range strings.Lines(body) {
			if text, ok := strings.CutPrefix(strings.TrimSpace(line), series+" "); ok {
				if got, err := strconv.ParseFloat(text, 64); err != nil || got != want {
					return fmt.Errorf("%s: %s is %s, want %v", p.id, series, text, want)
				}
				return nil
			}
		}
		return fmt.Errorf("%s: found no %s", p.id, series)
	})
}

func eventually(t *testing.T, ok func() error) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		err := ok()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// ask returns the body of a URL, or an error for any status but 200.
func ask(url string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return "", err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s: %s", url, response.Status, body)
	}
	return string(body), err
}

// startLedger has a ledger of the demo's scenario pass requests on to the target.
func startLedger(t *testing.T, address, target string) *ledger.Ledger {
	t.Helper()
	to, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	l := ledger.New("demo", httputil.NewSingleHostReverseProxy(to))
	server := &http.Server{ReadHeaderTimeout: patience, Handler: l}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	return l
}

// last returns the last slot so far. There is one as soon as the first is sent.
func last(t *testing.T, l *ledger.Ledger) ledger.Slot {
	t.Helper()
	var last ledger.Slot
	eventually(t, func() error {
		var found bool
		if last, found = l.Last(); !found {
			return errors.New("no request has reached the target")
		}
		return nil
	})
	return last
}

// passes waits until a slot is sent that is due so many slots after s.
func passes(t *testing.T, l *ledger.Ledger, s ledger.Slot, slots int) {
	t.Helper()
	s.Sequence += slots
	eventually(t, func() error {
		if last := last(t, l); !last.After(s) {
			return fmt.Errorf("the target has received slots up to %v, none after %v", last, s)
		}
		return nil
	})
}
