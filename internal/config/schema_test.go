package config_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"gopkg.in/yaml.v3"

	"github.com/traffic-exporter/traffic_exporter/internal/config"
)

const (
	schemaFile  = "../../docs/config.schema.json"
	exampleFile = "../../config.example.yaml"
	schemaURL   = "https://traffic-exporter.github.io/traffic_exporter/config.schema.json"
)

func schema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	s, err := jsonschema.NewCompiler().Compile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// judge validates a file against the schema, as an editor does.
func judge(t *testing.T, s *jsonschema.Schema, name string) error {
	t.Helper()
	var value any
	if err := yaml.Unmarshal(contentOf(t, name), &value); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(stringKeys(value))
	if err != nil {
		t.Fatal(err)
	}
	instance, err := jsonschema.UnmarshalJSON(strings.NewReader(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	return s.Validate(instance)
}

// stringKeys makes strings of the keys of mappings, as JSON has no others.
func stringKeys(value any) any {
	switch v := value.(type) {
	case map[any]any:
		all := map[string]any{}
		for key, inner := range v {
			all[fmt.Sprint(key)] = stringKeys(inner)
		}
		return all
	case map[string]any:
		for key, inner := range v {
			v[key] = stringKeys(inner)
		}
	case []any:
		for i, inner := range v {
			v[i] = stringKeys(inner)
		}
	}
	return value
}

// TestTheSchemaNamesItsURL compares the URL with that of the site, which has the schema at its root.
func TestTheSchemaNamesItsURL(t *testing.T) {
	var id struct {
		ID string `json:"$id"`
	}
	if err := json.Unmarshal(contentOf(t, schemaFile), &id); err != nil {
		t.Fatal(err)
	}
	var site struct {
		URL string `yaml:"site_url"`
	}
	if err := yaml.Unmarshal(contentOf(t, "../../mkdocs.yml"), &site); err != nil {
		t.Fatal(err)
	}
	if want := site.URL + filepath.Base(schemaFile); id.ID != want || want != schemaURL {
		t.Errorf("$id is %q, want %q", id.ID, want)
	}
}

func TestGoodFilesFollowTheSchema(t *testing.T) {
	s := schema(t)
	for _, name := range append(files(t, "good-*.yaml"), exampleFile) {
		if err := judge(t, s, name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestMistakesThatASchemaCanFindAreFound names those files whose mistakes are of form,
// not of meaning.
func TestMistakesThatASchemaCanFindAreFound(t *testing.T) {
	s := schema(t)
	names := []string{
		"not-a-mapping", "no-scenarios", "scenarios-empty", "scenarios-null", "scenarios-mapping", "scenario-missing-keys",
		"unknown-key-*", "null-value", "wrong-kinds", "names", "requests-empty", "too-many-requests", "request-missing-keys",
		"durations", "duration-negative", "rates", "rate-list", "rate-no-shape", "rate-two-shapes", "rate-scale",
		"ramp-missing", "steps-empty", "steps-bad", "daily-times", "weekly-times", "sum-empty", "sum-element", "arrivals", "pacing",
		"slo-missing", "whole-numbers", "booleans", "protocol", "max-response-bytes", "tls-versions", "weight",
		"url-no-scheme", "url-other-scheme", "url-fragment", "url-spaces", "url-mapping",
		"fleet-not-a-mapping", "fleet-null", "fleet-store", "fleet-ranges", "fleet-name", "fleet-cluster*", "fleet-listen", "fleet-join*",
		"fleet-tls-missing-keys", "fleet-tls-versions", "fleet-etcd-missing-keys", "fleet-etcd-endpoints", "fleet-etcd-endpoints-empty",
		"fleet-consul-address",
		"allow", "body-file", "body-form", "body-graphql", "body-kind", "body-multipart", "body-random", "body-set-alone", "body-two-kinds",
		"capture-sources", "capture-words", "choose", "data-*a-mapping", "data-empty", "data-file-and-rows", "data-name", "data-order", "each", "each-alone",
		"expect-checks", "expect-kinds", "expect-more-kinds", "journey-empty", "journey-keys", "journey-not-a-list", "max-journeys",
		"parallel-and-exchange", "parallel-keys", "pause", "query-list", "query-values", "repeat", "request-times", "requests-by-name", "scenarios-by-name", "session-and-oauth2",
		"step-keys", "step-missing-keys", "step-not-a-mapping", "url-relative-without-slash", "url-with-steps", "variable-int-missing", "variable-many",
		"variable-name", "variable-no-kind", "variable-null", "variable-one-of-empty", "variable-one-of-scalar", "variable-random-text", "variable-two-kinds", "variable-word",
		"variables-not-a-mapping", "words-of-*",
		"websocket-turns", "websocket-messages", "websocket-config",
		"headers-list", "jwt", "sigv4", "remote-write", "expect-status", "expect-empty", "expect-not-a-list", "several",
	}
	for _, name := range names {
		for _, file := range files(t, "invalid-"+name+".yaml") {
			if judge(t, s, file) == nil {
				t.Errorf("%s follows the schema", filepath.Base(file))
			}
		}
	}
}

// keys collects the names of all properties in a schema.
func keys(schema any, found map[string]bool) {
	switch s := schema.(type) {
	case map[string]any:
		for name, part := range s {
			if properties, ok := part.(map[string]any); ok && name == "properties" {
				for key := range properties {
					found[key] = true
				}
			}
			keys(part, found)
		}
	case []any:
		for _, part := range s {
			keys(part, found)
		}
	}
}

func TestTheExampleShowsEveryKey(t *testing.T) {
	var parsed any
	if err := json.Unmarshal(contentOf(t, schemaFile), &parsed); err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	keys(parsed, found)
	if len(found) < 50 {
		t.Errorf("only %d keys in the schema", len(found))
	}
	example := string(contentOf(t, exampleFile))
	for key := range found {
		if !regexp.MustCompile(`(?m)(^|[\s{,])` + key + `:(\s|$)`).MatchString(example) {
			t.Errorf("the example does not show %q", key)
		}
	}
}

func TestTheExampleIsHarmlessToTry(t *testing.T) {
	example := string(contentOf(t, exampleFile))
	if first, _, _ := strings.Cut(example, "\n"); first != "# yaml-language-server: $schema="+schemaURL {
		t.Errorf("first line %q", first)
	}
	var shapes []string
	for _, s := range load(t, exampleFile).Scenarios {
		for _, o := range s.Origins() {
			if o.Authority() != "127.0.0.1:9871" {
				t.Errorf("%s goes elsewhere: %v", s.Name, o)
			}
		}
		shapes = append(shapes, s.Name)
	}
	for _, shape := range []string{"steady", "ramp", "steps", "sine", "spikes", "daily", "weekly", "sum"} {
		if !slices.Contains(shapes, shape) {
			t.Errorf("no scenario shows %s", shape)
		}
	}
}

// TestTheFleetsOfTheExampleLoad takes away the comment signs that keep the example a
// single replica's.
func TestTheFleetsOfTheExampleLoad(t *testing.T) {
	getenv := func(name string) (string, bool) {
		value, ok := map[string]string{"POD_NAME": "replica-0", "POD_IP": "10.0.0.7", "WEIGHT": "2"}[name]
		return value, ok
	}
	var stores []config.Store
	for _, part := range strings.SplitAfter(string(contentOf(t, exampleFile)), "\n# fleet:\n")[1:] {
		section, _, _ := strings.Cut(part, "\n\n")
		text := "fleet:\n" + strings.ReplaceAll("\n"+section, "\n# ", "\n") + "\n" + with("")
		c, err := config.Parse("example.yaml", []byte(text), getenv, nil)
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		stores = append(stores, c.Fleet.Store)
	}
	if want := []config.Store{config.StoreMemberlist, config.StoreEtcd, config.StoreConsul}; !slices.Equal(stores, want) {
		t.Errorf("shows fleets with %v, want %v", stores, want)
	}
}

func TestEveryKeyIsInThePage(t *testing.T) {
	var parsed any
	if err := json.Unmarshal(contentOf(t, schemaFile), &parsed); err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	keys(parsed, found)
	page := string(contentOf(t, "../../docs/configuration.md"))
	for key := range found {
		if !strings.Contains(page, "\n"+key+":") && !strings.Contains(page, "\n[ "+key+":") {
			t.Errorf("docs/configuration.md lacks %q", key)
		}
	}
}

// blocks returns the YAML in a page that contains a key.
func blocks(page, key string) []string {
	var found []string
	for _, part := range strings.Split(page, "```yaml\n")[1:] {
		block, _, _ := strings.Cut(part, "```")
		if strings.Contains(block, key) && !strings.Contains(block, "<") {
			found = append(found, block)
		}
	}
	return found
}

func TestWhatTheDocumentationShowsLoads(t *testing.T) {
	readme := blocks(string(contentOf(t, "../../README.md")), "scenarios:")
	if len(readme) == 0 {
		t.Error("README.md shows no scenario")
	}
	for _, block := range readme {
		parse(t, block)
	}
	fleets := blocks(string(contentOf(t, "../../docs/configuration.md")), "fleet:\n")
	if len(fleets) < 3 {
		t.Errorf("docs/configuration.md shows only %d fleets", len(fleets))
	}
	for _, block := range fleets {
		parse(t, strings.ReplaceAll(block, "${POD_NAME}", "replica-0")+with(""))
	}
	rates := 0
	for _, block := range blocks(string(contentOf(t, "../../docs/configuration.md")), "rate:") {
		for _, rate := range strings.SplitAfter("\n"+block, "\nrate:")[1:] {
			rate = strings.TrimSuffix(rate, "\nrate:")
			parse(t, with("rate:"+rate))
			rates++
		}
	}
	if rates < 9 {
		t.Errorf("docs/configuration.md shows only %d rates", rates)
	}
}

// beginning returns the YAML in a page that begins with a key.
func beginning(key, page string) []string {
	return slices.DeleteFunc(blocks(page, key), func(block string) bool { return !strings.HasPrefix(block, key) })
}

func TestTheJourneysOfTheDocumentationLoad(t *testing.T) {
	page := string(contentOf(t, "../../docs/configuration.md"))
	journeys, captures := blocks(page, "scenarios:\n"), blocks(page, "capture:\n")
	variables, data := beginning("variables:\n", page), beginning("data:\n", page)
	if len(journeys) == 0 || len(captures) == 0 || len(variables) == 0 || len(data) == 0 {
		t.Errorf("docs/configuration.md shows %d journeys, %d captures, %d variables, %d data", len(journeys), len(captures), len(variables), len(data))
	}
	for _, block := range journeys {
		parse(t, block)
	}
	for _, block := range captures {
		parse(t, with("requests:\n  - name: r\n    url: http://a/\n    "+strings.ReplaceAll(block, "\n", "\n    ")))
	}
	for _, block := range variables {
		parse(t, with(block))
	}
	for _, block := range data {
		parse(t, block+with(""))
	}
}
