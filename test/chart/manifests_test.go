package chart

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	apps "k8s.io/api/apps/v1"
	autoscaling "k8s.io/api/autoscaling/v2"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"
)

func TestHelmLintsEveryValueSet(t *testing.T) {
	t.Parallel()
	for _, file := range valueSets(t) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			if _, err := helm(t, "lint", "--strict", chartFolder(), "--values", file); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestEveryObjectHasANameOfItsOwnAndLabels(t *testing.T) {
	t.Parallel()
	for set, m := range renderedSets(t) {
		t.Run(set, func(t *testing.T) {
			seen := map[string]bool{}
			for _, o := range m.objects {
				if strings.HasSuffix(o.GetName(), "-extra") {
					continue // The user's own.
				}
				id := fmt.Sprintf("%T %s/%s", o, o.GetNamespace(), o.GetName())
				if seen[id] {
					t.Errorf("%s is there twice", id)
				}
				seen[id] = true
				if o.GetNamespace() == "" {
					t.Errorf("%s: found no namespace", id)
				}
				if problems := validation.IsDNS1035Label(o.GetName()); len(problems) > 0 {
					t.Errorf("%s: the name is none: %q", id, problems)
				}
				for _, label := range []string{"app.kubernetes.io/name", "app.kubernetes.io/instance", component, "app.kubernetes.io/version", "app.kubernetes.io/managed-by", "helm.sh/chart"} {
					if value := o.GetLabels()[label]; value == "" || len(validation.IsValidLabelValue(value)) > 0 {
						t.Errorf("%s: label %s is %q", id, label, value)
					}
				}
			}
		})
	}
}

// Pod Security Standard "restricted", and what goes beyond it.
func TestEveryPodIsRestricted(t *testing.T) {
	t.Parallel()
	for set, m := range renderedSets(t) {
		t.Run(set, func(t *testing.T) {
			for id, pod := range m.pods() {
				for _, problem := range unrestricted(pod.Spec) {
					t.Errorf("%s: %s", id, problem)
				}
			}
		})
	}
}

func TestWhatIsNotRestrictedIsFound(t *testing.T) {
	t.Parallel()
	m := render(t, set(t, "podSecurityContext: {runAsNonRoot: false, seccompProfile: {type: Unconfined}}\nsecurityContext: {capabilities: {drop: [NET_RAW]}, allowPrivilegeEscalation: true, readOnlyRootFilesystem: false}"))
	want := []string{
		"the pod may run as root", "the pod has no seccomp profile", "traffic-exporter may gain privileges",
		"traffic-exporter keeps capabilities", "traffic-exporter may write to its file system",
	}
	if got := unrestricted(m.deployment(t).Spec.Template.Spec); !slices.Equal(got, want) {
		t.Errorf("found %q, want %q", got, want)
	}
}

func unrestricted(pod core.PodSpec) []string {
	var problems []string
	problem := func(is bool, text string) {
		if is {
			problems = append(problems, text)
		}
	}
	s := pod.SecurityContext
	problem(s == nil || s.RunAsNonRoot == nil || !*s.RunAsNonRoot, "the pod may run as root")
	problem(s == nil || s.SeccompProfile == nil || s.SeccompProfile.Type != core.SeccompProfileTypeRuntimeDefault, "the pod has no seccomp profile")
	problem(pod.AutomountServiceAccountToken == nil || *pod.AutomountServiceAccountToken, "the pod gets a token")
	problem(pod.HostNetwork || pod.HostPID || pod.HostIPC, "the pod is in its host's namespaces")
	for _, v := range pod.Volumes {
		problem(v.HostPath != nil, "volume "+v.Name+" is of the host")
	}
	for _, c := range slices.Concat(pod.InitContainers, pod.Containers) {
		s := c.SecurityContext
		if s == nil {
			s = &core.SecurityContext{}
		}
		problem(s.AllowPrivilegeEscalation == nil || *s.AllowPrivilegeEscalation, c.Name+" may gain privileges")
		problem(s.Capabilities == nil || !slices.Equal(s.Capabilities.Drop, []core.Capability{"ALL"}) || len(s.Capabilities.Add) > 0, c.Name+" keeps capabilities")
		// The containers that users add may have to write.
		own := !strings.Contains(c.Image, "/sidecar:") && !strings.Contains(c.Image, "/hello:")
		problem(own && (s.ReadOnlyRootFilesystem == nil || !*s.ReadOnlyRootFilesystem), c.Name+" may write to its file system")
	}
	return problems
}

// A rollout is a chain of planned joins and leaves.
func TestARolloutSurgesAndWaits(t *testing.T) {
	t.Parallel()
	for set, m := range renderedSets(t) {
		t.Run(set, func(t *testing.T) {
			d := m.deployment(t)
			r := d.Spec.Strategy.RollingUpdate
			if d.Spec.Strategy.Type != apps.RollingUpdateDeploymentStrategyType || *r.MaxSurge != intstr.FromInt32(1) || *r.MaxUnavailable != intstr.FromInt32(0) {
				t.Errorf("the strategy is %v, want one more at a time and none fewer", d.Spec.Strategy)
			}
			c := container(t, d.Spec.Template.Spec, "traffic-exporter")
			if g := c.ReadinessProbe.HTTPGet; g == nil {
				if d.Spec.MinReadySeconds < 5 {
					t.Errorf("a replica that only has a port open is ready after %d s", d.Spec.MinReadySeconds)
				}
			}
			for _, v := range c.VolumeMounts {
				if v.SubPath != "" || v.SubPathExpr != "" {
					t.Errorf("%s is mounted by sub-path: changes would not reach it", v.Name)
				}
			}
		})
	}
}

func TestProbesAndScrapesFollowThePrefix(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ web, prefix string }{
		"none":                   {"{}", ""},
		"a host":                 {"{externalUrl: https://traffic.example.com}", ""},
		"a path":                 {"{externalUrl: https://example.com/traffic/}", "/traffic"},
		"a port and a long path": {"{externalUrl: 'http://[2001:db8::1]:8080/a/b.c'}", "/a/b.c"},
		"a prefix":               {"{routePrefix: /x/}", "/x"},
		"both":                   {"{externalUrl: https://example.com/traffic, routePrefix: /x}", "/x"},
		"an ingress that strips": {"{externalUrl: https://example.com/traffic, routePrefix: /}", ""},
	} {
		t.Run(name, func(t *testing.T) {
			for _, kind := range []string{"ServiceMonitor", "PodMonitor"} {
				m := render(t, set(t, "monitor: {enabled: true, kind: "+kind+"}\nweb: "+tc.web))
				c := container(t, m.deployment(t).Spec.Template.Spec, "traffic-exporter")
				for probe, want := range map[*core.Probe]string{c.StartupProbe: "/-/healthy", c.LivenessProbe: "/-/healthy", c.ReadinessProbe: "/-/ready"} {
					if got := probe.HTTPGet.Path; got != tc.prefix+want {
						t.Errorf("a probe asks for %q, want %q", got, tc.prefix+want)
					}
				}
				want := ""
				if tc.prefix != "" {
					want = tc.prefix + "/metrics"
				}
				for _, s := range all[*monitoring.ServiceMonitor](m) {
					if got := s.Spec.Endpoints[0].Path; got != want {
						t.Errorf("it scrapes %q, want %q", got, want)
					}
				}
				for _, p := range all[*monitoring.PodMonitor](m) {
					if got := p.Spec.PodMetricsEndpoints[0].Path; got != want {
						t.Errorf("it scrapes %q, want %q", got, want)
					}
				}
				if want := ":9870" + tc.prefix + "/-/ready"; !strings.Contains(m.text, want) {
					t.Errorf("`helm test` does not ask for %s", want)
				}
			}
		})
	}
}

