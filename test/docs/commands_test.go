//go:build e2e

package docs

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/test/freeport"
)

// TestPagesDoWhatTheyShow runs the commands of each page in one shell, from top to bottom, with the binary that was built, and
// checks each configuration and query. A target that responds to everything stands for the systems in *.staging.svc.
func TestPagesDoWhatTheyShow(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"TRAFFIC_E2E_BINARY", "TRAFFIC_E2E_PROMTOOL", "TRAFFIC_E2E_HELM"} {
		if _, err := os.Stat(os.Getenv(name)); err != nil {
			t.Fatalf("run `make e2e`, which builds the tools and sets %s: %v", name, err)
		}
	}
	target := startTarget(t)
	var mu sync.Mutex
	total := map[outcome]int{}
	t.Run("pages", func(t *testing.T) {
		for _, page := range pages(t) {
			if filepath.Base(page) == "CHANGELOG.md" {
				continue
			}
			t.Run(strings.TrimPrefix(page, root+"/"), func(t *testing.T) {
				t.Parallel()
				s := newSession(t, target)
				s.page(t, s.move(t, readText(t, page)))
				if len(s.blocks) > 0 {
					s.run(t)
				}
				mu.Lock()
				defer mu.Unlock()
				for of, n := range s.outcomes {
					total[of] += n
				}
			})
		}
	})
	t.Logf("blocks: %v", total)
}

// outcome says what became of a block, or of a query of one.
type outcome string

const (
	commandsRun     outcome = "commands run"
	commandsChecked outcome = "commands checked in another way"
	commandsListed  outcome = "commands only parsed"
	yamlChecked     outcome = "YAML checked"
	yamlListed      outcome = "YAML only parsed"
	queriesChecked  outcome = "queries parsed"
)

// session is the shell that runs a page, in a folder of its own.
type session struct {
	dir      string
	target   string            // the address of the target that stands for staging
	ports    map[string]string // free ports by the page's own
	script   strings.Builder
	blocks   []block
	outcomes map[outcome]int
}

func newSession(t *testing.T, target string) *session {
	t.Helper()
	s := &session{dir: t.TempDir(), target: target, ports: map[string]string{}, outcomes: map[outcome]int{}}
	for _, port := range []string{"9870", "9871", "9872"} {
		s.ports[port] = strconv.Itoa(freeport.Get(t))
	}
	tree, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, folder := range []string{"examples", "deploy", "dashboards", "test"} {
		link(t, filepath.Join(tree, folder), filepath.Join(s.dir, folder))
	}
	bin := filepath.Join(s.dir, "bin")
	if err := os.Mkdir(bin, 0o700); err != nil {
		t.Fatal(err)
	}
	link(t, os.Getenv("TRAFFIC_E2E_HELM"), filepath.Join(bin, "helm"))
	link(t, os.Getenv("TRAFFIC_E2E_PROMTOOL"), filepath.Join(bin, "promtool"))
	write(t, filepath.Join(bin, "traffic_exporter"), fmt.Sprintf(wrapper, os.Getenv("TRAFFIC_E2E_BINARY"), s.ports["9870"], s.ports["9871"], s.ports["9872"]), 0o700)
	link(t, filepath.Join(bin, "traffic_exporter"), filepath.Join(s.dir, "traffic_exporter"))
	write(t, filepath.Join(s.dir, ".curlrc"), "retry = 40\nretry-delay = 1\nretry-all-errors\n", 0o600)
	s.script.WriteString(prelude)
	return s
}

// wrapper runs the binary at the session's ports where a command leaves them to their defaults. Its target does not respond with
// errors at random, which would fail a test now and then.
const wrapper = `#!/bin/bash
binary=%s
given=" $* "
add() { case "$given" in *" $1="*) ;; *) more+=("$1=$2") ;; esac; }
more=()
case "${1-}" in
target) add --listen-address 127.0.0.1:%[3]s; set -- "${@/--error-ratio=*/--error-ratio=0}"; add --error-ratio 0 ;;
record) add --listen 127.0.0.1:%[4]s ;;
demo) add --web.listen-address 127.0.0.1:%[2]s; add --target.listen-address 127.0.0.1:%[3]s; add --target.error-ratio 0 ;;
run | --config.file*) add --web.listen-address 127.0.0.1:%[2]s ;;
rate) add --url http://127.0.0.1:%[2]s ;;
esac
exec "$binary" "$@" "${more[@]}"
`

