// Package volume writes what Kubernetes mounts from ConfigMaps and Secrets in the way that
// kubelet does: files are links through a link that is swapped, so that all of them change
// at once.
package volume

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// data is the link that is swapped.
const data = "..data"

// Write replaces the files of a folder, by their paths. It leaves the folder as it was
// where it returns an error. Only one may write to a folder at a time.
func Write(folder string, files map[string][]byte) error {
	previous, err := os.Readlink(filepath.Join(folder, data))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	version, err := os.MkdirTemp(folder, "..version-")
	if err != nil {
		return err
	}
	if err = fill(version, files); err == nil {
		err = swap(folder, filepath.Base(version))
	}
	if err != nil {
		return errors.Join(err, os.RemoveAll(version))
	}
	if err = link(folder, files); err != nil || previous == "" {
		return err
	}
	return os.RemoveAll(filepath.Join(folder, previous))
}

// fill writes the files to a folder that every user of a container may read.
func fill(folder string, files map[string][]byte) error {
	if err := os.Chmod(folder, 0o755); err != nil { //nolint:gosec // As kubelet does.
		return err
	}
	for name, content := range files {
		path := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { //nolint:gosec // As kubelet does.
			return err
		}
		if err := os.WriteFile(path, content, 0o644); err != nil { //nolint:gosec // As kubelet does.
			return err
		}
	}
	return nil
}

// swap has the link name another version.
func swap(folder, version string) error {
	next := filepath.Join(folder, "..data_tmp")
	if err := os.Symlink(version, next); err != nil {
		return err
	}
	return os.Rename(next, filepath.Join(folder, data))
}

// link makes the links that users see, and removes those to files that are gone.
func link(folder string, files map[string][]byte) error {
	wanted := map[string]bool{}
	for name := range files {
		wanted[strings.Split(filepath.Clean(name), "/")[0]] = true
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if name := entry.Name(); !strings.HasPrefix(name, "..") && !wanted[name] {
			if err = os.Remove(filepath.Join(folder, name)); err != nil {
				return err
			}
		}
	}
	for name := range wanted {
		if err = os.Symlink(filepath.Join(data, name), filepath.Join(folder, name)); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return nil
}
