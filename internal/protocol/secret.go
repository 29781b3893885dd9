package protocol

import "strings"

// SecretName reports whether what goes by the name, a header field's for one, is likely to be
// a secret: it is not shown to people, and a redirect does not carry it to another host.
func SecretName(name string) bool {
	name = strings.ToLower(strings.ReplaceAll(name, "_", "-"))
	for _, word := range []string{
		"authorization", "cookie", "api-key", "apikey", "token", "secret", "password", "credential", "session", "signature",
	} {
		if strings.Contains(name, word) {
			return true
		}
	}
	return false
}