// prelude begins each session. A process that the page starts is waited for until it listens; ctrl_c ends the last one, as
// its terminal's user would.
const prelude = `set -euo pipefail
trap 'kill $(jobs -p) 2>/dev/null || true; wait || true' EXIT
started=
up() {
  started=$2
  for _ in $(seq 300); do
    if (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; then return; fi
    kill -0 "$2" || return 1
    sleep 0.1
  done
  return 1
}
ctrl_c() { kill "$started"; wait "$started" || [ $? = 143 ]; }
make() { command make --dry-run -C "$ROOT" "$@" >/dev/null; }
`

// move puts free ports and the target in the places of the page's ports and of the systems in *.staging.svc.
func (s *session) move(t *testing.T, text string) string {
	t.Helper()
	text = regexp.MustCompile(`(http://)([a-z-]+)\.staging\.svc(:\d+)?`).ReplaceAllStringFunc(text, func(host string) string {
		if strings.Contains(host, "-next") {
			_, port, _ := net.SplitHostPort(s.target)
			return "http://localhost:" + port
		}
		return "http://" + s.target
	})
	return regexp.MustCompile(`([:=])(98[789]\d|794[678])\b`).ReplaceAllStringFunc(text, func(found string) string {
		port := found[1:]
		if s.ports[port] == "" {
			s.ports[port] = strconv.Itoa(freeport.Get(t))
		}
		return found[:1] + s.ports[port]
	})
}

// page writes the script of a page.
func (s *session) page(t *testing.T, text string) {
	t.Helper()
	blocks, err := parse(text)
	if err != nil {
		t.Fatal(err)
	}
	s.blocks = blocks
	for i := range blocks {
		b := &blocks[i]
		fmt.Fprintf(&s.script, "\necho '%s%d'\n", mark, i)
		s.block(t, b)
	}
}

// block appends what runs or checks a block.
func (s *session) block(t *testing.T, b *block) {
	t.Helper()
	reason, needs := b.note("needs")
	switch {
	case needs:
		s.needs(t, b, reason)
	case b.language == hidden:
		s.commands(b.text)
	case b.language == "sh":
		s.shell(b)
	case b.language == "console":
		s.console(b)
	case b.language == "yaml":
		s.yaml(t, b)
	case b.language == "promql":
		s.promql(b)
	case b.title != "":
		s.save(b.title, b.text)
	}
}

// mark begins a line of output that says which block comes next.
const mark = "::: block "

// server matches a command that goes on until it is ended.
var server = regexp.MustCompile(`^(?:[A-Z_]+=\S+ )*(?:\./)?traffic_exporter (target|record|demo|run|--config\.file)\b`)

// commands appends commands. Those that go on run in the background, as in another terminal.
func (s *session) commands(text string) {
	for line := range strings.Lines(text) {
		m := server.FindStringSubmatch(line)
		if m == nil {
			s.script.WriteString(line)
			continue
		}
		line, _, _ = strings.Cut(strings.TrimSuffix(line, "\n"), "  #")
		port := s.ports[map[string]string{"target": "9871", "record": "9872", "run": "9870"}[m[1]]]
		if port == "" {
			port = s.ports["9870"]
		}
		if explicit := regexp.MustCompile(`listen[a-z-]*=127\.0\.0\.1:(\d+)`).FindStringSubmatch(line); explicit != nil {
			port = explicit[1]
		}
		fmt.Fprintf(&s.script, "%s >>servers.log 2>&1 &\nup %s $!\n", strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(line), "&")), port)
	}
}

