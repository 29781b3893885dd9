package app

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestCheckListsTheFilesThatCannotBeRead(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600); err != nil {
		t.Skip(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "user"), []byte("mary"), 0o600); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "config.yaml")
	writeConfig(t, file, scenarioText("s", "often", "https://127.0.0.1:1/", `    http_config:
      tls_config: {ca_file: none.pem, cert_file: ., key_file: pipe}
      basic_auth: {username_file: user, password_file: user/password}
`))
	err := Check(&bytes.Buffer{}, []string{file})
	if err == nil {
		t.Fatal("no error")
	}
	want := []string{
		`:3:11: scenarios[0].rate: found "often", `,
		`:6:29: scenarios[0].http_config.tls_config.ca_file: found "none.pem", which cannot be read: no such file or directory`,
		`:6:50: scenarios[0].http_config.tls_config.cert_file: found ".", which cannot be read: found a`,
		`:6:63: scenarios[0].http_config.tls_config.key_file: found "pipe", which cannot be read: found a`,
		`:7:56: scenarios[0].http_config.basic_auth.password_file: found "user/password", which cannot be read: not a directory`,
	}
	lines := strings.Split(err.Error(), "\n")
	if len(lines) != len(want) {
		t.Fatalf("got:\n%v", err)
	}
	for i, line := range lines {
		if !strings.HasPrefix(line, file+want[i]) {
			t.Errorf("got:\n%s\nwant:\n%s", line, file+want[i])
		}
	}
}

func TestAFileWithoutPermissionIsNotReadable(t *testing.T) {
	name := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(name, nil, 0); err != nil {
		t.Fatal(err)
	}
	if f, err := os.Open(name); err == nil {
		_ = f.Close()
		t.Skip("whoever runs this may read everything")
	}
	if err := newDisk().Look(name); fmt.Sprint(err) != "permission denied" {
		t.Errorf("got %v", err)
	}
}

func TestAReloadLooksAtTheFilesThatAreNamed(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "config.yaml")
	writeConfig(t, file, scenarioText("s", "0/s", url, "    http_config: {authorization: {credentials_file: token}}\n"))
	const want = `credentials_file: found "token", which cannot be read`
	if _, err := New(options(file, &bytes.Buffer{})); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("start: got %v, want %s", err, want)
	}
	token := filepath.Join(dir, "token")
	if err := os.WriteFile(token, []byte("t"), 0o600); err != nil {
		t.Fatal(err)
	}
	a, err := New(options(file, &bytes.Buffer{}))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(token); err != nil {
		t.Fatal(err)
	}
	if err := a.reloader.Reload(); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("reload: got %v, want %s", err, want)
	}
}

func TestAPreviewNeedsNoneOfTheFilesThatAreNamed(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config.yaml")
	writeConfig(t, file, scenarioText("s", "1/s", url, "    http_config: {authorization: {credentials_file: token}}\n"))
	if err := Preview(io.Discard, PreviewOptions{File: file, From: time.Now()}); err != nil {
		t.Error(err)
	}
}
