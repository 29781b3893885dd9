package chart

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"gopkg.in/yaml.v3"

	"github.com/traffic-exporter/traffic_exporter/test/chart/derived"
)

func TestTheChartIsUpToDate(t *testing.T) {
	t.Parallel()
	changes, err := derived.Changes(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range changes {
		t.Errorf("%s is out of date: run `make generate`", c.Path)
	}
}

func TestMisspeltValuesAreRefused(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ values, want string }{
		"a key":                  {"replica: 3", "'replica'"},
		"a key of a part":        {"image: {tagg: v1}", "'tagg'"},
		"a number":               {"replicas: three", "/replicas"},
		"a choice":               {"monitor: {kind: Servicemonitor}", "/monitor/kind"},
		"a duration":             {"monitor: {interval: 15 seconds}", "/monitor/interval"},
		"a port":                 {"web: {port: 800000}", "/web/port"},
		"a key of a scenario":    {"config: {scenarios: [{name: a, rate: 1/s, requets: []}]}", "'requets'"},
		"a shape":                {"demo: {rate: {sin: {mean: 1/s}}}", "/demo/rate"},
		"a second fleet":         {"config: {fleet: {}}", "'fleet'"},
		"a key of the fleet":     {"fleet: {config: {forget: 60s}}", "'forget'"},
		"a toleration":           {"tolerations: [{key: a, operater: Exists}]", "'operater'"},
		"a security context":     {"securityContext: {runAsNonroot: true}", "'runAsNonroot'"},
		"a resource":             {"resources: {limit: {memory: 1Gi}}", "'limit'"},
		"a container":            {"extraContainers: [{name: a, img: b}]", "'img'"},
		"an authentication":      {"test: {httpConfig: {basic_auht: {}}}", "'basic_auht'"},
		"a label's value":        {"podLabels: {a: true}", "/podLabels/a"},
		"a secret's name":        {"secrets: [storefront]", "/secrets/0"},
		"a file's name":          {"files: {a/b: x}", "'a/b' does not match pattern"},
		"the configuration file": {"files: {config.yaml: x}", "invalid propertyName 'config.yaml'"},
		"a digest":               {"image: {digest: latest}", "/image/digest"},
		"an alert":               {"rules: {enabled: true, disabled: [TrafficRateLow]}", `there is no alert "TrafficRateLow"`},
		"an alert with labels":   {"rules: {enabled: true, labelsByAlert: {TrafficRateLow: {severity: info}}}", `there is no alert "TrafficRateLow"`},
		"nothing to send":        {"demo: {enabled: false}", "there is nothing to send"},
		"a part without keys":    {"rules:", "'rules'"},
		"a part's part":          {"networkPolicy: {egress: }", "'egress'"},
		"a number as a header":   {"config: {scenarios: [{name: a, rate: 1/s, requests: [{name: r, url: 'http://a', headers: {X-Version: 1.10}}]}]}", "/headers/X-Version"},
		"a truth as a header":    {"config: {scenarios: [{name: a, rate: 1/s, requests: [{name: r, url: 'http://a', headers: {X-On: on}}]}]}", "/headers/X-On"},
		"a number as a body":     {"config: {scenarios: [{name: a, rate: 1/s, requests: [{name: r, url: 'http://a', body: 0123}]}]}", "/body"},
		"a number as a name":     {"config: {scenarios: [{name: a, rate: 1/s, requests: [{name: 2026, url: 'http://a'}]}]}", "/name"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := template(t, chartFolder(), set(t, tc.values))
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want one with %s", err, tc.want)
			}
		})
	}
}

