package reloading

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestOnlyRegularFilesAreRead(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Skip(err)
	}
	for path, want := range map[string]string{
		pipe:        "read " + pipe + ": found a pipe, expected a regular file",
		dir:         "read " + dir + ": found a folder, expected a regular file",
		"/dev/zero": "read /dev/zero: found a device, expected a regular file",
		write(t, filepath.Join(dir, "large"), "12345"): "read " + filepath.Join(dir, "large") + ": found more than 4 bytes, expected fewer",
	} {
		if b, err := ReadFile(path, 4); err == nil || err.Error() != want {
			t.Errorf("read %q, error %v, want %s", b, err, want)
		}
	}
	if b, err := ReadFile(write(t, filepath.Join(dir, "small"), "1234"), 4); string(b) != "1234" || err != nil {
		t.Errorf("read %q, %v", b, err)
	}
	if _, err := ReadFile(filepath.Join(dir, "none"), 4); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "none") {
		t.Errorf("error %v", err)
	}
}
