package app

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/traffic-exporter/traffic_exporter/internal/config"
)

// dryText are scenarios of all protocols, whose targets nobody has, and which no empty response would satisfy.
const dryText = `  - name: http1
    rate: 5/s
    http_config: {proxy_url: "http://user:hunter2@proxy.invalid:3128", follow_redirects: true}
    requests:
      - {name: fixed, url: "http://shop.invalid/", expect: {status: [404]}}
      - name: visit
        cookies: true
        steps:
          - {name: list, url: "https://shop.invalid/", capture: {items: {json: items}, next: {json: next}, id: {regex: 'id=(\d+)', otherwise: end}}, expect: {json: {total: 3}, headers: {X-Total: 3}, body: {contains: items}}}
          - {name: follow, url: "{{ next }}"}
          - repeat: all
            each: {item: {from: items}}
            steps: [{name: buy, method: POST, url: "https://shop.invalid/{{ item.id }}?of={{ id }}", body: {json: {sku: "{{ item.sku.code }}", amount: "{{ id }}"}}}]
  - name: http2
    rate: 5/s
    http_config: {protocol: http2, tls_config: {ca_file: %[1]s}, oauth2: {client_id: me, client_secret: s, token_url: "https://login.invalid/token"}}
    requests: [{name: fixed, url: "https://shop.invalid/"}]
  - name: h2c
    rate: 5/s
    http_config: {protocol: h2c}
    requests: [{name: fixed, url: "http://shop.invalid/"}]
  - name: http3
    rate: 5/s
    http_config: {protocol: http3}
    requests: [{name: fixed, url: "https://shop.invalid/"}]
  - name: members
    rate: 5/s
    session: {steps: [{name: login, method: POST, url: "http://shop.invalid/login", body: {form: {user: ann}}, capture: {token: {json: token}}, expect: {status: [201]}}]}
    headers: {X-Token: "{{ token }}"}
    requests: [{name: account, url: "http://shop.invalid/account"}]
  - name: grpc
    rate: 5/s
    grpc_config: {proto_files: [%[2]s]}
    requests: [{name: call, url: "grpc://shop.invalid/shop.Catalogue/Get", body: {message: {id: 7}}, expect: {status: [NOT_FOUND]}}]
  - name: websocket
    rate: 5/s
    requests:
      - name: chat
        url: wss://shop.invalid/chat
        exchange: [{receive: {json: {type: welcome}, capture: {id: {json: id}}, within: 5s}}, {send: {json: {to: "{{ id }}"}}}, {receive: {text: hello, within: 5s}}, {ping: {within: 5s}}, {close: {within: 5s}}]
`

const dryProto = `syntax = "proto3";
package shop;
message Product { int64 id = 1; }
service Catalogue { rpc Get(Product) returns (Product); }
`

func TestADryRunSendsNothingToTheTargets(t *testing.T) {
	dir := t.TempDir()
	file, ca, proto := filepath.Join(dir, "config.yaml"), filepath.Join(dir, "ca.pem"), filepath.Join(dir, "shop.proto")
	if err := os.WriteFile(proto, []byte(dryProto), 0o600); err != nil {
		t.Fatal(err)
	}
	_, authority := newHTTP3(t)
	content, err := os.ReadFile(authority)
	if err == nil {
		err = os.WriteFile(ca, content, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	writeConfig(t, file, fmt.Sprintf(dryText, ca, proto))
	var logs syncBuffer
	o := options(file, &logs)
	o.DryRun = true
	r := startApp(t, o)
	for _, series := range []string{
		`traffic_requests_total{code="200",request="fixed",scenario="http1"}`,
		`traffic_requests_total{code="200",request="visit/buy",scenario="http1"}`,
		`traffic_requests_total{code="200",request="visit/follow",scenario="http1"}`,
		`traffic_requests_total{code="200",request="fixed",scenario="http2"}`,
		`traffic_requests_total{code="200",request="fixed",scenario="h2c"}`,
		`traffic_requests_total{code="200",request="fixed",scenario="http3"}`,
		`traffic_requests_total{code="200",request="account",scenario="members"}`,
		`traffic_requests_total{code="OK",request="call",scenario="grpc"}`,
		`traffic_requests_total{code="1000",request="chat",scenario="websocket"}`,
		`traffic_connections_opened_total{protocol="h3",scenario="http3"}`,
	} {
		r.eventually(t, series+" ")
	}
	_, body := r.get(t, "/metrics")
	if !strings.Contains(body, "traffic_dry_run 1\n") {
		t.Error("the metrics do not show that it is a dry run")
	}
	for line := range strings.Lines(body) {
		failed := strings.HasPrefix(line, "traffic_request_failures_total") || strings.HasPrefix(line, "traffic_check_failures_total")
		if failed && !strings.HasSuffix(line, " 0\n") {
			t.Errorf("%s", line)
		}
	}
	if _, live := r.get(t, "/api/v1/live"); !strings.Contains(live, `"dry_run":true`) {
		t.Errorf("the page does not know: %.300s", live)
	}
	if !strings.Contains(logs.String(), "this is a dry run") {
		t.Errorf("logged:\n%s", logs.String())
	}
}

func TestADryRunIsAFleetOfItsOwn(t *testing.T) {
	f := &config.Fleet{Cluster: "staging"}
	a := &App{}
	if got := a.own(f); got.Cluster != "staging" {
		t.Errorf("it joins %q", got.Cluster)
	}
	a.dryRun = newDryRun(nil)
	if got := a.own(f); got.Cluster != "staging.dry-run" || f.Cluster != "staging" {
		t.Errorf("it joins %q", got.Cluster)
	}
}
