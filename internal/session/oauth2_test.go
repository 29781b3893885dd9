package session_test

import (
	"context"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/dial"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/protocoltest"
	"github.com/traffic-exporter/traffic_exporter/internal/session"
	"github.com/traffic-exporter/traffic_exporter/test/freeport"
)

// authority is an authorization server (RFC 6749) with one client, whose secret is hunter2. It
// takes the secret only once for each code in rotation, as servers do that rotate refresh
// tokens; clients of this grant have none to send.
type authority struct {
	t *testing.T
	// inParams says that it takes the secret in the body only; otherwise as basic authentication.
	inParams bool
	secret   string
	// respond writes the response to a good request for a token; nil grants one.
	respond http.HandlerFunc
	granted atomic.Int64
}

func (a *authority) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/x-www-form-urlencoded" {
		a.t.Errorf("%s with a body of type %q", r.Method, r.Header.Get("Content-Type"))
	}
	id, secret, basic := r.BasicAuth()
	id, _ = url.QueryUnescape(id)
	secret, _ = url.QueryUnescape(secret)
	if a.inParams {
		id, secret = r.PostFormValue("client_id"), r.PostFormValue("client_secret")
	}
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	switch {
	case basic == a.inParams, id != "traffic:1", secret != a.secret:
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = io.WriteString(w, `{"error":"invalid_client","error_description":"nobody has the secret hunter2"}`)
	case r.PostFormValue("grant_type") != "client_credentials", r.PostFormValue("refresh_token") != "":
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"error":"unsupported_grant_type"}`)
	case r.PostFormValue("scope") != "read write", r.PostFormValue("audience") != "orders & more":
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"error":"invalid_scope"}`)
	case a.respond != nil:
		a.respond(w, r)
	default:
		n := a.granted.Add(1)
		_, _ = fmt.Fprintf(w, `{"access_token":"token-%d","token_type":"bearer","expires_in":3600,"refresh_token":"r-%d"}`, n, n)
	}
}

// client returns what asks a server for tokens.
func client(tokenURL string) session.ClientCredentials {
	return session.ClientCredentials{
		ID: "traffic:1", Secret: "hunter2", TokenURL: tokenURL, Scopes: []string{"read", "write"},
		Params: url.Values{"audience": {"orders & more"}}, UserAgent: "test",
		FileFailed: func() {}, Logger: slog.New(slog.DiscardHandler),
	}
}

func grantOf(t *testing.T, c session.ClientCredentials) session.Grant {
	t.Helper()
	g, err := c.Grant()
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func serve(t *testing.T, h http.Handler) string {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server.URL + "/token?tenant=1"
}

func TestTokensAreGrantedForTheClientsCredentials(t *testing.T) {
	for _, inParams := range []bool{false, true} {
		a := &authority{t: t, inParams: inParams, secret: "hunter2"}
		grant := grantOf(t, client(serve(t, a)))
		for n := 1; n <= 3; n++ {
			token, err := grant(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if want := fmt.Sprintf("token-%d", n); token.Value != want || token.Lifetime < 3590*time.Second || token.Lifetime > time.Hour {
				t.Errorf("token %+v, want %s for an hour", token, want)
			}
		}
	}
}

func TestTokensAreOnlyAskedForWhereThatIsAllowed(t *testing.T) {
	a := &authority{t: t, secret: "hunter2"}
	at := serve(t, a)
	proxy := protocoltest.SOCKSProxy(t, "socks5h", false, 0).URL
	for name, test := range map[string]struct {
		url     string
		through *url.URL
		entries []string
		want    bool
	}{
		"the server by its address":                {at, nil, []string{"127.0.0.0/8"}, true},
		"another server":                           {at, nil, []string{"10.0.0.0/8"}, false},
		"the server and its proxy":                 {strings.Replace(at, "127.0.0.1", "login.test", 1), proxy, []string{"login.test", proxy.Host}, true},
		"the proxy only":                           {strings.Replace(at, "127.0.0.1", "login.test", 1), proxy, []string{proxy.Host}, false},
		"the server whose name the proxy resolves": {strings.Replace(at, "127.0.0.1", "login.test", 1), proxy, []string{"login.test"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			c := client(test.url)
			c.Proxy.URL = test.through
			c.Fence = dial.NewFence(protocoltest.Allow(t, test.entries...))
			before := a.granted.Load()
			_, err := grantOf(t, c)(t.Context())
			if (err == nil) != test.want || (a.granted.Load() > before) != test.want {
				t.Errorf("got %v", err)
			}
			if err != nil && !strings.Contains(err.Error(), "not allowed") {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestWhatAuthorizationServersRespondIsJudged(t *testing.T) {
	body := func(status int, contentType, text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", contentType)
			w.WriteHeader(status)
			_, _ = io.WriteString(w, text)
		}
	}
	ok := func(text string) http.HandlerFunc { return body(200, "application/json", text) }
	for _, test := range []struct {
		name    string
		respond http.HandlerFunc
		want    string // of the token, or
		err     string
	}{
		{"no lifetime", ok(`{"access_token":"x","token_type":"Bearer"}`), "{x 0s}", ""},
		{"a lifetime of 0", ok(`{"access_token":"x","token_type":"Bearer","expires_in":0}`), "{x 0s}", ""},
		{"no type", ok(`{"access_token":"x"}`), "{x 0s}", ""},
		{"a form", body(200, "application/x-www-form-urlencoded", "access_token=x&token_type=bearer"), "{x 0s}", ""},
		{"a negative lifetime", ok(`{"access_token":"x","expires_in":-5}`), "", "the token has expired already"},
		{"another type", ok(`{"access_token":"x","token_type":"DPoP"}`), "", `the token's type is "DPoP", expected Bearer`},
		{"no token", ok(`{"token_type":"Bearer"}`), "", "server response missing access_token"},
		{"no JSON", ok(`<html>hunter2</html>`), "", "cannot parse json: invalid character '<' looking for beginning of value"},
		{"nothing", ok(""), "", "cannot parse json: unexpected end of JSON input"},
		{"an error with status 200", ok(`{"error":"slow_down"}`), "", `the authorization server responds with status 200: error "slow_down"`},
		{
			"an error with a description", body(400, "application/json", `{"error":"invalid_grant","error_description":"the\nsecret hunter2 is old"}`), "",
			`the authorization server responds with status 400: error "invalid_grant", "the\nsecret <secret> is old"`,
		},
		{"an error page", body(503, "text/html", "secret hunter2"), "", "the authorization server responds with status 503"},
		{
			"a redirect", func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, "http://127.0.0.1:1/", http.StatusTemporaryRedirect)
			}, "",
			"the authorization server responds with status 307",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := &authority{t: t, secret: "hunter2", respond: test.respond}
			token, err := grantOf(t, client(serve(t, a)))(t.Context())
			if test.err != "" {
				if err == nil || err.Error() != test.err {
					t.Errorf("error %v, want %s", err, test.err)
				}
				return
			}
			if err != nil || fmt.Sprint(token) != test.want {
				t.Errorf("token %v, %v, want %s", token, err, test.want)
			}
		})
	}
}

func TestHugeResponsesAreCutOff(t *testing.T) {
	a := &authority{t: t, secret: "hunter2", respond: func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"access_token":"x","expires_in":3600,"more":"`)
		_, _ = io.WriteString(w, strings.Repeat("x", 5<<20)+`"}`)
	}}
	if token, err := grantOf(t, client(serve(t, a)))(t.Context()); err == nil {
		t.Errorf("token %v, want an error", token)
	}
	a.respond = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-More", strings.Repeat("x", 1<<20))
		_, _ = io.WriteString(w, `{"access_token":"x"}`)
	}
	if token, err := grantOf(t, client(serve(t, a)))(t.Context()); err == nil {
		t.Errorf("token %v in spite of the header, want an error", token)
	}
	a.respond = func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = fmt.Fprintf(w, `{"error":"e","error_description":%q}`, strings.Repeat("x", 100_000))
	}
	if _, err := grantOf(t, client(serve(t, a)))(t.Context()); err == nil || len(err.Error()) > 500 {
		t.Errorf("an error of %d bytes", len(fmt.Sprint(err)))
	}
}

