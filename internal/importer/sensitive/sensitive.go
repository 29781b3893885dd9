// Package sensitive recognises secrets and personal data in recordings, by the names of fields and by
// what values look like. It errs on the side of hiding: what it takes for a secret without cause is
// asked for in the environment, what it misses is written to a file.
package sensitive

import (
	"regexp"
	"strings"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
)

// Kind is what a value is.
type Kind int

// The kinds of values.
const (
	// None is nothing sensitive.
	None Kind = iota
	// Secret gives access: a password, a token, a key.
	Secret
	// Personal says who somebody is: an e-mail address, a card number, a phone number.
	Personal
)

// Name returns what the values of a field of that name are, whatever they look like.
func Name(name string) Kind {
	word := strings.NewReplacer("_", "", "-", "", ".", "", " ", "", "[", "", "]", "").Replace(strings.ToLower(name))
	switch {
	case secretWord(word), protocol.SecretName(name):
		return Secret
	case personalWord(word):
		return Personal
	default:
		return None
	}
}

func secretWord(word string) bool {
	switch word {
	case "auth", "jwt", "key", "pass", "passphrase", "passwd", "pwd", "sid", "sig", "otp", "totp", "pin", "csrf", "xsrf", "nonce", "bearer":
		return true
	}
	return containsAny(word, "apikey", "accesskey", "privatekey", "passwd", "password", "csrf", "xsrf", "jsessionid", "phpsessid", "sessid", "onetime")
}

func personalWord(word string) bool {
	switch word {
	case "mail", "phone", "tel", "telephone", "mobile", "msisdn", "ssn", "dob", "iban", "pan", "cvv", "cvc", "ccv", "cvv2", "card",
		"firstname", "lastname", "fullname", "surname", "givenname", "familyname", "street", "longnum":
		return true
	}
	return containsAny(word, "email", "phonenumber", "birthdate", "birthday", "dateofbirth", "cardnumber", "ccnumber", "creditcard", "socialsecurity",
		"passport", "streetaddress", "addressline", "iban")
}

func containsAny(s string, words ...string) bool {
	for _, w := range words {
		if strings.Contains(s, w) {
			return true
		}
	}
	return false
}

// Span is a sensitive part of a string, from Start to before End in bytes.
type Span struct {
	Start, End int
	Kind       Kind
}

// pattern is a way to recognise values within a string; good, if not nil, has to agree.
type pattern struct {
	re   *regexp.Regexp
	kind Kind
	good func(string) bool
}

// Detector finds sensitive values. It is immutable and safe for concurrent use. Make it with New.
type Detector struct {
	patterns []pattern
	named    *regexp.Regexp
	element  *regexp.Regexp
}

// New returns a detector.
func New() *Detector {
	p := func(kind Kind, expr string, good func(string) bool) pattern {
		return pattern{regexp.MustCompile(expr), kind, good}
	}
	return &Detector{
		patterns: []pattern{
			p(Secret, `(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*-----|$)`, nil),
			p(Secret, `eyJ[\w-]{8,}\.[\w-]+(?:\.[\w-]*)?`, nil),
			p(Secret, `\b(?:AKIA|ASIA)[0-9A-Z]{16}\b`, nil),
			p(Secret, `\bgh[pousr]_\w{20,}|\bgithub_pat_\w{20,}|\bxox[abprs]-[\w-]{10,}|\b[sr]k_(?:live|test)_\w{10,}|\bAIza[\w-]{30,}|\bglpat-[\w-]{16,}`, nil),
			p(Secret, `(?i)\b(?:bearer|basic)\s+[\w.~+/=-]{8,}`, nil),
			p(Personal, `[\w.!#$%&'*+/=?^{|}~-]+(?:@|%40)[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)+`, nil),
			p(Personal, `\b[2-6]\d(?:[ -]?\d){11,17}\b`, luhn),
			p(Personal, `\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]){11,30}\b`, iban),
			p(Personal, `\b\d{3}-\d{2}-\d{4}\b`, nil),
			p(Personal, `\+\d[\d ().-]{7,18}\d\b`, nil),
			p(Secret, `[\w+/=~-]{20,}`, random),
		},
		named:   regexp.MustCompile(`["']?([\w.-]{2,60})\\?["']?\s*[:=]\s*(?:\\?["']([^"'\\]+)|([^\s"'&;,<>)\]}]+))`),
		element: regexp.MustCompile(`<(?:\w+:)?([\w.-]{2,60})(?:\s[^<>]*)?>([^<>]+)</`),
	}
}

// Value returns what a value looks like as a whole.
func (d *Detector) Value(value string) Kind {
	for _, s := range d.Find(value) {
		return s.Kind
	}
	return None
}

// Find returns the sensitive parts of a string, in order and apart from each other: values that look like
// secrets or personal data, and values behind the name of such, as in password=... or "email": "...".
func (d *Detector) Find(text string) []Span {
	var all []Span
	for _, p := range d.patterns {
		for _, m := range p.re.FindAllStringIndex(text, -1) {
			if p.good == nil || p.good(text[m[0]:m[1]]) {
				all = append(all, Span{m[0], m[1], p.kind})
			}
		}
	}
	all = append(all, behindNames(d.named, text)...)
	all = append(all, behindNames(d.element, text)...)
	return apart(all)
}

// behindNames returns what stands behind the name of something sensitive: the first group of re is
// the name, one of the others the value.
func behindNames(re *regexp.Regexp, text string) []Span {
	var all []Span
	for _, m := range re.FindAllStringSubmatchIndex(text, -1) {
		kind := Name(text[m[2]:m[3]])
		for g := 4; g < len(m) && kind != None; g += 2 {
			if m[g] >= 0 {
				all = append(all, Span{m[g], m[g+1], kind})
			}
		}
	}
	return all
}
