package reloading

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// write writes a file.
func write(t *testing.T, path, content string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// looked waits until nobody looks at the files any more.
func looked[T any](t *testing.T, r *Value[T]) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); r.looking.Load(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the look does not end")
		}
	}
}

// bearer makes a value of one line.
func bearer(file string, builds *int) func(Files) (string, error) {
	return func(files Files) (string, error) {
		*builds++
		token, err := files.TextOr("", file)
		if err == nil && strings.Contains(token, "\n") {
			err = errors.New("two lines")
		}
		return "Bearer " + token, err
	}
}

func TestReloadingKeepsTheLastGoodValue(t *testing.T) {
	dir := t.TempDir()
	file := write(t, filepath.Join(dir, "token"), "one")
	var log bytes.Buffer
	var builds int
	var failures atomic.Int64
	r, err := New(Options{
		Paths: []string{"", file}, Failed: func() { failures.Add(1) }, Logger: slog.New(slog.NewTextHandler(&log, nil)),
	}, bearer(file, &builds))
	if err != nil {
		t.Fatal(err)
	}
	now := r.born
	for _, step := range []struct {
		name     string
		after    time.Duration
		change   func()
		want     string
		builds   int
		failures int64
		logged   string
	}{
		{"nothing changed", 2 * time.Second, func() {}, "Bearer one", 1, 0, ""},
		{"changed, but looked at just now", recheck - 1, func() { write(t, file, "two!") }, "Bearer one", 1, 0, ""},
		{"changed", 1, func() {}, "Bearer two!", 2, 0, "files read again"},
		{"away", recheck, func() { _ = os.Remove(file) }, "Bearer two!", 2, 1, "keeping the last good value"},
		{"still away, and no news", recheck, func() {}, "Bearer two!", 2, 2, ""},
		{"back with nonsense", recheck, func() { write(t, file, "a\nb") }, "Bearer two!", 3, 3, ""},
		{"back with another", recheck, func() { write(t, file, "three") }, "Bearer three", 4, 3, "files read again"},
		{"another file of the same size in its place", recheck, func() {
			info, err := os.Stat(file)
			if err != nil {
				t.Fatal(err)
			}
			next := write(t, filepath.Join(dir, "next"), "seven")
			_ = os.Chtimes(next, info.ModTime(), info.ModTime())
			_ = os.Rename(next, file)
		}, "Bearer seven", 5, 3, "files read again"},
		{"far too large", recheck, func() { write(t, file, strings.Repeat("x", MaxSize+1)) }, "Bearer seven", 5, 4, "keeping the last good value"},
	} {
		step.change()
		now = now.Add(step.after)
		log.Reset()
		r.Get(now)
		looked(t, r)
		if got := r.Get(now); got != step.want || builds != step.builds || failures.Load() != step.failures {
			t.Errorf("%s: got %q after %d builds and %d failures, want %q after %d and %d",
				step.name, got, builds, failures.Load(), step.want, step.builds, step.failures)
		}
		if (step.logged == "") != (log.Len() == 0) || !strings.Contains(log.String(), step.logged) {
			t.Errorf("%s: logged %q, want %q", step.name, log.String(), step.logged)
		}
		if strings.Contains(log.String(), "Bearer") {
			t.Errorf("%s: a secret in the log", step.name)
		}
	}
}

// slowDisk is a file system that does not respond while hang is not nil.
type slowDisk struct {
	disk
	hang atomic.Pointer[chan struct{}]
	// reads are how many reads and looks are going on or have ended.
	reads atomic.Int64
}

func (d *slowDisk) wait() {
	d.reads.Add(1)
	if hang := d.hang.Load(); hang != nil {
		<-*hang
	}
}

func (d *slowDisk) stat(path string) (os.FileInfo, error) {
	d.wait()
	return d.disk.stat(path)
}

func (d *slowDisk) read(path string, limit int) ([]byte, error) {
	d.wait()
	return d.disk.read(path, limit)
}

