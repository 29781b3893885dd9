package websocket

import (
	"strings"
	"testing"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	ours "github.com/traffic-exporter/traffic_exporter/internal/protocol/websocket"
	"github.com/traffic-exporter/traffic_exporter/internal/script"
	"github.com/traffic-exporter/traffic_exporter/test/freeport"
	"github.com/traffic-exporter/traffic_exporter/test/nginx"
)

// startNginx runs nginx as a proxy before a server, with locations that do not upgrade, that lead nowhere and
// that give up on those who are silent.
func startNginx(t *testing.T, backend string) string {
	t.Helper()
	addr := freeport.Address(t)
	const upgrade = `proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade"; `
	nginx.Start(t, addr, `
	server {
		listen `+addr+`;
		location / { `+upgrade+`proxy_pass http://`+backend+`; }
		location /plain { proxy_pass http://`+backend+`; }
		location /away { `+upgrade+`proxy_pass http://`+freeport.Address(t)+`; }
		location /forbidden { return 403; }
		location /impatient { `+upgrade+`proxy_read_timeout 200ms; proxy_pass http://`+backend+`; }
	}`)
	return addr
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
