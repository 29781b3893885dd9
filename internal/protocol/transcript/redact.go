package transcript

import (
	"regexp"
	"strings"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
)

// hidden stands for a secret.
const hidden = "<hidden>"

// The places where the texts of exchanges have secrets: fields of JSON, fields of forms and
// queries, and JSON Web Tokens.
var (
	jsonField = regexp.MustCompile(`"([^"\\\n]{1,80})"\s*:\s*("(?:[^"\\\n]|\\.)*"?|[0-9.eE+-]+)`)
	formField = regexp.MustCompile(`(?:[?&\s]|^)([\w.%\[\]-]{1,80})=([^&\s;"]+)`)
	webToken  = regexp.MustCompile(`eyJ[\w-]{8,}\.[\w-]+\.[\w-]*`)
)

// Redact hides in the text of an exchange what looks like a secret: the values of fields of JSON
// and of forms and queries whose names say so, and JSON Web Tokens.
func Redact(text string) string {
	text = replace(jsonField, text, `"`+hidden+`"`)
	text = replace(formField, text, hidden)
	return webToken.ReplaceAllString(text, hidden)
}

// replace replaces the second group of each match whose first one is the name of a secret.
func replace(re *regexp.Regexp, text, with string) string {
	var out strings.Builder
	last := 0
	for _, m := range re.FindAllStringSubmatchIndex(text, -1) {
		if protocol.SecretName(text[m[2]:m[3]]) {
			out.WriteString(text[last:m[4]])
			out.WriteString(with)
			last = m[5]
		}
	}
	out.WriteString(text[last:])
	return out.String()
}