func TestAllowedHostsAreThoseOfTheServiceAndOthers(t *testing.T) {
	t.Parallel()
	args := container(t, render(t, set(t, "web: {enableControl: true, externalUrl: 'https://a.example/t', routePrefix: /, allowedHosts: [b.example, '10.0.0.7:80']}")).deployment(t).Spec.Template.Spec, "traffic-exporter").Args
	for _, want := range []string{
		"--web.external-url=https://a.example/t", "--web.route-prefix=/",
		"--web.allowed-hosts=" + name + "," + name + "." + namespace + "," + name + "." + namespace + ".svc," + name + "." + namespace + ".svc.cluster.local,b.example,10.0.0.7:80",
	} {
		if !slices.Contains(args, want) {
			t.Errorf("no %s in %q", want, args)
		}
	}
}

func TestTheGracePeriodIsLongerThanHandingOver(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		values string
		want   int64
	}{
		"by default":               {"", 30},
		"with a short timeout":     {"config: {scenarios: [{name: a, rate: 1/s, timeout: 500ms, requests: [{name: a, url: 'http://a/'}]}]}", 30},
		"with timeouts":            {"demo: {enabled: false}\nconfig: {scenarios: [{name: a, rate: 1/s, timeout: 1m30s, requests: [{name: a, url: 'http://a/'}]}, {name: b, rate: 1/s, timeout: 1h1ms, requests: [{name: a, url: 'http://a/'}]}]}", 3600 + 1 + 20},
		"with a file of the users": {"existingConfig: {name: mine}", 60},
		"with pushes over OTLP":    {"config: {otlp: {metrics: {url: 'http://a/v1/metrics'}}, scenarios: [{name: a, rate: 1/s, requests: [{name: a, url: 'http://a/'}]}]}", 35},
		"as asked for":             {"terminationGracePeriodSeconds: 45", 45},
		"a journey":                {"config: {scenarios: [{name: a, rate: 1/s, requests: [{name: j, steps: [{name: x, url: \"http://a/\"}]}]}]}", 45},
		"its own grace":            {"config: {scenarios: [{name: a, rate: 1/s, shutdown_grace: 1m, requests: [{name: j, steps: [{name: x, url: \"http://a/\"}]}]}]}", 90},
		"a step's timeout":         {"config: {scenarios: [{name: a, rate: 1/s, requests: [{name: j, steps: [{repeat: 2, steps: [{name: x, url: \"http://a/\", timeout: 1m}]}]}]}]}", 95},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := *render(t, set(t, tc.values)).deployment(t).Spec.Template.Spec.TerminationGracePeriodSeconds; got != tc.want {
				t.Errorf("it is %d s, want %d", got, tc.want)
			}
		})
	}
}

