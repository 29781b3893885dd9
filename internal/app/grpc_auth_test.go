package app

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol/protocoltest"
	"github.com/traffic-exporter/traffic_exporter/internal/web"
)

// vault is a server of gRPC that takes calls with the right token only. Each login, which is a call with
// the metadata login, is given a new one.
type vault struct {
	mu                       sync.Mutex
	valid                    string
	good, bad, logins, conns int
}

// newVault starts a vault that takes a token and returns its host and port.
func newVault(t *testing.T, valid string) (*vault, string) {
	t.Helper()
	v := &vault{valid: valid}
	server := httptest.NewUnstartedServer(v)
	server.Config.ErrorLog = protocoltest.Quiet()
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			v.set(func() { v.conns++ })
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	return v, server.Listener.Addr().String()
}

func (v *vault) set(change func()) {
	v.mu.Lock()
	defer v.mu.Unlock()
	change()
}

// state returns how many calls were good and bad, and how many logins and connections there were.
func (v *vault) state() (good, bad, logins, conns int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.good, v.bad, v.logins, v.conns
}

// ServeHTTP implements http.Handler.
func (v *vault) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	v.mu.Lock()
	defer v.mu.Unlock()
	text := "hello"
	switch {
	case r.Header.Get("Login") != "":
		v.logins++
		v.valid = fmt.Sprintf("token-%d", v.logins)
		text = v.valid
	case r.Header.Get("Authorization") != "Bearer "+v.valid:
		v.bad++
		w.Header().Set("Content-Type", "application/grpc")
		w.Header().Set("grpc-status", "16")
		w.Header().Set("grpc-message", "who are you")
		return
	default:
		v.good++
	}
	w.Header().Set("Content-Type", "application/grpc")
	w.Header().Set("Trailer", "grpc-status")
	message := append([]byte{0x0a, byte(len(text))}, text...)
	_, _ = w.Write(append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message))), message...))
	w.Header().Set("grpc-status", "0")
}

// startVaultClient runs a scenario of calls with more settings.
func startVaultClient(t *testing.T, addr, more string) running {
	t.Helper()
	file := filepath.Join(t.TempDir(), "config.yaml")
	writeConfig(t, file, fmt.Sprintf(`  - name: s
    rate: 200/s
    base_url: grpc://%s/test.Echo
%s%s`, addr, protoFiles(t), more))
	var logs syncBuffer
	return startApp(t, options(file, &logs))
}

func TestCallsCarryATokenThatIsRenewed(t *testing.T) {
	b, bankURL := newBank(t)
	v, addr := newVault(t, "token-1")
	startVaultClient(t, addr, fmt.Sprintf(strings.Replace(withOAuth2, "      protocol: http1\n", "", 1), bankURL)+`    requests: [{name: get, url: /Unary, body: {message: {text: hi}}}]
`)
	until(t, "calls carry the token", func() bool { good, _, _, _ := v.state(); return good > 20 })
	if _, bad, _, _ := v.state(); bad > 0 {
		t.Errorf("%d calls were refused", bad)
	}
	v.set(func() { v.valid = "token-2" })
	before, _, _, _ := v.state()
	until(t, "a token that is refused with UNAUTHENTICATED is replaced", func() bool { good, _, _, _ := v.state(); return good > before+20 })
	if granted, _, _ := b.state(); granted != 2 {
		t.Errorf("%d tokens were granted", granted)
	}
}

func TestASessionOfGRPCEndsByItsStatuses(t *testing.T) {
	for name, renewOn := range map[string]string{
		"UNAUTHENTICATED when left out": "",
		"as it says":                    "      renew_on: [PERMISSION_DENIED, UNAUTHENTICATED]\n",
	} {
		t.Run(name, func(t *testing.T) {
			v, addr := newVault(t, "nobody knows")
			r := startVaultClient(t, addr, `    session:
      steps: [{name: login, url: /Unary, headers: {login: please}, body: {message: {text: me}}, capture: {access: {json: text}}}]
`+renewOn+`    requests: [{name: get, url: /Unary, headers: {authorization: "Bearer {{ access }}"}, body: {message: {text: hi}}}]
`)
			until(t, "calls have the session", func() bool { good, _, _, _ := v.state(); return good > 20 })
			if _, bad, logins, _ := v.state(); bad > 0 || logins != 1 {
				t.Errorf("%d calls were refused, with %d logins", bad, logins)
			}
			v.set(func() { v.valid = "ended" })
			before, _, _, _ := v.state()
			until(t, "a session that was refused is renewed", func() bool {
				good, _, logins, _ := v.state()
				return good > before+20 && logins == 2
			})
			r.eventually(t, `traffic_session_renewals_total{scenario="s"} 2`)
		})
	}
}

func TestConnectionsOfGRPCAge(t *testing.T) {
	v, addr := newVault(t, "key")
	r := startVaultClient(t, addr, `    http_config: {max_conn_requests: 10}
    requests: [{name: get, url: /Unary, headers: {authorization: Bearer key}, body: {message: {text: hi}}}]
`)
	until(t, "calls are made", func() bool { good, _, _, _ := v.state(); return good >= 200 })
	good, bad, _, conns := v.state()
	if bad > 0 || conns < good/10-1 || conns > good/2 {
		t.Errorf("%d good and %d bad calls took %d connections of ten", good, bad, conns)
	}
	_, body := r.get(t, "/metrics")
	for line := range strings.Lines(body) {
		if strings.HasPrefix(line, "traffic_request_failures_total") && !strings.HasSuffix(line, " 0\n") {
			t.Error(line)
		}
	}
}

func TestAFailedCallIsKeptWithItsExchange(t *testing.T) {
	_, addr := newVault(t, "key")
	r := startVaultClient(t, addr, `    requests:
      - {name: fixed, url: /Unary, headers: {authorization: Bearer secret-word}, body: {message: {text: hi}}}
      - {name: varying, url: /Unary, headers: {authorization: Bearer secret-word}, body: {message: {text: "slot {{ n }}"}}, variables: {n: {one_of: [seven]}}}
      - {name: checked, url: /Unary, headers: {authorization: Bearer key}, body: {message: {text: "slot {{ n }}"}}, variables: {n: {one_of: [seven]}}, expect: {json: {text: bye}}}
`)
	for request, want := range map[string][]string{
		"fixed":   {"> POST /test.Echo/Unary HTTP/2.0", "> authorization: Bearer <hidden>", "> traffic-slot: s/", "> traceparent: 00-", `{"text":"hi"}`, "< gRPC UNAUTHENTICATED: who are you", "< grpc-status: 16"},
		"varying": {"> POST /test.Echo/Unary HTTP/2.0", `{"text":"slot seven"}`, "< gRPC UNAUTHENTICATED: who are you"},
		"checked": {"> POST /test.Echo/Unary", `{"text":"slot seven"}`, "< gRPC OK", `{"text":"hello",`},
	} {
		var kept []web.FailureStatus
		until(t, "a failure of "+request+" is kept", func() bool {
			kept = nil
			for _, f := range data[[]web.FailureStatus](t, r, "/api/v1/failures?scenario=s") {
				if f.Request == request && f.Reason != "slow" {
					kept = append(kept, f)
				}
			}
			return len(kept) > 0
		})
		for _, text := range want {
			if !strings.Contains(kept[0].Exchange, text) {
				t.Errorf("%s: no %q in\n%s", request, text, kept[0].Exchange)
			}
		}
		if strings.Contains(kept[0].Exchange, "secret-word") {
			t.Errorf("%s: a secret is shown:\n%s", request, kept[0].Exchange)
		}
	}
}
