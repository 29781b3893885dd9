package config

import (
	"bytes"
	"fmt"
)

// JWT is a JSON Web Token (RFC 7519). Its times follow from the slot's due time: iat and nbf are that, and exp is lifetime later. Exactly
// one of key and key_file has to be there.
type JWT struct {
	// How it is signed.
	Algorithm string `yaml:"algorithm" required:"true" oneof:"HS256 HS384 HS512 RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA"`
	// The key: a private key in PEM (PKCS #1, PKCS #8 or SEC 1), not encrypted, or, for HS256, HS384 and HS512, the secret itself.
	Key Secret `yaml:"key"`
	// A file with the key; it is read again when it changes. White space around a secret is no part of it.
	KeyFile string `yaml:"key_file" format:"file"`
	// What it says: names such as sub with any values. Times that are here, such as exp, are taken from here.
	Claims Named[JSON] `yaml:"claims" max:"1000"`
	// How long it is valid.
	Lifetime Duration `yaml:"lifetime" required:"true" min:"1s" max:"10y"`
	// What the due time is rounded down to a multiple of. Slots in between share the token if their claims are the same, which saves signatures.
	Floor Duration `yaml:"floor" default:"1s" min:"1s" max:"1y"`
	// What its header has beside alg: kid, and typ, which is JWT unless it is here.
	Headers Named[JSON] `yaml:"headers" max:"100" format:"literal"`
}

// ClaimsJSON returns the claims as an object of JSON, with placeholders in its strings.
func (j JWT) ClaimsJSON() JSON {
	all := JSON{Text: objectOf(j.Claims)}
	for _, e := range j.Claims {
		all.strings = append(all.strings, e.Value.strings...)
	}
	return all
}

// HeaderJSON returns the header as an object of JSON.
func (j JWT) HeaderJSON() string {
	header := Named[JSON]{{Name: "alg", Value: JSON{Text: `"` + j.Algorithm + `"`}}}
	if _, there := j.Headers.Get("typ"); !there {
		header = append(header, Entry[JSON]{Name: "typ", Value: JSON{Text: `"JWT"`}})
	}
	return objectOf(append(header, j.Headers...))
}

// objectOf returns values by name as an object of JSON.
func objectOf(all Named[JSON]) string {
	var out bytes.Buffer
	out.WriteByte('{')
	for i, e := range all {
		if i > 0 {
			out.WriteByte(',')
		}
		writeJSONText(&out, e.Name)
		out.WriteString(":" + e.Value.Text)
	}
	out.WriteByte('}')
	return out.String()
}

func (j JWT) templates() []located {
	var all []located
	for _, e := range j.Claims {
		all = append(all, e.Value.templates()...)
	}
	return all
}

// SigningKey is a key that tokens are signed with, and where the file has it. Who can read files checks that it
// is one.
type SigningKey struct {
	// Algorithm is what it is for.
	Algorithm string
	// Key is the key itself, or File the name of its file.
	Key  Secret
	File string

	file, path string
	place      location
}

// Problem returns an error with the location of the key. Nothing of the key may be in it.
func (k SigningKey) Problem(format string, args ...any) Error {
	return Error{File: k.file, Line: k.place.line, Column: k.place.column, Path: k.path, Problem: fmt.Sprintf(format, args...)}
}

// SigningKeys returns the keys that tokens are signed with.
func (c *Config) SigningKeys() []SigningKey { return c.keys }

// jwt checks a token, and notes its key.
func (t *traffic) jwt(path string, j *JWT, sc *scope) {
	t.templates(j.templates(), sc)
	if _, there := j.Headers.Get("alg"); there {
		t.fail(below(path, "headers.alg"), "found alg, which follows from algorithm: leave it out")
	}
	floor, lifetime := join(path, "floor"), join(path, "lifetime")
	if t.ok(floor, lifetime) && j.Floor >= j.Lifetime {
		at := floor
		if !t.given(floor) {
			at = lifetime
		}
		t.fail(at, "found a floor of %s and a lifetime of %s, expected a longer lifetime: tokens would have expired when they are sent", j.Floor, j.Lifetime)
	}
	key, file := join(path, "key"), join(path, "key_file")
	at := key
	if t.given(file) {
		at = file
	}
	switch {
	case t.given(key) && t.given(file):
		t.fail(file, "found together with key, expected only one of them")
	case !t.given(at) && t.complete(path):
		t.fail(path, "found no key, expected key_file or key")
	case t.given(at) && t.ok(at, join(path, "algorithm")):
		p := t.location(at)
		t.c.keys = append(t.c.keys, SigningKey{ // Without the text there, which may be the key.
			Algorithm: j.Algorithm, Key: j.Key, File: j.KeyFile, file: t.file, path: at, place: location{line: p.line, column: p.column},
		})
	}
}
