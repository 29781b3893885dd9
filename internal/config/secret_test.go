package config_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log/slog"
	"math/big"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/traffic-exporter/traffic_exporter/internal/config"
)

// secretive is a scenario with a secret wherever one can be.
func secretive(t *testing.T) string {
	t.Helper()
	cert, key := pair(t)
	indent := func(text string) string { return strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n      ") }
	return with(`# The old password was hunter2.
http_config:
  tls_config:
    ca: |
      ` + indent(cert) + `
    cert: |
      ` + indent(cert) + `
    key: |
      ` + indent(key) + `
  basic_auth: {username: mary, password: &p "hunter2 ${TEST_PASSWORD}"} # hunter2
  proxy_url: http://mary:hunter2@proxy.example.org:3128
  proxy_connect_header: {X-Via: [hunter2, hunter2], X-One: hunter2}
requests:
  - name: r
    url: https://127.0.0.1/
    headers: {Cookie: "s=hunter2", x-api-key: hunter2, Proxy-Authorization: hunter2, X-Auth-Token: *p, Accept: "${TEST_HOST}", X-User: "u ${TEST_PASSWORD}", X-Other: *p, X-Tenant: {secret: hunter2}}
  - {name: s, url: "https://127.0.0.1/", headers: {Set-Cookie: hunter2}}
`)
}

// pair returns a self-signed certificate and its key, in PEM.
func pair(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"example.org"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	encode := func(kind string, b []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: b}))
	}
	return encode("CERTIFICATE", der), encode("PRIVATE KEY", secret)
}

// leaks returns the parts of the secrets that a string shows.
func leaks(text string) string {
	for _, secret := range []string{"hunter2", "PRIVATE", "68756e746572"} {
		if strings.Contains(text, secret) {
			return secret
		}
	}
	return ""
}

func TestSecretsAreNeverPrinted(t *testing.T) {
	s := parse(t, secretive(t)).Scenarios[0]
	h := s.HTTPConfig
	if got := string(h.BasicAuth.Password); got != "hunter2 hunter2 from the environment" {
		t.Fatalf("password %q: nothing is proved", got)
	}
	neverPrinted(t, s, &s, h.TLSConfig, *h.TLSConfig, *h.BasicAuth, h.BasicAuth.Password, s.Requests, s.Requests[0], s.Requests[0].Headers, s.Requests[0].Headers[0],
		h, &h, h.ProxyURL, &h.ProxyURL, h.ProxyConnectHeader)
}

func TestSecretsOfTheAuthorizationServerAreNeverPrinted(t *testing.T) {
	c := parse(t, with(`http_config:
  oauth2:
    client_id: mary
    client_secret: hunter2
    token_url: https://127.0.0.1/
    endpoint_params: {password: hunter2}
    proxy_url: http://mary:hunter2@proxy.example.org:3128
    proxy_connect_header: {X-One: hunter2}
requests:
  - {name: r, url: "https://127.0.0.1/"}
`))
	s := c.Scenarios[0]
	h := s.HTTPConfig
	if got := string(h.OAuth2.ClientSecret); got != "hunter2" {
		t.Fatalf("secret %q: nothing is proved", got)
	}
	neverPrinted(t, s, &s, h, &h, h.OAuth2, *h.OAuth2, h.OAuth2.EndpointParams, h.OAuth2.ClientSecret)
	text, err := c.Redacted()
	if err != nil || leaks(string(text)) != "" {
		t.Errorf("shows %q, %v:\n%s", leaks(string(text)), err, text)
	}
}

func TestTheSecretKeyOfSignaturesIsNeverPrinted(t *testing.T) {
	c := parse(t, with(`http_config: {sigv4: {region: us-east-1, access_key: mary, secret_key: hunter2}}
requests: [{name: r, url: "https://127.0.0.1/"}]
`))
	s := c.Scenarios[0]
	h := s.HTTPConfig
	if string(h.SigV4.SecretKey) != "hunter2" {
		t.Fatal("nothing is proved")
	}
	neverPrinted(t, s, &s, h, &h, h.SigV4, *h.SigV4, h.SigV4.SecretKey)
	if text, err := c.Redacted(); err != nil || leaks(string(text)) != "" {
		t.Errorf("shows %q, %v:\n%s", leaks(string(text)), err, text)
	}
}

