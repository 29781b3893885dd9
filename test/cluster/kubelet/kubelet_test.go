package kubelet

import (
	"maps"
	"net/netip"
	"slices"
	"testing"
	"time"

	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
)

// boundPod returns a pod of a namespace with a ConfigMap and a Secret, which is not run.
func boundPod(t *testing.T, spec core.PodSpec) *pod {
	t.Helper()
	client := fake.NewClientset(
		&core.ConfigMap{ObjectMeta: meta.ObjectMeta{Name: "config", Namespace: "staging"}, Data: map[string]string{"a": "1", "b": "2"}},
		&core.Secret{ObjectMeta: meta.ObjectMeta{Name: "secret", Namespace: "staging"}, Data: map[string][]byte{"password": []byte("s")}},
	)
	factory := informers.NewSharedInformerFactory(client, 0)
	factory.Core().V1().ConfigMaps().Informer()
	factory.Core().V1().Secrets().Informer()
	k := New(Options{Client: client, Informers: factory, Network: &Network{host: netip.MustParsePrefix("10.244.0.1/16")}, Folder: t.TempDir()}, "node-0")
	factory.Start(t.Context().Done())
	factory.WaitForCacheSync(t.Context().Done())
	spec.NodeName = "node-0"
	p := newPod(k, &core.Pod{
		ObjectMeta: meta.ObjectMeta{Name: "p", Namespace: "staging", UID: "u", Labels: map[string]string{"weight": "1"}}, Spec: spec,
	})
	p.sandbox = &sandbox{ip: "10.244.0.2"}
	return p
}

func TestVolumesHoldWhatTheirSourcesDo(t *testing.T) {
	t.Parallel()
	config := core.LocalObjectReference{Name: "config"}
	none, optional := core.LocalObjectReference{Name: "none"}, true
	for name, tc := range map[string]struct {
		source core.VolumeSource
		want   map[string]string // nil for an error
	}{
		"a ConfigMap":  {core.VolumeSource{ConfigMap: &core.ConfigMapVolumeSource{LocalObjectReference: config}}, map[string]string{"a": "1", "b": "2"}},
		"a part of it": {core.VolumeSource{ConfigMap: &core.ConfigMapVolumeSource{LocalObjectReference: config, Items: []core.KeyToPath{{Key: "a", Path: "x/y"}}}}, map[string]string{"x/y": "1"}},
		"a Secret":     {core.VolumeSource{Secret: &core.SecretVolumeSource{SecretName: "secret"}}, map[string]string{"password": "s"}},
		"both": {core.VolumeSource{Projected: &core.ProjectedVolumeSource{Sources: []core.VolumeProjection{
			{ConfigMap: &core.ConfigMapProjection{LocalObjectReference: config}}, {Secret: &core.SecretProjection{LocalObjectReference: core.LocalObjectReference{Name: "secret"}}},
		}}}, map[string]string{"a": "1", "b": "2", "password": "s"}},
		"nothing":        {core.VolumeSource{ConfigMap: &core.ConfigMapVolumeSource{LocalObjectReference: none}}, nil},
		"nothing needed": {core.VolumeSource{ConfigMap: &core.ConfigMapVolumeSource{LocalObjectReference: none, Optional: &optional}}, map[string]string{}},
		"something else": {core.VolumeSource{HostPath: &core.HostPathVolumeSource{Path: "/"}}, nil},
	} {
		got, err := boundPod(t, core.PodSpec{}).files(tc.source)
		if (err != nil) != (tc.want == nil) {
			t.Errorf("%s: error %v", name, err)
		}
		content := map[string]string{}
		for path, bytes := range got {
			content[path] = string(bytes)
		}
		if !maps.Equal(content, tc.want) {
			t.Errorf("%s: the volume holds %v, want %v", name, content, tc.want)
		}
	}
}

