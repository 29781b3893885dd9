package transcript

import (
	"net/url"
	"regexp"
	"strings"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
)

// hidden stands for a secret.
const hidden = "<hidden>"

// The places where the texts of exchanges have secrets: fields of JSON, fields of forms and
// queries, passwords of URLs, and JSON Web Tokens.
var (
	jsonField = regexp.MustCompile(`"([^"\\\n]{1,80})"\s*:\s*("(?:[^"\\\n]|\\.)*"?|[0-9.eE+-]+)`)
	formField = regexp.MustCompile(`(?:[?&\s]|^)([\w.%\[\]-]{1,80})=([^&\s;"]+)`)
	userInfo  = regexp.MustCompile(`(://[^\s/?#:@]{0,80}:)[^\s/?#@]+@`)
	webToken  = regexp.MustCompile(`eyJ[\w-]{8,}\.[\w-]+\.[\w-]*`)
)

// Redact hides in the text of an exchange what looks like a secret: the values of fields of JSON
// and of forms and queries whose names say so, passwords of URLs, and JSON Web Tokens.
func Redact(text string) string {
	text = replace(jsonField, text, `"`+hidden+`"`, protocol.SecretName)
	text = replace(formField, text, hidden, secretParameter)
	text = userInfo.ReplaceAllString(text, "${1}"+hidden+"@")
	return webToken.ReplaceAllString(text, hidden)
}

// secretParameter reports whether a parameter of a query or a form is likely to be a secret. They
// have shorter names than fields elsewhere, and escapes in them.
func secretParameter(name string) bool {
	if plain, err := url.QueryUnescape(name); err == nil {
		name = plain
	}
	switch strings.ToLower(name) {
	case "auth", "jwt", "key", "pass", "passphrase", "passwd", "pwd", "sid", "sig":
		return true
	default:
		return protocol.SecretName(name)
	}
}

// replace replaces the second group of each match whose first one is the name of a secret.
func replace(re *regexp.Regexp, text, with string, secret func(name string) bool) string {
	var out strings.Builder
	last := 0
	for _, m := range re.FindAllStringSubmatchIndex(text, -1) {
		if secret(text[m[2]:m[3]]) {
			out.WriteString(text[last:m[4]])
			out.WriteString(with)
			last = m[5]
		}
	}
	out.WriteString(text[last:])
	return out.String()
}
