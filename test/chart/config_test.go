package chart

import (
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	core "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/traffic-exporter/traffic_exporter/test/chart/volume"
)

// configFile is what these tests look at in a configuration.
type configFile struct {
	Fleet struct {
		Name, Cluster, Listen, Advertise, Store string
		Join                                    []string
		MinReplicas                             int `json:"min_replicas"`
		MinReplicasAlone                        int `json:"min_replicas_alone"`
	}
	Scenarios []struct{ Name string }
}

// configOf returns the configuration file that is rendered, if there is one.
func configOf(m *manifests) (configFile, bool) {
	for _, c := range all[*core.ConfigMap](m) {
		if text, ok := c.Data["config.yaml"]; ok {
			var file configFile
			if err := yaml.Unmarshal([]byte(text), &file); err != nil {
				panic(err)
			}
			return file, true
		}
	}
	return configFile{}, false
}

// mounted writes what a volume holds to a folder as kubelet does it.
func mounted(t *testing.T, folder string, data map[string]string) {
	t.Helper()
	files := map[string][]byte{}
	for name, content := range data {
		files[name] = []byte(content)
	}
	if err := volume.Write(folder, files); err != nil {
		t.Fatal(err)
	}
}

// environment returns the environment variables of a container as kubelet sets them, for
// a pod of a name and address.
func environment(t *testing.T, c core.Container, pod, ip string) []string {
	t.Helper()
	fields := map[string]string{"metadata.name": pod, "metadata.namespace": namespace, "status.podIP": ip, "spec.nodeName": "node", "metadata.labels['weight']": "1"}
	var all []string
	for _, e := range c.Env {
		value := e.Value
		if e.ValueFrom != nil {
			known := false
			if value, known = fields[e.ValueFrom.FieldRef.FieldPath]; !known {
				t.Fatalf("environment variable %s: field %q is not known", e.Name, e.ValueFrom.FieldRef.FieldPath)
			}
		}
		all = append(all, e.Name+"="+value)
	}
	return all
}

// The rendered configuration passes the exporter's check, in the environment that the
// container gets; so does what `helm test` sends.
func TestConfigurationsAreValid(t *testing.T) {
	t.Parallel()
	for set, m := range renderedSets(t) {
		t.Run(set, func(t *testing.T) {
			t.Parallel()
			checked := 0
			for _, c := range all[*core.ConfigMap](m) {
				for _, file := range []string{"config.yaml", "test.yaml"} {
					if _, ok := c.Data[file]; ok {
						check(t, m, c.Data, file)
						checked++
					}
				}
			}
			users := strings.Contains(m.text, `configMap: {name: "scenarios"}`) || strings.Contains(m.text, `secret: {secretName: "scenarios"}`)
			want := 2
			if users {
				want = 1
			}
			if checked != want {
				t.Errorf("%d files were checked, want %d", checked, want)
			}
		})
	}
}

// check fails the test unless the file, among others in a ConfigMap, is valid.
func check(t *testing.T, m *manifests, files map[string]string, file string) {
	t.Helper()
	folder := t.TempDir()
	data := map[string]string{}
	for name, content := range files {
		data[name] = strings.ReplaceAll(content, "/etc/traffic_exporter/", placeholders(t)+"/")
	}
	mounted(t, folder, data)
	c := container(t, m.deployment(t).Spec.Template.Spec, "traffic-exporter")
	// The family of the pods' addresses is the cluster's choice.
	for _, ip := range []string{"10.0.0.7", "fd00::7"} {
		cmd := exec.CommandContext(t.Context(), env().exporter, "check", filepath.Join(folder, file))
		cmd.Env = environment(t, c, "pod-1", ip)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("with the address %s: %v: %s\n%s", ip, err, out, files[file])
		}
	}
}

