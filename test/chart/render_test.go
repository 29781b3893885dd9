package chart

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	apps "k8s.io/api/apps/v1"
	autoscaling "k8s.io/api/autoscaling/v2"
	batch "k8s.io/api/batch/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/apimachinery/pkg/util/yaml"

	"github.com/traffic-exporter/traffic_exporter/test/chart/derived"
)

const (
	release   = "load"
	namespace = "staging"
	// name is that of most objects.
	name = release + "-traffic-exporter"
)

// chartFolder is where the chart is.
func chartFolder() string { return filepath.Join(root, derived.Folder) }

// valueSets returns the files with values that the chart is rendered with.
func valueSets(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(chartFolder(), "ci", "*-values.yaml"))
	if err != nil || len(files) < 8 {
		t.Fatalf("found the value sets %q, %v, want at least 8", files, err)
	}
	return files
}

// rendering keeps what the value sets render, for all tests.
var rendering struct {
	sync.Mutex
	sets map[string]*manifests
}

// renderedSets returns what each set of values renders. It is not to be changed.
func renderedSets(t *testing.T) map[string]*manifests {
	t.Helper()
	rendering.Lock()
	defer rendering.Unlock()
	if rendering.sets == nil {
		sets := map[string]*manifests{}
		for _, file := range valueSets(t) {
			sets[strings.TrimSuffix(filepath.Base(file), "-values.yaml")] = render(t, "--values", file)
		}
		rendering.sets = sets
	}
	return rendering.sets
}

// helm runs helm and returns what it writes. It reads nothing of the user's.
func helm(t *testing.T, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, env().helm, args...)
	home := t.TempDir()
	cmd.Env = []string{"HOME=" + home, "HELM_CACHE_HOME=" + home, "HELM_CONFIG_HOME=" + home, "HELM_DATA_HOME=" + home}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if err != nil {
		return "", fmt.Errorf("helm %s: %w: %s%s", args[0], err, &stdout, &stderr)
	}
	return stdout.String(), nil
}

// template renders a chart.
func template(t *testing.T, folder string, args ...string) (string, error) {
	t.Helper()
	return helm(t, append([]string{"template", release, folder, "--namespace", namespace, "--kube-version", "1.25.0"}, args...)...)
}

// render renders the chart and decodes all that it renders.
func render(t *testing.T, args ...string) *manifests {
	t.Helper()
	return renderFrom(t, chartFolder(), args...)
}

// renderFrom does so with another chart.
func renderFrom(t *testing.T, folder string, args ...string) *manifests {
	t.Helper()
	text, err := template(t, folder, args...)
	if err != nil {
		t.Fatal(err)
	}
	objects, err := decode(text)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return &manifests{text: text, objects: objects}
}

// set returns a file with values.
func set(t *testing.T, values string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "values.yaml")
	write(t, file, values)
	return "--values=" + file
}

func write(t *testing.T, file, content string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// object is one of Kubernetes' objects.
type object interface {
	runtime.Object
	meta.Object
}

// decode reads objects strictly: by the API's own types, with every key known and none
// given twice.
func decode(text string) ([]object, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		apps.AddToScheme, autoscaling.AddToScheme, batch.AddToScheme, core.AddToScheme, networking.AddToScheme, policy.AddToScheme, monitoring.AddToScheme,
	} {
		if err := add(scheme); err != nil {
			return nil, err
		}
	}
	decoder := json.NewSerializerWithOptions(json.DefaultMetaFactory, scheme, scheme, json.SerializerOptions{Yaml: true, Strict: true})
	reader := yaml.NewDocumentDecoder(io.NopCloser(strings.NewReader(text)))
	defer func() { _ = reader.Close() }()
	var all []object
	buffer := make([]byte, 4<<20)
	for {
		n, err := reader.Read(buffer)
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		document := buffer[:n]
		if len(bytes.TrimSpace(document)) == 0 {
			continue
		}
		o, _, err := decoder.Decode(document, nil, nil)
		if err != nil {
			return nil, fmt.Errorf("%w in\n%s", err, document)
		}
		all = append(all, o.(object))
	}
}

// manifests are what the chart renders.
type manifests struct {
	text    string
	objects []object
}

// all returns the objects of a type.
func all[T object](m *manifests) []T {
	var found []T
	for _, o := range m.objects {
		if o, ok := o.(T); ok {
			found = append(found, o)
		}
	}
	return found
}

// get returns the object of a type and name.
func get[T object](t *testing.T, m *manifests, name string) T {
	t.Helper()
	for _, o := range all[T](m) {
		if o.GetName() == name {
			return o
		}
	}
	var none T
	t.Fatalf("found no %T of the name %q", none, name)
	return none
}

// deployment returns that of the exporter.
func (m *manifests) deployment(t *testing.T) *apps.Deployment {
	t.Helper()
	for _, d := range all[*apps.Deployment](m) {
		if d.Spec.Template.Labels[component] == "exporter" {
			return d
		}
	}
	t.Fatal("found no Deployment of the exporter")
	return nil
}

// component is the label that distinguishes the parts of a release.
const component = "app.kubernetes.io/component"

// pods returns all templates of pods, by what they are of.
func (m *manifests) pods() map[string]core.PodTemplateSpec {
	pods := map[string]core.PodTemplateSpec{}
	for _, d := range all[*apps.Deployment](m) {
		pods["Deployment "+d.Name] = d.Spec.Template
	}
	for _, j := range all[*batch.Job](m) {
		pods["Job "+j.Name] = j.Spec.Template
	}
	return pods
}

// container returns the container of a name.
func container(t *testing.T, spec core.PodSpec, name string) core.Container {
	t.Helper()
	for _, c := range spec.Containers {
		if c.Name == name {
			return c
		}
	}
	t.Fatalf("found no container %q", name)
	return core.Container{}
}
