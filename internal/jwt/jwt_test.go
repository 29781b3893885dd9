package jwt_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"math/big"
	"strings"
	"sync"
	"testing"

	golang "github.com/golang-jwt/jwt/v5"

	"github.com/traffic-exporter/traffic_exporter/internal/jwt"
)

const claims = `{"sub":"ada","iat":1800000000}`

// keys are private keys with their names.
type keys map[string]any

func newKeys(tb testing.TB) keys {
	tb.Helper()
	all := keys{"secret": []byte("not really a secret")}
	must := func(name string, key any, err error) {
		if err != nil {
			tb.Fatal(err)
		}
		all[name] = key
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	must("rsa", rsaKey, err)
	for _, c := range []elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()} {
		key, failed := ecdsa.GenerateKey(c, rand.Reader)
		must(c.Params().Name, key, failed)
	}
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	must("ed25519", edKey, err)
	return all
}

// text returns a key as a file has it: as PKCS #8, or as the secret.
func (k keys) text(tb testing.TB, name string) string {
	tb.Helper()
	if secret, ok := k[name].([]byte); ok {
		return string(secret)
	}
	der, err := x509.MarshalPKCS8PrivateKey(k[name])
	if err != nil {
		tb.Fatal(err)
	}
	return block("PRIVATE KEY", der)
}

func block(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// algorithms are all of them with the names of their keys.
func algorithms() map[string]string {
	all := map[string]string{"ES256": "P-256", "ES384": "P-384", "ES512": "P-521", "EdDSA": "ed25519"}
	for _, bits := range []string{"256", "384", "512"} {
		all["HS"+bits], all["RS"+bits], all["PS"+bits] = "secret", "rsa", "rsa"
	}
	return all
}

func parsed(tb testing.TB, algorithm, text string) *jwt.Key {
	tb.Helper()
	key, err := jwt.ParseKey(algorithm, text)
	if err != nil {
		tb.Fatalf("%s: %v", algorithm, err)
	}
	return key
}

func signed(tb testing.TB, s *jwt.Signer, claims string) string {
	tb.Helper()
	token, err := s.Sign([]byte(claims))
	if err != nil {
		tb.Fatal(err)
	}
	return token
}

// signer returns a new signer, which keeps no token yet.
func signer(algorithm string, key *jwt.Key) *jwt.Signer {
	return jwt.NewSigner(fmt.Sprintf(`{"alg":%q,"typ":"JWT","kid":"k1"}`, algorithm), func() *jwt.Key { return key })
}

// public returns what verifies signatures of a key.
func public(key any) any {
	switch k := key.(type) {
	case *rsa.PrivateKey:
		return &k.PublicKey
	case *ecdsa.PrivateKey:
		return &k.PublicKey
	case ed25519.PrivateKey:
		return k.Public()
	default:
		return key
	}
}

func TestTokensOfAllAlgorithmsAreVerified(t *testing.T) {
	all := newKeys(t)
	for algorithm, name := range algorithms() {
		key := parsed(t, algorithm, all.text(t, name)+"\n")
		token := signed(t, signer(algorithm, key), claims)
		got, err := golang.Parse(token, func(tok *golang.Token) (any, error) {
			if tok.Header["kid"] != "k1" || tok.Header["typ"] != "JWT" {
				t.Errorf("%s: header %v", algorithm, tok.Header)
			}
			return public(all[name]), nil
		}, golang.WithValidMethods([]string{algorithm}))
		if err != nil || got.Claims.(golang.MapClaims)["sub"] != "ada" {
			t.Errorf("%s: %v", algorithm, err)
		}
		// Those with a random salt differ each time.
		again := signed(t, signer(algorithm, key), claims)
		if same := again == token; same == strings.HasPrefix(algorithm, "PS") {
			t.Errorf("%s: signed again, the token is the same: %t", algorithm, same)
		}
	}
}

// TestASignatureIsThatOfTheRFC signs as RFC 7515, appendix A.1, does.
func TestASignatureIsThatOfTheRFC(t *testing.T) {
	secret, err := base64.RawURLEncoding.DecodeString("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow")
	if err != nil {
		t.Fatal(err)
	}
	key := parsed(t, "HS256", string(secret))
	s := jwt.NewSigner("{\"typ\":\"JWT\",\r\n \"alg\":\"HS256\"}", func() *jwt.Key { return key })
	const want = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	if got := signed(t, s, "{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n \"http://example.com/is_root\":true}"); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// TestSignaturesOfECAreDeterministic compares a signature with one that is computed by the definition of ECDSA from
// the k of RFC 6979, appendix A.2.5, for P-256 with SHA-256 and the message "sample".
func TestSignaturesOfECAreDeterministic(t *testing.T) {
	number := func(text string) *big.Int {
		n, ok := new(big.Int).SetString(text, 16)
		if !ok {
			t.Fatal(text)
		}
		return n
	}
	d, err := hex.DecodeString("C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721")
	if err != nil {
		t.Fatal(err)
	}
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), d)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	signature, err := jwt.SignText(parsed(t, "ES256", block("EC PRIVATE KEY", der)), "sample")
	if err != nil {
		t.Fatal(err)
	}
	want := append(number("EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716").Bytes(),
		number("F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8").Bytes()...)
	if string(signature) != string(want) {
		t.Errorf("%x, want %x", signature, want)
	}
}

