package plan_test

import (
	"bytes"
	"encoding/base64"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/config"
	"github.com/traffic-exporter/traffic_exporter/internal/importer/exchange"
	"github.com/traffic-exporter/traffic_exporter/internal/importer/plan"
)

// tape records exchanges for tests, a second apart.
type tape struct {
	t   *testing.T
	all []exchange.Exchange
}

// add records an exchange. request is a method and a target, or a URL; then headers and, behind an empty
// line, the body. response has the same form, beginning with the status.
func (r *tape) add(request, response string) {
	r.t.Helper()
	first, header, body := split(request)
	method, target, _ := strings.Cut(first, " ")
	if strings.HasPrefix(target, "/") {
		target = "http://shop.example" + target
	}
	u, err := url.Parse(target)
	if err != nil {
		r.t.Fatal(err)
	}
	x := exchange.Exchange{Start: time.Unix(1_800_000_000+int64(len(r.all)), 0), Took: 100 * time.Millisecond}
	x.Request = exchange.Request{Method: method, URL: u, Header: header, Body: exchange.Keep([]byte(body))}
	first, header, body = split(response)
	x.Response = exchange.Response{Header: header, Body: exchange.Keep([]byte(body))}
	for _, c := range first {
		x.Response.Status = 10*x.Response.Status + int(c-'0')
	}
	r.all = append(r.all, x)
}

func split(text string) (first string, h exchange.Header, body string) {
	head, body, _ := strings.Cut(text, "\n\n")
	lines := strings.Split(head, "\n")
	for _, line := range lines[1:] {
		name, value, _ := strings.Cut(line, ": ")
		h.Add(name, value)
	}
	return lines[0], h, body
}

// imported returns the configuration of the recording, which must be valid.
func (r *tape) imported(o plan.Options) (string, plan.Plan) {
	r.t.Helper()
	if o.Rate == "" {
		o.Rate = "1/m"
	}
	p, err := plan.New(r.all, o)
	if err != nil {
		r.t.Fatal(err)
	}
	text, err := p.File.Encode()
	if err != nil {
		r.t.Fatal(err)
	}
	env := func(name string) (string, bool) {
		for _, v := range p.Environment {
			if v.Name == name {
				return v.Value, true
			}
		}
		return "", false
	}
	if _, err := config.Parse("imported.yaml", text, env, nil); err != nil {
		r.t.Fatalf("%v\n%s", err, text)
	}
	return string(text), p
}

const (
	form  = "\nContent-Type: application/x-www-form-urlencoded\n\n"
	jsonT = "\nContent-Type: application/json\n\n"
	htmlT = "\nContent-Type: text/html; charset=utf-8\n\n"
	token = "K3VQ7J2M5XWZ4T6RABCD"
)

