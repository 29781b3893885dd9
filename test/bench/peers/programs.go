//go:build linux

package main

import (
	"context"
	"debug/buildinfo"
	"flag"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// finder finds a program and its version.
type finder struct {
	name string
	// hint is how to get it.
	hint string
	// version are the arguments with which it prints its version; none for a program in
	// Go, whose binary contains it.
	version []string
	path    *string
}

// finders returns those of all programs, whose paths are flags.
func finders(flags *flag.FlagSet) []finder {
	all := []finder{
		{name: "traffic_exporter", hint: "`make build` builds it", version: []string{"--version"}},
		{name: "wrk2", hint: "no distribution has it: build github.com/giltene/wrk2 and put the binary into PATH as wrk2", version: []string{"-v"}},
		{name: "wrk", hint: "on Debian: apt-get install wrk", version: []string{"-v"}},
		{name: "vegeta", hint: "`make bench-peers` builds it"},
		{name: "hey", hint: "`make bench-peers` builds it"},
		{name: "fortio", hint: "`make bench-peers` builds it"},
		{name: "k6", hint: "`make bench-peers` builds it"},
		{name: "h2load", hint: "on Debian: apt-get install nghttp2-client", version: []string{"--version"}},
		{name: "ghz", hint: "`make bench-peers` builds it"},
		{name: "nginx", hint: "on Debian: apt-get install nginx-light", version: []string{"-v"}},
	}
	for i, f := range all {
		all[i].path = flags.String(f.name, f.name, "the program "+f.name)
	}
	return all
}

// find looks for the program.
func (f finder) find(ctx context.Context) (path string, p program) {
	path, err := exec.LookPath(*f.path)
	if err == nil {
		path, err = filepath.Abs(path)
	}
	if err != nil {
		return "", program{Name: f.name, Missing: "not found; " + f.hint}
	}
	return path, program{Name: f.name, Version: f.ask(ctx, path)}
}

// ask returns the program's version, as short as possible.
func (f finder) ask(ctx context.Context, path string) string {
	if len(f.version) == 0 {
		info, err := buildinfo.ReadFile(path)
		if err != nil {
			return "unknown"
		}
		return info.Main.Version
	}
	said, _ := exec.CommandContext(ctx, path, f.version...).CombinedOutput() // wrk fails at this.
	return shortVersion(string(said))
}

// shortVersion takes the version out of what a program says of itself: what follows its
// name in the first line.
func shortVersion(said string) string {
	line, _, _ := strings.Cut(said, "\n")
	line = strings.TrimPrefix(line, "nginx version: ")
	words := strings.FieldsFunc(line, func(r rune) bool { return r == ' ' || r == '/' || r == ',' })
	for i, word := range words {
		if i > 0 && !slices.Contains([]string{"version", "debian", "nghttp2"}, word) {
			return word
		}
	}
	return "unknown"
}