// shell appends a block of commands. The last one fails if a note says so.
func (s *session) shell(b *block) {
	s.outcomes[commandsRun]++
	if _, fails := b.note("fails"); !fails {
		s.commands(b.text)
		return
	}
	s.script.WriteString("if {\n")
	s.commands(b.text)
	s.script.WriteString("}; then echo 'it does not fail'; exit 1; fi\n")
}

// console appends the commands of a block that shows their output too.
func (s *session) console(b *block) {
	s.outcomes[commandsRun]++
	for line := range strings.Lines(b.text) {
		if command, ok := strings.CutPrefix(line, "$ "); ok {
			s.commands(command)
		}
	}
}

func (s *session) save(file, text string) {
	fmt.Fprintf(&s.script, "cat >%s <<'END OF FILE'\n%sEND OF FILE\n", file, text)
}

// run runs the script, and compares what it prints with the page.
func (s *session) run(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	tree, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, "bash", "-c", s.script.String())
	cmd.Dir = s.dir
	cmd.Env = append(os.Environ(), "PATH="+filepath.Join(s.dir, "bin")+":"+os.Getenv("PATH"), "HOME="+s.dir, "CURL_HOME="+s.dir, "ROOT="+tree, "TARGET="+s.target)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.Stdout, cmd.Stderr = &out, &out
	err = cmd.Run()
	printed := strings.Split("\n"+out.String(), "\n"+mark)[1:]
	if err != nil {
		last := len(printed) - 1
		servers, _ := os.ReadFile(filepath.Join(s.dir, "servers.log"))
		b := &s.blocks[last]
		t.Fatalf("line %d: %v\n%s\n---- prints\n%s\n---- servers\n%s", b.line, err, b.text, printed[last], servers[max(0, len(servers)-4096):])
	}
	s.compare(t, printed)
}

// compare looks for the output that the page shows in that of its commands.
func (s *session) compare(t *testing.T, printed []string) {
	t.Helper()
	before := "" // the output of the last commands
	for i := range s.blocks {
		b := &s.blocks[i]
		if b.language == "sh" || b.language == "console" || b.language == hidden {
			before = printed[i]
		}
		for _, n := range b.notes {
			if n.verb == "prints" && !strings.Contains(printed[i], n.rest) {
				t.Errorf("line %d: %q is not printed:\n%s", b.line, n.rest, printed[i])
			}
		}
		if _, ok := b.note("printed"); ok || b.language == "console" {
			shows(t, b, before)
		}
	}
}

// varies are the parts of an output that are others each time: times of day, spans of time, and who it was.
var varies = regexp.MustCompile(`\d\d:\d\d:\d\d( [A-Z]{3,4})?|\b(\d+(\.\d+)?(ms|µs|h|m|s))+\b|\b[\w.-]+@[\w.-]+`)

// shows fails the test unless the lines of the block that are no commands are in the output, one after the other. "..." stands for any lines.
func shows(t *testing.T, b *block, output string) {
	t.Helper()
	normal := func(text string) string {
		return strings.Join(strings.Fields(varies.ReplaceAllString(text, "*")), " ")
	}
	lines := strings.Split(output, "\n")
	for want := range strings.Lines(b.text) {
		if want = normal(want); want == "..." || strings.HasPrefix(want, "$ ") || want == "" {
			continue
		}
		for len(lines) > 0 && normal(lines[0]) != want {
			lines = lines[1:]
		}
		if len(lines) == 0 {
			t.Errorf("line %d: the page shows %q, which is not printed there:\n%s", b.line, want, output)
			return
		}
	}
}

// startTarget runs the target that comes with the binary, and returns its address.
func startTarget(t *testing.T) string {
	t.Helper()
	addr := freeport.Address(t)
	var out bytes.Buffer
	cmd := exec.Command(os.Getenv("TRAFFIC_E2E_BINARY"), "target", "--listen-address="+addr, "--error-ratio=0")
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", addr)
		if err == nil {
			_ = conn.Close()
			return addr
		}
		if time.Now().After(deadline) {
			t.Fatalf("the target does not start: %v\n%s", err, out.String())
		}
	}
}

func link(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Symlink(from, to); err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, file, text string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}
