package chart

import (
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
	alertmanager "github.com/prometheus/alertmanager/config"
	"gopkg.in/yaml.v3"
)

// composeFolder is where the compose file is.
func composeFolder() string { return filepath.Join(root, "deploy/compose") }

// compose loads the file as docker compose does: by its schema, strictly.
func compose(t *testing.T) *types.Project {
	t.Helper()
	folder, err := filepath.Abs(composeFolder())
	if err != nil {
		t.Fatal(err)
	}
	details := types.ConfigDetails{
		WorkingDir:  folder,
		ConfigFiles: []types.ConfigFile{{Filename: filepath.Join(folder, "compose.yaml")}},
		Environment: types.Mapping{},
	}
	project, err := loader.LoadWithContext(t.Context(), details)
	if err != nil {
		t.Fatal(err)
	}
	return project
}

func TestTheComposeFileIsWholeAndPinned(t *testing.T) {
	t.Parallel()
	project := compose(t)
	if got, want := project.ServiceNames(), []string{"alertmanager", "exporter", "grafana", "prometheus", "target"}; !slices.Equal(got, want) {
		t.Errorf("the services are %q, want %q", got, want)
	}
	pinned := regexp.MustCompile(`:v?[0-9]+\.[0-9]+\.[0-9]+$`)
	for name, s := range project.Services {
		if s.Build == nil && !pinned.MatchString(s.Image) {
			t.Errorf("%s: image %q has no tag that stays", name, s.Image)
		}
		if s.Build != nil {
			if _, err := os.Stat(filepath.Join(s.Build.Context, s.Build.Dockerfile)); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		for _, p := range s.Ports {
			if p.HostIP != "127.0.0.1" {
				t.Errorf("%s: port %s is open for %q", name, p.Published, p.HostIP)
			}
		}
		for _, v := range s.Volumes {
			if v.Type != types.VolumeTypeBind {
				continue
			}
			if entries, err := os.Stat(v.Source); err != nil || entries.IsDir() && empty(t, v.Source) || !v.ReadOnly {
				t.Errorf("%s: %s is mounted, read-only: %v, error: %v", name, v.Source, v.ReadOnly, err)
			}
		}
		if !slices.Contains(s.CapDrop, "ALL") || !slices.Contains(s.SecurityOpt, "no-new-privileges:true") {
			t.Errorf("%s has privileges", name)
		}
	}
	if n := project.Services["exporter"].Deploy.Replicas; n == nil || *n != 3 {
		t.Errorf("there are %v exporters, want 3", n)
	}
}

func empty(t *testing.T, folder string) bool {
	t.Helper()
	entries, err := os.ReadDir(folder)
	return err != nil || len(entries) == 0
}

// The addresses that one container has of another are true.
func TestContainersFindEachOther(t *testing.T) {
	t.Parallel()
	services := compose(t).Services
	environment := map[string]string{}
	for key, value := range services["exporter"].Environment {
		environment[key] = *value
	}
	_, gossip, _ := strings.Cut(environment["GOSSIP"], ":")
	if environment["JOIN"] != "dns+exporter:"+gossip {
		t.Errorf("replicas gossip at %s and join %s", environment["GOSSIP"], environment["JOIN"])
	}
	if target := strings.Join(services["target"].Command, " "); !strings.HasPrefix(target, "target --listen-address=:9871 ") || environment["TARGET"] != "target:9871" {
		t.Errorf("the target is started by %q and asked at %s", target, environment["TARGET"])
	}
	for file, want := range map[string]string{
		"prometheus.yml": "dns_sd_configs: [{names: [exporter], type: A, port: 9870,",
		"grafana/provisioning/datasources/prometheus.yaml": "url: http://prometheus:9090\n",
	} {
		if text := read(t, filepath.Join(composeFolder(), file)); !strings.Contains(text, want) {
			t.Errorf("%s does not contain %q", file, want)
		}
	}
	for _, want := range []string{"http://prometheus:9090\n", "http://alertmanager:9093\n"} {
		if text := read(t, filepath.Join(composeFolder(), "grafana/provisioning/datasources/prometheus.yaml")); !strings.Contains(text, want) {
			t.Errorf("Grafana does not know %q", want)
		}
	}
	if text := read(t, filepath.Join(composeFolder(), "prometheus.yml")); !strings.Contains(text, "targets: [alertmanager:9093]") {
		t.Error("Prometheus does not know Alertmanager")
	}

	cmd := exec.CommandContext(t.Context(), env().exporter, "check", filepath.Join(composeFolder(), "exporter/config.yaml"))
	for key, value := range environment {
		cmd.Env = append(cmd.Env, key+"="+value)
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

func TestPrometheusTakesItsFileAndTheRules(t *testing.T) {
	t.Parallel()
	var mounted string
	for _, v := range compose(t).Services["prometheus"].Volumes {
		if v.Target == "/etc/prometheus/rules" {
			mounted = v.Source
		}
	}
	file := filepath.Join(t.TempDir(), "prometheus.yml")
	write(t, file, strings.ReplaceAll(read(t, filepath.Join(composeFolder(), "prometheus.yml")), "/etc/prometheus/rules", mounted))
	out, err := exec.CommandContext(t.Context(), env().promtool, "check", "config", "--lint=all", "--lint-fatal", file).CombinedOutput()
	m := regexp.MustCompile(`SUCCESS: (\d+) rules found`).FindSubmatch(out)
	if err != nil || len(m) == 0 {
		t.Fatalf("%v: %s", err, out)
	}
	if n, err := strconv.Atoi(string(m[1])); err != nil || n < 10 {
		t.Errorf("Prometheus finds %d rules: %s", n, out)
	}
}

// Alertmanager takes its file, which inhibits the alerts that the runbook says.
func TestAlertmanagerTakesItsFile(t *testing.T) {
	t.Parallel()
	config, err := alertmanager.LoadFile(filepath.Join(composeFolder(), "alertmanager.yml"))
	if err != nil {
		t.Fatal(err)
	}
	_, text, found := strings.Cut(read(t, filepath.Join(root, "docs/runbook.md")), "\ninhibit_rules:\n")
	text, _, closed := strings.Cut(text, "\n```")
	if !found || !closed {
		t.Fatal("the runbook has no inhibit_rules")
	}
	runbook, err := alertmanager.Load("route: {receiver: a}\nreceivers: [{name: a}]\ninhibit_rules:\n" + text)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(inhibitions(t, config), inhibitions(t, runbook)) || len(config.InhibitRules) == 0 {
		t.Errorf("alertmanager.yml inhibits by %s, docs/runbook.md by %s", inhibitions(t, config), inhibitions(t, runbook))
	}
}

func inhibitions(t *testing.T, c *alertmanager.Config) string {
	t.Helper()
	text, err := yaml.Marshal(c.InhibitRules)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Grafana's files have the keys of its documentation; those that are not known here are
// likely to be typos.
func TestGrafanaIsProvisioned(t *testing.T) {
	t.Parallel()
	var datasources struct {
		Version     int `yaml:"apiVersion"`
		Datasources []struct {
			Name, UID, Type, Access, URL string
			IsDefault                    bool              `yaml:"isDefault"`
			JSONData                     map[string]string `yaml:"jsonData"`
		}
	}
	var dashboards struct {
		Version   int `yaml:"apiVersion"`
		Providers []struct {
			Name, Folder, Type    string
			DisableDeletion       bool `yaml:"disableDeletion"`
			AllowUIUpdates        bool `yaml:"allowUiUpdates"`
			UpdateIntervalSeconds int  `yaml:"updateIntervalSeconds"`
			Options               struct{ Path string }
		}
	}
	for file, into := range map[string]any{"datasources/prometheus.yaml": &datasources, "dashboards/traffic.yaml": &dashboards} {
		decoder := yaml.NewDecoder(strings.NewReader(read(t, filepath.Join(composeFolder(), "grafana/provisioning", file))))
		decoder.KnownFields(true)
		if err := decoder.Decode(into); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
	}
	if d := datasources; d.Version != 1 || len(d.Datasources) != 2 || d.Datasources[0].Type != "prometheus" || !d.Datasources[0].IsDefault {
		t.Errorf("the data sources are %+v", d)
	}
	grafana := compose(t).Services["grafana"]
	path := dashboards.Providers[0].Options.Path
	i := slices.IndexFunc(grafana.Volumes, func(v types.ServiceVolumeConfig) bool { return v.Target == path })
	if dashboards.Version != 1 || i < 0 {
		t.Fatalf("the dashboards are %+v", dashboards)
	}
	home := *grafana.Environment["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
	if _, err := os.Stat(filepath.Join(grafana.Volumes[i].Source, strings.TrimPrefix(home, path))); err != nil {
		t.Errorf("Grafana's home: %v", err)
	}
}

// Without Docker the same is run by a script: all of it comes up, the fleet is scraped,
// the rules are there, and all of it ends when it is asked to.
func TestTheScriptRunsTheStack(t *testing.T) {
	needsLoopback(t)
	t.Parallel()
	address := network() + "1"
	script := startCommand(t, "run.sh", []string{
		"PATH=" + os.Getenv("PATH"), "TMPDIR=" + t.TempDir(), "ADDRESS=" + address,
		"TRAFFIC_EXPORTER=" + env().exporter, "PROMETHEUS=" + env().prometheus, "ALERTMANAGER=" + env().alertmanager,
	}, "bash", filepath.Join(composeFolder(), "run.sh"))
	// Prometheus scrapes within 15 s of its start.
	for query, want := range map[string]string{
		"sum(up)":                    "3",
		"min(traffic_fleet_members)": "3",
		`max(traffic_target_rate{scenario="checkout"})`: "2",
	} {
		eventually(t, func() error {
			body, err := ask("http://" + address + ":9090/api/v1/query?query=" + url.QueryEscape(query))
			if got := value(body); err == nil && got != want {
				err = fmt.Errorf("%s is %q, want %q", query, got, want)
			}
			return err
		})
	}
	for path, want := range map[string]string{
		":9090/api/v1/rules":         `"name":"TrafficRateShort"`,
		":9090/api/v1/alertmanagers": `"url":"http://` + address + `:9093/`,
		":9093/api/v2/status":        "TrafficGeneratorOverloaded",
	} {
		eventually(t, func() error {
			body, err := ask("http://" + address + path)
			if err == nil && !strings.Contains(body, want) {
				err = fmt.Errorf("%s does not contain %s: %s", path, want, body)
			}
			return err
		})
	}
	script.terminate(t)
	script.gone(t, patience)
	for _, port := range []string{"9871", "9880", "9881", "9882", "9090", "9093"} {
		if _, err := ask("http://" + address + ":" + port + "/"); err == nil || !strings.Contains(err.Error(), "refused") {
			t.Errorf("port %s still answers: %v", port, err)
		}
	}
}

// value returns the only value in the response of an instant query, or nothing.
func value(body string) string {
	m := regexp.MustCompile(`"value":\[[0-9.]+,"([^"]*)"\]`).FindStringSubmatch(body)
	if len(m) == 0 {
		return ""
	}
	return m[1]
}
