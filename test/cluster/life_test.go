package cluster

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"testing"
	"time"

	core "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/traffic-exporter/traffic_exporter/test/chart/ledger"
)

// promise is what holds of the slots of a step.
type promise int

const (
	// exact is that each is sent once, and neverTwice that none is sent twice.
	exact promise = iota
	neverTwice
)

// life is a release and a target that counts its slots.
type life struct {
	helm

	namespace string
	ledger    *ledger.Ledger
	report    *report
	// values are the files with values of the last upgrade, and their number.
	values []string
	files  int
}

// newLife returns one that nothing is installed of yet. Releases of several versions of
// Helm run on nodes of their own.
func newLife(t *testing.T, h helm, r *report) *life {
	t.Helper()
	l := &life{helm: h, namespace: fmt.Sprintf("life-helm%d", h.major), ledger: ledger.New("live", nil), report: r}
	port := 9870 + h.major
	listener, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: l.ledger, ReadHeaderTimeout: soon}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	l.cluster.namespace(t, l.namespace)
	l.add(t, fmt.Sprintf(`
nodeSelector: {helm: "%d"}
config:
  scenarios:
    - {name: live, rate: 120/s, limits: {late_after: 20s}, requests: [{name: a, url: "http://%s:%d/"}]}
`, h.major, host, port))
	return l
}

// add adds values to those of the next upgrade.
func (l *life) add(t *testing.T, values string) {
	t.Helper()
	l.files++
	l.values = append(l.values, "--values="+l.write(t, fmt.Sprintf("%s-%d.yaml", l.namespace, l.files), values))
}

// upgrade adds values and upgrades the release with all of them.
func (l *life) upgrade(t *testing.T, values string, flags ...string) error {
	t.Helper()
	l.add(t, values)
	_, err := l.try(t, slices.Concat([]string{"upgrade", release, chartFolder(), "--namespace=" + l.namespace, "--wait", "--timeout=3m"}, l.values, flags)...)
	return err
}

// upgrades is upgrade for what may not fail.
func (l *life) upgrades(t *testing.T, values string, flags ...string) {
	t.Helper()
	if err := l.upgrade(t, values, flags...); err != nil {
		t.Fatal(err)
	}
}

// last returns the last slot so far. There is one as soon as the first is sent.
func (l *life) last(t *testing.T) ledger.Slot {
	t.Helper()
	var last ledger.Slot
	eventually(t, soon, func() error {
		var found bool
		if last, found = l.ledger.Last(); !found {
			return errors.New("no request has reached the target")
		}
		return nil
	})
	return last
}

// straggling is how many slots later a request arrives at the latest: 5 s.
const straggling = 600

// step runs a step and looks at the requests sent meanwhile.
func (l *life) step(t *testing.T, step string, of promise, do func(t *testing.T)) {
	t.Helper()
	begin, from, result := time.Now(), l.last(t), row{}
	passed := t.Run(step, func(t *testing.T) {
		do(t)
		result.took = time.Since(begin)
		to := l.last(t)
		eventually(t, soon, func() error {
			if last := l.last(t); !last.After(ledger.Slot{Segment: to.Segment, Sequence: to.Sequence + straggling}) {
				return fmt.Errorf("the last slot is %v, want one long after %v", last, to)
			}
			return nil
		})
		l.audit(t, from, to, of, &result)
	})
	result.failed = !passed
	l.report.add(step, l.helm, result)
	if !passed {
		t.FailNow() // What follows builds on it.
	}
}

// audit fails the test unless the requests keep a promise.
func (l *life) audit(t *testing.T, from, to ledger.Slot, of promise, result *row) {
	t.Helper()
	if from.Segment != to.Segment {
		// Replicas take another rate one after the other: the number of lost slots is unknown.
		if result.doubled = len(l.ledger.Twice()); result.doubled > 0 {
			t.Errorf("%d slots were sent more than once", result.doubled)
		}
		return
	}
	a := l.ledger.Audit(from, to)
	result.due, result.lost, result.doubled = a.Due, len(a.Lost), len(a.Doubled)
	if result.doubled > 0 || len(a.Strange) > 0 {
		t.Errorf("of %d slots %d were sent more than once, and requests are for the slots %q", a.Due, result.doubled, a.Strange)
	}
	if of == exact && result.lost > 0 {
		t.Errorf("of %d slots %d were not sent, such as %v", a.Due, result.lost, a.Lost[0])
	}
}

