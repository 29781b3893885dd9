package reloading

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// write writes a file, and makes it look later than it was.
func write(t *testing.T, path, content string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestReloadingKeepsTheLastGoodValue(t *testing.T) {
	dir := t.TempDir()
	file := write(t, filepath.Join(dir, "token"), "one")
	var log bytes.Buffer
	var reads int
	r, err := New(slog.New(slog.NewTextHandler(&log, nil)), func() (string, error) {
		reads++
		token, err := TextOrFile("", file)
		if err == nil && strings.Contains(token, "\n") {
			err = errors.New("two lines")
		}
		return "Bearer " + token, err
	}, "", file)
	if err != nil {
		t.Fatal(err)
	}
	now := r.born
	for _, step := range []struct {
		name   string
		after  time.Duration
		change func()
		want   string
		reads  int
		logged string
	}{
		{"nothing changed", 2 * time.Second, func() {}, "Bearer one", 1, ""},
		{"changed, but looked at just now", recheck - 1, func() { write(t, file, "two!") }, "Bearer one", 1, ""},
		{"changed", 1, func() {}, "Bearer two!", 2, "files read again"},
		{"away", recheck, func() { _ = os.Remove(file) }, "Bearer two!", 2, "keeping the last good value"},
		{"still away, and no news", recheck, func() {}, "Bearer two!", 2, ""},
		{"back with nonsense", recheck, func() { write(t, file, "a\nb") }, "Bearer two!", 3, ""},
		{"back with another", recheck, func() { write(t, file, "three") }, "Bearer three", 4, "files read again"},
		{"another file of the same size in its place", recheck, func() {
			info, err := os.Stat(file)
			if err != nil {
				t.Fatal(err)
			}
			next := write(t, filepath.Join(dir, "next"), "seven")
			_ = os.Chtimes(next, info.ModTime(), info.ModTime())
			_ = os.Rename(next, file)
		}, "Bearer seven", 5, "files read again"},
	} {
		step.change()
		now = now.Add(step.after)
		log.Reset()
		if got := r.Get(now); got != step.want || reads != step.reads {
			t.Errorf("%s: got %q after %d reads, want %q after %d", step.name, got, reads, step.want, step.reads)
		}
		if (step.logged == "") != (log.Len() == 0) || !strings.Contains(log.String(), step.logged) {
			t.Errorf("%s: logged %q, want %q", step.name, log.String(), step.logged)
		}
		if strings.Contains(log.String(), "Bearer") {
			t.Errorf("%s: a secret in the log", step.name)
		}
	}
}
