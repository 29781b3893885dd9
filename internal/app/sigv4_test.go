package app

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// customs is a target that takes requests with the right signature only.
type customs struct {
	mu     sync.Mutex
	secret string
	seen   []string
}

// ServeHTTP implements http.Handler: it signs what came as it should have been.
func (c *customs) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	sum := sha256.Sum256(body)
	at, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	path, query, _ := strings.Cut(r.RequestURI, "?")
	same := r.Clone(context.Background())
	same.Header, same.ContentLength = http.Header{}, 0
	if kind := r.Header.Get("Content-Type"); kind != "" {
		same.Header.Set("Content-Type", kind)
	}
	same.URL.Opaque, same.URL.RawQuery = "//"+r.Host+path, query
	credentials := aws.Credentials{AccessKeyID: "AKID", SecretAccessKey: c.secret}
	if err == nil {
		err = v4.NewSigner().SignHTTP(r.Context(), credentials, same, hex.EncodeToString(sum[:]), "aps", "eu-central-1", at)
	}
	c.seen = append(c.seen, r.Method+" "+r.RequestURI+" "+string(body))
	if err != nil || time.Since(at).Abs() > time.Minute || r.Header.Get("Authorization") != same.Header.Get("Authorization") {
		w.WriteHeader(http.StatusForbidden)
	}
}

func TestRequestsAreSignedAsTheyAreSent(t *testing.T) {
	target := &customs{secret: "a secret key"}
	server := httptest.NewServer(target)
	t.Cleanup(server.Close)
	folder := t.TempDir()
	secretFile, file := filepath.Join(folder, "secret"), filepath.Join(folder, "config.yaml")
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(secretFile, target.secret+"\n")
	write(file, `scenarios:
  - name: s
    rate: 1/s
    base_url: `+server.URL+`
    http_config: {sigv4: {region: eu-central-1, access_key: AKID, secret_key_file: secret}}
    variables: {word: {one_of: ["a b/ü"]}}
    requests:
      - {name: fixed, url: "/a%20b/c?z=1&a=%2F&empty"}
      - {name: varying, method: POST, url: "/x/{{ word }}", query: {q: "{{ word }}", b: c}, body: {json: {word: "{{ word }}"}}}
      - {name: series, method: POST, url: /write, body: {remote_write: [{name: up, value: 1}]}}
      - {name: visit, steps: [{name: first, url: /first}, {name: second, method: PUT, url: /second, body: "{{ word }}"}]}
`)
	for _, request := range []string{"fixed", "varying", "series", "visit"} {
		var out bytes.Buffer
		if err := Send(t.Context(), &out, SendOptions{File: file, Scenario: "s", Request: request}); err != nil {
			t.Errorf("%s: %v\n%s", request, err, out.String())
		}
		if strings.Contains(out.String(), "Signature=") || !strings.Contains(out.String(), "> Authorization: AWS4-HMAC-SHA256 <hidden>") || !strings.Contains(out.String(), "> X-Amz-Date: 2") {
			t.Errorf("%s is shown as\n%s", request, out.String())
		}
	}
	if len(target.seen) != 5 || target.seen[0] != "GET /a%20b/c?z=1&a=%2F&empty " || target.seen[1] != `POST /x/a%20b%2F%C3%BC?q=a%20b%2F%C3%BC&b=c {"word":"a b/ü"}` {
		t.Errorf("the target has seen %q", target.seen)
	}
	write(secretFile, "another one")
	if err := Send(t.Context(), io.Discard, SendOptions{File: file, Scenario: "s", Request: "fixed"}); err == nil {
		t.Error("the target takes another secret")
	}
}
