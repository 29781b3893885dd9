package chart

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// apiServer is as much of one as Helm needs to look an object up.
type apiServer struct{ installed *apps.Deployment }

// kinds are those that the chart renders, by their group and version.
func kinds() map[string][]string {
	return map[string][]string{
		"v1":                       {"ConfigMap", "Service", "ServiceAccount"},
		"apps/v1":                  {"Deployment"},
		"autoscaling/v2":           {"HorizontalPodAutoscaler"},
		"batch/v1":                 {"Job"},
		"networking.k8s.io/v1":     {"NetworkPolicy"},
		"policy/v1":                {"PodDisruptionBudget"},
		"monitoring.coreos.com/v1": {"ServiceMonitor", "PodMonitor", "PrometheusRule"},
	}
}

// groups are all that have a name.
func groups() meta.APIGroupList {
	list := meta.APIGroupList{TypeMeta: meta.TypeMeta{Kind: "APIGroupList", APIVersion: "v1"}}
	for groupVersion := range kinds() {
		if group, version, found := strings.Cut(groupVersion, "/"); found {
			v := meta.GroupVersionForDiscovery{GroupVersion: groupVersion, Version: version}
			list.Groups = append(list.Groups, meta.APIGroup{Name: group, Versions: []meta.GroupVersionForDiscovery{v}, PreferredVersion: v})
		}
	}
	return list
}

// resources are those of a group and version, or nil.
func resources(groupVersion string) any {
	list := meta.APIResourceList{TypeMeta: meta.TypeMeta{Kind: "APIResourceList", APIVersion: "v1"}, GroupVersion: groupVersion}
	for _, kind := range kinds()[groupVersion] {
		singular := strings.ToLower(kind)
		plural := strings.Replace(singular+"s", "ys", "ies", 1)
		list.APIResources = append(list.APIResources, meta.APIResource{Name: plural, SingularName: singular, Namespaced: true, Kind: kind, Verbs: []string{"get"}})
	}
	if len(list.APIResources) == 0 {
		return nil
	}
	return list
}

func (s apiServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var answer any
	switch r.URL.Path {
	case "/version":
		answer = map[string]string{"major": "1", "minor": "34", "gitVersion": "v1.34.0"}
	case "/api":
		answer = meta.APIVersions{TypeMeta: meta.TypeMeta{Kind: "APIVersions"}, Versions: []string{"v1"}}
	case "/apis":
		answer = groups()
	case "/apis/apps/v1/namespaces/" + namespace + "/deployments/" + name:
		if s.installed != nil {
			answer = s.installed
		}
	default:
		answer = resources(strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, "/apis/"), "/api/"))
	}
	w.Header().Set("Content-Type", "application/json")
	if answer == nil {
		w.WriteHeader(http.StatusNotFound)
		answer = meta.Status{TypeMeta: meta.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: "Failure", Reason: meta.StatusReasonNotFound, Code: http.StatusNotFound}
	}
	_ = json.NewEncoder(w).Encode(answer)
}

// upgrade renders the chart as an upgrade of the installed Deployment.
func upgrade(t *testing.T, installed *apps.Deployment, values string) *manifests {
	t.Helper()
	server := httptest.NewServer(apiServer{installed})
	defer server.Close()
	return render(t, "--kube-apiserver", server.URL, "--dry-run=server", "--is-upgrade", "--disable-openapi-validation", set(t, values))
}

// installed returns the Deployment that values have made, with so many replicas.
func installed(t *testing.T, values string, replicas int32) *apps.Deployment {
	t.Helper()
	d := render(t, set(t, values)).deployment(t)
	d.Spec.Replicas = &replicas
	d.Status = apps.DeploymentStatus{Replicas: replicas, UpdatedReplicas: replicas}
	return d
}