func TestKeysAreFoundInPEM(t *testing.T) {
	all := newKeys(t)
	rsaKey, ecKey := all["rsa"].(*rsa.PrivateKey), all["P-256"].(*ecdsa.PrivateKey)
	sec1, err := x509.MarshalECPrivateKey(ecKey)
	if err != nil {
		t.Fatal(err)
	}
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	pkcs1 := block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsaKey))
	for _, tc := range []struct {
		name, algorithm, text, want string // want is the error
	}{
		{"PKCS #1", "RS256", pkcs1, ""},
		{"PKCS #8", "RS256", all.text(t, "rsa"), ""},
		{"SEC 1", "ES256", block("EC PRIVATE KEY", sec1), ""},
		{"after parameters", "ES256", block("EC PARAMETERS", []byte{6, 8}) + block("EC PRIVATE KEY", sec1), ""},
		{"empty", "RS256", " \n", "it is empty, expected a key"},
		{"no secret", "HS256", "", "it is empty, expected a key"},
		{"no PEM", "RS256", "hunter2", "it holds no private key in PEM"},
		{"a certificate", "RS256", block("CERTIFICATE", []byte{1}), "it holds no private key in PEM"},
		{"encrypted", "RS256", block("ENCRYPTED PRIVATE KEY", []byte{1}), "its private key is encrypted, expected one that is not"},
		{"malformed", "RS256", block("PRIVATE KEY", []byte("hunter2")), "its private key is malformed"},
		{"another kind", "ES256", pkcs1, "it holds an RSA key, expected one of EC"},
		{"another kind for EdDSA", "EdDSA", all.text(t, "P-256"), "it holds an EC key, expected one of Ed25519"},
		{"another curve", "ES384", all.text(t, "P-256"), "its key is on the curve P-256, expected P-384 for ES384"},
		{"too short", "PS512", block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(weak)), "its key cannot sign by PS512: "},
		{"unknown algorithm", "none", pkcs1, `unknown algorithm "none"`},
	} {
		_, err := jwt.ParseKey(tc.algorithm, tc.text)
		switch {
		case tc.want == "" && err != nil, tc.want != "" && (err == nil || !strings.HasPrefix(err.Error(), tc.want)):
			t.Errorf("%s: %v, want %q", tc.name, err, tc.want)
		case err != nil && strings.Contains(err.Error(), "hunter2"):
			t.Errorf("%s: the error shows the key: %v", tc.name, err)
		}
	}
}

func TestTokensAreKeptUntilTheKeyChanges(t *testing.T) {
	all := newKeys(t)
	key := parsed(t, "PS256", all.text(t, "rsa")) // Its tokens differ each time that they are signed.
	s := jwt.NewSigner("{}", func() *jwt.Key { return key })
	first := signed(t, s, claims)
	if again := signed(t, s, claims); again != first {
		t.Error("the same claims were signed twice")
	}
	if other := signed(t, s, "{}"); other == first {
		t.Error("other claims have the same token")
	}
	key = parsed(t, "PS256", all.text(t, "rsa"))
	if again := signed(t, s, claims); again == first {
		t.Error("a new key has an old token")
	}
	key = nil
	if _, err := s.Sign([]byte(claims)); err == nil {
		t.Error("signed without a key")
	}
}

func TestASignerForgetsOldTokens(t *testing.T) {
	key := parsed(t, "HS256", "secret")
	s := signer("HS256", key)
	var work sync.WaitGroup
	for range 4 {
		work.Go(func() {
			for i := range 3 * jwt.MaxKept {
				if _, err := s.Sign(fmt.Appendf(nil, `{"n":%d}`, i)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	work.Wait()
	if n := s.Kept(); n > 2*jwt.MaxKept {
		t.Errorf("%d tokens are kept", n)
	}
	signed(t, s, `{"long":"`+strings.Repeat("x", 8<<10)+`"}`)
	if n := s.Kept(); n > 2*jwt.MaxKept {
		t.Errorf("%d tokens are kept", n)
	}
}

func BenchmarkSign(b *testing.B) {
	all := newKeys(b)
	for _, algorithm := range []string{"HS256", "RS256", "PS256", "ES256", "ES384", "ES512", "EdDSA"} {
		b.Run(algorithm, func(b *testing.B) {
			s := signer(algorithm, parsed(b, algorithm, all.text(b, algorithms()[algorithm])))
			b.ReportAllocs()
			for n := 0; b.Loop(); n++ {
				signed(b, s, fmt.Sprintf(`{"sub":"ada","n":%d}`, n))
			}
		})
	}
	b.Run("kept", func(b *testing.B) {
		s := signer("RS256", parsed(b, "RS256", all.text(b, "rsa")))
		for b.Loop() {
			signed(b, s, claims)
		}
	})
}