// Every key of values.yaml, misspelt, is refused by the schema.
func TestEveryKeyIsRefusedWithATypo(t *testing.T) {
	t.Parallel()
	schema := compile(t)
	var values map[string]any
	if err := yaml.Unmarshal([]byte(read(t, filepath.Join(chartFolder(), "values.yaml"))), &values); err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(plain(t, values)); err != nil {
		t.Fatalf("the defaults are refused: %v", err)
	}
	tried := 0
	// Keys of these are the user's.
	free := map[string]bool{"global": true, "tags": true, "dashboards.labels": true, "requests": true, "limits": true}
	var misspell func(path string, m map[string]any)
	misspell = func(path string, m map[string]any) {
		if free[path] || free[path[strings.LastIndex(path, ".")+1:]] {
			return
		}
		for key, value := range m {
			if sub, ok := value.(map[string]any); ok {
				misspell(strings.TrimPrefix(path+"."+key, "."), sub)
			}
			delete(m, key)
			m[key+"x"] = value
			if schema.Validate(plain(t, values)) == nil {
				t.Errorf("%s.%sx is not refused", path, key)
			}
			delete(m, key+"x")
			m[key] = value
			tried++
		}
	}
	misspell("", values)
	if tried < 100 {
		t.Errorf("only %d keys were tried", tried)
	}
}

func compile(t *testing.T) *jsonschema.Schema {
	t.Helper()
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(read(t, filepath.Join(chartFolder(), "values.schema.json"))))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err = compiler.AddResource("values.schema.json", document); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("values.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// plain returns the value as JSON has it.
func plain(t *testing.T, value any) any {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	out, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// copyChart returns a copy of the chart to change.
func copyChart(t *testing.T) string {
	t.Helper()
	folder := filepath.Join(t.TempDir(), "traffic-exporter")
	if err := os.CopyFS(folder, os.DirFS(chartFolder())); err != nil {
		t.Fatal(err)
	}
	return folder
}

// Helm gives a subchart more values than it has keys.
func TestTheChartWorksAsAPartOfAnother(t *testing.T) {
	t.Parallel()
	parent := t.TempDir()
	write(t, filepath.Join(parent, "Chart.yaml"), "apiVersion: v2\nname: parent\nversion: 1.0.0\n"+
		"dependencies: [{name: traffic-exporter, version: 0.1.0, condition: traffic-exporter.enabled, tags: [load]}]\n")
	write(t, filepath.Join(parent, "values.yaml"), "global: {team: storefront}\ntags: {load: true}\ntraffic-exporter: {enabled: true, replicas: 7}\n")
	if err := os.Mkdir(filepath.Join(parent, "charts"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(copyChart(t), filepath.Join(parent, "charts", "traffic-exporter")); err != nil {
		t.Fatal(err)
	}
	if got := *renderFrom(t, parent).deployment(t).Spec.Replicas; got != 7 {
		t.Errorf("it has %d replicas, want 7", got)
	}
}

// The values that the documentation shows are ones that work.
func TestDocumentedValuesRender(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"docs/kubernetes.md", derived.Folder + "/README.md"} {
		_, text, _ := strings.Cut(read(t, filepath.Join(root, file)), "```yaml\n")
		text, _, found := strings.Cut(text, "```")
		if !found {
			t.Errorf("%s shows no values", file)
		}
		if m := render(t, set(t, text)); !strings.Contains(m.text, "http://storefront.staging.svc/products") || len(m.objects) < 10 {
			t.Errorf("%s: the values render %d objects:\n%s", file, len(m.objects), text)
		}
	}
}

// A rate of the demo's takes the place of the default one, whatever its shape.
func TestTheDemosRateMayBeOfAnyShape(t *testing.T) {
	t.Parallel()
	for values, want := range map[string]string{
		"demo: {rate: {steady: 50/s}}": "steady: 50/s",
		"demo: {rate: 7/s}":            "7/s",
		"{}":                           "mean: 20/s",
	} {
		m := render(t, set(t, values))
		if !strings.Contains(m.text, want) || want != "mean: 20/s" && strings.Contains(m.text, "mean: 20/s") {
			t.Errorf("%s: no %q, or another rate, in\n%s", values, want, m.text)
		}
	}
}

// The demo's target and the test's pod are scheduled and annotated as the replicas are.
func TestAllPodsAreAnnotatedAndScheduledAlike(t *testing.T) {
	t.Parallel()
	m := render(t, set(t, "podAnnotations: {example.com/mesh: 'off'}\npriorityClassName: low"))
	if n := strings.Count(m.text, "example.com/mesh: "); n != 3 {
		t.Errorf("%d pods are annotated", n)
	}
	if n := strings.Count(m.text, "priorityClassName: low"); n != 3 {
		t.Errorf("%d pods have the priority class", n)
	}
}