// A number that is others' to say stays what it is: to leave it out would make it 1.
func TestAnUpgradeKeepsTheNumberOfReplicasThatIsOthersToSay(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		installed *apps.Deployment
		values    string
		want      int32 // 0 for none.
	}{
		"autoscaling is switched on":       {installed(t, "replicas: 6", 6), "autoscaling: {enabled: true}", 6},
		"the autoscaler has scaled":        {installed(t, "autoscaling: {enabled: true}", 9), "autoscaling: {enabled: true}", 9},
		"others scale":                     {installed(t, "", 5), "{replicas: null, fleet: {minReplicas: 2}}", 5},
		"the values say":                   {installed(t, "", 5), "replicas: 4", 4},
		"autoscaling is switched off":      {installed(t, "autoscaling: {enabled: true}", 9), "replicas: 4", 4},
		"it was not installed":             {nil, "autoscaling: {enabled: true}", 0},
		"it was not installed, others say": {nil, "{replicas: null, fleet: {minReplicas: 2}}", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := upgrade(t, tc.installed, tc.values).deployment(t).Spec.Replicas
			if (got == nil) != (tc.want == 0) || got != nil && *got != tc.want {
				t.Errorf("it asks for %v replicas, want %d", got, tc.want)
			}
		})
	}
	if _, err := template(t, chartFolder(), set(t, "replicas: null")); err == nil || !strings.Contains(err.Error(), "fleet.minReplicas: set it") {
		t.Errorf("error %v, want one that names fleet.minReplicas", err)
	}
}

const (
	mutualTLS = "fleet: {config: {tls_config: {ca_file: /a, cert_file: /b, key_file: /c}}}"
	inEtcd    = "fleet: {config: {store: etcd, etcd: {endpoints: ['etcd:2379'], username: u, password: secret}}}"
)

// Replicas that could not hear each other would all send the whole rate.
func TestAnUpgradeAfterWhichReplicasDoNotHearEachOtherStopsTheOldOnesFirst(t *testing.T) {
	t.Parallel()
	before := installed(t, "", 3)
	going := installed(t, mutualTLS, 3)
	going.Spec.Strategy = apps.DeploymentStrategy{Type: apps.RecreateDeploymentStrategyType}
	gone := going.DeepCopy()
	going.Status.UpdatedReplicas = 1
	older := before.DeepCopy()
	older.Annotations = nil
	for name, tc := range map[string]struct {
		installed *apps.Deployment
		values    string
		want      apps.DeploymentStrategyType
	}{
		"TLS of the gossip":           {before, mutualTLS, apps.RecreateDeploymentStrategyType},
		"no TLS any more":             {installed(t, mutualTLS, 3), "", apps.RecreateDeploymentStrategyType},
		"other certificates":          {installed(t, mutualTLS, 3), strings.Replace(mutualTLS, "/a", "/d", 1), apps.RecreateDeploymentStrategyType},
		"another store":               {before, inEtcd, apps.RecreateDeploymentStrategyType},
		"another label":               {before, "fleet: {config: {cluster: other}}", apps.RecreateDeploymentStrategyType},
		"a fleet":                     {installed(t, "{replicas: 1, fleet: {enabled: false}}", 1), "", apps.RecreateDeploymentStrategyType},
		"a file of the user's":        {before, "existingConfig: {name: mine}", apps.RecreateDeploymentStrategyType},
		"others to join":              {before, "fleet: {config: {join: ['dns+elsewhere:7946']}}", apps.RecreateDeploymentStrategyType},
		"another port, others joined": {installed(t, "fleet: {config: {join: ['dns+elsewhere:7946']}}", 3), "fleet: {port: 7947, config: {join: ['dns+elsewhere:7946']}}", apps.RecreateDeploymentStrategyType},
		"it is still going on":        {going, mutualTLS, apps.RecreateDeploymentStrategyType},
		"it was asked for":            {before, "strategy: Recreate", apps.RecreateDeploymentStrategyType},
		"nobody knows":                {older, "", apps.RecreateDeploymentStrategyType},
		"a server of another address": {installed(t, strings.Replace(inEtcd, "'etcd:", "'other:", 1), 3), inEtcd, apps.RecreateDeploymentStrategyType},

		"nothing":                  {before, "", apps.RollingUpdateDeploymentStrategyType},
		"another port":             {before, "fleet: {port: 7947}", apps.RollingUpdateDeploymentStrategyType},
		"an image":                 {before, "image: {tag: v9}", apps.RollingUpdateDeploymentStrategyType},
		"a number":                 {before, "replicas: 7", apps.RollingUpdateDeploymentStrategyType},
		"patience":                 {before, "fleet: {config: {forget_after: 90s}}", apps.RollingUpdateDeploymentStrategyType},
		"it is over":               {gone, mutualTLS, apps.RollingUpdateDeploymentStrategyType},
		"a password":               {installed(t, strings.Replace(inEtcd, "secret", "other", 1), 3), inEtcd, apps.RollingUpdateDeploymentStrategyType},
		"it was not installed":     {nil, mutualTLS, apps.RollingUpdateDeploymentStrategyType},
		"it is not to be stopped":  {before, "strategy: RollingUpdate\n" + mutualTLS, apps.RollingUpdateDeploymentStrategyType},
		"a scenario, with the TLS": {installed(t, mutualTLS, 3), mutualTLS + "\ndemo: {rate: 7/s}", apps.RollingUpdateDeploymentStrategyType},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := upgrade(t, tc.installed, tc.values).deployment(t).Spec.Strategy
			if got.Type != tc.want || (got.RollingUpdate != nil) != (tc.want == apps.RollingUpdateDeploymentStrategyType) {
				t.Errorf("the strategy is %v, want %s", got, tc.want)
			}
		})
	}
}

