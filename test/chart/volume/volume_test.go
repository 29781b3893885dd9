package volume

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// shown returns what the users of a folder see in it.
func shown(t *testing.T, folder string) map[string]string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(folder, "[^.]*"))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		files[filepath.Base(path)] = string(content)
	}
	return files
}

func TestFilesAreReplacedThroughOneLink(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	for _, files := range []map[string]string{
		{"config.yaml": "a", "users.csv": "b"},
		{"config.yaml": "c", "other.csv": "d"},
		{},
		{"config.yaml": "e"},
	} {
		bytes := map[string][]byte{}
		for name, content := range files {
			bytes[name] = []byte(content)
		}
		if err := Write(folder, bytes); err != nil {
			t.Fatal(err)
		}
		if got := shown(t, folder); !maps.Equal(got, files) {
			t.Errorf("the folder shows %v, want %v", got, files)
		}
	}
	if target, err := os.Readlink(filepath.Join(folder, "config.yaml")); err != nil || target != "..data/config.yaml" {
		t.Errorf("config.yaml is a link to %q, %v", target, err)
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	versions := 0
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), "..version-") {
			versions++
		}
	}
	if versions != 1 {
		t.Errorf("%d versions are kept, want 1", versions)
	}
}

func TestAFolderStaysAsItWasWhereItCannotBeWritten(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	if err := Write(folder, map[string][]byte{"a": []byte("1")}); err != nil {
		t.Fatal(err)
	}
	if err := Write(folder, map[string][]byte{"a": []byte("2"), "a/b": nil}); err == nil {
		t.Error("a file that is a folder was written")
	}
	if got := shown(t, folder); got["a"] != "1" {
		t.Errorf("the folder shows %v, want what it did before", got)
	}
}
