package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// maxBody bounds the body of a request, in bytes.
	maxBody = 64 << 10
	// maxText bounds reasons and names of people, in characters.
	maxText = 200
	// maxQuoted bounds a quotation from a request in an error, in bytes.
	maxQuoted = 60
)

// decodeOverride reads the body of a request for another rate and checks its syntax.
func decodeOverride(w http.ResponseWriter, r *http.Request) (OverrideRequest, error) {
	o := OverrideRequest{}
	if r.URL.RawQuery != "" {
		return o, refuse(http.StatusBadRequest, "found query parameters, expected all in the body")
	}
	body, err := readBody(w, r)
	if err != nil {
		return o, err
	}
	err = decodeJSON(r, body, []field{
		{"rate", &o.Rate, "a rate such as \"600/s\""},
		{"factor", &o.Factor, "a number such as 1.5"},
		{"for", &o.For, "a duration such as \"30m\""},
		{"until", &o.Until, "a time such as \"2026-03-29T12:00:00Z\""},
		{"reason", &o.Reason, "a text"},
		{"by", &o.By, "a text"},
		{"force", &o.Force, "true or false"},
	})
	if err != nil {
		return o, err
	}
	if o.By == "" {
		o.By = asker(r)
	}
	return o, together(
		oneOf("rate", o.Rate != "", "factor", o.Factor != nil),
		oneOf("for", o.For != "", "until", !o.Until.IsZero()),
		checkText("reason", o.Reason, true),
		checkText("by", o.By, true),
	)
}

// decodeClear reads the body, or else the query, of a request to end a change.
func decodeClear(w http.ResponseWriter, r *http.Request) (ClearRequest, error) {
	c := ClearRequest{}
	body, err := readBody(w, r)
	switch {
	case err != nil:
		return c, err
	case len(body) > 0 && r.URL.RawQuery != "":
		return c, refuse(http.StatusBadRequest, "found a body and query parameters, expected one of them")
	case len(body) > 0:
		err = decodeJSON(r, body, []field{{"reason", &c.Reason, "a text"}, {"by", &c.By, "a text"}})
	default:
		err = decodeQuery(r, map[string]*string{"reason": &c.Reason, "by": &c.By})
	}
	if err != nil {
		return c, err
	}
	if c.By == "" {
		c.By = asker(r)
	}
	return c, together(checkText("reason", c.Reason, false), checkText("by", c.By, true))
}

func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, refuse(http.StatusRequestEntityTooLarge, "found a body of more than %d bytes, expected fewer", maxBody)
	}
	if err != nil {
		return nil, refuse(http.StatusBadRequest, "the body cannot be read: %v", err)
	}
	return body, nil
}

// field is a key of a JSON object: where its value goes, and what it should be.
type field struct {
	key      string
	into     any
	expected string
}

