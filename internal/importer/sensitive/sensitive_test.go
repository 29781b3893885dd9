package sensitive_test

import (
	"crypto/rand"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/traffic-exporter/traffic_exporter/internal/importer/sensitive"
)

func TestNamesSayWhatIsSensitive(t *testing.T) {
	for name, want := range map[string]sensitive.Kind{
		"password": sensitive.Secret, "newPassword": sensitive.Secret, "user[passwd]": sensitive.Secret, "X-Api-Key": sensitive.Secret,
		"access_token": sensitive.Secret, "Authorization": sensitive.Secret, "JSESSIONID": sensitive.Secret, "_csrf": sensitive.Secret, "pin": sensitive.Secret,
		"email": sensitive.Personal, "billing.e-mail": sensitive.Personal, "card_number": sensitive.Personal, "CVV": sensitive.Personal, "first_name": sensitive.Personal,
		"item": sensitive.None, "quantity": sensitive.None, "spinner": sensitive.None, "keyboard": sensitive.None, "step": sensitive.None, "q": sensitive.None,
	} {
		if got := sensitive.Name(name); got != want {
			t.Errorf("%q is of kind %d, want %d", name, got, want)
		}
	}
}

func TestValuesAreRecognisedByTheirForm(t *testing.T) {
	d := sensitive.New()
	for value, want := range map[string]sensitive.Kind{
		"ada@example.com":                            sensitive.Personal,
		"ada%40example.com":                          sensitive.Personal,
		"4111 1111 1111 1111":                        sensitive.Personal,
		"5500005555555559":                           sensitive.Personal,
		"DE89 3704 0044 0532 0130 00":                sensitive.Personal,
		"078-05-1120":                                sensitive.Personal,
		"+49 170 1234567":                            sensitive.Personal,
		"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc-_": sensitive.Secret,
		"AKIAIOSFODNN7EXAMPLE":                       sensitive.Secret,
		"ghp_abcdefghijklmnopqrstuvwxyz":             sensitive.Secret,
		"Bearer abcdefghijk":                         sensitive.Secret,
		"5f4dcc3b5aa765d61d8327deb882cf99":           sensitive.Secret,
		"4111 1111 1111 1112":                        sensitive.None,
		"DE89 3704 0044 0532 0130 02":                sensitive.None,
		"1764355949123":                              sensitive.None,
		"20261128":                                   sensitive.None,
		"2026-11-28T18:52:29.000Z":                   sensitive.None,
		"03fef6ac-1896-4ce8-bd69-b798f85c6e0b":       sensitive.None,
		"artificial-intelligence-robots-2024":        sensitive.None,
		"getUserProfileByCustomerIdentifier":         sensitive.None,
		"the quick brown fox":                        sensitive.None,
		"0PUK6V6EV0":                                 sensitive.None,
		"mug":                                        sensitive.None,
		"":                                           sensitive.None,
	} {
		if got := d.Value(value); got != want {
			t.Errorf("%q is of kind %d, want %d", value, got, want)
		}
	}
}

func TestRandomTokensAreRecognised(t *testing.T) {
	d := sensitive.New()
	missed := 0
	const n = 2000
	for range n {
		raw := make([]byte, 24)
		_, _ = rand.Read(raw)
		for _, token := range []string{rand.Text(), base64.RawURLEncoding.EncodeToString(raw), base64.StdEncoding.EncodeToString(raw)} {
			if d.Value(token) == sensitive.None {
				missed++
			}
		}
	}
	// Chance makes a few of letters only, which only their names give away.
	if missed > 3*n/50 {
		t.Errorf("%d of %d random tokens are taken for words", missed, 3*n)
	}
}

func TestPartsOfATextAreFound(t *testing.T) {
	d := sensitive.New()
	for in, want := range map[string]string{
		`{login(name: "ada", password: "hunter2")}`:                  `{login(name: "ada", password: "#")}`,
		`<user><password type="x">hunter2</password><n>1</n></user>`: `<user><password type="x">#</password><n>1</n></user>`,
		`<s:card_number>12</s:card_number>`:                          `<s:card_number>#</s:card_number>`,
		"a=1&api_key=abc&b=2":                                        "a=1&api_key=#&b=2",
		`{\"token\":\"abc\"}`:                                        `{\"token\":\"#\"}`,
		"mail ada@example.com, or 4111111111111111":                  "mail #, or #",
		"nothing=1; to hide":                                         "nothing=1; to hide",
	} {
		got, last := "", 0
		for _, s := range d.Find(in) {
			got += in[last:s.Start] + "#"
			last = s.End
		}
		if got += in[last:]; got != want {
			t.Errorf("%s came out as %s, want %s", in, got, want)
		}
	}
}

func FuzzSpansAreInOrder(f *testing.F) {
	f.Add("password=x ada@example.com 4111 1111 1111 1111")
	d := sensitive.New()
	f.Fuzz(func(t *testing.T, text string) {
		last := 0
		for _, s := range d.Find(text) {
			if s.Start < last || s.End <= s.Start || s.End > len(text) || s.Kind == sensitive.None {
				t.Fatalf("%q has the span %+v behind %d", text, s, last)
			}
			last = s.End
		}
		if planted := text + "\x00hidden@example.com"; !strings.Contains(planted, "@") || d.Value(planted) == sensitive.None {
			t.Errorf("the address behind %q is not found", text)
		}
	})
}
