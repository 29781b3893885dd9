package cluster

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// helm is a version of Helm.
type helm struct {
	*cluster

	// major is its number, and path where it is.
	major int
	path  string
}

// helms are both versions.
func (c *cluster) helms() []helm {
	return []helm{{c, 3, env().helm3}, {c, 4, env().helm4}}
}

func (h helm) String() string { return fmt.Sprintf("Helm %d", h.major) }

// try runs Helm, which reads nothing of the user's, and returns what it writes.
func (h helm) try(t *testing.T, args ...string) (string, error) {
	t.Helper()
	home := filepath.Join(h.folder, fmt.Sprintf("helm%d", h.major))
	if err := os.MkdirAll(home, 0o700); err != nil {
		t.Fatal(err)
	}
	return try(t, []string{
		"HOME=" + home, "KUBECONFIG=" + h.kubeconfig, "HELM_CACHE_HOME=" + home, "HELM_CONFIG_HOME=" + home, "HELM_DATA_HOME=" + home,
	}, append([]string{h.path}, args...)...)
}

// run is try for what may not fail.
func (h helm) run(t *testing.T, args ...string) string {
	t.Helper()
	output, err := h.try(t, args...)
	if err != nil {
		t.Fatal(err)
	}
	return output
}

// chartFolder is where the chart is.
func chartFolder() string { return filepath.Join(root, "deploy", "helm", "traffic-exporter") }

const (
	// release is the name of all releases, and name that of most of their objects.
	release = "traffic"
	name    = release + "-traffic-exporter"
	// selector is for the pods of their replicas.
	selector = "app.kubernetes.io/instance=" + release + ",app.kubernetes.io/component=exporter"
)

// objects returns the names of all objects in namespaces but for events.
func (c *cluster) objects(t *testing.T, namespaces ...string) []string {
	t.Helper()
	var kinds []string
	for kind := range strings.FieldsSeq(c.kubectl(t, "api-resources", "--namespaced", "--verbs=list", "--output=name")) {
		if !strings.HasPrefix(kind, "events") && !strings.HasSuffix(kind, ".metrics.k8s.io") {
			kinds = append(kinds, kind)
		}
	}
	var all []string
	for _, namespace := range namespaces {
		output := c.kubectl(t, "get", strings.Join(kinds, ","), "--namespace="+namespace, "--output=name", "--ignore-not-found")
		for object := range strings.FieldsSeq(output) {
			all = append(all, namespace+"/"+object)
		}
	}
	slices.Sort(all)
	return all
}

// leavesNothing fails the test if there are other objects in namespaces than before.
func (c *cluster) leavesNothing(t *testing.T, before []string, namespaces ...string) {
	t.Helper()
	eventually(t, patience, func() error {
		if after := c.objects(t, namespaces...); !slices.Equal(after, before) {
			return fmt.Errorf("there is %v, and before there was %v", after, before)
		}
		return nil
	})
}