// decodeJSON reads the one object in a body. Unlike encoding/json by itself it knows
// keys only as they are spelled, and each only once.
func decodeJSON(r *http.Request, body []byte, fields []field) error {
	if err := checkContentType(r.Header.Get("Content-Type")); err != nil {
		return err
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	if open, err := dec.Token(); err != nil || open != json.Delim('{') || !utf8.Valid(body) {
		return refuse(http.StatusBadRequest, "found the body %s, expected a JSON object in UTF-8", quote(string(body)))
	}
	seen := map[string]bool{}
	for dec.More() {
		key, value, err := member(dec)
		if err != nil {
			return err
		}
		if seen[key] {
			return refuse(http.StatusBadRequest, "found %s twice, expected it once", quote(key))
		}
		seen[key] = true
		if err := assign(fields, key, value); err != nil {
			return err
		}
	}
	if _, err := dec.Token(); err != nil {
		return badJSON(err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return refuse(http.StatusBadRequest, "found more after the JSON object, expected the end")
	}
	return nil
}

// member reads the next key of an object and its value.
func member(dec *json.Decoder) (string, json.RawMessage, error) {
	token, err := dec.Token()
	if err != nil {
		return "", nil, badJSON(err)
	}
	key, ok := token.(string)
	if !ok {
		return "", nil, refuse(http.StatusBadRequest, "found %v, expected a key of the JSON object", token)
	}
	var value json.RawMessage
	if err := dec.Decode(&value); err != nil {
		return "", nil, badJSON(err)
	}
	return key, value, nil
}

func badJSON(err error) error {
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return refuse(http.StatusBadRequest, "found bad JSON, expected an object: %v", err)
}

// assign puts a value where its key says.
func assign(fields []field, key string, value json.RawMessage) error {
	i := slices.IndexFunc(fields, func(f field) bool { return f.key == key })
	if i < 0 {
		var keys []string
		for _, f := range fields {
			keys = append(keys, f.key)
		}
		return refuse(http.StatusBadRequest, "found the unknown key %s, expected %s", quote(key), alternatives(keys))
	}
	if err := json.Unmarshal(value, fields[i].into); err != nil {
		return refuse(http.StatusBadRequest, "%s: found %s, expected %s", key, clip(string(value)), fields[i].expected)
	}
	return nil
}

func checkContentType(found string) error {
	kind, params, err := mime.ParseMediaType(found)
	charset := strings.ToLower(params["charset"])
	if err != nil || kind != "application/json" || charset != "" && charset != "utf-8" {
		return refuse(http.StatusUnsupportedMediaType, "found the content type %s, expected application/json", quote(found))
	}
	return nil
}

// decodeQuery reads a request's query parameters, each at most once.
func decodeQuery(r *http.Request, fields map[string]*string) error {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return refuse(http.StatusBadRequest, "found a bad query: %v", err)
	}
	for key, values := range query {
		into, ok := fields[key]
		if !ok {
			return refuse(http.StatusBadRequest, "found the unknown query parameter %s, expected reason or by", quote(key))
		}
		if len(values) > 1 || !utf8.ValidString(values[0]) {
			return refuse(http.StatusBadRequest, "%s: expected one text in UTF-8", key)
		}
		*into = values[0]
	}
	return nil
}

// together returns one refusal that lists all those that there are, or nil.
func together(refusals ...*Refusal) error {
	var found []string
	for _, r := range refusals {
		if r != nil {
			found = append(found, r.Message)
		}
	}
	if len(found) == 0 {
		return nil
	}
	return refuse(http.StatusBadRequest, "%s", strings.Join(found, "; "))
}

// oneOf checks that exactly one of two keys was given.
func oneOf(a string, hasA bool, b string, hasB bool) *Refusal {
	switch {
	case hasA && hasB:
		return refuse(http.StatusBadRequest, "found both %s and %s, expected one of them", a, b)
	case !hasA && !hasB:
		return refuse(http.StatusBadRequest, "found neither %s nor %s, expected one of them", a, b)
	default:
		return nil
	}
}

// checkText checks that a string is one line for people to read: no character in it ends a
// line, hides or turns round the characters after it.
func checkText(key, text string, required bool) *Refusal {
	if required && strings.TrimSpace(text) == "" {
		return refuse(http.StatusBadRequest, "%s: missing, expected a string of at most %d characters", key, maxText)
	}
	if n := utf8.RuneCountInString(text); n > maxText {
		return refuse(http.StatusBadRequest, "%s: found %d characters, expected at most %d", key, n, maxText)
	}
	for _, c := range text {
		if unicode.In(c, unicode.Cc, unicode.Zl, unicode.Zp, unicode.Bidi_Control) {
			return refuse(http.StatusBadRequest, "%s: found the control character %U, expected a line of text", key, c)
		}
	}
	return nil
}

// quote quotes a string that was found.
func quote(found string) string { return strconv.Quote(clip(found)) }

// clip returns the beginning of a long string.
func clip(text string) string {
	if len(text) <= maxQuoted {
		return text
	}
	return strings.ToValidUTF8(text[:maxQuoted], "") + "..."
}

// alternatives lists keys as in "a, b or c".
func alternatives(keys []string) string {
	last := len(keys) - 1
	return strings.Join(keys[:last], ", ") + " or " + keys[last]
}
