package config

import (
	"slices"
	"strings"
)

// SigV4 is how requests of HTTP are signed for AWS (Signature Version 4), each when it is sent, with its body. Exactly one of secret_key and
// secret_key_file has to be there. The signature covers the host, Content-Type and the headers whose names begin with X-Amz-.
type SigV4 struct {
	// The region, such as eu-central-1.
	Region string `yaml:"region" required:"true" format:"token"`
	// The service, as its signatures name it: aps for Managed Service for Prometheus, s3, execute-api.
	ServiceName string `yaml:"service_name" default:"aps" format:"token"`
	// The access key ID.
	AccessKey string `yaml:"access_key" required:"true"`
	// The secret access key.
	SecretKey Secret `yaml:"secret_key"`
	// A file with the secret access key; it is read again when it changes.
	SecretKeyFile string `yaml:"secret_key_file" format:"file"`
}

// sigV4 checks how requests are signed.
func (v validator) sigV4(at string, h HTTPConfig) {
	s := *h.SigV4
	switch {
	case h.BasicAuth != nil:
		v.fail(at, "found together with basic_auth, expected only one of them")
	case h.Authorization != nil:
		v.fail(at, "found together with authorization, expected only one of them")
	case h.OAuth2 != nil:
		v.fail(at, "found together with oauth2, expected only one of them")
	case h.FollowRedirects:
		v.fail(at, "found together with follow_redirects, but a signature is for one URL: leave one of them out")
	}
	key := join(at, "access_key")
	if v.ok(key) && v.given(key) && (s.AccessKey == "" || strings.ContainsAny(s.AccessKey, "/, ") || !headerValue(s.AccessKey)) {
		v.fail(key, "found %s, expected an access key ID such as AKIAIOSFODNN7EXAMPLE", v.found(key))
	}
	if !v.exclusive(at, "secret_key", string(s.SecretKey)) {
		v.fail(at, "found no secret key, expected secret_key or secret_key_file")
	}
}

// signs reports a signature where no request is one of HTTP, which alone are signed.
func (v validator) signs(path string, s *Scenario) {
	at := below(path, "http_config.sigv4")
	if v.given(at) && len(s.origins) > 0 && !slices.ContainsFunc(s.origins, isHTTP) {
		v.fail(at, "found no http or https URL, whose requests alone are signed: leave it out")
	}
}

// signed checks what a request cannot have that is signed.
func (t *traffic) signed(path string, r *Request) {
	if t.s.HTTPConfig.SigV4 == nil || r.IsCall() || r.IsWebSocket() {
		return
	}
	for key, there := range map[string]bool{"basic_auth": r.BasicAuth != nil, "authorization": r.Authorization != nil} {
		if at := join(path, key); there && t.ok(at) {
			t.fail(at, "found together with http_config's sigv4, which signs each request: leave it out, or write a scenario for it")
		}
	}
	if at := join(path, "follow_redirects"); deref(r.FollowRedirects) && t.ok(at) {
		t.fail(at, "found together with http_config's sigv4, but a signature is for one URL: leave it out")
	}
	if at := below(path, "body.random"); r.Body.Random != 0 && t.ok(at) {
		t.fail(at, "found together with http_config's sigv4, but a body generated while it is sent cannot be signed beforehand: write file or text")
	}
}
