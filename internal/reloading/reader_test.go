package reloading

import (
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"
)

func TestManyFilesThatHangHardlyTakeLongerThanOne(t *testing.T) {
	dir := t.TempDir()
	file := write(t, filepath.Join(dir, "file"), "content")
	synctest.Test(t, func(t *testing.T) {
		d := &slowDisk{disk: system{}}
		r := Reader{disk: d}
		hang := make(chan struct{})
		d.hang.Store(&hang)
		begin := time.Now()
		for range 3 {
			for i := range 20 {
				if _, err := r.ReadFile(filepath.Join(dir, fmt.Sprint(i)), 10); !errors.Is(err, ErrHangs) {
					t.Errorf("file %d: %v", i, err)
				}
			}
		}
		if took := time.Since(begin); took != Patience+19*brief {
			t.Errorf("it took %v", took)
		}
		if n := d.reads.Load(); n != 20 {
			t.Errorf("%d reads hang, want one for each path", n)
		}
		d.hang.Store(nil)
		close(hang)
		synctest.Wait()
		if content, err := r.ReadFile(file, 10); string(content) != "content" || err != nil {
			t.Errorf("read %q, %v", content, err)
		}
		if n := len(r.overdue); n != 0 {
			t.Errorf("%d paths are still waited for", n)
		}
	})
}
