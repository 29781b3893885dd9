package membership

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

var update = flag.Bool("membership.update", false, "write what happens into testdata as what should")

// TestGolden runs the files in testdata. Each is commands, then a line of dashes, then
// what they print, again and again. testdata/README.md explains the commands.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := replay(t, string(b))
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != string(b) {
				t.Errorf("%s: what happens differs from the file; it is\n%s", file, got)
			}
		})
	}
}

// replay runs a file and returns it with the current output of its commands.
func replay(t *testing.T, file string) string {
	t.Helper()
	s := &script{t: t}
	var out strings.Builder
	for i, block := range strings.Split(strings.TrimSpace(file), "\n\n") {
		if i > 0 {
			out.WriteString("\n")
		}
		commands, _, expects := strings.Cut(block+"\n", "----\n")
		out.WriteString(commands)
		var printed strings.Builder
		for line := range strings.Lines(commands) {
			if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
				s.command(&printed, strings.Fields(line))
			}
		}
		if expects || printed.Len() > 0 {
			out.WriteString("----\n" + printed.String())
		}
	}
	return out.String()
}

// script is a file that is being run.
type script struct {
	t *testing.T
	w *world
	// shown is the first second that has not been printed.
	shown int64
}

func (s *script) command(out *strings.Builder, words []string) {
	name, args := words[0], words[1:]
	switch name {
	case "fleet":
		s.fleet(args)
	case "start":
		for _, arg := range args {
			id, addr, at := strings.Cut(arg, "@")
			if !at {
				addr = id
			}
			n := s.w.add(id, addr)
			n.side = s.sideOf(n)
		}
	case "leave", "kill", "stop", "cont":
		for _, id := range args {
			s.act(name, s.w.find(id))
		}
	case "partition":
		s.partition(args)
	case "heal":
		for _, n := range s.w.nodes {
			n.side = 0
		}
	case "delay":
		s.w.from, s.w.to = s.number(args[0]), s.number(args[1])
	case "lag":
		s.w.lag[args[0]] = s.number(args[1])
	case "wait":
		s.w.run(s.w.now + s.number(args[0]))
	case "tick":
		s.tick(out, s.number(args[0]))
	case "why":
		for _, n := range s.w.nodes {
			if v := n.views[s.shown]; n.running && !v.Live {
				fmt.Fprintf(out, "%s: %s\n", n.id, v.Why)
			}
		}
	default:
		s.t.Fatalf("unknown command %q", name)
	}
}

// fleet begins a world: "fleet KEY=VALUE...".
func (s *script) fleet(args []string) {
	o := Options{MinReplicas: 1, ForgetAfter: 60, StartAloneAfter: 20, Seeds: true}
	seed := int64(1)
	for _, arg := range args {
		key, value, _ := strings.Cut(arg, "=")
		n := s.number(value)
		switch key {
		case "min_replicas":
			o.MinReplicas = int(n)
		case "min_replicas_alone":
			o.MinReplicasAlone = int(n)
		case "forget_after":
			o.ForgetAfter = n
		case "start_alone_after":
			o.StartAloneAfter = n
		case "seeds":
			o.Seeds = n != 0
		case "seed":
			seed = n
		default:
			s.t.Fatalf("unknown key %q", key)
		}
	}
	s.w = newWorld(uint64(seed), o)
	s.shown = s.w.begin + 1
}

func (s *script) number(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}

func (s *script) act(name string, n *node) {
	switch name {
	case "leave":
		s.w.leave(n)
	case "kill":
		s.w.end(n)
	case "stop":
		n.stopped = true
	case "cont":
		n.stopped = false
		s.w.wake(n)
	}
}

// partition cuts the sides off from each other: "partition a b | c". Those who are not
// mentioned are on the first.
func (s *script) partition(args []string) {
	side := 0
	for _, n := range s.w.nodes {
		n.side = 0
	}
	for _, arg := range args {
		if arg == "|" {
			side++
			continue
		}
		for _, n := range s.w.nodes {
			if n.id == arg {
				n.side = side
			}
		}
	}
}

// sideOf returns the side that a replica starts on: that of the last one at its address.
func (s *script) sideOf(n *node) int {
	side := 0
	for _, o := range s.w.nodes {
		if o != n && o.addr == n.addr {
			side = o.side
		}
	}
	return side
}

// tick lets seconds pass and prints them, those that are alike in one line.
func (s *script) tick(out *strings.Builder, seconds int64) {
	s.w.run((s.w.now/1000 + seconds) * 1000)
	first, last := s.shown, s.w.now/1000-1
	line := func(from, to int64, text string) {
		at := fmt.Sprint(from - s.w.begin)
		if to > from {
			at += fmt.Sprint("-", to-s.w.begin)
		}
		fmt.Fprintf(out, "%-7s %s\n", at, text)
	}
	from, text := first, ""
	for k := first; k <= last; k++ {
		if now := s.w.owned(k).String(); now != text {
			if text != "" {
				line(from, k-1, text)
			}
			from, text = k, now
		}
	}
	if text != "" {
		line(from, last, text)
	}
	s.shown = last + 1
}
