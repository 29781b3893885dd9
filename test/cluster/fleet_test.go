package cluster

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// soon is how long things may take that take seconds.
const soon = 90 * time.Second

// replicas returns the pods of a release that have not ended, by name.
func (c *cluster) replicas(t *testing.T, namespace string) map[string]core.Pod {
	t.Helper()
	list, err := c.client.CoreV1().Pods(namespace).List(t.Context(), meta.ListOptions{LabelSelector: selector})
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]core.Pod{}
	for _, p := range list.Items {
		if p.DeletionTimestamp == nil {
			all[p.Name] = p
		}
	}
	return all
}

// runs names the runs of a release's replicas: another for each pod, and each restart.
func (c *cluster) runs(t *testing.T, namespace string) []string {
	t.Helper()
	var all []string
	for name, p := range c.replicas(t, namespace) {
		for _, s := range p.Status.ContainerStatuses {
			all = append(all, fmt.Sprintf("%s/%s/%d", name, s.Name, s.RestartCount))
		}
	}
	slices.Sort(all)
	return all
}

// agree waits until a release has so many replicas, all are ready, and each counts all.
func (c *cluster) agree(t *testing.T, namespace string, n int) {
	t.Helper()
	eventually(t, soon, func() error {
		all := c.replicas(t, namespace)
		if len(all) != n {
			return fmt.Errorf("there are %d replicas, want %d", len(all), n)
		}
		for _, p := range all {
			if !isReady(p) {
				return fmt.Errorf("%s is not ready", p.Name)
			}
		}
		return c.show(all, "traffic_fleet_members", float64(n))
	})
}

func isReady(p core.Pod) bool {
	return slices.ContainsFunc(p.Status.Conditions, func(c core.PodCondition) bool {
		return c.Type == core.PodReady && c.Status == core.ConditionTrue
	})
}

// show returns an error unless all replicas show a value of a series.
func (*cluster) show(replicas map[string]core.Pod, series string, want float64) error {
	for _, p := range replicas {
		got, err := metric(p, series)
		if err != nil {
			return fmt.Errorf("%s: %w", p.Name, err)
		}
		if got != want {
			return fmt.Errorf("%s: %s is %v, want %v", p.Name, series, got, want)
		}
	}
	return nil
}

// metric returns the value of a series of a replica.
func metric(p core.Pod, series string) (float64, error) {
	port := int32(0)
	for _, c := range p.Spec.Containers[0].Ports {
		if c.Name == "http" {
			port = c.ContainerPort
		}
	}
	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get("http://" + net.JoinHostPort(p.Status.PodIP, strconv.Itoa(int(port))) + "/metrics")
	if err != nil {
		return 0, err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(body)) {
		if value, found := strings.CutPrefix(strings.TrimSpace(line), series+" "); found {
			return strconv.ParseFloat(value, 64)
		}
	}
	return 0, fmt.Errorf("there is no %s", series)
}

// asked returns the numbers of replicas that a release's Deployment asks for while f runs.
func (c *cluster) asked(t *testing.T, namespace string, f func()) []int32 {
	t.Helper()
	watch, err := c.client.AppsV1().Deployments(namespace).Watch(t.Context(), meta.ListOptions{FieldSelector: "metadata.name=" + name})
	if err != nil {
		t.Fatal(err)
	}
	seen := make(chan map[int32]bool)
	go func() {
		all := map[int32]bool{}
		for event := range watch.ResultChan() {
			if d, ok := event.Object.(*apps.Deployment); ok {
				all[*d.Spec.Replicas] = true
			}
		}
		seen <- all
	}()
	f()
	watch.Stop()
	return slices.Sorted(maps.Keys(<-seen))
}

// specs returns the objects of a release, its pods included, without what controllers
// write to them.
func (c *cluster) specs(t *testing.T, namespace string) map[string]string {
	t.Helper()
	var list unstructured.UnstructuredList
	output := c.kubectl(t, "get", "all,configmaps,serviceaccounts,networkpolicies,poddisruptionbudgets", "--namespace="+namespace,
		"--selector=app.kubernetes.io/instance="+release, "--output=json")
	if err := json.Unmarshal([]byte(output), &list); err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, o := range list.Items {
		o.SetManagedFields(nil)
		o.SetResourceVersion("")
		delete(o.Object, "status")
		content, err := json.Marshal(o.Object)
		if err != nil {
			t.Fatal(err)
		}
		all[o.GetKind()+"/"+o.GetName()] = string(content)
	}
	return all
}

// differing names the objects that differ.
func differing(before, after map[string]string) []string {
	all := map[string]bool{}
	for id, content := range before {
		all[id] = after[id] != content
	}
	for id, content := range after {
		all[id] = before[id] != content
	}
	maps.DeleteFunc(all, func(_ string, differs bool) bool { return !differs })
	return slices.Sorted(maps.Keys(all))
}

// nodeOf returns a node that has as few replicas as any that has some.
func (c *cluster) nodeOf(t *testing.T, namespace string) string {
	t.Helper()
	count := map[string]int{}
	for _, p := range c.replicas(t, namespace) {
		count[p.Spec.NodeName]++
	}
	if len(count) == 0 {
		t.Fatal("there are no replicas")
	}
	return slices.MinFunc(slices.Sorted(maps.Keys(count)), func(a, b string) int { return count[a] - count[b] })
}