func TestSelectorsFindWhatTheyShouldAndNothingElse(t *testing.T) {
	t.Parallel()
	for set, m := range renderedSets(t) {
		t.Run(set, func(t *testing.T) {
			pods := m.pods()
			exporter := "Deployment " + m.deployment(t).Name
			check := func(what string, selector *meta.LabelSelector, want ...string) {
				t.Helper()
				s, err := meta.LabelSelectorAsSelector(selector)
				if err != nil || s.Empty() {
					t.Errorf("%s: selector %v, %v", what, selector, err)
				}
				var got []string
				for id, pod := range pods {
					if s.Matches(labels.Set(pod.Labels)) {
						got = append(got, id)
					}
				}
				if !slices.Equal(got, want) {
					t.Errorf("%s selects %q, want %q", what, got, want)
				}
			}
			for _, d := range all[*apps.Deployment](m) {
				check("Deployment "+d.Name, d.Spec.Selector, "Deployment "+d.Name)
			}
			for _, s := range all[*core.Service](m) {
				want := exporter
				if s.Labels[component] == "demo-target" {
					want = "Deployment " + s.Name
				}
				check("Service "+s.Name, &meta.LabelSelector{MatchLabels: s.Spec.Selector}, want)
			}
			for _, p := range all[*policy.PodDisruptionBudget](m) {
				check("PodDisruptionBudget", p.Spec.Selector, exporter)
			}
			for _, p := range all[*networking.NetworkPolicy](m) {
				check("NetworkPolicy", &p.Spec.PodSelector, exporter)
			}
			for _, p := range all[*monitoring.PodMonitor](m) {
				check("PodMonitor", &p.Spec.Selector, exporter)
			}
			for _, c := range m.deployment(t).Spec.Template.Spec.TopologySpreadConstraints {
				check("topology spread by "+c.TopologyKey, c.LabelSelector, exporter)
			}
			for _, a := range all[*autoscaling.HorizontalPodAutoscaler](m) {
				d := m.deployment(t)
				if a.Spec.ScaleTargetRef.Name != d.Name || a.Spec.ScaleTargetRef.Kind != "Deployment" || d.Spec.Replicas != nil {
					t.Errorf("%v scales %s with %v replicas", a.Spec.ScaleTargetRef, d.Name, d.Spec.Replicas)
				}
			}
		})
	}
}