func TestTheKeyOfATokenIsNeverPrinted(t *testing.T) {
	c := parse(t, with(`variables: {proof: {jwt: {algorithm: HS256, key: hunter2, lifetime: 1m}}}
requests: [{name: r, url: "https://127.0.0.1/"}]
`))
	s := c.Scenarios[0]
	j := s.Variables[0].Value.JWT
	if string(j.Key) != "hunter2" {
		t.Fatal("nothing is proved")
	}
	neverPrinted(t, s, &s, s.Variables, s.Variables[0], j, *j, j.Key, c.SigningKeys(), c.SigningKeys()[0])
	if text, err := c.Redacted(); err != nil || leaks(string(text)) != "" {
		t.Errorf("shows %q, %v:\n%s", leaks(string(text)), err, text)
	}
}

// neverPrinted fails if a value shows its secrets, however it is printed.
func neverPrinted(t *testing.T, values ...any) {
	t.Helper()
	for _, v := range values {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%e"} {
			if text := fmt.Sprintf(verb, v); leaks(text) != "" {
				t.Errorf("%T by %s shows %q: %s", v, verb, leaks(text), text)
			}
		}
		var out bytes.Buffer
		slog.New(slog.NewJSONHandler(&out, nil)).Info("value", "value", v)
		slog.New(slog.NewTextHandler(&out, nil)).Info("value", "value", v)
		asJSON, _ := json.Marshal(v)
		asYAML, _ := yaml.Marshal(v)
		if text := out.String() + string(asJSON) + string(asYAML); leaks(text) != "" {
			t.Errorf("%T logged or marshalled shows %q: %s", v, leaks(text), text)
		}
	}
}

func TestRedactedIsTheFileWithoutSecrets(t *testing.T) {
	c := parse(t, secretive(t))
	got, err := c.Redacted()
	if err != nil {
		t.Fatal(err)
	}
	text := string(got)
	if leaks(text) != "" {
		t.Errorf("shows %q:\n%s", leaks(text), text)
	}
	for _, want := range []string{
		"name: a\n", "key: <secret>", "username: mary", "password: &p <secret>", "Cookie: <secret>", "x-api-key: <secret>",
		"Proxy-Authorization: <secret>", "X-Auth-Token: *p", `Accept: "${TEST_HOST}"`, `X-User: "u ${TEST_PASSWORD}"`, "X-Other: *p", "X-Tenant: {secret: <secret>}",
		"proxy_url: <secret>", "X-Via: [<secret>, <secret>]", "X-One: <secret>", "BEGIN CERTIFICATE",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("lacks %q:\n%s", want, text)
		}
	}
	var any1 any
	if err := yaml.Unmarshal(got, &any1); err != nil {
		t.Errorf("is not YAML: %v", err)
	}
}

func TestRedactedKeepsWhatIsNoSecret(t *testing.T) {
	for _, name := range files(t, "good-*.yaml") {
		content := string(contentOf(t, name))
		got, err := load(t, name).Redacted()
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(content, "hunter2") || strings.Contains(content, "TEST_PASSWORD") {
			continue
		}
		var before, after any
		if err := yaml.Unmarshal([]byte(content), &before); err != nil {
			t.Fatal(err)
		}
		if err := yaml.Unmarshal(got, &after); err != nil {
			t.Fatal(err)
		}
		if fmt.Sprint(before) != fmt.Sprint(after) {
			t.Errorf("%s: differs:\n%s", name, got)
		}
	}
}

func TestACertificateAndItsKeyMustBelongTogether(t *testing.T) {
	cert, _ := pair(t)
	_, key := pair(t)
	keys := fmt.Sprintf("http_config: {tls_config: {cert: %q, key: %q}}\nrequests: [{name: r, url: \"https://a/\"}]", cert, key)
	_, err := config.Parse("x.yaml", []byte(with(keys)), nil, nil)
	if err == nil || !strings.Contains(err.Error(), "cannot be used together") || leaks(err.Error()) != "" {
		t.Errorf("error %v", err)
	}
}