// Where the chart cannot see the installed objects, new replicas are not scheduled beside those
// that they could not hear.
func TestReplicasThatCouldNotHearEachOtherAreNotScheduledTogether(t *testing.T) {
	t.Parallel()
	own := func(values string) (core.PodTemplateSpec, []core.PodAffinityTerm) {
		t.Helper()
		pods := render(t, set(t, values)).deployment(t).Spec.Template
		if a := pods.Spec.Affinity; a != nil && a.PodAntiAffinity != nil {
			return pods, a.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution
		}
		return pods, nil
	}
	_, terms := own("")
	if len(terms) != 1 || terms[0].TopologyKey != "kubernetes.io/os" {
		t.Fatalf("the terms are %v", terms)
	}
	selector, err := meta.LabelSelectorAsSelector(terms[0].LabelSelector)
	if err != nil {
		t.Fatal(err)
	}
	for values, apart := range map[string]bool{
		"": false, "fleet: {port: 7947}": false, "replicas: 9": false, "podLabels: {a: b}": false,
		mutualTLS: true, inEtcd: true, "fleet: {config: {cluster: other}}": true, "{replicas: 1, fleet: {enabled: false}}": true,
	} {
		pods, _ := own(values)
		if selector.Matches(labels.Set(pods.Labels)) != apart {
			t.Errorf("replicas of %q with the labels %v: kept apart %v, want %v", values, pods.Labels, !apart, apart)
		}
	}
	pods, _ := own("")
	delete(pods.Labels, "checksum/meets")
	if !selector.Matches(labels.Set(pods.Labels)) {
		t.Error("replicas of an earlier chart are not kept apart")
	}
	pods.Labels["app.kubernetes.io/instance"] = "another"
	if selector.Matches(labels.Set(pods.Labels)) {
		t.Error("another release's replicas are kept apart")
	}
	const theirs = "affinity: {podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: a, labelSelector: {matchLabels: {b: c}}}]}}"
	if pods, terms = own(theirs); len(terms) != 2 || terms[0].TopologyKey != "a" {
		t.Errorf("of the user's the terms %v are left", terms)
	}
	if pods, _ = own("strategy: RollingUpdate"); pods.Spec.Affinity != nil {
		t.Errorf("the affinity is %v", pods.Spec.Affinity)
	}
}

// While the port changes each replica is reached at its own: SRV records and policies go by
// the port's name.
func TestReplicasOfTwoPortsReachEachOther(t *testing.T) {
	t.Parallel()
	m := render(t, set(t, "fleet: {port: 7947}\nnetworkPolicy: {egress: {enabled: true}}"))
	file, _ := configOf(m)
	if want := "dnssrv+_gossip._tcp." + name + "-fleet." + namespace + ".svc"; len(file.Fleet.Join) == 0 || file.Fleet.Join[0] != want {
		t.Errorf("replicas join %q, want %s first", file.Fleet.Join, want)
	}
	port := get[*core.Service](t, m, name+"-fleet").Spec.Ports[0]
	if port.Name != "gossip" || port.Protocol != core.ProtocolTCP || port.TargetPort.StrVal != "gossip" {
		t.Errorf("the Service's port is %v, which gives no SRV record of the pods' own port", port)
	}
	policy := get[*networking.NetworkPolicy](t, m, name)
	var ports []networking.NetworkPolicyPort
	for _, r := range policy.Spec.Ingress {
		ports = append(ports, r.Ports...)
	}
	for _, r := range policy.Spec.Egress {
		ports = append(ports, r.Ports...)
	}
	gossip := 0
	for _, p := range ports {
		if p.Port.IntVal == 7946 || p.Port.IntVal == 7947 {
			t.Errorf("a rule is for port %d alone", p.Port.IntVal)
		}
		if p.Port.StrVal == "gossip" {
			gossip++
		}
	}
	if gossip != 2 {
		t.Errorf("%d rules are for the gossip, want one for each direction", gossip)
	}
}