func TestAFileSystemThatDoesNotRespondHoldsUpNobody(t *testing.T) {
	file := write(t, filepath.Join(t.TempDir(), "token"), "one")
	synctest.Test(t, func(t *testing.T) {
		d := &slowDisk{disk: system{}}
		var log bytes.Buffer
		var builds int
		var failures atomic.Int64
		r, err := newValue(Options{
			Paths: []string{file}, Failed: func() { failures.Add(1) }, Logger: slog.New(slog.NewTextHandler(&log, nil)),
		}, bearer(file, &builds), d)
		if err != nil {
			t.Fatal(err)
		}
		before := d.reads.Load()
		hang := make(chan struct{})
		d.hang.Store(&hang)
		for range 60 {
			start := time.Now()
			if got := r.Get(start); got != "Bearer one" || !time.Now().Equal(start) {
				t.Fatalf("got %q after %v", got, time.Since(start))
			}
			time.Sleep(time.Second)
			synctest.Wait()
		}
		if n := d.reads.Load() - before; n != 1 {
			t.Errorf("%d looks hang, want 1", n)
		}
		if n := strings.Count(log.String(), "no response from the file system within 5s"); n != 1 {
			t.Errorf("the outage is logged %d times:\n%s", n, log.String())
		}
		if n := failures.Load(); n < 50 || n > 60 {
			t.Errorf("%d failures in a minute", n)
		}

		d.hang.Store(nil)
		close(hang)
		synctest.Wait()
		if !strings.Contains(log.String(), "files read again") || r.failing.Load() {
			t.Errorf("the end of the outage is not logged:\n%s", log.String())
		}
	})
}

func TestAStartDoesNotWaitForAFileSystemForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &slowDisk{disk: system{}}
		hang := make(chan struct{})
		defer close(hang)
		d.hang.Store(&hang)
		var builds int
		_, err := newValue(Options{Paths: []string{"/net/token"}, Logger: slog.New(slog.DiscardHandler)}, bearer("/net/token", &builds), d)
		if want := "read /net/token: no response from the file system within 5s"; err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
		if _, err := readFile(d, "/net/config.yaml", 1); err == nil || !strings.Contains(err.Error(), "/net/config.yaml") {
			t.Errorf("error %v", err)
		}
	})
}

func TestAValueThatTakesLongToMakeIsNoFileSystemThatHangs(t *testing.T) {
	file := write(t, filepath.Join(t.TempDir(), "rows"), "one")
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		r, err := New(Options{Paths: []string{file}, Logger: slog.New(slog.NewTextHandler(&log, nil))}, func(files Files) (string, error) {
			time.Sleep(2 * Patience)
			return files[file], nil
		})
		if err != nil {
			t.Fatal(err)
		}
		write(t, file, "two!")
		r.Get(time.Now())
		time.Sleep(3 * Patience)
		if got := r.Get(time.Now()); got != "two!" || strings.Contains(log.String(), "keeping") {
			t.Errorf("got %q, logged:\n%s", got, log.String())
		}
		time.Sleep(3 * Patience)
	})
}

func TestAValueWithoutFilesIsMadeOnce(t *testing.T) {
	builds := 0
	r, err := New(Options{Paths: []string{"", ""}}, func(f Files) (string, error) {
		builds++
		return f.TextOr("x", "")
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := r.Get(r.born.Add(time.Hour)); got != "x" || builds != 1 || r.looking.Load() {
		t.Errorf("got %q after %d builds", got, builds)
	}
}

func TestATextOrAFileButNotBoth(t *testing.T) {
	f := Files{"a": " x\n"}
	if got, err := f.TextOr("", "a"); got != "x" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := f.TextOr("y", "a"); err == nil || !strings.Contains(err.Error(), "excludes") {
		t.Errorf("error %v", err)
	}
	if _, err := f.TextOr("", "b"); err == nil {
		t.Error("a file that was not read has a content")
	}
}
