package correlate_test

import (
	"net/url"
	"testing"

	"github.com/traffic-exporter/traffic_exporter/internal/importer/correlate"
	"github.com/traffic-exporter/traffic_exporter/internal/importer/exchange"
	"github.com/traffic-exporter/traffic_exporter/internal/importer/sensitive"
)

// recorded returns an exchange with a response.
func recorded(t *testing.T, target, media, body string, headers ...exchange.Field) *exchange.Exchange {
	t.Helper()
	u, err := url.Parse("http://shop.example" + target)
	if err != nil {
		t.Fatal(err)
	}
	h := append(exchange.Header{{Name: "Content-Type", Value: media}}, headers...)
	return &exchange.Exchange{Request: exchange.Request{Method: "GET", URL: u}, Response: exchange.Response{Status: 200, Header: h, Body: exchange.Keep([]byte(body))}}
}

// sends says what the client sends.
func sends(value string) bool { return value == "mug" || value == "hat" || value == "open" }

func TestSourcesAreFound(t *testing.T) {
	const token = "K3VQ7J2M5XWZ4T6R"
	type want = correlate.Capture
	for name, c := range map[string]struct {
		response *exchange.Exchange
		value    string
		names    []string
		want     *want
	}{
		"field of JSON":          {recorded(t, "/login", "application/json", `{"access":{"token":"`+token+`"}}`), token, nil, &want{JSON: "access.token"}},
		"element of a list":      {recorded(t, "/items", "application/json", `[{"id":"a"},{"id":"03fef6ac-1896-4ce8-bd69-b798f85c6e0b"}]`), "03fef6ac-1896-4ce8-bd69-b798f85c6e0b", nil, &want{JSON: "1.id"}},
		"element by its name":    {recorded(t, "/items", "application/json", `{"items":[{"sku":"hat","price":7.5},{"sku":"mug","price":9.5}]}`), "9.5", []string{"price"}, &want{JSON: `items.#(sku=="mug").price`}},
		"name of two elements":   {recorded(t, "/items", "application/json", `[{"sku":"mug","price":7.5},{"sku":"mug","price":9.5}]`), "9.5", []string{"price"}, &want{JSON: `1.price`}},
		"name that is not sent":  {recorded(t, "/items", "application/json", `[{"sku":"cap","price":7.5}]`), "7.5", []string{"price"}, &want{JSON: `0.price`}},
		"state of an element":    {recorded(t, "/items", "application/json", `[{"state":"open","price":7.5}]`), "7.5", []string{"price"}, &want{JSON: `0.price`}},
		"key with a dot":         {recorded(t, "/x", "application/json", `{"a.b":{"x*":"`+token+`"}}`), token, nil, &want{JSON: `a\.b.x\*`}},
		"whole document":         {recorded(t, "/x", "application/json", `"`+token+`"`), token, nil, &want{JSON: "@this"}},
		"small number by name":   {recorded(t, "/orders", "application/json", `{"id":17}`), "17", []string{"order"}, &want{JSON: "id"}},
		"small number elsewhere": {recorded(t, "/orders", "application/json", `{"id":17}`), "17", []string{"quantity"}, nil},
		"identifier of a field":  {recorded(t, "/me", "application/json", `{"cart":{"id":4}}`), "4", []string{"cartId"}, &want{JSON: "cart.id"}},
		"words":                  {recorded(t, "/items", "application/json", `{"item":"mug"}`), "mug", []string{"item"}, nil},
		"cookie":                 {recorded(t, "/", "text/plain", "", exchange.Field{Name: "Set-Cookie", Value: "xsrf=" + token + "; Path=/"}), token, nil, &want{Cookie: "xsrf"}},
		"header":                 {recorded(t, "/", "text/plain", "", exchange.Field{Name: "X-Csrf-Token", Value: token}), token, nil, &want{Header: "X-Csrf-Token"}},
		"Location":               {recorded(t, "/", "text/plain", "", exchange.Field{Name: "Location", Value: "/cb?a=1&code=" + token}), token, nil, &want{Header: "Location", Regex: "code=(.+)"}},
		"hidden field":           {recorded(t, "/", "text/html", `<form><input type="hidden" name="token" value="`+token+`"></form>`), token, nil, &want{Regex: `name="token"[^>]*?value="([^"]*)`}},
		"field before its name":  {recorded(t, "/", "text/html", `<input name="a" value="1"><input value='`+token+`' name="token">`), token, nil, &want{Regex: `value='([^']*)'[^>]*?name="token"`}},
		"escaped field":          {recorded(t, "/", "text/html", `<input name="token" value="`+token+`&amp;1">`), token + "&1", nil, &want{Regex: `name="token"[^>]*?value="([^"]*)`, Unescape: true}},
		"meta element":           {recorded(t, "/", "text/html", `<meta name="csrf-token" content="`+token+`">`), token, nil, &want{Regex: `name="csrf-token"[^>]*?content="([^"]*)`}},
		"link":                   {recorded(t, "/", "text/html", `<a href="/orders/1">a</a><a href="/orders/2">b</a>`), "1", []string{"orders"}, &want{Regex: `orders/([^"\s]+)`}},
		"script":                 {recorded(t, "/", "text/html", `<script>window.csrf = '`+token+`'; x()</script>`), token, nil, &want{Regex: ` = '([^'\s]+)`}},
		"XML":                    {recorded(t, "/", "application/xml", `<r><id>`+token+`</id></r>`), token, nil, &want{Regex: `<id>([^<\s]+)`}},
		"text":                   {recorded(t, "/", "text/plain", token), token, nil, &want{Body: true}},
		"nowhere":                {recorded(t, "/", "text/plain", "nothing"), token, nil, nil},
	} {
		x := correlate.NewIndex(sensitive.New(), sends)
		x.Add(0, c.response)
		s, ok := x.Find(c.value, c.names, 1)
		switch {
		case ok != (c.want != nil):
			t.Errorf("%s: found %+v, %v", name, s, ok)
		case ok && s.Capture != *c.want:
			t.Errorf("%s: the capture is %+v, want %+v", name, s.Capture, *c.want)
		}
	}
}

func TestWhatTheClientSentFirstDoesNotComeFromAResponse(t *testing.T) {
	x := correlate.NewIndex(sensitive.New(), sends)
	for n := range 3 {
		x.Add(n, recorded(t, "/me", "application/json", `{"id":"a1b2c3d4e5"}`))
	}
	if s, ok := x.Find("a1b2c3d4e5", nil, 0); ok {
		t.Errorf("found %+v", s)
	}
	if s, ok := x.Find("a1b2c3d4e5", nil, 2); !ok || s.Exchange != 0 || s.Others != 1 {
		t.Errorf("found %+v, %v", s, ok)
	}
}

// Whatever a page looks like, a capture that is found finds the value.
func FuzzHTML(f *testing.F) {
	f.Add(`<input name="token" value="K3VQ7J2M5XWZ4T6R"><a href="/o/12345678?x=1&amp;y=abcd1234">`)
	f.Fuzz(func(t *testing.T, body string) {
		x := correlate.NewIndex(sensitive.New(), sends)
		x.Add(0, recorded(t, "/", "text/html", body))
		x.Add(1, recorded(t, "/", "application/json", body))
		for _, value := range []string{"K3VQ7J2M5XWZ4T6R", "12345678", "abcd1234"} {
			if s, ok := x.Find(value, []string{"token"}, 2); ok && s.Capture == (correlate.Capture{}) {
				t.Errorf("%q in %q has no capture", value, body)
			}
		}
	})
}
