package chart

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	apps "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"k8s.io/apimachinery/pkg/util/managedfields/managedfieldstest"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
)

// What upgrades do to a Deployment is decided by Kubernetes' own code here: that of
// server-side apply, which Helm 4 uses, and that of three-way merges, which Helm 3 does.
type applied interface {
	// upgrades applies what the chart renders now, and returns a conflict if there is one.
	upgrades(d *apps.Deployment) error
	// scaled changes the number as the autoscaler or `kubectl scale` does.
	scaled(t *testing.T, by string, replicas int64)
	// installed returns the Deployment as it is. Kubernetes has 1 replica where none is
	// written.
	installed(t *testing.T) *apps.Deployment
}

// helm4 applies on the server's side.
type helm4 struct {
	managedfieldstest.TestFieldManager
}

func (h helm4) upgrades(d *apps.Deployment) error {
	return h.Apply(bare(d), "helm", false)
}

func (h helm4) scaled(t *testing.T, by string, replicas int64) {
	t.Helper()
	live := h.Live().(*unstructured.Unstructured).DeepCopy()
	if err := unstructured.SetNestedField(live.Object, replicas, "spec", "replicas"); err != nil {
		t.Fatal(err)
	}
	if err := h.Update(live, by); err != nil {
		t.Fatal(err)
	}
}

func (h helm4) installed(t *testing.T) *apps.Deployment {
	t.Helper()
	return typed(t, h.Live().(*unstructured.Unstructured).Object)
}

// helm3 merges what it rendered before, what it renders, and what there is.
type helm3 struct{ before, live []byte }

func (h *helm3) upgrades(d *apps.Deployment) error {
	rendered, err := json.Marshal(bare(d).Object)
	if err != nil {
		return err
	}
	if h.live == nil {
		h.before, h.live = rendered, rendered
		return nil
	}
	meta, err := strategicpatch.NewPatchMetaFromStruct(&apps.Deployment{})
	if err != nil {
		return err
	}
	patch, err := strategicpatch.CreateThreeWayMergePatch(h.before, rendered, h.live, meta, true)
	if err != nil {
		return err
	}
	h.before = rendered
	h.live, err = strategicpatch.StrategicMergePatchUsingLookupPatchMeta(h.live, patch, meta)
	return err
}

func (h *helm3) scaled(t *testing.T, _ string, replicas int64) {
	t.Helper()
	var live unstructured.Unstructured
	if err := json.Unmarshal(h.live, &live.Object); err != nil {
		t.Fatal(err)
	}
	if err := unstructured.SetNestedField(live.Object, replicas, "spec", "replicas"); err != nil {
		t.Fatal(err)
	}
	var err error
	if h.live, err = json.Marshal(live.Object); err != nil {
		t.Fatal(err)
	}
}

func (h *helm3) installed(t *testing.T) *apps.Deployment {
	t.Helper()
	var live map[string]any
	if err := json.Unmarshal(h.live, &live); err != nil {
		t.Fatal(err)
	}
	return typed(t, live)
}

// bare returns the fields of a Deployment that the manifest sets, as they go over the wire.
func bare(d *apps.Deployment) *unstructured.Unstructured {
	object, err := runtime.DefaultUnstructuredConverter.ToUnstructured(d)
	if err != nil {
		panic(err)
	}
	delete(object, "status")
	u := &unstructured.Unstructured{Object: object}
	unstructured.RemoveNestedField(object, "metadata", "creationTimestamp")
	return u
}

func typed(t *testing.T, object map[string]any) *apps.Deployment {
	t.Helper()
	d := &apps.Deployment{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object, d); err != nil {
		t.Fatal(err)
	}
	if d.Spec.Replicas == nil {
		one := int32(1)
		d.Spec.Replicas = &one
	}
	d.Status = apps.DeploymentStatus{Replicas: *d.Spec.Replicas, UpdatedReplicas: *d.Spec.Replicas}
	return d
}

