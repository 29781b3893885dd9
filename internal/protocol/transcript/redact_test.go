package transcript

import (
	"strings"
	"testing"
)

func TestRedactHidesWhatItsNameSaysIsSecret(t *testing.T) {
	for in, want := range map[string]string{
		`{"user": "ada", "password": "p\"4x", "n": 1}`:     `{"user": "ada", "password": "<hidden>", "n": 1}`,
		`{"access_token":"x","expires_in":3600}`:           `{"access_token":"<hidden>","expires_in":3600}`,
		`{"api_key": "cut off`:                             `{"api_key": "<hidden>"`,
		`{"secret": 1234}`:                                 `{"secret": "<hidden>"}`,
		"> GET /orders?token=abc&page=2 HTTP/1.1":          "> GET /orders?token=<hidden>&page=2 HTTP/1.1",
		"> GET /o?access%5Ftoken=abc&sig=x&key=y&design=z": "> GET /o?access%5Ftoken=<hidden>&sig=<hidden>&key=<hidden>&design=z",
		"< Location: https://ada:p4ss@shop/x:1@2":          "< Location: https://ada:<hidden>@shop/x:1@2",
		"< Location: http://shop:80/a@b":                   "< Location: http://shop:80/a@b",
		"user=ada&password=x%20y&go=1":                     "user=ada&password=<hidden>&go=1",
		"id: eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc-_":   "id: <hidden>",
		"nothing = to hide, \"page\": 2":                   "nothing = to hide, \"page\": 2",
	} {
		if got := Redact(in); got != want {
			t.Errorf("%s came out as %s, want %s", in, got, want)
		}
	}
}

func FuzzRedactEnds(f *testing.F) {
	f.Add(`{"password": "x`)
	f.Fuzz(func(t *testing.T, s string) {
		if got := Redact(s); strings.Contains(got, `"password": "x"`) {
			t.Errorf("%q came out as %q", s, got)
		}
	})
}