// placeholders returns a folder that stands for /etc/traffic_exporter, with a file for
// each that the value sets name.
func placeholders(t *testing.T) string {
	t.Helper()
	server := httptest.NewTLSServer(http.NotFoundHandler())
	defer server.Close()
	certificate := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
	folder := t.TempDir()
	for path, content := range map[string]string{
		"secrets/storefront-credentials/password": "secret",
		"secrets/etcd/password":                   "secret",
		"secrets/etcd/ca.crt":                     certificate,
		"secrets/traffic-exporter-user/password":  "secret",
		"secrets/traffic-exporter-gossip/ca.crt":  certificate,
		"secrets/traffic-exporter-gossip/tls.crt": certificate,
		"secrets/traffic-exporter-gossip/tls.key": "secret",
		"web/ca.crt": certificate,
	} {
		path = filepath.Join(folder, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, path, content)
	}
	return folder
}

func TestTheFileIsWhatTheValuesSay(t *testing.T) {
	t.Parallel()
	const service = name + "-fleet." + namespace + ".svc"
	own := fmt.Sprint([]string{"dnssrv+_gossip._tcp." + service, "dns+" + service + ":7946"})
	for name, tc := range map[string]struct {
		values string
		want   string
	}{
		"the demo":                        {"", "[demo] by 2 through the Service"},
		"the demo and one more":           {"config: {scenarios: [{name: a, rate: 1/s, requests: [{name: a, url: 'http://a/'}]}]}", "[demo a] by 2 through the Service"},
		"no demo":                         {"demo: {enabled: false}\nconfig: {scenarios: [{name: a, rate: 1/s, requests: [{name: a, url: 'http://a/'}]}]}", "[a] by 2 through the Service"},
		"one replica":                     {"replicas: 1", "[demo] by 1 through the Service"},
		"a majority of those that scale":  {"autoscaling: {enabled: true, minReplicas: 6}", "[demo] by 4 through the Service"},
		"a floor":                         {"fleet: {minReplicas: 3}", "[demo] by 3 through the Service"},
		"what the user says of the fleet": {"fleet: {config: {min_replicas: 7, join: [dns+elsewhere:1]}}", "[demo] by 7 through [dns+elsewhere:1]"},
		"no fleet":                        {"fleet: {enabled: false}", "[demo] by 0 through []"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file, ok := configOf(render(t, set(t, tc.values)))
			var names []string
			for _, s := range file.Scenarios {
				names = append(names, s.Name)
			}
			got := fmt.Sprintf("%v by %d through %v", names, file.Fleet.MinReplicas, file.Fleet.Join)
			if got = strings.ReplaceAll(got, own, "the Service"); !ok || got != tc.want {
				t.Errorf("found %s, want %s", got, tc.want)
			}
		})
	}
}

// However many replicas there may be: if each of them sees itself only, they send no more
// than twice the rate together.
func TestReplicasThatSeeNobodySendAtMostTwiceTheRate(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		values string
		most   int
	}{
		"one":              {"replicas: 1", 1},
		"two":              {"replicas: 2", 2},
		"three":            {"replicas: 3", 3},
		"ten":              {"replicas: 10", 10},
		"those that scale": {"autoscaling: {enabled: true, minReplicas: 3, maxReplicas: 11}", 11},
		"many that scale":  {"autoscaling: {enabled: true, minReplicas: 2, maxReplicas: 400}", 400},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file, _ := configOf(render(t, set(t, tc.values)))
			if divisor := max(file.Fleet.MinReplicas, file.Fleet.MinReplicasAlone); tc.most > 2*divisor {
				t.Errorf("%d replicas send a share of 1/%d each", tc.most, divisor)
			}
		})
	}
}

// Numbers, texts that look like other things, and templates come through.
func TestTheFileKeepsItsValues(t *testing.T) {
	t.Parallel()
	m := render(t, "--values", filepath.Join(chartFolder(), "ci/scenarios-values.yaml"))
	c := get[*core.ConfigMap](t, m, name)
	for _, want := range []string{
		"max_in_flight: 100000\n", "weight: 1000000\n", `at: "03:00"`, `X-On: "off"`, `X-Number: "0123"`, "rate: 2.5e2/m\n", `body: '{"product": 17}'`,
	} {
		if !strings.Contains(c.Data["config.yaml"], want) {
			t.Errorf("the file does not hold %q:\n%s", want, c.Data["config.yaml"])
		}
	}
	if got, want := c.Data["users.csv"], "name,password\nada,{{ not a template }}\n"; got != want {
		t.Errorf("the file beside it holds %q, want %q", got, want)
	}
}