// live is the life of a release, from its installation to its removal.
func (l *life) live(t *testing.T) {
	t.Helper()
	before := l.objects(t, l.namespace)
	begin := time.Now()
	l.run(t, slices.Concat([]string{"install", release, chartFolder(), "--namespace=" + l.namespace, "--wait", "--timeout=3m"}, l.values)...)
	l.agree(t, l.namespace, 3)
	l.last(t)
	l.report.add("install", l.helm, row{took: time.Since(begin)})

	l.step(t, "helm test", exact, func(t *testing.T) {
		t.Helper()
		l.run(t, "test", release, "--namespace="+l.namespace)
	})
	l.step(t, "another rate", neverTwice, l.changesTheRate)
	l.step(t, "rollout of the pods", exact, func(t *testing.T) {
		t.Helper()
		l.upgrades(t, `podAnnotations: {rolled: "1"}`)
		l.agree(t, l.namespace, 3)
	})
	l.step(t, "3 to 4 replicas by values", exact, l.scalesByValues)
	l.step(t, "4 to 5 by kubectl, back by values", exact, l.scalesByHand)
	l.step(t, "autoscaling on: keeps 4", exact, l.hasItScaled)
	l.step(t, "the autoscaler: 4 to 5, upgrade", exact, l.isScaled)
	l.step(t, "autoscaling off: 3", exact, l.isScaledNoMore)
	l.step(t, "replicas: null, 3 to 4 by kubectl, upgrade", exact, l.leavesTheNumber)
	l.step(t, "drain", exact, l.isDrained)
	l.step(t, "drain beside a crash loop", neverTwice, l.isDrainedWhileItCrashes)
	l.step(t, "port of the gossip", exact, func(t *testing.T) {
		t.Helper()
		l.upgrades(t, "fleet: {port: 17946}")
		l.agree(t, l.namespace, 4)
	})
	l.step(t, "port of the web", exact, func(t *testing.T) {
		t.Helper()
		l.upgrades(t, "web: {port: 19870}")
		l.agree(t, l.namespace, 4)
	})
	l.step(t, "TLS of the gossip on", neverTwice, l.turnsTLSOn)
	l.step(t, "TLS of the gossip off", neverTwice, func(t *testing.T) {
		t.Helper()
		l.values = l.values[:len(l.values)-1]
		l.upgrades(t, "{}")
		l.agree(t, l.namespace, 4)
	})
	l.uninstall(t, before)
}

// uninstall removes the release. Every request sent until then is sent once.
func (l *life) uninstall(t *testing.T, before []string) {
	t.Helper()
	begin, from, result := time.Now(), l.last(t), row{}
	result.failed = !t.Run("uninstall", func(t *testing.T) {
		l.kubectl(t, "delete", "secret", "gossip", "--namespace="+l.namespace)
		l.run(t, "uninstall", release, "--namespace="+l.namespace, "--wait", "--timeout=3m")
		l.leavesNothing(t, before, l.namespace)
		result.took = time.Since(begin)
		l.audit(t, from, l.last(t), neverTwice, &result)
	})
	l.report.add("uninstall", l.helm, result)
}

// changesTheRate changes only the ConfigMap, and replicas take it as they run.
func (l *life) changesTheRate(t *testing.T) {
	t.Helper()
	specs, runs := l.specs(t, l.namespace), l.runs(t, l.namespace)
	l.upgrades(t, fmt.Sprintf(`
config:
  scenarios:
    - {name: live, rate: 130/s, limits: {late_after: 20s}, requests: [{name: a, url: "http://%s:%d/"}]}
`, host, 9870+l.major))
	if got, want := differing(specs, l.specs(t, l.namespace)), []string{"ConfigMap/" + name}; !slices.Equal(got, want) {
		t.Errorf("the upgrade changes %v, want %v", got, want)
	}
	eventually(t, soon, func() error {
		return l.show(l.replicas(t, l.namespace), `traffic_target_rate{scenario="live"}`, 130)
	})
	if got := l.runs(t, l.namespace); !slices.Equal(got, runs) {
		t.Errorf("the replicas %v run, before it was %v", got, runs)
	}
}

func (l *life) scalesByValues(t *testing.T) {
	t.Helper()
	runs := l.runs(t, l.namespace)
	l.upgrades(t, "replicas: 4")
	l.agree(t, l.namespace, 4)
	l.stillRun(t, runs)
}

// stillRun fails the test unless replicas have not been restarted.
func (l *life) stillRun(t *testing.T, runs []string) {
	t.Helper()
	now := l.runs(t, l.namespace)
	for _, r := range runs {
		if !slices.Contains(now, r) {
			t.Errorf("%s does not run any more, but %v", r, now)
		}
	}
}

// scalesByHand scales against what the values say. Helm 4 notices.
func (l *life) scalesByHand(t *testing.T) {
	t.Helper()
	l.kubectl(t, "scale", "deployment/"+name, "--namespace="+l.namespace, "--replicas=5")
	l.agree(t, l.namespace, 5)
	l.takesOver(t, "kubectl", "replicas: 4")
	l.agree(t, l.namespace, 4)
}

