package script

import (
	"cmp"
	"encoding/base64"
	"html"
	"slices"
	"strings"

	"github.com/tidwall/gjson"
)

// Hidden stands for a secret in what is shown to people.
const Hidden = "<hidden>"

// shortestSecret is the length in bytes from which on secrets are hidden within other texts: a
// shorter one would be found everywhere, and gives nothing away there.
const shortestSecret = 4

// secretName reports whether what goes by a name, or stands at a path, is likely to be a secret.
func secretName(name string) bool {
	name = strings.ToLower(name)
	return slices.ContainsFunc([]string{"token", "password", "secret", "cookie", "credential", "authorization"}, func(word string) bool {
		return strings.Contains(name, word)
	})
}

// Hide returns a text with a stand-in for each secret of the journey that occurs in it, as it is
// or encoded as it would be in a request.
func (j *Journey) Hide(text string) string {
	var secrets []string
	j.Each(func(_ string, v Value, secret bool) {
		if secret {
			eachText(gjson.Parse(string(v.AppendJSON(nil))), func(s string) { secrets = append(secrets, spellings(s)...) })
		}
	})
	if len(secrets) == 0 {
		return text
	}
	// One that begins another is looked for after that.
	slices.SortFunc(secrets, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	pairs := make([]string, 0, 2*len(secrets))
	for _, s := range secrets {
		pairs = append(pairs, s, Hidden)
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

// eachText calls f with all strings and numbers in a value.
func eachText(v gjson.Result, f func(string)) {
	if v.IsObject() || v.IsArray() {
		v.ForEach(func(_, one gjson.Result) bool {
			eachText(one, f)
			return true
		})
	} else if v.Type == gjson.String || v.Type == gjson.Number {
		f(v.String())
	}
}

// spellings returns a secret in all encodings that it may have; nothing if it is too short.
func spellings(secret string) []string {
	if len(secret) < shortestSecret {
		return nil
	}
	all := []string{secret, html.EscapeString(secret), base64.StdEncoding.EncodeToString([]byte(secret))}
	for _, place := range []Place{PlaceQuery, PlaceForm, PlaceJSON} {
		all = append(all, string(AppendEncoded(nil, place, secret)))
	}
	return all
}
