//go:build e2e

package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// reasons are why a block cannot run in a test, and what checks it then. A check says whether there was anything that it could check.
var reasons = map[string]func(*testing.T, *session, *block) bool{
	"docker":       docker,
	"a cluster":    cluster,
	"a release":    release,
	"root":         packages, // test/packages installs them
	"minutes":      dryRun,   // it builds, tests or measures
	"a system":     send,     // that the examples are for
	"GitHub":       dryRun,
	"Grafana":      syntaxOnly,
	"Flux":         syntaxOnly,
	"Argo CD":      syntaxOnly,
	"Kustomize":    syntaxOnly,
	"Alertmanager": syntaxOnly, // test/e2e has one
	"an editor":    syntaxOnly,
}

// needs appends what checks a block that cannot run.
func (s *session) needs(t *testing.T, b *block, reason string) {
	t.Helper()
	check := reasons[reason]
	switch {
	case check == nil:
		t.Fatalf("line %d: found the reason %q, which is not one of those in reasons_test.go", b.line, reason)
	case b.language == "yaml":
		s.syntax(t, b)
		s.outcomes[yamlListed]++
	case check(t, s, b):
		s.outcomes[commandsChecked]++
	default:
		s.outcomes[commandsListed]++
	}
}

// syntaxOnly has bash parse the commands.
func syntaxOnly(t *testing.T, s *session, b *block) bool {
	t.Helper()
	if b.language == "sh" {
		s.script.WriteString("bash -n <<'END OF FILE'\n" + b.text + "END OF FILE\n")
	}
	return false
}

// dryRun has make say what it would do.
func dryRun(t *testing.T, s *session, b *block) bool {
	t.Helper()
	for line := range strings.Lines(b.text) {
		if strings.HasPrefix(line, "make ") {
			s.script.WriteString(line)
		}
	}
	return strings.Contains(b.text, "make ")
}

// send runs the commands. Those that send may fail without their target, once they have printed the slot or looked for descriptors.
func send(t *testing.T, s *session, b *block) bool {
	t.Helper()
	for line := range strings.Lines(b.text) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "traffic_exporter send ") {
			line = "{ " + line + " || [ $? = 1 ]; } >sent 2>&1; cat sent; grep -qE '^(\\* slot|descriptors:) ' sent"
		}
		s.script.WriteString(line + "\n")
	}
	return true
}

// cluster has Helm render what it would install.
func cluster(t *testing.T, s *session, b *block) bool {
	t.Helper()
	installs := regexp.MustCompile(`^helm (?:install|upgrade) `)
	checked := false
	for line := range strings.Lines(b.text) {
		if installs.MatchString(line) {
			line = installs.ReplaceAllString(strings.TrimSpace(line), "helm template ")
			line = regexp.MustCompile(`oci://\S+ --version \S+`).ReplaceAllString(line, "deploy/helm/traffic-exporter")
			s.script.WriteString(line + " >/dev/null\n")
			checked = true
		}
		for _, m := range regexp.MustCompile(`--from-file=(\S+)`).FindAllStringSubmatch(line, -1) {
			s.script.WriteString("test -s " + m[1] + "\n")
			checked = true
		}
	}
	return syntaxOnly(t, s, b) || checked
}

// docker looks for the files and the image that the commands name.
func docker(t *testing.T, s *session, b *block) bool {
	t.Helper()
	for _, m := range regexp.MustCompile(`docker compose -f (\S+)`).FindAllStringSubmatch(b.text, -1) {
		s.script.WriteString("test -s " + m[1] + "\n")
	}
	for _, m := range regexp.MustCompile(`ghcr\.io/[a-z_/-]+`).FindAllString(b.text, -1) {
		if !strings.Contains(readText(t, filepath.Join(root, ".goreleaser.yaml")), m) {
			t.Errorf("line %d: a release has no image %s", b.line, m)
		}
	}
	return true
}

// release compares the names of files with those that a release has.
func release(t *testing.T, s *session, b *block) bool {
	t.Helper()
	releases := readText(t, filepath.Join(root, ".goreleaser.yaml"))
	for _, m := range regexp.MustCompile(`\S*(?:/download/v\$version/|\bverify-blob )(\S+)`).FindAllStringSubmatch(b.text, -1) {
		archive := regexp.MustCompile(`^traffic_exporter-\$version\.(linux|darwin)-(amd64|arm64|armv7)\.tar\.gz$`).MatchString(m[1])
		if !archive && !strings.Contains(releases, m[1]) {
			t.Errorf("line %d: a release has no file %s", b.line, m[1])
		}
	}
	_ = syntaxOnly(t, s, b)
	return true
}

// packages compares the names of packages with those that nFPM gives them.
func packages(t *testing.T, s *session, b *block) bool {
	t.Helper()
	name := regexp.MustCompile(`^traffic-exporter(_\d+\.\d+\.\d+_(amd64|arm64|armhf)\.deb|-\d+\.\d+\.\d+-1\.(x86_64|aarch64|armv7hl)\.rpm)$`)
	for _, m := range regexp.MustCompile(`\S+\.(?:deb|rpm)\b`).FindAllString(b.text, -1) {
		if !name.MatchString(m) {
			t.Errorf("line %d: a release has no package %s", b.line, m)
		}
	}
	for _, m := range regexp.MustCompile(`systemctl \w+ (\w+)`).FindAllStringSubmatch(b.text, -1) {
		if _, err := os.Stat(filepath.Join(root, "deploy/packages", m[1]+".service")); err != nil {
			t.Errorf("line %d: %v", b.line, err)
		}
	}
	_ = syntaxOnly(t, s, b)
	return true
}
