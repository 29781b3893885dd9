package script

import (
	"strconv"
	"time"

	"github.com/tidwall/gjson"
)

// Token is a JSON Web Token (RFC 7519): an object of claims, signed. Beside Claims, it has the
// times iat, nbf and exp (section 4.1), which follow from the slot's due time, unless the claims
// have them. It is a secret.
type Token struct {
	// Claims is an object.
	Claims Document
	// Floor is what the due time is rounded down to a multiple of, and Lifetime what lies between
	// that and exp. Slots of one Floor have the same token if their claims are the same.
	Floor, Lifetime time.Duration
	// Sign returns the token that has these claims. It is called concurrently, and on the sending
	// path.
	Sign func(claims []byte) (string, error)

	times []timeClaim
}

// timeClaim is a claim that is so long after the rounded due time.
type timeClaim struct {
	name  string
	after time.Duration
}

var _ Source = Token{}

func (k Token) bind(_ *symbols, s *scope) (Source, error) {
	var err error
	if k.Claims, err = k.Claims.Bind(s.lookup); err != nil {
		return nil, err
	}
	k.times = nil
	given := gjson.Parse(k.Claims.String()).Map()
	for _, c := range []timeClaim{{"iat", 0}, {"nbf", 0}, {"exp", k.Lifetime}} {
		if _, ok := given[c.name]; !ok {
			k.times = append(k.times, c)
		}
	}
	return k, nil
}

func (k Token) draw(_ *stream, j *Journey) (Value, error) {
	claims, err := k.Claims.Append(nil, j)
	if err != nil {
		return Value{}, err
	}
	token, err := k.Sign(k.withTimes(claims, j.slot.Due))
	return String(token), err
}

// withTimes returns claims with the times behind them.
func (k Token) withTimes(claims []byte, due time.Time) []byte {
	at := due.Add(-time.Duration(due.UnixNano() % int64(k.Floor)))
	claims = claims[:len(claims)-1]
	for _, c := range k.times {
		if len(claims) > 1 {
			claims = append(claims, ',')
		}
		claims = append(claims, `"`+c.name+`":`...)
		claims = strconv.AppendInt(claims, at.Add(c.after).Unix(), 10)
	}
	return append(claims, '}')
}
