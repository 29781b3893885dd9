package web

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	toolkit "github.com/prometheus/exporter-toolkit/web"
	"gopkg.in/yaml.v3"

	"github.com/traffic-exporter/traffic_exporter/internal/reloading"
)

// webConfigEvery is how often the web configuration is read again.
const webConfigEvery = time.Second

// webConfig keeps a copy of the web configuration, and of the certificates in it, as current as
// the files. The exporter-toolkit reads its configuration for each request and each handshake: it
// reads the copy, which is in memory, so that a file system that does not respond holds up
// neither scrapes nor probes. A configuration that cannot be used leaves the copy as it was.
type webConfig struct {
	file string
	// mu guards the copy from being replaced when it has been closed.
	mu     sync.Mutex
	copied *memoryFile
	closed bool
	// content is what the copy holds.
	content []byte
	// failing says that the last look at the files failed, or does not end.
	failing atomic.Bool
	logger  *slog.Logger
}

// newWebConfig returns the copy of a web configuration, or why it cannot be used.
func newWebConfig(file string, logger *slog.Logger) (*webConfig, error) {
	content, err := reloading.Within(func() ([]byte, error) { return flatten(file) }, file, "or a file that it names")
	if err != nil {
		return nil, fmt.Errorf("web configuration: %w", err)
	}
	// Of the file itself, for its lines in errors.
	_, err = reloading.Within(func() (struct{}, error) { return struct{}{}, toolkit.Validate(file) }, file)
	if err != nil {
		return nil, fmt.Errorf("web configuration %q: %w", file, err)
	}
	copied, err := newMemoryFile(content)
	if err != nil {
		return nil, fmt.Errorf("copy of the web configuration: %w", err)
	}
	return &webConfig{file: file, copied: copied, content: content, logger: logger}, nil
}

// follow reads the files again and again, until ctx ends. A look at them may never end: then
// follow does not, and nobody must wait for it.
func (w *webConfig) follow(ctx context.Context) {
	ticker := time.NewTicker(webConfigEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			w.look()
		}
	}
}

// look copies the files if they have changed.
func (w *webConfig) look() {
	stop := reloading.Alarm(reloading.Patience, func() { w.report(false, reloading.ErrHangs) })
	content, err := flatten(w.file)
	stop()
	changed := err == nil && !bytes.Equal(content, w.content)
	if changed {
		err = w.replace(content)
	}
	w.report(changed, err)
}

// replace makes the copy another one, unless that cannot be used.
func (w *webConfig) replace(content []byte) error {
	next, err := newMemoryFile(content)
	if err != nil {
		return err
	}
	defer next.close()
	if err := toolkit.Validate(next.path()); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return nil
	}
	if err := w.copied.become(next); err != nil {
		return err
	}
	w.content = content
	return nil
}

// close removes the copy. The files may still be looked at.
func (w *webConfig) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	w.copied.close()
}

// report logs when looks begin or cease to fail.
func (w *webConfig) report(changed bool, err error) {
	was := w.failing.Swap(err != nil)
	switch {
	case err != nil && !was:
		w.logger.Warn("keeping the last good web configuration", "file", w.file, "err", err)
	case err == nil && (changed || was):
		w.logger.Info("web configuration read again", "file", w.file)
	}
}

// flatten returns a web configuration with the content of the files that it names in the place of
// their names. It waits for the file system, however long that takes.
func flatten(file string) ([]byte, error) {
	content, err := reloading.Read(file, reloading.MaxSize)
	if err != nil {
		return nil, err
	}
	var document yaml.Node
	if err := yaml.Unmarshal(content, &document); err != nil {
		return nil, fmt.Errorf("%q: %w", file, err)
	}
	if document.IsZero() {
		return content, nil
	}
	if err := inline(&document, filepath.Dir(file)); err != nil {
		return nil, err
	}
	return yaml.Marshal(&document)
}

// inlined are the keys for files, with those for their content.
func inlined(key string) string {
	return map[string]string{"cert_file": "cert", "key_file": "key", "client_ca_file": "client_ca"}[key]
}

// inline replaces the names of files below a node. It looks at each node once, wherever aliases
// lead.
func inline(n *yaml.Node, dir string) error {
	var errs []error
	for i, child := range n.Content {
		if n.Kind != yaml.MappingNode {
			errs = append(errs, inline(child, dir))
			continue
		}
		if i%2 == 0 {
			continue // A key, which is handled with its value.
		}
		key := n.Content[i-1]
		switch as := inlined(key.Value); {
		case key.Value == "basic_auth_users": // Its keys are names of people.
		case as != "" && child.Kind == yaml.ScalarNode && child.Value != "":
			errs = append(errs, load(key, child, as, dir))
		default:
			errs = append(errs, inline(child, dir))
		}
	}
	return errors.Join(errs...)
}

// load makes a key and the name of a file a key of that kind and the content of the file.
func load(key, value *yaml.Node, as, dir string) error {
	path := value.Value
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	content, err := reloading.Read(path, reloading.MaxSize)
	if err != nil {
		return fmt.Errorf("%s: %w", key.Value, err)
	}
	key.Value = as
	value.Value, value.Tag, value.Style = string(content), "!!str", yaml.DoubleQuotedStyle
	return nil
}