func TestAServerThatHangsIsGivenUp(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = grantOf(t, client("http://"+silent.Addr().String()+"/hunter2"))(ctx)
	if want := "the authorization server does not respond within 10s"; err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

func TestAServerThatIsNotThereIsNamedWithoutItsURL(t *testing.T) {
	_, err := grantOf(t, client("http://"+freeport.Address(t)+"/?key=hunter2"))(t.Context())
	if err == nil || !strings.Contains(err.Error(), "connection refused") || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("error %v", err)
	}
}

func TestTheSecretIsReadAgain(t *testing.T) {
	a := &authority{t: t, secret: "hunter2"}
	c := client(serve(t, a))
	c.Secret, c.SecretFile = "", filepath.Join(t.TempDir(), "secret")
	if _, err := c.Grant(); err == nil {
		t.Error("a file that is not there is taken")
	}
	if err := os.WriteFile(c.SecretFile, []byte("old\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	grant := grantOf(t, c)
	_, err := grant(t.Context())
	if want := `the authorization server responds with status 401: error "invalid_client", "nobody has the secret hunter2"`; err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
	if err = os.WriteFile(c.SecretFile, []byte("hunter2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if _, err = grant(t.Context()); err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

func TestTokensComeOverTLSAndThroughAProxy(t *testing.T) {
	a := &authority{t: t, secret: "hunter2"}
	server := httptest.NewTLSServer(a)
	t.Cleanup(server.Close)
	target := server.Listener.Addr().String()
	var tunnels atomic.Int64
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect || r.Host != target || r.Header.Get("X-Via") != "traffic" {
			t.Errorf("%s %s, header %v", r.Method, r.Host, r.Header)
		}
		tunnels.Add(1)
		to, err := net.Dial("tcp", target)
		if err != nil {
			t.Error(err)
			return
		}
		from, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = io.WriteString(from, "HTTP/1.1 200 OK\r\n\r\n")
		go func() { _, _ = io.Copy(to, from); _ = to.Close() }()
		_, _ = io.Copy(from, to)
		_ = from.Close()
	}))
	t.Cleanup(proxy.Close)
	proxyURL, err := url.Parse(proxy.URL)
	if err != nil {
		t.Fatal(err)
	}
	c := client(server.URL)
	if _, err := grantOf(t, c)(t.Context()); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("error %v, want one of the certificate", err)
	}
	c.TLS = dial.TLS{CA: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))}
	if _, err := grantOf(t, c)(t.Context()); err != nil {
		t.Error(err)
	}
	c.Proxy = dial.ProxyOptions{URL: proxyURL, ConnectHeader: []protocol.Field{{Name: "X-Via", Value: "traffic"}}}
	if _, err := grantOf(t, c)(t.Context()); err != nil || tunnels.Load() != 1 {
		t.Errorf("%v, %d tunnels", err, tunnels.Load())
	}
	c.Proxy.NoProxy = "127.0.0.1"
	if _, err := grantOf(t, c)(t.Context()); err != nil || tunnels.Load() != 1 {
		t.Errorf("%v, %d tunnels, want none more", err, tunnels.Load())
	}
}