func TestTheNumberOfReplicasIsLeftToWhoseItIsByHelm3AndHelm4(t *testing.T) {
	t.Parallel()
	const autoscaled = "{replicas: 6, autoscaling: {enabled: true}}"
	for name, start := range map[string]func() applied{
		"Helm 3": func() applied { return &helm3{} },
		"Helm 4": func() applied {
			return helm4{managedfieldstest.NewTestFieldManager(managedfields.NewDeducedTypeConverter(), apps.SchemeGroupVersion.WithKind("Deployment"))}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cluster := start()
			upgrades := func(values string, want int32) {
				t.Helper()
				var d *apps.Deployment
				if values == "" {
					d = render(t, set(t, "replicas: 6")).deployment(t)
				} else {
					d = upgrade(t, cluster.installed(t), values).deployment(t)
				}
				if err := cluster.upgrades(d); err != nil {
					t.Fatalf("%s: %v", values, err)
				}
				if got := *cluster.installed(t).Spec.Replicas; got != want {
					t.Errorf("after %q there are %d replicas, want %d", values, got, want)
				}
			}
			upgrades("", 6)
			upgrades(autoscaled, 6)
			cluster.scaled(t, "kube-controller-manager", 9)
			upgrades(autoscaled+"\nimage: {tag: v2}", 9)
			cluster.scaled(t, "kube-controller-manager", 4)
			upgrades(autoscaled, 4)
			upgrades("{replicas: null, fleet: {minReplicas: 2}}", 4)
			cluster.scaled(t, "kubectl", 5)
			upgrades("{replicas: null, fleet: {minReplicas: 2}}", 5)
			// The values say another number than somebody has set by hand.
			err := cluster.upgrades(upgrade(t, cluster.installed(t), "replicas: 3").deployment(t))
			if conflict := strings.Contains(fmt.Sprint(err), `conflict with "kubectl"`) && strings.Contains(fmt.Sprint(err), ".spec.replicas"); conflict != (name == "Helm 4") {
				t.Errorf("the upgrade to another number: %v", err)
			}
		})
	}
}

// The chart without its look into the cluster, to know that these tests would notice.
func TestWithoutALookTheNumberIsLost(t *testing.T) {
	t.Parallel()
	for name, cluster := range map[string]applied{
		"Helm 3": &helm3{},
		"Helm 4": helm4{managedfieldstest.NewTestFieldManager(managedfields.NewDeducedTypeConverter(), apps.SchemeGroupVersion.WithKind("Deployment"))},
	} {
		for _, values := range []string{"replicas: 6", "autoscaling: {enabled: true}"} {
			if err := cluster.upgrades(render(t, set(t, values)).deployment(t)); err != nil {
				t.Fatal(err)
			}
		}
		if got := *cluster.installed(t).Spec.Replicas; got != 1 {
			t.Errorf("%s: there are %d replicas, want 1", name, got)
		}
	}
}

// Both ways change the strategy there and back.
func TestTheStrategyChangesThereAndBackByHelm3AndHelm4(t *testing.T) {
	t.Parallel()
	for name, cluster := range map[string]applied{
		"Helm 3": &helm3{},
		"Helm 4": helm4{managedfieldstest.NewTestFieldManager(managedfields.NewDeducedTypeConverter(), apps.SchemeGroupVersion.WithKind("Deployment"))},
	} {
		for i, step := range []struct {
			values string
			want   apps.DeploymentStrategyType
		}{
			{"", apps.RollingUpdateDeploymentStrategyType},
			{mutualTLS, apps.RecreateDeploymentStrategyType},
			{mutualTLS, apps.RollingUpdateDeploymentStrategyType},
			{"", apps.RecreateDeploymentStrategyType},
		} {
			d := render(t, set(t, step.values)).deployment(t)
			if i > 0 {
				d = upgrade(t, cluster.installed(t), step.values).deployment(t)
			}
			if err := cluster.upgrades(d); err != nil {
				t.Fatal(err)
			}
			// The API refuses the settings of the one with the other.
			got := cluster.installed(t).Spec.Strategy
			if got.Type != step.want || (got.RollingUpdate != nil) != (step.want == apps.RollingUpdateDeploymentStrategyType) {
				t.Errorf("%s, step %d: the strategy is %v, want %s", name, i, got, step.want)
			}
		}
	}
}