// A ServiceMonitor selects Services: the one for metrics, once.
func TestReplicasAreScrapedOnce(t *testing.T) {
	t.Parallel()
	for set, m := range renderedSets(t) {
		t.Run(set, func(t *testing.T) {
			scheme := monitoring.Scheme(strings.ToLower(string(probeScheme(container(t, m.deployment(t).Spec.Template.Spec, "traffic-exporter")))))
			for _, s := range all[*monitoring.ServiceMonitor](m) {
				selector, err := meta.LabelSelectorAsSelector(&s.Spec.Selector)
				if err != nil {
					t.Fatal(err)
				}
				var found []*core.Service
				for _, service := range all[*core.Service](m) {
					if selector.Matches(labels.Set(service.Labels)) && slices.Contains(s.Spec.NamespaceSelector.MatchNames, service.Namespace) {
						found = append(found, service)
					}
				}
				if len(found) != 1 || len(s.Spec.Endpoints) != 1 || !hasPort(found[0], s.Spec.Endpoints[0].Port) {
					t.Errorf("it scrapes %d services by %v", len(found), s.Spec.Endpoints)
				}
				if e := s.Spec.Endpoints[0]; e.Scheme == nil || *e.Scheme != scheme {
					t.Errorf("it asks by %v, want %s", e.Scheme, scheme)
				}
			}
			for _, p := range all[*monitoring.PodMonitor](m) {
				if len(p.Spec.PodMetricsEndpoints) != 1 || *p.Spec.PodMetricsEndpoints[0].Port != "http" {
					t.Errorf("it scrapes %v", p.Spec.PodMetricsEndpoints)
				}
				if !strings.Contains(m.text, "targetLabel: job, replacement: "+m.deployment(t).Name) {
					t.Error("the job is another than a ServiceMonitor gives")
				}
			}
		})
	}
}

func probeScheme(c core.Container) core.URIScheme {
	if c.ReadinessProbe.HTTPGet == nil {
		return core.URISchemeHTTP
	}
	return c.ReadinessProbe.HTTPGet.Scheme
}

func hasPort(s *core.Service, name string) bool {
	return slices.ContainsFunc(s.Spec.Ports, func(p core.ServicePort) bool { return p.Name == name })
}

func TestPortsAreThoseThatTheProcessListensOn(t *testing.T) {
	t.Parallel()
	for set, m := range renderedSets(t) {
		t.Run(set, func(t *testing.T) {
			d := m.deployment(t)
			c := container(t, d.Spec.Template.Spec, "traffic-exporter")
			ports := map[string]int32{}
			for _, p := range c.Ports {
				ports[p.Name] = p.ContainerPort
			}
			if !slices.Contains(c.Args, fmt.Sprintf("--web.listen-address=:%d", ports["http"])) {
				t.Errorf("port http is %d, the arguments are %q", ports["http"], c.Args)
			}
			if file, ok := configOf(m); ok {
				listen := file.Fleet.Listen
				if port, gossips := ports["gossip"]; gossips != (listen != "") || gossips && !strings.HasSuffix(listen, fmt.Sprintf(":%d", port)) {
					t.Errorf("port gossip is %d, the file listens on %q", port, listen)
				}
			}
			for _, s := range all[*core.Service](m) {
				for _, p := range s.Spec.Ports {
					if p.TargetPort.StrVal == "" || s.Labels[component] != "demo-target" && p.Port != ports[p.TargetPort.StrVal] {
						t.Errorf("Service %s: port %d goes to %v, which is %d", s.Name, p.Port, p.TargetPort, ports[p.TargetPort.StrVal])
					}
				}
			}
			for _, p := range all[*networking.NetworkPolicy](m) {
				open := map[int32]bool{}
				for _, rule := range p.Spec.Ingress {
					for _, port := range rule.Ports {
						number := port.Port.IntVal
						if port.Port.StrVal != "" {
							number = ports[port.Port.StrVal]
						}
						open[number] = true
						if number == ports["gossip"] && (len(rule.From) != 1 || rule.From[0].PodSelector.MatchLabels[component] != "exporter" || rule.From[0].NamespaceSelector != nil) {
							t.Errorf("the gossip's port is open for %v", rule.From)
						}
					}
				}
				for name, port := range ports {
					if !open[port] {
						t.Errorf("the network policy closes port %s", name)
					}
				}
			}
		})
	}
}

