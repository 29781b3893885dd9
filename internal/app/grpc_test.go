package app

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol/protocoltest"
)

// newEcho starts a server of gRPC that sends messages back, knows no reflection, and takes calls with
// a key only. It returns its host and port.
func newEcho(t *testing.T) string {
	t.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/grpc")
		switch {
		case !strings.HasPrefix(r.URL.Path, "/test.Echo/"):
			w.Header().Set("grpc-status", "12")
		case r.Header.Get("Authorization") != "Bearer key":
			w.Header().Set("grpc-status", "16")
		default:
			w.Header().Set("Trailer", "grpc-status")
			_, _ = io.Copy(w, r.Body)
			w.Header().Set("grpc-status", "0")
		}
	}))
	server.Config.ErrorLog = protocoltest.Quiet()
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Start()
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// callsText returns a scenario that makes calls, single ones and a journey.
func callsText(addr, grpcConfig, message string) string {
	return fmt.Sprintf(`  - name: s
    rate: 100/s
    base_url: grpc://%s/test.Echo
    headers: {authorization: Bearer key}
    variables: {n: sequence, word: {one_of: [ann, bob]}}
%s    requests:
      - {name: fixed, url: /Unary, body: {message: %s}}
      - name: visit
        steps:
          - {name: ask, url: /Unary, body: {message: {text: "{{ word }}", number: "{{ n }}"}}, expect: {json: {text: "{{ word }}", kind: KIND_UNSPECIFIED}}, capture: {again: {json: text}}}
          - {name: tell, url: /Both, body: {message: [{text: "{{ again }}"}, {text: b}]}, expect: {json: {"#": 2, 0.text: "{{ word }}"}}}
          - {name: refused, url: /Unary, headers: {authorization: none}, expect: {status: [UNAUTHENTICATED]}}
`, addr, grpcConfig, message)
}

// protoFiles returns the settings that name the tests' descriptors.
func protoFiles(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs("../protocol/grpc/testdata/echo.proto")
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("    grpc_config: {proto_files: [%q]}\n", path)
}

func TestCallsWaitForDescriptors(t *testing.T) {
	addr := newEcho(t)
	file := filepath.Join(t.TempDir(), "config.yaml")
	writeConfig(t, file, callsText(addr, "", "{text: hello}"))
	var logs syncBuffer
	r := startApp(t, options(file, &logs))
	metric := func(series string) float64 {
		_, body := r.get(t, "/metrics")
		return sumOf(body, series)
	}
	until(t, "slots are dropped while there are no descriptors", func() bool {
		return metric(`traffic_slots_dropped_total{reason="no_descriptors",scenario="s"}`) > 0
	})
	until(t, "the failure is counted", func() bool { return metric(`traffic_grpc_descriptor_failures_total{scenario="s"}`) > 0 })
	r.eventually(t, `traffic_grpc_descriptors{scenario="s"} 0`)
	if n := metric(`traffic_slots_finished_total{scenario="s"}`); n > 0 {
		t.Errorf("%v slots were sent without descriptors", n)
	}
	writeConfig(t, file, callsText(addr, protoFiles(t), "{text: hello}"))
	if err := r.app.reloader.Reload(); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`traffic_requests_total{code="OK",request="fixed",scenario="s"}`, `traffic_requests_total{code="OK",request="visit/ask",scenario="s"}`,
		`traffic_requests_total{code="OK",request="visit/tell",scenario="s"}`, `traffic_requests_total{code="UNAUTHENTICATED",request="visit/refused",scenario="s"}`,
	} {
		until(t, want, func() bool { return metric(want) > 5 })
	}
	r.eventually(t, `traffic_grpc_descriptors{scenario="s"} 1`)
	_, body := r.get(t, "/metrics")
	for line := range strings.Lines(body) {
		if strings.HasPrefix(line, "traffic_request_failures_total") && !strings.HasSuffix(line, " 0\n") {
			t.Error(line)
		}
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(logs.String(), "UNIMPLEMENTED") {
		t.Errorf("the log does not say why there were no descriptors:\n%s", logs.String())
	}
}

