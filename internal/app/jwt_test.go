package app

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/golang-jwt/jwt/v5"
)

// writeKey writes a new private key into a file, at once, and returns its public key.
func writeKey(t *testing.T, path string) *ecdsa.PublicKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	if err := os.WriteFile(path+".new", text, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
	return &key.PublicKey
}

// verifier is a target that takes tokens of one key only.
type verifier struct {
	mu     sync.Mutex
	key    *ecdsa.PublicKey
	tokens []string
}

func (v *verifier) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v.mu.Lock()
	defer v.mu.Unlock()
	text := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	v.tokens = append(v.tokens, text)
	token, err := jwt.Parse(text, func(*jwt.Token) (any, error) { return v.key, nil }, jwt.WithIssuedAt(), jwt.WithoutClaimsValidation())
	if err != nil || r.FormValue("assertion") != text {
		w.WriteHeader(http.StatusUnauthorized)
	}
	_, _ = fmt.Fprintf(w, "%v", token.Claims)
}

func (v *verifier) trusts(key *ecdsa.PublicKey) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.key = key
}

// last returns the token that came last.
func (v *verifier) last() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.tokens[len(v.tokens)-1]
}

func TestTokensAreSignedForEachSlotAndNotShown(t *testing.T) {
	folder := t.TempDir()
	keyFile, file := filepath.Join(folder, "key.pem"), filepath.Join(folder, "config.yaml")
	target := &verifier{key: writeKey(t, keyFile)}
	server := httptest.NewServer(target)
	t.Cleanup(server.Close)
	text := `scenarios:
  - name: api
    rate: 1/s
    base_url: ` + server.URL + `
    variables:
      user: {text: "user-{{ n }}"}
      n: sequence
      proof: {jwt: {algorithm: ES256, key_file: key.pem, claims: {sub: "{{ user }}"}, lifetime: 1m}}
    requests:
      - name: call
        method: POST
        url: /
        headers: {Authorization: "Bearer {{ proof }}"}
        body: {form: {assertion: "{{ proof }}"}}
        expect: {status: [200], body: {contains: "sub:{{ user }}"}}
`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	send := func(slot string) (string, error) {
		var out bytes.Buffer
		err := Send(t.Context(), &out, SendOptions{File: file, Slot: slot})
		return out.String(), err
	}
	shown, err := send("")
	if err != nil {
		t.Fatalf("%v\n%s", err, shown)
	}
	first := target.last()
	for part := range strings.SplitSeq(first, ".") {
		if strings.Contains(shown, part) {
			t.Errorf("the token is shown:\n%s", shown)
		}
	}
	if !strings.Contains(shown, "* proof = <hidden>") || !strings.Contains(shown, "assertion=<hidden>") {
		t.Errorf("it shows:\n%s", shown)
	}
	// The same slot has the same token, another one another.
	_, slot, _ := strings.Cut(shown, "Traffic-Slot: ")
	slot, _, _ = strings.Cut(slot, "\n")
	slot = strings.TrimSpace(slot)
	if _, err := send(slot); err != nil || target.last() != first {
		t.Errorf("sent again, slot %s has another token: %v", slot, err)
	}
	target.trusts(writeKey(t, keyFile))
	if _, err := send(slot); err != nil || target.last() == first {
		t.Errorf("with a new key: %v", err)
	}
}

func TestTokensAreSignedWithTheKeyThatTheFileHasNow(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key.pem")
	target := &verifier{key: writeKey(t, path)}
	server := httptest.NewServer(target)
	t.Cleanup(server.Close)
	cfg := parse(t, fmt.Sprintf(`
  - name: api
    rate: 1/s
    variables: {proof: {jwt: {algorithm: ES256, key_file: %q, lifetime: 1m}}}
    requests:
      - {name: call, method: POST, url: %q, authorization: {credentials: "{{ proof }}"}, body: {form: {assertion: "{{ proof }}"}}}`, path, server.URL))
	sc := cfg.Scenarios[0]
	m, client, err := newTraffic(sc, apart(cfg))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	slot, err := findSlot(sc, "", 0)
	if err != nil {
		t.Fatal(err)
	}
	if !m.engineEntries(nil)[0].Aside {
		t.Error("signatures hold up the sending of other slots")
	}
	call := func() error {
		s := sender{w: &bytes.Buffer{}, client: client, names: m.names}
		s.call.Request.Scenario = sc.Name
		return s.journey(t.Context(), m.engineEntries(nil)[0].Script.Begin(slot))
	}
	if err := call(); err != nil {
		t.Fatal(err)
	}
	target.trusts(writeKey(t, path))
	eventually(t, func() bool { return call() == nil }, "a token of the new key")
	if err := os.WriteFile(path, []byte("no key"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := call(); err != nil {
			t.Fatalf("with a file that holds no key: %v", err)
		}
	}
}

func TestAKeyThatCannotSignIsAMistakeWithItsPlace(t *testing.T) {
	folder := t.TempDir()
	file := filepath.Join(folder, "config.yaml")
	writeKey(t, filepath.Join(folder, "key.pem"))
	text := `scenarios:
  - name: api
    rate: 1/s
    variables:
      a: {jwt: {algorithm: RS256, key_file: key.pem, lifetime: 1m}}
      b: {jwt: {algorithm: EdDSA, key: hunter2, lifetime: 1m}}
      c: {jwt: {algorithm: ES384, key_file: key.pem, lifetime: 1m}}
      d: {jwt: {algorithm: HS256, key_file: missing, lifetime: 1m}}
    requests: [{name: r, url: "http://127.0.0.1:1/"}]
`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	err := Check(&bytes.Buffer{}, []string{file})
	if want := file + `:8:45: scenarios[0].variables.d.jwt.key_file: found "missing", which cannot be read: no such file or directory`; err == nil || err.Error() != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
	if err = os.WriteFile(filepath.Join(folder, "missing"), []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	err = Check(&bytes.Buffer{}, []string{file})
	want := file + `:5:45: scenarios[0].variables.a.jwt.key_file: found a key that cannot be used: it holds an EC key, expected one of RSA
` + file + `:6:40: scenarios[0].variables.b.jwt.key: found a key that cannot be used: it holds no private key in PEM
` + file + `:7:45: scenarios[0].variables.c.jwt.key_file: found a key that cannot be used: its key is on the curve P-256, expected P-384 for ES384`
	if err == nil || err.Error() != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
}
