package app

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/traffic-exporter/traffic_exporter/internal/config"
)

func TestTheDefaultClusterIsThatOfTheNamespace(t *testing.T) {
	file := filepath.Join(t.TempDir(), "namespace")
	if err := os.WriteFile(file, []byte("shop\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	missing := filepath.Join(t.TempDir(), "none")
	for name, tc := range map[string]struct {
		given     bool
		env, file string
		want      string
	}{
		"not in a pod":               {file: missing, want: "c"},
		"by the environment":         {env: "staging", file: file, want: "staging/c"},
		"by the service account":     {file: file, want: "shop/c"},
		"what the file says, counts": {given: true, env: "staging", file: file, want: "c"},
	} {
		t.Run(name, func(t *testing.T) {
			getenv := func(string) string { return tc.env }
			if got := cluster(&config.Fleet{Cluster: "c", ClusterGiven: tc.given}, getenv, tc.file); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestOnlyScenariosCountAsADifference(t *testing.T) {
	const scenarios = "scenarios:\n  - {name: a, rate: 1/s, requests: [{name: r, url: \"http://127.0.0.1:9871/\"}]}\n"
	hash := func(text string) uint64 {
		t.Helper()
		c, err := config.Parse("x.yaml", []byte(text), func(string) (string, bool) { return "", false }, nil)
		if err != nil {
			t.Fatal(err)
		}
		return configHash(c)
	}
	base := hash("fleet: {listen: \"127.0.0.1:7946\"}\n" + scenarios)
	if hash("# another replica\nfleet: {listen: \"127.0.0.2:7946\", join: [\"127.0.0.1:7946\"]}\n"+scenarios) != base {
		t.Error("another address to listen on counts")
	}
	if hash("fleet: {listen: \"127.0.0.1:7946\"}\n"+scenarios[:len(scenarios)-1]+" # a comment\n") != base {
		t.Error("a comment counts")
	}
	if hash("fleet: {listen: \"127.0.0.1:7946\"}\nscenarios:\n  - {name: a, rate: 2/s, requests: [{name: r, url: \"http://127.0.0.1:9871/\"}]}\n") == base {
		t.Error("another rate does not count")
	}
}
