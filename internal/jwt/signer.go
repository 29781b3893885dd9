package jwt

import (
	"encoding/base64"
	"errors"
	"sync"
)

// maxKept bounds the tokens of a Signer that are kept, twice: those of now and those before.
const maxKept = 2048

// maxKeptSize is the length in bytes up to which a token is kept.
const maxKeptSize = 4 << 10

// errNoKey is a signer without a key.
var errNoKey = errors.New("there is no key to sign with")

// Signer makes tokens by one key. It keeps the last ones, so that slots which have the same claims share a
// signature. Safe for concurrent use.
type Signer struct {
	// key returns the key as it is now.
	key func() *Key
	// header is the encoded header with the dot behind it.
	header string

	mu sync.Mutex
	// by is the key that the kept tokens were signed with.
	by          *Key
	now, before map[string]string
}

// NewSigner returns a signer with a header, an object of JSON. key returns the key as it is now, and nil
// if there is none; it is called concurrently and must not block.
func NewSigner(header string, key func() *Key) *Signer {
	return &Signer{key: key, header: base64.RawURLEncoding.EncodeToString([]byte(header)) + ".", now: map[string]string{}}
}

// Sign returns the token of claims, an object of JSON, in the compact serialization (RFC 7515, section 3.1).
func (s *Signer) Sign(claims []byte) (string, error) {
	key := s.key()
	if key == nil {
		return "", errNoKey
	}
	if token, ok := s.kept(key, claims); ok {
		return token, nil
	}
	text := s.header + base64.RawURLEncoding.EncodeToString(claims)
	signature, err := key.sign(text)
	if err != nil {
		return "", err
	}
	token := text + "." + base64.RawURLEncoding.EncodeToString(signature)
	if len(token) <= maxKeptSize {
		s.keep(key, string(claims), token)
	}
	return token, nil
}

// kept returns the token of claims if it is kept and signed with this key.
func (s *Signer) kept(key *Key, claims []byte) (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.by != key {
		return "", false
	}
	token, ok := s.now[string(claims)]
	if !ok {
		token, ok = s.before[string(claims)]
	}
	return token, ok
}

// keep keeps a token. When there are enough of them the older half is forgotten.
func (s *Signer) keep(key *Key, claims, token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.by != key:
		s.by, s.now, s.before = key, map[string]string{}, nil
	case len(s.now) >= maxKept:
		s.now, s.before = map[string]string{}, s.now
	}
	s.now[claims] = token
}