func TestTheEnvironmentIsWhatTheContainerAsksFor(t *testing.T) {
	t.Parallel()
	field := func(path string) *core.EnvVarSource {
		return &core.EnvVarSource{FieldRef: &core.ObjectFieldSelector{FieldPath: path}}
	}
	secret := &core.SecretKeySelector{LocalObjectReference: core.LocalObjectReference{Name: "secret"}, Key: "password"}
	p := boundPod(t, core.PodSpec{Containers: []core.Container{{
		Name:    "c",
		EnvFrom: []core.EnvFromSource{{Prefix: "C_", ConfigMapRef: &core.ConfigMapEnvSource{LocalObjectReference: core.LocalObjectReference{Name: "config"}}}},
		Env: []core.EnvVar{
			{Name: "NAME", ValueFrom: field("metadata.name")},
			{Name: "IP", ValueFrom: field("status.podIP")},
			{Name: "NODE", ValueFrom: field("spec.nodeName")},
			{Name: "WEIGHT", ValueFrom: field("metadata.labels['weight']")},
			{Name: "STAGE", Value: "staging"},
			{Name: "C_b", Value: "3"},
			{Name: "PASSWORD", ValueFrom: &core.EnvVarSource{SecretKeyRef: secret}},
		},
	}}})
	got, err := p.mains[0].environment()
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"C_a=1", "C_b=3", "HOSTNAME=p", "IP=10.244.0.2", "NAME=p", "NODE=node-0", "PASSWORD=s",
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "STAGE=staging", "WEIGHT=1",
	}
	if !slices.Equal(got, want) {
		t.Errorf("the environment is %q, want %q", got, want)
	}
	p.mains[0].spec.Env = []core.EnvVar{{Name: "X", ValueFrom: field("spec.nothing")}}
	if _, err = p.mains[0].environment(); err == nil {
		t.Error("a field that is not known was found")
	}
}

func TestThePhaseFollowsTheContainers(t *testing.T) {
	t.Parallel()
	running := core.ContainerState{Running: &core.ContainerStateRunning{}}
	exited := func(code int32) core.ContainerState {
		return core.ContainerState{Terminated: &core.ContainerStateTerminated{ExitCode: code}}
	}
	type of struct {
		state    core.ContainerState
		ended    bool
		restarts int32
	}
	for name, tc := range map[string]struct {
		containers []of
		failed     bool
		want       core.PodPhase
	}{
		"none has started":    {[]of{{}, {}}, false, core.PodPending},
		"one runs":            {[]of{{state: running}, {}}, false, core.PodRunning},
		"one will restart":    {[]of{{state: exited(1)}, {state: exited(0), ended: true}}, false, core.PodRunning},
		"one waits for that":  {[]of{{restarts: 3}}, false, core.PodRunning},
		"all have succeeded":  {[]of{{state: exited(0), ended: true}, {state: exited(0), ended: true}}, false, core.PodSucceeded},
		"one has failed":      {[]of{{state: exited(0), ended: true}, {state: exited(2), ended: true}}, false, core.PodFailed},
		"it was not prepared": {[]of{{}}, true, core.PodFailed},
	} {
		p := boundPod(t, core.PodSpec{Containers: make([]core.Container, len(tc.containers))})
		p.failed = tc.failed
		for i, c := range tc.containers {
			p.mains[i].status.State, p.mains[i].ended, p.mains[i].status.RestartCount = c.state, c.ended, c.restarts
		}
		if got := p.status().Phase; got != tc.want {
			t.Errorf("%s: the phase is %s, want %s", name, got, tc.want)
		}
	}
}

func TestAConditionKeepsItsTimeUntilItChanges(t *testing.T) {
	t.Parallel()
	p := boundPod(t, core.PodSpec{})
	first := p.condition(core.PodReady, false)
	first.LastTransitionTime = meta.NewTime(time.Unix(1, 0))
	p.conditions[core.PodReady] = first
	if again := p.condition(core.PodReady, false); again != first {
		t.Errorf("the condition is %v, want %v", again, first)
	}
	if other := p.condition(core.PodReady, true); other.Status != core.ConditionTrue || other.LastTransitionTime == first.LastTransitionTime {
		t.Errorf("the condition is %v after it has changed", other)
	}
}

func TestTheResolverLooksIntoTheNamespaceFirst(t *testing.T) {
	t.Parallel()
	value := "1"
	p := boundPod(t, core.PodSpec{DNSConfig: &core.PodDNSConfig{Options: []core.PodDNSConfigOption{{Name: "ndots", Value: &value}, {Name: "edns0"}}}})
	want := "nameserver 10.244.0.1\nsearch staging.svc.cluster.local svc.cluster.local cluster.local\noptions edns0 ndots:1\n"
	if got := p.resolvConf(); got != want {
		t.Errorf("the file is %q, want %q", got, want)
	}
}
