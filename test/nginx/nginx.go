// Package nginx runs the nginx of this machine for tests.
package nginx

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Start runs nginx with a server in its section http, written as its configuration has it, which has to
// listen at the address. It ends with the test. Without an nginx the test is skipped.
func Start(tb testing.TB, addr, server string) {
	tb.Helper()
	path, err := exec.LookPath("nginx")
	if err != nil {
		path, err = exec.LookPath("/usr/sbin/nginx") // Not in everybody's PATH.
	}
	if err != nil {
		tb.Skipf("there is no nginx: `make system-tools` installs it as root where there is apt-get: %v", err)
	}
	dir := tb.TempDir()
	config := `
daemon off;
master_process off;
pid nginx.pid;
error_log error.log;
events {}
http {
	access_log off;
	client_body_temp_path body;
	proxy_temp_path proxy;
	fastcgi_temp_path fastcgi;
	uwsgi_temp_path uwsgi;
	scgi_temp_path scgi;
` + server + `
}
`
	if os.Geteuid() == 0 {
		config = "user root;\n" + config
	}
	file := filepath.Join(dir, "nginx.conf")
	if err = os.WriteFile(file, []byte(config), 0o600); err != nil {
		tb.Fatal(err)
	}
	cmd := exec.CommandContext(tb.Context(), path, "-p", dir, "-c", file) //nolint:gosec // It is the nginx of this machine.
	var said strings.Builder
	cmd.Stderr = &said
	if err = cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	await(tb, addr, &said)
}

// await waits until somebody listens.
func await(tb testing.TB, addr string, said *strings.Builder) {
	tb.Helper()
	var d net.Dialer
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if c, err := d.DialContext(tb.Context(), "tcp", addr); err == nil {
			_ = c.Close()
			return
		}
		if time.Now().After(deadline) {
			tb.Fatalf("nginx does not listen: %s", said.String())
		}
	}
}