// has fails the test unless the text has all of these.
func has(t *testing.T, text string, all ...string) {
	t.Helper()
	for _, want := range all {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
}

func hasNot(t *testing.T, text string, all ...string) {
	t.Helper()
	for _, no := range all {
		if strings.Contains(text, no) {
			t.Errorf("%q is in\n%s", no, text)
		}
	}
}

func TestAShoppingTripBecomesAJourney(t *testing.T) {
	r := &tape{t: t}
	r.add("POST /login"+form+"user=ada&password=hunter2", "303\nSet-Cookie: sid="+token+"; Path=/\nLocation: /")
	r.add("GET /\nCookie: sid="+token, "200"+htmlT+"Welcome, ada.")
	r.add("GET /guides/tents", "200"+htmlT)
	r.add("GET /guides/boots", "200"+htmlT)
	r.add("GET /items/mug", "200"+htmlT)
	r.add("GET /items/boots", "200"+htmlT)
	r.add("POST /cart"+jsonT+`{"item":"mug","n":1}`, "201"+jsonT+`{"id":7301,"item":"mug"}`)
	r.add("GET /cart/7301", "200"+jsonT+"{}")
	r.add("GET /checkout", "200"+htmlT+`<input type="hidden" name="csrf" value="`+token+`X">`)
	r.add("POST /orders"+form+"csrf="+token+"X", "201"+jsonT+"{}")
	text, p := r.imported(plan.Options{By: "import har", MaxPause: time.Minute})
	has(t, text,
		"# Written by traffic_exporter import har from 10 requests to http://shop.example.", "cookies: true", "base_url: http://shop.example",
		"body: {form: {user: ada, password: '${SHOP_EXAMPLE_PASSWORD}'}}", "expect: {status: [303]}", "one_of: [tents, boots]", `url: "/guides/{{ guide }}"`,
		"item: {rows: [mug, boots]}", `url: "/items/{{ item }}"`, // One of them is bought.
		"body: {json: {item: mug, n: 1}}", "capture: {cart: {json: id}}", `url: "/cart/{{ cart }}"`, `capture: {csrf: {regex: 'name="csrf"[^>]*?value="([^"]*)'}}`,
		`body: {form: {csrf: "{{ csrf }}"}}`, "- pause: 1s",
	)
	hasNot(t, text, "hunter2", token, "Cookie")
	if len(p.Environment) != 1 || p.Environment[0] != (plan.Variable{Name: "SHOP_EXAMPLE_PASSWORD", Value: "hunter2", Of: "form field password"}) {
		t.Errorf("the environment is %+v", p.Environment)
	}
}

func TestBrowsersAndOthersAreLeftOut(t *testing.T) {
	r := &tape{t: t}
	r.add("GET /page\nUser-Agent: Mozilla\nReferer: http://shop.example/\nSec-Fetch-Mode: cors\nX-Version: 7\nAccept: text/html,*/*\nIf-None-Match: x", "304")
	r.add("GET /page", "200"+htmlT)
	r.add("GET /app.js", "200\nContent-Type: text/javascript\n\nx")
	r.add("GET /logo", "200\nContent-Type: image/png\n\nx")
	r.add("GET http://cdn.example/lib", "200"+htmlT)
	r.add("OPTIONS /api\nAccess-Control-Request-Method: PUT", "204")
	r.add("GET /ws\nUpgrade: websocket", "101")
	r.add("GET /gone", "0")
	text, _ := r.imported(plan.Options{})
	has(t, text, "headers: {X-Version: \"7\"}", "cdn.example (1)", "2 static assets", "1 preflights", "1 WebSockets", "1 requests without a response", "expect: {status: [200]}")
	hasNot(t, text, "Mozilla", "Referer", "Sec-", "app.js", "logo", "/lib", "304", "If-None")
	text, _ = r.imported(plan.Options{Static: true, Headers: true, Hosts: []string{"cdn.example"}})
	has(t, text, "Mozilla", "app.js", "url: 'http://cdn.example/lib'")
}

func TestRequestsThatChangeSomethingAreSentAsTheyWere(t *testing.T) {
	r := &tape{t: t}
	r.add("POST /cart"+form+"item=mug&n=1", "201")
	r.add("POST /cart"+form+"item=hat&n=2", "201")
	r.add("GET /cart", "200")
	r.add("DELETE /cart/items/hat", "204")
	r.add("GET /cart/items/mug", "200")
	r.add("GET /cart/items/hat", "404")
	r.add("POST /cart"+form+"item=map&n=3", "201")
	r.add("GET /cart", "200")
	text, _ := r.imported(plan.Options{})
	has(t, text, `rows: [{item: mug, n: "1"}, {item: hat, n: "2"}]`, "repeat: all", "url: /cart/items/hat", "url: /cart/items/mug", "form: {item: map", "*cart", "name: delete_item")
}

func TestWhatTheClientMakesUpIsMadeUpAgain(t *testing.T) {
	const id = "03fef6ac-1896-4ce8-bd69-b798f85c6e0b"
	r := &tape{t: t}
	r.add("PUT /orders/"+id+"?t=1800000000123"+jsonT+`{"id":"`+id+`"}`, "201")
	r.add("GET /orders/"+id, "200")
	text, _ := r.imported(plan.Options{})
	hasNot(t, text, id, "1800000000123")
	has(t, text, "uuid", "format: unix_ms", `url: "/orders/{{ order`)
}

func TestElementsAreFoundByWordsThatAreSentAndNotPersonal(t *testing.T) {
	r := &tape{t: t}
	r.add("GET /items", "200"+jsonT+`{"items":[{"name":"hat","id":"a1b2c3d4e5"},{"name":"mug","id":"f6a7b8c9d0"}]}`)
	r.add("GET /people", "200"+jsonT+`[{"name":"lovelace","id":"k1l2m3n4o5"}]`)
	r.add("POST /cart"+jsonT+`{"item":"mug","id":"f6a7b8c9d0","lastName":"lovelace","owner":"k1l2m3n4o5"}`, "201")
	text, _ := r.imported(plan.Options{})
	has(t, text, `json: items.#(name=="mug").id`, "{json: 0.id}")
	hasNot(t, text, "lovelace")
}

func TestATokenThatIsShortIsCapturedToo(t *testing.T) {
	r := &tape{t: t}
	r.add("POST /token"+form+"grant_type=client_credentials", "200"+jsonT+`{"access_token":"tok-17"}`)
	r.add("GET /me\nAuthorization: Bearer tok-17", "200")
	text, _ := r.imported(plan.Options{})
	has(t, text, "capture: {access_token: {json: access_token}}", `Authorization: "Bearer {{ access_token }}"`)
}

func TestNumbersStayNumbersAndStringsStrings(t *testing.T) {
	r := &tape{t: t}
	r.add("GET /new", "200"+jsonT+`{"order":{"id":73}}`)
	r.add("POST /pay"+jsonT+`{"orderId":73,"amount":1.50}`, "200")
	r.add("POST /note"+jsonT+`{"orderId":"73"}`, "200")
	text, _ := r.imported(plan.Options{})
	has(t, text, "capture: {order: {json: order.id}}", `body: {json: {orderId: "{{ order }}", amount: 1.50}}`, `variables: {order_text: {text: "{{ order }}"}}`, `orderId: "{{ order_text }}"`)
}

func TestAPasswordMayBeAPlainWordThatIsTheNameOfAFieldToo(t *testing.T) {
	r := &tape{t: t}
	r.add("POST /login"+jsonT+`{"name":"user","password":"password","passwordAgain":"password"}`, "200")
	r.add("GET /me\nAuthorization: Basic "+base64.StdEncoding.EncodeToString([]byte("user:password")), "200")
	text, _ := r.imported(plan.Options{})
	has(t, text, "password: '${SHOP_EXAMPLE_PASSWORD}'")
	hasNot(t, text, "password: password", "Again: password")
}

// planted are secrets and personal data.
func planted() []string {
	return []string{
		"hunter2-pass", "ada.lovelace@example.com", "ada.lovelace%40example.com", "4111111111111111", "4111 1111 1111 1111", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
		"AKIAIOSFODNN7EXAMPLE", "s3cr3t-basic", base64.StdEncoding.EncodeToString([]byte("ada:s3cr3t-basic")), "5f4dcc3b5aa765d61d8327deb882cf99", "preset-cookie-1234", "+49 170 1234567",
		"DE89370400440532013000", "api-key-abcdef", "078-05-1120", "short-otp", "Lovelace", "grandmother@example.org", "q7Zk2Lm9Xv4Tn8Rb6Wp3",
	}
}

func TestSecretsAndPersonalDataAreNotWritten(t *testing.T) {
	r := &tape{t: t}
	r.add("POST /login"+form+"email=ada.lovelace%40example.com&password=hunter2-pass&remember=true", "200"+jsonT+`{"users":{"grandmother@example.org":{"token":"`+token+`"}}}`)
	r.add("GET /me\nAuthorization: Basic "+base64.StdEncoding.EncodeToString([]byte("ada:s3cr3t-basic"))+"\nCookie: sid=preset-cookie-1234; _ga=GA1.2.3", "200")
	r.add("GET /users/ada.lovelace@example.com?api_key=api-key-abcdef&grandmother@example.org&ada.lovelace%40example.com=1", "200")
	r.add("GET /reset/5f4dcc3b5aa765d61d8327deb882cf99\nAuthorization: Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl\nX-Token: "+token, "200")
	r.add("POST /pay"+jsonT+`{"card":{"number":"4111 1111 1111 1111","otp":"short-otp"},"iban":"DE89370400440532013000","note":"for ada.lovelace@example.com","lastName":"Lovelace","ssn":"078-05-1120"}`, "200")
	r.add("POST /pay"+jsonT+`{"grandmother@example.org":4111111111111111}`, "200")
	r.add("POST /xml\nContent-Type: text/xml\n\n<login><password>hunter2-pass</password><phone>+49 170 1234567</phone><id>AKIAIOSFODNN7EXAMPLE</id></login>", "200")
	r.add("POST /graphql"+jsonT+`{"query":"mutation {login(user: \"ada.lovelace@example.com\", password: \"hunter2-pass\") {id}}","variables":{"lastName":"Lovelace"}}`, "200")
	r.add("POST /parts\nContent-Type: multipart/form-data; boundary=b\n\n--b\r\nContent-Disposition: form-data; name=\"email\"\r\n\r\nada.lovelace@example.com\r\n"+
		"--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"Lovelace.txt\"\r\n\r\nhunter2-pass\r\n--b--\r\n", "200")
	r.add("GET /page", "200"+htmlT+`<a data-owner="grandmother@example.org" href="/x?sig=q7Zk2Lm9Xv4Tn8Rb6Wp3">x</a>`)
	r.add("GET /x?sig=q7Zk2Lm9Xv4Tn8Rb6Wp3", "200")
	r.add("GET /again?next=%2Freset%2F5f4dcc3b5aa765d61d8327deb882cf99&word=hunter2-pass", "200")
	r.add("PUT /ada.lovelace@example.com", "200")
	r.add("POST /text\nContent-Type: text/plain\n\ncard 4111111111111111", "200")
	for name, o := range map[string]plan.Options{"journey": {}, "mix": {Mix: true}} {
		text, p := r.imported(o)
		for _, secret := range append(planted(), token) {
			if strings.Contains(text, secret) {
				t.Errorf("%s: %q is in\n%s", name, secret, text)
			}
		}
		if len(p.Environment) < 10 {
			t.Errorf("%s: the environment is %+v", name, p.Environment)
		}
	}
	// Who asks for them has them.
	text, p := r.imported(plan.Options{Secrets: true, Personal: true})
	has(t, text, "hunter2-pass", "ada.lovelace@example.com", "4111 1111 1111 1111", "preset-cookie-1234")
	if len(p.Environment) > 0 {
		t.Errorf("the environment is %+v", p.Environment)
	}
}

func TestAMixHasWeights(t *testing.T) {
	r := &tape{t: t}
	for _, target := range []string{"/items/1", "/items/2", "/items/2", "/search?q=a%20b", "/"} {
		r.add("GET "+target, "0")
	}
	text, _ := r.imported(plan.Options{Mix: true, Rate: "10/s"})
	has(t, text, "weight: 3", `url: "/items/{{ item }}"`, `one_of: ["1", "2", "2"]`, "url: '/search?q=a%20b'")
	hasNot(t, text, "steps", "expect")
}

func TestWhatCannotBeImportedIsNoted(t *testing.T) {
	r := &tape{t: t}
	r.add("GET https://shop.example/", "200")
	r.all[0].Request.Notes = []string{"-k of curl is not taken over."}
	text, _ := r.imported(plan.Options{Insecure: true})
	has(t, text, "# -k of curl is not taken over.", "base_url: https://shop.example", "http_config: {tls_config: {insecure_skip_verify: true}}")
}

func TestNothingToImportIsAnError(t *testing.T) {
	r := &tape{t: t}
	r.add("GET /app.js", "200")
	if _, err := plan.New(r.all, plan.Options{Rate: "1/m"}); err == nil || !strings.Contains(err.Error(), "1 static assets") {
		t.Errorf("the error is %v", err)
	}
}

// Whatever was recorded, the configuration is one.
func FuzzRequests(f *testing.F) {
	f.Add("/a/{b}?c=${d}&e", "X-A: {{ x }}\nB: ${C}", "application/json", []byte(`{"a":["{{ b }}","${C}",1,null,""]}`))
	f.Add("/%7B?a&a&b=&=c", "Cookie: a=b", "application/x-www-form-urlencoded", []byte("a=1&a=2&=3&{{=4"))
	f.Add("//x/", "", "multipart/form-data; boundary=b", []byte("--b\r\nContent-Disposition: form-data; name=\"{{\"\r\n\r\nx\r\n--b--\r\n"))
	f.Add("/graphql", "", "application/json", []byte(`{"query":"{a{b}}","variables":{"x":"{{"}}`))
	f.Fuzz(func(t *testing.T, target, headers, media string, body []byte) {
		u, err := url.Parse("http://shop.example" + target)
		if err != nil || u.Host != "shop.example" || len(target)+len(headers)+len(body) > 10_000 {
			return
		}
		r := &tape{t: t}
		for n := range 3 {
			x := exchange.Exchange{Start: time.Unix(int64(n), 0)}
			x.Request = exchange.Request{Method: "POST", URL: u, Body: exchange.Keep(bytes.Clone(body))}
			for line := range strings.SplitSeq(headers, "\n") {
				name, value, _ := strings.Cut(line, ": ")
				x.Request.Header.Add(name, value)
			}
			x.Request.Header.Add("Content-Type", media)
			x.Response = exchange.Response{Status: 200, Header: exchange.Header{{Name: "Content-Type", Value: media}, {Name: "Set-Cookie", Value: headers}}, Body: exchange.Keep(body)}
			r.all = append(r.all, x)
		}
		if _, err := plan.New(r.all, plan.Options{Rate: "1/m"}); err != nil {
			return // It says so.
		}
		r.imported(plan.Options{})
		r.imported(plan.Options{Mix: true, Secrets: true, Personal: true})
	})
}
