package websocket

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	ours "github.com/traffic-exporter/traffic_exporter/internal/protocol/websocket"
	"github.com/traffic-exporter/traffic_exporter/internal/script"
	"github.com/traffic-exporter/traffic_exporter/test/freeport"
)

// startNginx runs the nginx of this machine as a proxy before a server, with locations that do not upgrade,
// that lead nowhere and that give up on those who are silent. Without an nginx the test is skipped.
func startNginx(t *testing.T, backend string) string {
	t.Helper()
	path, err := exec.LookPath("nginx")
	if err != nil {
		path, err = exec.LookPath("/usr/sbin/nginx") // Not in everybody's PATH.
	}
	if err != nil {
		t.Skipf("there is no nginx: `make system-tools` installs it as root where there is apt-get: %v", err)
	}
	dir := t.TempDir()
	addr := freeport.Address(t)
	upgrade := `proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade"; `
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
	server {
		listen ` + addr + `;
		location / { ` + upgrade + `proxy_pass http://` + backend + `; }
		location /plain { proxy_pass http://` + backend + `; }
		location /away { ` + upgrade + `proxy_pass http://` + freeport.Address(t) + `; }
		location /forbidden { return 403; }
		location /impatient { ` + upgrade + `proxy_read_timeout 200ms; proxy_pass http://` + backend + `; }
	}
}
`
	if os.Geteuid() == 0 {
		config = "user root;\n" + config
	}
	file := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), path, "-p", dir, "-c", file)
	var said strings.Builder
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	for deadline := time.Now().Add(long); ; time.Sleep(10 * time.Millisecond) {
		if c, err := net.Dial("tcp", addr); err == nil {
			_ = c.Close()
			return addr
		}
		if time.Now().After(deadline) {
			t.Fatalf("nginx does not listen: %s", said.String())
		}
	}
}

func TestNginxAsAProxy(t *testing.T) {
	addr := startNginx(t, serve(t))
	for _, test := range []struct {
		name, path string
		expect     ours.Codes
		turns      []script.Turn
		code       string
		reason     protocol.Reason
	}{
		{name: "an echo", path: "/", turns: []script.Turn{say("hello"), hear("hello")}, code: "1000"},
		{name: "many messages", path: "/", turns: many(200), code: "1000"},
		{name: "a long message", path: "/", turns: []script.Turn{say(strings.Repeat("x", 500_000) + "end"), hear("xend")}, code: "1000"},
		{name: "pings", path: "/ping", turns: []script.Turn{script.Ping{Name: "ping", Within: long}, hear("ponged")}, code: "1000"},
		{name: "a closure", path: "/close/1008", turns: []script.Turn{hear("x")}, code: "1008", reason: protocol.ReasonStatus},
		{name: "a proxy that does not upgrade", path: "/plain", turns: []script.Turn{hear("x")}, code: "400", reason: protocol.ReasonStatus},
		{name: "a server that is away", path: "/away", turns: []script.Turn{hear("x")}, code: "502", reason: protocol.ReasonStatus},
		{name: "a location that is closed", path: "/forbidden", code: "403", reason: protocol.ReasonStatus},
		{name: "a refusal that is expected", path: "/forbidden", expect: ours.Codes{{First: 403, Last: 403}}, code: "403"},
		{name: "a proxy that gives up", path: "/impatient", turns: []script.Turn{hear("x")}, code: "1006", reason: protocol.ReasonReset},
	} {
		t.Run(test.name, func(t *testing.T) {
			check(t, exchange(t, addr, test.path, test.expect, test.turns...), test.code, test.reason)
		})
	}
}