// Releases of the same name put what they have in common into one namespace.
func TestNamesInASharedNamespaceDiffer(t *testing.T) {
	t.Parallel()
	const values = "{monitor: {enabled: true, namespace: monitoring}, rules: {enabled: true, namespace: monitoring}, dashboards: {enabled: true, namespace: monitoring}}"
	seen := map[string]bool{}
	for _, of := range []string{"staging", "production", "a-namespace-with-a-name-as-long-as-they-come-and-longer", "a-namespace-with-a-name-as-long-as-they-come-and-other"} {
		m := render(t, set(t, values), "--namespace", of)
		for _, o := range m.objects {
			if o.GetNamespace() != "monitoring" {
				continue
			}
			id := o.GetObjectKind().GroupVersionKind().Kind + "/" + o.GetName()
			if seen[id] {
				t.Errorf("%s is that of two releases", id)
			}
			seen[id] = true
		}
	}
	if len(seen) < 4*5 {
		t.Errorf("only %d objects were found", len(seen))
	}
}

// A fleet that has to be there is missed even if it has never been seen.
func TestExpectedFleetsAreMissed(t *testing.T) {
	t.Parallel()
	own := `absent(traffic_exporter_build_info{job="` + name + `",namespace="` + namespace + `"})`
	for name, tc := range map[string]struct {
		values string
		want   []string
	}{
		"the release's own": {"{rules: {enabled: true}, monitor: {enabled: true}}", []string{own}},
		"others": {
			`{rules: {enabled: true, expected: [{job: a}, {namespace: space, job: 'b"'}]}}`,
			[]string{`absent(traffic_exporter_build_info{job="a"})`, `absent(traffic_exporter_build_info{job="b\"",namespace="space"})`},
		},
		"once":                       {"{rules: {enabled: true, expected: [{job: " + name + ", namespace: " + namespace + "}]}, monitor: {enabled: true}}", []string{own}},
		"not if it is relabelled":    {"{rules: {enabled: true}, monitor: {enabled: true, relabelings: [{action: replace, targetLabel: job, replacement: x}]}}", nil},
		"not if it has no replicas":  {"{replicas: 0, rules: {enabled: true}, monitor: {enabled: true}}", nil},
		"not if the alert is not":    {"{rules: {enabled: true, disabled: [TrafficFleetAbsent]}, monitor: {enabled: true}}", nil},
		"with an autoscaler as well": {"{rules: {enabled: true}, monitor: {enabled: true}, autoscaling: {enabled: true}}", []string{own}},
		"not if others scrape it":    {"{rules: {enabled: true}}", nil},
		"whatever kind the scrape's": {"{rules: {enabled: true}, monitor: {enabled: true, kind: PodMonitor}}", []string{own}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, g := range rendered(t, render(t, set(t, tc.values))) {
				if g.Name != "traffic-exporter-expected" {
					continue
				}
				for _, r := range g.Rules {
					got = append(got, r.Expr.StrVal)
					if r.Alert != "TrafficFleetAbsent" || r.Labels["severity"] != "critical" || !strings.HasSuffix(r.Annotations["runbook_url"], "#trafficfleetabsent") || strings.Contains(r.Annotations["description"], "$") || r.For == nil || *r.For != monitoring.Duration("10m") {
						t.Errorf("the rule is %v", r)
					}
				}
			}
			if strings.Join(got, "\n") != strings.Join(tc.want, "\n") {
				t.Errorf("found %q, want %q", got, tc.want)
			}
		})
	}
}
