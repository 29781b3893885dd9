//go:build linux

package hangfs_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/test/hangfs"
)

func TestReadersWaitUntilItIsHealed(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("content"), 0o600); err != nil {
		t.Fatal(err)
	}
	heal := hangfs.Over(t, dir)
	done := make(chan error, 1)
	go func() {
		_, err := os.ReadFile(file)
		done <- err
	}()
	select {
	case err := <-done:
		t.Fatalf("the read has ended: %v", err)
	case <-time.After(100 * time.Millisecond):
	}
	heal()
	if err := <-done; err == nil {
		t.Error("the read has succeeded")
	}
	if content, err := os.ReadFile(file); string(content) != "content" {
		t.Errorf("read %q, %v", content, err)
	}
}
