package script

import (
	"strings"
	"testing"
	"time"
)

// plainToken returns a token that is its claims.
func plainToken(tb testing.TB, claims string) Token {
	tb.Helper()
	return Token{
		Claims: document(tb, claims), Floor: time.Second, Lifetime: time.Minute,
		Sign: func(claims []byte) (string, error) { return string(claims), nil },
	}
}

func TestTheTimesOfATokenFollowFromTheDueTime(t *testing.T) {
	due := time.Unix(1_800_000_007, 890_000_000)
	at := func(change func(*Token), claims string) Token {
		k := plainToken(t, claims)
		change(&k)
		return k
	}
	as := func(*Token) {}
	for _, tc := range []struct {
		name  string
		token Token
		want  string
	}{
		{"no claims", at(as, `{}`), `{"iat":1800000007,"nbf":1800000007,"exp":1800000067}`},
		{"claims", at(as, `{"sub":"a","aud":["b"]}`), `{"sub":"a","aud":["b"],"iat":1800000007,"nbf":1800000007,"exp":1800000067}`},
		{"times of its own", at(as, `{"exp":5,"nbf":null}`), `{"exp":5,"nbf":null,"iat":1800000007}`},
		{"all times", at(as, `{"exp":1,"nbf":2,"iat":3}`), `{"exp":1,"nbf":2,"iat":3}`},
		{"rounded", at(func(k *Token) { k.Floor = time.Minute }, `{}`), `{"iat":1800000000,"nbf":1800000000,"exp":1800000060}`},
	} {
		if got := draw(t, tc.token, Slot{Due: due}).Text; got != tc.want {
			t.Errorf("%s: %s, want %s", tc.name, got, tc.want)
		}
	}
}

func TestATokenIsASecretMadeOfOtherVariables(t *testing.T) {
	p := compile(t, []Variable{
		{"proof", plainToken(t, `{"sub":"{{ user }}","n":"{{ n }}"}`)},
		{"user", Made{parse(t, `a"{{ n }}`)}},
		{"n", Sequence{}},
		{"field", Made{parse(t, "Bearer {{ proof }}")}},
	}, Request{})
	j := begin(p, Slot{Seq: 7, Due: time.Unix(100, 0)})
	v, err := j.Value(3)
	if want := `Bearer {"sub":"a\"7","n":7,"iat":100,"nbf":100,"exp":160}`; err != nil || v.Text != want {
		t.Fatalf("%s, %v, want %s", v.Text, err, want)
	}
	j.Each(func(name string, _ Value, secret bool) {
		if want := name == "proof" || name == "field"; secret != want {
			t.Errorf("%s is a secret: %t", name, secret)
		}
	})
	if text := j.Hide("header " + v.Text); strings.Contains(text, "iat") {
		t.Errorf("the token is shown: %s", text)
	}
}
