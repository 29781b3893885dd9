// Package jwt signs JSON Web Tokens (RFC 7519) as JSON Web Signatures (RFC 7515), by the algorithms
// of RFC 7518, section 3, and EdDSA of RFC 8037.
package jwt

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"strings"

	"github.com/golang-jwt/jwt/v5"
)

// The ways in which a string is not a key. None of them shows anything of it.
var (
	errEmpty     = errors.New("it is empty, expected a key")
	errNoPEM     = errors.New("it holds no private key in PEM")
	errEncrypted = errors.New("its private key is encrypted, expected one that is not")
	errMalformed = errors.New("its private key is malformed")
)

// Key is a key with the algorithm that it signs by. Make it with ParseKey. It is immutable and safe for
// concurrent use.
type Key struct {
	method jwt.SigningMethod
	// private is what the method takes: []byte, or a pointer to a private key, or an
	// ed25519.PrivateKey.
	private any
}

// ParseKey returns the key that a string holds for an algorithm such as RS256: a private key in PEM (PKCS #1,
// PKCS #8 or SEC 1), or, for those that begin with HS, the secret itself, without white space around
// it. Its errors show nothing of the text.
func ParseKey(algorithm, text string) (*Key, error) {
	k := &Key{method: jwt.GetSigningMethod(algorithm)}
	text = strings.TrimSpace(text)
	var err error
	switch m := k.method.(type) {
	case *jwt.SigningMethodHMAC:
		k.private, err = []byte(text), refuseEmpty(text)
	case *jwt.SigningMethodRSA, *jwt.SigningMethodRSAPSS:
		k.private, err = parse[*rsa.PrivateKey](text, "RSA")
	case *jwt.SigningMethodECDSA:
		k.private, err = parseEC(text, m)
	case *jwt.SigningMethodEd25519:
		k.private, err = parse[ed25519.PrivateKey](text, "Ed25519")
	default:
		return nil, fmt.Errorf("unknown algorithm %q", algorithm)
	}
	if err != nil {
		return nil, err
	}
	// A key that is too short for the algorithm is found by using it.
	if _, err = k.sign(""); err != nil {
		return nil, fmt.Errorf("its key cannot sign by %s: %w", algorithm, err)
	}
	return k, nil
}

func refuseEmpty(text string) error {
	if text == "" {
		return errEmpty
	}
	return nil
}

// parseEC returns a key on the curve that an algorithm has (RFC 7518, section 3.4).
func parseEC(text string, m *jwt.SigningMethodECDSA) (*ecdsa.PrivateKey, error) {
	key, err := parse[*ecdsa.PrivateKey](text, "EC")
	if err != nil {
		return nil, err
	}
	if curve := key.Params(); curve.BitSize != m.CurveBits {
		return nil, fmt.Errorf("its key is on the curve %s, expected P-%d for %s", curve.Name, m.CurveBits, m.Name)
	}
	return key, nil
}

// parse returns the first private key of a string in PEM, which has to be of type K. want names that.
func parse[K any](text, want string) (K, error) {
	var none K
	if err := refuseEmpty(text); err != nil {
		return none, err
	}
	key, err := firstPrivate([]byte(text))
	if err != nil {
		return none, err
	}
	k, ok := key.(K)
	if !ok {
		return none, fmt.Errorf("it holds %s key, expected one of %s", kindOf(key), want)
	}
	return k, nil
}

// kindOf names the kind of a private key, with its article.
func kindOf(key any) string {
	switch key.(type) {
	case *rsa.PrivateKey:
		return "an RSA"
	case *ecdsa.PrivateKey:
		return "an EC"
	case ed25519.PrivateKey:
		return "an Ed25519"
	default:
		return "another"
	}
}

// firstPrivate returns the first private key of a string in PEM. Other blocks, such as the parameters that OpenSSL
// writes before a key, are skipped.
func firstPrivate(text []byte) (any, error) {
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if !strings.HasSuffix(block.Type, "PRIVATE KEY") {
			continue
		}
		var key any
		var err error
		switch {
		case block.Type == "ENCRYPTED PRIVATE KEY" || block.Headers["DEK-Info"] != "":
			return nil, errEncrypted
		case block.Type == "RSA PRIVATE KEY":
			key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
		case block.Type == "EC PRIVATE KEY":
			key, err = x509.ParseECPrivateKey(block.Bytes)
		default:
			key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
		}
		if err != nil {
			return nil, errMalformed // The error behind it may quote the key.
		}
		return key, nil
	}
	return nil, errNoPEM
}

// sign returns the signature of a string.
func (k *Key) sign(text string) ([]byte, error) {
	if m, ok := k.method.(*jwt.SigningMethodECDSA); ok {
		return signEC(k.private.(*ecdsa.PrivateKey), m, text) //nolint:forcetypeassert // ParseKey has made it one.
	}
	return k.method.Sign(text, k.private)
}

// signEC returns a signature that is always the same for the same text (RFC 6979), which the library's is not:
// a slot has the same token whenever it is sent.
func signEC(key *ecdsa.PrivateKey, m *jwt.SigningMethodECDSA, text string) ([]byte, error) {
	h := m.Hash.New()
	h.Write([]byte(text))
	der, err := key.Sign(nil, h.Sum(nil), crypto.SignerOpts(m.Hash))
	if err != nil {
		return nil, err
	}
	var pair struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(der, &pair); err != nil {
		return nil, err
	}
	out := make([]byte, 2*m.KeySize)
	pair.R.FillBytes(out[:m.KeySize])
	pair.S.FillBytes(out[m.KeySize:])
	return out, nil
}