// takesOver upgrades to a number of replicas that others have changed. Helm 4 refuses at
// first.
func (l *life) takesOver(t *testing.T, from, values string) {
	t.Helper()
	err := l.upgrade(t, values)
	if l.major == 4 {
		// Programs may have their versions in their names.
		conflict := regexp.MustCompile(`conflict with "` + from + `[^"]*" with subresource "scale" using apps/v1: .spec.replicas`)
		if err == nil || !conflict.MatchString(err.Error()) {
			t.Fatalf("error %v, want %s", err, conflict)
		}
		err = l.upgrade(t, "{}", "--force-conflicts")
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (l *life) hasItScaled(t *testing.T) {
	t.Helper()
	asked := l.asked(t, l.namespace, func() {
		l.upgrades(t, "autoscaling: {enabled: true, minReplicas: 3, maxReplicas: 5}")
		l.hpa(t, func(conditions map[string]core.ConditionStatus) error {
			if len(conditions) == 0 {
				return errors.New("the autoscaler has not looked yet")
			}
			return nil
		})
	})
	if !slices.Equal(asked, []int32{4}) {
		t.Errorf("meanwhile the Deployment asks for %v replicas", asked)
	}
	l.agree(t, l.namespace, 4)
}

// hpa waits until the conditions of the release's autoscaler are as they should be.
func (l *life) hpa(t *testing.T, ok func(map[string]core.ConditionStatus) error) {
	t.Helper()
	eventually(t, soon, func() error {
		h, err := l.client.AutoscalingV2().HorizontalPodAutoscalers(l.namespace).Get(t.Context(), name, meta.GetOptions{})
		if err != nil {
			return err
		}
		conditions := map[string]core.ConditionStatus{}
		for _, c := range h.Status.Conditions {
			conditions[string(c.Type)] = c.Status
		}
		return ok(conditions)
	})
}

// isScaled has the autoscaler see replicas that are busy. An upgrade keeps the number that
// it chooses.
func (l *life) isScaled(t *testing.T) {
	t.Helper()
	l.usage.set(l.namespace, 500)
	l.agree(t, l.namespace, 5)
	l.usage.set(l.namespace, 100)
	asked := l.asked(t, l.namespace, func() { l.upgrades(t, `commonLabels: {upgraded: "1"}`) })
	if !slices.Equal(asked, []int32{5}) {
		t.Errorf("meanwhile the Deployment asks for %v replicas", asked)
	}
	l.agree(t, l.namespace, 5)
}

// isScaledNoMore has the values say the number again. The autoscaler has said another.
func (l *life) isScaledNoMore(t *testing.T) {
	t.Helper()
	l.takesOver(t, "kube-controller-manager", "{autoscaling: {enabled: false}, replicas: 3}")
	_, err := l.client.AutoscalingV2().HorizontalPodAutoscalers(l.namespace).Get(t.Context(), name, meta.GetOptions{})
	if !apierrors.IsNotFound(err) {
		t.Errorf("error %v, want none to be found", err)
	}
	l.agree(t, l.namespace, 3)
}

func (l *life) leavesTheNumber(t *testing.T) {
	t.Helper()
	asked := l.asked(t, l.namespace, func() { l.upgrades(t, "{replicas: null, fleet: {minReplicas: 2}}") })
	if !slices.Equal(asked, []int32{3}) {
		t.Errorf("meanwhile the Deployment asks for %v replicas", asked)
	}
	l.kubectl(t, "scale", "deployment/"+name, "--namespace="+l.namespace, "--replicas=4")
	l.agree(t, l.namespace, 4)
	asked = l.asked(t, l.namespace, func() { l.upgrades(t, `podAnnotations: {rolled: "2"}`) })
	if !slices.Equal(asked, []int32{4}) {
		t.Errorf("meanwhile the Deployment asks for %v replicas", asked)
	}
	l.agree(t, l.namespace, 4)
}

// drain drains a node and has it take pods again.
func (l *life) drain(t *testing.T, node string) {
	t.Helper()
	l.kubectl(t, "drain", node, "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=90s")
	for _, p := range l.replicas(t, l.namespace) {
		if p.Spec.NodeName == node {
			t.Errorf("%s is still on %s", p.Name, node)
		}
	}
}

func (l *life) isDrained(t *testing.T) {
	t.Helper()
	node := l.nodeOf(t, l.namespace)
	l.drain(t, node)
	l.agree(t, l.namespace, 4)
	l.kubectl(t, "uncordon", node)
}

// isDrainedWhileItCrashes drains the node of a replica that crashes again and again, and
// then that of another, which must not wait for it.
func (l *life) isDrainedWhileItCrashes(t *testing.T) {
	t.Helper()
	node := l.nodeOf(t, l.namespace)
	l.kubelet.Break(node, true)
	defer l.kubelet.Break(node, false)
	eventually(t, soon, func() error {
		for _, p := range l.replicas(t, l.namespace) {
			if p.Spec.NodeName == node && p.Status.ContainerStatuses[0].RestartCount >= 3 {
				return nil
			}
		}
		return errors.New("no replica has been restarted three times")
	})
	l.drain(t, node)
	l.agree(t, l.namespace, 4)
	l.kubectl(t, "uncordon", node)
}

func (l *life) turnsTLSOn(t *testing.T) {
	t.Helper()
	l.secret(t, l.namespace, "gossip", newAuthority(t).files(t))
	const folder = "/etc/traffic_exporter/secrets/gossip/"
	l.upgrades(t, fmt.Sprintf(`
secrets: [{name: gossip}]
fleet: {config: {tls_config: {ca_file: %[1]sca.crt, cert_file: %[1]stls.crt, key_file: %[1]stls.key, server_name: traffic-exporter}}}
`, folder))
	l.agree(t, l.namespace, 4)
}