func TestTheFleetFindsItselfBeforeItIsReady(t *testing.T) {
	t.Parallel()
	s := get[*core.Service](t, render(t), name+"-fleet")
	if s.Spec.ClusterIP != core.ClusterIPNone || !s.Spec.PublishNotReadyAddresses {
		t.Errorf("the service is %+v", s.Spec)
	}
	if found := all[*core.Service](render(t, "--values", filepath.Join(chartFolder(), "ci/etcd-values.yaml"))); len(found) != 2 {
		t.Errorf("a fleet that meets in etcd has %d services, want those for metrics and for the target", len(found))
	}
}

func TestMemoryIsLimitedBeforeTheKernelDoes(t *testing.T) {
	t.Parallel()
	for limit, want := range map[string]string{"256Mi": "241591910", "1Gi": "966367641", "1.5G": "1350000000", "500000k": "450000000", `"1e9"`: "", "1000000000": "900000000", "1e9": "900000000"} {
		m, err := template(t, chartFolder(), set(t, "resources: {limits: {memory: "+limit+"}}"))
		if want == "" {
			if err == nil || !strings.Contains(err.Error(), `resources.limits.memory: found "1e`) {
				t.Errorf("limit %s: %v", limit, err)
			}
			continue
		}
		if err != nil || !strings.Contains(m, `{name: GOMEMLIMIT, value: "`+want+`"}`) {
			t.Errorf("limit %s: %v, want a GOMEMLIMIT of %s", limit, err, want)
		}
	}
}

// What does not need a restart does not cause one.
func TestOnlyWhatNeedsARestartRollsTheReplicas(t *testing.T) {
	t.Parallel()
	template := func(values string) string {
		pods := render(t, set(t, values)).deployment(t).Spec.Template
		return pods.String()
	}
	before := template("")
	for name, tc := range map[string]struct {
		values string
		rolls  bool
	}{
		"a rate":                {"demo: {rate: 100/s}", false},
		"a scenario":            {"config: {scenarios: [{name: a, rate: 1/s, requests: [{name: a, url: 'http://a/'}]}]}", false},
		"a file":                {"files: {a.csv: x}", false},
		"rules":                 {"rules: {enabled: true}", false},
		"a scrape":              {"monitor: {enabled: true}", false},
		"the fleet":             {"fleet: {config: {forget_after: 90s}}", true},
		"a majority":            {"replicas: 5", false},
		"a floor":               {"fleet: {minReplicas: 3}", false},
		"a port":                {"fleet: {port: 7947}", true},
		"a longer timeout":      {"config: {scenarios: [{name: a, rate: 1/s, timeout: 1m, requests: [{name: a, url: 'http://a/'}]}]}", true},
		"the image":             {"image: {tag: v0.2.0}", true},
		"requests that control": {"web: {enableControl: true}", true},
	} {
		if got := template(tc.values) != before; got != tc.rolls {
			t.Errorf("%s: replicas are rolled: %v, want %v", name, got, tc.rolls)
		}
	}
	// Nor does a chart whose number is the only thing that is new.
	folder := copyChart(t)
	chart := filepath.Join(folder, "Chart.yaml")
	write(t, chart, strings.Replace(read(t, chart), "\nversion: ", "\nversion: 1", 1))
	m := renderFrom(t, folder)
	if pods := m.deployment(t).Spec.Template; pods.String() != before || !strings.Contains(m.text, "traffic-exporter-10.1.0") {
		t.Error("another version of the chart rolls replicas of the same image")
	}
}