func TestCheckReadsDescriptors(t *testing.T) {
	dir := t.TempDir()
	for message, want := range map[string]string{"{text: hello}": "", "{txt: hello}": `/test.Echo/Unary: unknown field "txt"`, "[{text: a}]": "unexpected token ["} {
		file := filepath.Join(dir, "config.yaml")
		writeConfig(t, file, callsText("127.0.0.1:1", protoFiles(t), message))
		err := Check(io.Discard, []string{file})
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: error %v, want %q", message, err, want)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "bad.pb"), []byte("no descriptor set"), 0o600); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "config.yaml")
	writeConfig(t, file, callsText("127.0.0.1:1", "    grpc_config: {proto_files: [bad.pb]}\n", "{}"))
	if err := Check(io.Discard, []string{file}); err == nil || !strings.Contains(err.Error(), "no descriptor set") {
		t.Errorf("error %v", err)
	}
}

func TestSendShowsMessages(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config.yaml")
	writeConfig(t, file, callsText(newEcho(t), protoFiles(t), "{text: hello, number: 7}"))
	var out bytes.Buffer
	if err := Send(context.Background(), &out, SendOptions{File: file, Scenario: "s", Request: "fixed"}); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	for _, want := range []string{"> POST /test.Echo/Unary", "> authorization: Bearer <hidden>", `{"text":"hello","number":"7"}`, "< gRPC OK", `{"text":"hello","number":"7","kind":"KIND_UNSPECIFIED","words":[]}`} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("it does not show %q:\n%s", want, out.String())
		}
	}
	out.Reset()
	if err := Send(context.Background(), &out, SendOptions{File: file, Scenario: "s", Request: "visit"}); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	if !strings.Contains(out.String(), "< gRPC UNAUTHENTICATED") {
		t.Errorf("it does not show the status:\n%s", out.String())
	}
}

func TestOneScenarioSendsOverSeveralProtocols(t *testing.T) {
	shop := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/login":
			_, _ = io.WriteString(w, `{"key": "key"}`)
		case "/cart":
			_, _ = fmt.Fprintf(w, `{"id": "cart-%s"}`, r.URL.Query().Get("n"))
		case "/pay":
			if body, _ := io.ReadAll(r.Body); !strings.HasPrefix(string(body), `{"text":"cart-`) {
				w.WriteHeader(http.StatusBadRequest)
			}
		}
	}))
	t.Cleanup(shop.Close)
	file := filepath.Join(t.TempDir(), "config.yaml")
	writeConfig(t, file, fmt.Sprintf(`  - name: s
    rate: 100/s
    base_url: %s
    session: {steps: [{name: login, url: /login, capture: {key: {json: key}}}]}
    variables: {n: sequence}
%s    requests:
      - {name: page, url: /}
      - {name: call, url: "grpc://%[3]s/test.Echo/Unary", headers: {authorization: "Bearer {{ key }}"}, body: {message: {text: hello}}}
      - name: order
        steps:
          - {name: cart, url: "/cart?n={{ n }}", capture: {id: {json: id}}}
          - {name: reserve, url: "grpc://%[3]s/test.Echo/Unary", headers: {authorization: "Bearer {{ key }}"}, body: {message: {text: "{{ id }}"}}, capture: {text: {json: text}}}
          - {name: pay, method: POST, url: /pay, body: {json: {text: "{{ text }}"}}}
`, shop.URL, protoFiles(t), newEcho(t)))
	r := startApp(t, options(file, io.Discard))
	for request, code := range map[string]string{"page": "200", "call": "OK", "order/cart": "200", "order/reserve": "OK", "order/pay": "200"} {
		r.eventually(t, fmt.Sprintf(`traffic_requests_total{code="%s",request="%s",scenario="s"}`, code, request))
	}
	if n := gather(t, r.app, "traffic_request_")["failures"]; n != 0 {
		t.Errorf("%v requests failed", n)
	}
	var out bytes.Buffer
	if err := Send(t.Context(), &out, SendOptions{File: file, Scenario: "s", Request: "order"}); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	for _, want := range []string{"GET /cart?n=", "> POST /test.Echo/Unary", "< gRPC OK", "> POST /pay"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("it does not show %q:\n%s", want, out.String())
		}
	}
}

func TestOnlySlotsThatMakeCallsWaitForDescriptors(t *testing.T) {
	page := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(page.Close)
	file := filepath.Join(t.TempDir(), "config.yaml")
	writeConfig(t, file, fmt.Sprintf(`  - name: s
    rate: 100/s
    requests:
      - {name: page, url: "%s/"}
      - {name: call, url: "grpc://%s/test.Echo/Unary", body: {message: {text: hello}}}
`, page.URL, newEcho(t)))
	r := startApp(t, options(file, io.Discard))
	for _, series := range []string{`traffic_requests_total{code="200",request="page",scenario="s"}`, `traffic_slots_dropped_total{reason="no_descriptors",scenario="s"}`} {
		until(t, series, func() bool {
			_, body := r.get(t, "/metrics")
			return sumOf(body, series) > 0
		})
	}
	r.eventually(t, `traffic_grpc_descriptors{scenario="s"} 0`)
}
