//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/test/freeport"
)

// TestTheTutorialWorks writes the files of docs/tutorial.md and runs its commands, one after the
// other, at ports of their own. curl waits for processes that have only just started, as the tutorial's reader does.
func TestTheTutorialWorks(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/tutorial.md")
	if err != nil {
		t.Fatal(err)
	}
	ports := regexp.MustCompile(`\b(?:98[789][01]|794[678])\b`)
	moved := map[string]string{}
	text := ports.ReplaceAllStringFunc(string(page), func(port string) string {
		if moved[port] == "" {
			moved[port] = strconv.Itoa(freeport.Get(t))
		}
		return moved[port]
	})
	dir := t.TempDir()
	script := "set -euo pipefail\ntrap 'kill $(jobs -p) 2>/dev/null; wait' EXIT\n"
	blocks := regexp.MustCompile("(?ms)^```(yaml|sh)(?: title=\"([^\"]+)\")?\n(.*?)^```$").FindAllStringSubmatch(text, -1)
	if len(blocks) < 10 {
		t.Fatalf("found only %d blocks", len(blocks))
	}
	for _, b := range blocks {
		switch language, file, content := b[1], b[2], b[3]; {
		case language == "sh":
			script += content
		case file != "":
			script += fmt.Sprintf("cat > %s <<'END OF FILE'\n%sEND OF FILE\n", file, content)
		}
	}
	// The commands of `rate` ask the default port.
	script = strings.ReplaceAll(script, "traffic_exporter rate", "traffic_exporter rate --url=http://127.0.0.1:"+moved["9870"])
	write(t, filepath.Join(dir, ".curlrc"), "retry = 40\nretry-delay = 1\nretry-all-errors\n")
	if err := os.Symlink(env().exporter, filepath.Join(dir, "traffic_exporter")); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-x", "-c", script)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"), "CURL_HOME="+dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	for _, want := range []string{
		"config.yaml: ok", "peak 40/s at 11:00:00", "GET /products HTTP/1.1", `traffic_target_rate{scenario="storefront"} 20`,
		"configuration reloaded", "* step 4: visit/cart", "traffic_fleet_members 3", "x2 (the file says 30/s)",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not printed:\n%s", want, out.String())
		}
	}
}
