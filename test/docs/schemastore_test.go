package docs

import (
	"bytes"
	"encoding/json"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// catalogEntry has the keys that SchemaStore's catalog allows.
type catalogEntry struct {
	Name        string            `json:"name"`
	Description string            `json:"description"`
	FileMatch   []string          `json:"fileMatch"`
	URL         string            `json:"url"`
	Versions    map[string]string `json:"versions"`
}

func readCatalogEntry(t *testing.T) catalogEntry {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(read(t, "deploy/schemastore/catalog-entry.json")))
	d.DisallowUnknownFields()
	var e catalogEntry
	if err := d.Decode(&e); err != nil {
		t.Fatal(err)
	}
	return e
}

func TestTheEntryOfSchemaStoreNamesTheSchema(t *testing.T) {
	e := readCatalogEntry(t)
	var schema struct {
		ID string `json:"$id"`
	}
	if err := json.Unmarshal(read(t, "docs/config.schema.json"), &schema); err != nil {
		t.Fatal(err)
	}
	if e.URL != schema.ID {
		t.Errorf("url is %q, the schema's $id %q", e.URL, schema.ID)
	}
	if e.Name != "traffic_exporter" || e.Description == "" || strings.Contains(e.Description, "schema") {
		t.Errorf("name %q, description %q", e.Name, e.Description)
	}
}

// TestEachReleaseIsAVersionInSchemaStore compares with the headings of the CHANGELOG and the version to be released.
func TestEachReleaseIsAVersionInSchemaStore(t *testing.T) {
	versions := readCatalogEntry(t).Versions
	releases := []string{line(t, chartFile, "version")}
	for _, m := range regexp.MustCompile(`(?m)^## ([0-9]\S*) `).FindAllSubmatch(read(t, "CHANGELOG.md"), -1) {
		releases = append(releases, string(m[1]))
	}
	for _, release := range releases {
		want := "https://raw.githubusercontent.com/traffic-exporter/traffic_exporter/v" + release + "/docs/config.schema.json"
		if versions[release] != want {
			t.Errorf("version %s is at %q, want %q", release, versions[release], want)
		}
	}
	if len(slices.Compact(slices.Sorted(slices.Values(releases)))) != len(versions) {
		t.Errorf("versions %v, want those of %v", versions, releases)
	}
}

func TestSchemaStoreFindsConfigurationsByName(t *testing.T) {
	patterns := readCatalogEntry(t).FileMatch
	for file, want := range map[string]bool{
		"traffic_exporter.yaml":                     true,
		"staging/traffic_exporter.yml":              true,
		"shop.traffic_exporter.yaml":                true,
		"/etc/traffic_exporter/config.yaml":         true,
		"config.yaml":                               false,
		"prometheus/config.yaml":                    false,
		"rules/traffic-exporter.yaml":               false,
		"deploy/helm/traffic-exporter/values.yaml":  false,
		"not_traffic_exporter.yaml":                 false,
		"/etc/traffic_exporter/secrets/config.yaml": false,
	} {
		if got := slices.ContainsFunc(patterns, func(p string) bool { return globMatches(t, p, file) }); got != want {
			t.Errorf("%s: matched %v, want %v", file, got, want)
		}
	}
}

// globMatches compares as many elements at the end of the path as the pattern has, as editors do.
func globMatches(t *testing.T, pattern, file string) bool {
	t.Helper()
	pattern = strings.TrimPrefix(pattern, "**/")
	elements := strings.Split(file, "/")
	first := max(0, len(elements)-strings.Count(pattern, "/")-1)
	matched, err := path.Match(pattern, path.Join(elements[first:]...))
	if err != nil {
		t.Fatal(err)
	}
	return matched
}
