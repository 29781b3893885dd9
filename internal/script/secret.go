package script

import (
	"cmp"
	"encoding/base64"
	"html"
	"slices"
	"strings"

	"github.com/tidwall/gjson"
)

// Hidden stands for a secret in output for people.
const Hidden = "<hidden>"

// shortestSecret is the length in bytes from which on secrets are hidden within other texts: a
// shorter one would be found everywhere, and gives nothing away there.
const shortestSecret = 4

// The bounds of the search in a secret that is an object or a list, which a target may have made:
// strings and numbers down to a depth, and so many of them.
const (
	deepestSecret = 8
	mostSecrets   = 100
)

// secretName reports whether what goes by a name, or stands at a path, is likely to be a secret.
func secretName(name string) bool {
	name = strings.ToLower(name)
	return slices.ContainsFunc([]string{"token", "password", "secret", "cookie", "credential", "authorization"}, func(word string) bool {
		return strings.Contains(name, word)
	})
}

// Hide returns a string with a stand-in for each secret of the journey that occurs in it, as it
// is or encoded as it would be in a request.
func (j *Journey) Hide(text string) string {
	var texts []string
	j.Each(func(_ string, v Value, secret bool) {
		if secret {
			texts = appendTexts(texts, gjson.Parse(string(v.AppendJSON(nil))), deepestSecret)
		}
	})
	if len(texts) == 0 {
		return text
	}
	var secrets []string
	for _, secret := range texts[:min(len(texts), mostSecrets)] {
		secrets = append(secrets, spellings(secret)...)
	}
	// One that begins another is looked for after that.
	slices.SortFunc(secrets, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	pairs := make([]string, 0, 2*len(secrets))
	for _, s := range secrets {
		pairs = append(pairs, s, Hidden)
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

// appendTexts appends the strings and numbers in a value that are long enough to be hidden, as far
// as they are not too deep in it.
func appendTexts(dst []string, v gjson.Result, depth int) []string {
	switch {
	case v.IsObject() || v.IsArray():
		if depth == 0 {
			return dst
		}
		v.ForEach(func(_, one gjson.Result) bool {
			dst = appendTexts(dst, one, depth-1)
			return len(dst) < mostSecrets
		})
	case len(v.String()) >= shortestSecret && (v.Type == gjson.String || v.Type == gjson.Number):
		dst = append(dst, v.String())
	}
	return dst
}

// spellings returns a secret in all encodings that it may have.
func spellings(secret string) []string {
	all := []string{secret, html.EscapeString(secret), base64.StdEncoding.EncodeToString([]byte(secret))}
	for _, place := range []Place{PlaceQuery, PlaceForm, PlaceJSON} {
		all = append(all, string(AppendEncoded(nil, place, secret)))
	}
	return all
}
