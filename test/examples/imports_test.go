package examples

import (
	"bytes"
	"context"
	"encoding/json"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-playground/validator/v10"
	"github.com/google/uuid"
)

// visitor is somebody who uses a server through a recorder, as a browser does.
type visitor struct {
	t    *testing.T
	base string
	http http.Client
}

// send sends a request, and returns the response and its body. The status has to be that.
func (v *visitor) send(want int, req *http.Request) (http.Header, string) {
	v.t.Helper()
	req.Header.Set("Traffic-Slot", "recorded")
	req.Header.Set("Traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
	req.Header.Set("User-Agent", "Mozilla/5.0 (a browser)")
	resp, err := v.http.Do(req)
	if err != nil {
		v.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != want {
		v.t.Fatalf("%s %s: status %s, want %d: %s, %v", req.Method, req.URL, resp.Status, want, body, err)
	}
	return resp.Header, string(body)
}

func (v *visitor) request(method, path, contentType, body string) *http.Request {
	v.t.Helper()
	req, err := http.NewRequestWithContext(v.t.Context(), method, v.base+path, strings.NewReader(body))
	if err != nil {
		v.t.Fatal(err)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	return req
}

// get returns a page.
func (v *visitor) get(path string) string {
	v.t.Helper()
	_, body := v.send(http.StatusOK, v.request(http.MethodGet, path, "", ""))
	return body
}

// read reads the JSON of a page.
func (v *visitor) read(path string, into any) {
	v.t.Helper()
	v.decode(v.get(path), into)
}

func (v *visitor) decode(body string, into any) {
	v.t.Helper()
	if err := json.Unmarshal([]byte(body), into); err != nil {
		v.t.Fatalf("%s: %v", body, err)
	}
}

// post sends JSON.
func (v *visitor) post(want int, path string, document any) string {
	v.t.Helper()
	text, err := json.Marshal(document)
	if err != nil {
		v.t.Fatal(err)
	}
	_, body := v.send(want, v.request(http.MethodPost, path, "application/json", string(text)))
	return body
}

// submit sends a form.
func (v *visitor) submit(want int, path string, form url.Values) (http.Header, string) {
	v.t.Helper()
	return v.send(want, v.request(http.MethodPost, path, "application/x-www-form-urlencoded", form.Encode()))
}

// recorded is a server that is used by a visitor, and then by the configuration of the recorded visit.
type recorded struct {
	server *server
	// visit is what the visitor does. forget has the server forget all of it.
	visit  func(v *visitor)
	forget func()
	// what names something that each visit has the server do and count.
	what string
	// secrets are what the visitor sends and no file may have.
	secrets []string
	// flags are further ones of both commands.
	flags []string
}

// check records a visit and runs the configuration, and that of its archive, without an edit. The server
// notes what the real one would refuse.
func (r recorded) check(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	config, variables, archive := filepath.Join(dir, "recorded.yaml"), filepath.Join(dir, "recorded.env"), filepath.Join(dir, "visit.har")
	flags := append([]string{"--max-pause=0s", "--rate=20/s"}, r.flags...)
	r.record(t, append(flags, "--output="+config, "--env-file="+variables, "--har="+archive)...)
	imported := filepath.Join(dir, "imported.yaml")
	arguments := append([]string{"import", "har", archive, "--output=" + imported}, flags...)
	if out, err := exec.CommandContext(t.Context(), exporter(), arguments...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	environment := assignments(t, variables)
	for _, file := range []string{config, imported} {
		r.forget()
		r.replay(t, file, environment)
	}
}

// record has a visitor use the server through a recorder.
func (r recorded) record(t *testing.T, flags ...string) {
	t.Helper()
	log := &buffer{}
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), exporter(), append([]string{"record", "--target=" + r.server.url, "--listen=127.0.0.1:0"}, flags...)...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() }) // It has ended by then, unless the test is broken off.
	listens := regexp.MustCompile(`msg=recording address=(\S+)`)
	v := &visitor{t: t}
	for deadline := time.Now().Add(patience); v.base == ""; time.Sleep(10 * time.Millisecond) {
		if found := listens.FindStringSubmatch(log.String()); found != nil {
			v.base = found[1]
		}
		if time.Now().After(deadline) {
			t.Fatalf("the recorder does not listen:\n%s", log.String())
		}
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	v.http.Jar = jar
	r.visit(v)
	v.http.CloseIdleConnections()
	_ = cmd.Process.Signal(syscall.SIGTERM)
	if err = cmd.Wait(); err != nil {
		t.Fatalf("the recorder ends with %v:\n%s", err, log.String())
	}
}

// assignments returns those of a file for a shell.
func assignments(t *testing.T, file string) []string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, m := range regexp.MustCompile(`(?m)^(\w+)='(.*)'$`).FindAllStringSubmatch(string(text), -1) {
		all = append(all, m[1]+"="+m[2])
	}
	return all
}

// replay runs a configuration until the server has done often what each visit does. Nothing may fail.
func (r recorded) replay(t *testing.T, file string, variables []string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range r.secrets {
		if bytes.Contains(text, []byte(secret)) {
			t.Errorf("%q is in\n%s", secret, text)
		}
	}
	check := exec.CommandContext(t.Context(), exporter(), "check", file)
	check.Env = append(os.Environ(), variables...)
	if out, failed := check.CombinedOutput(); failed != nil {
		t.Fatalf("%v: %s\n%s", failed, out, text)
	}
	const visits = 20
	before := r.server.counted(r.what)
	p := start(t, string(text), filepath.Dir(file), variables...)
	var got metrics
	for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		got = p.scrape(t)
		done := r.server.counted(r.what) - before
		if done >= visits && got.sum("traffic_journey_duration_seconds", "outcome", "success") >= visits {
			break
		}
		if time.Now().After(deadline) || got.sum("traffic_request_failures_total")+got.sum("traffic_steps_skipped_total") > 20 {
			t.Errorf("%d %s, want %d", done, r.what, visits)
			break
		}
	}
	for _, name := range []string{"traffic_request_failures_total", "traffic_check_failures_total", "traffic_steps_skipped_total", "traffic_requests_withheld_total"} {
		if n := got.sum(name); n > 0 {
			t.Errorf("%s is %v", name, n)
		}
	}
	p.stop(t)
	if t.Failed() {
		t.Fatalf("that was by\n%s\nand the exporter says\n%s", text, p.log.String())
	}
}

func TestARecordedVisitOfSockShopRuns(t *testing.T) {
	t.Parallel()
	known := map[string]sockUser{"ada": {ID: "57a98d98e4b00679b4a830af", Username: "ada", Password: "lovelace"}}
	s := &sockShop{users: known, baskets: map[string]*sockSession{}}
	serve(t, &s.server, s.mux())
	recorded{
		server: &s.server, what: "orders", secrets: []string{"lovelace", "4432801561520454"},
		forget: func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.baskets = map[string]*sockSession{}
		},
		visit: func(v *visitor) {
			v.get("/")
			login := v.request(http.MethodGet, "/login", "", "")
			login.SetBasicAuth("ada", "lovelace")
			v.send(http.StatusOK, login)
			order(v)
		},
	}.check(t)
}

// order has a sock ordered by somebody who has looked around and has changed their mind.
func order(v *visitor) {
	var all []sock
	v.get("/category.html")
	v.read("/catalogue", &all)
	for _, it := range all {
		v.get("/detail.html?id=" + it.ID)
	}
	v.post(http.StatusCreated, "/cart", map[string]any{"id": all[1].ID, "quantity": 1})
	v.post(http.StatusCreated, "/cart", map[string]any{"id": all[2].ID, "quantity": 2})
	v.get("/basket.html")
	var cart []sockItem
	v.read("/cart", &cart)
	v.send(http.StatusAccepted, v.request(http.MethodDelete, "/cart/"+cart[1].ItemID, "", ""))
	v.post(http.StatusOK, "/cards", map[string]string{"longNum": "4432801561520454", "expires": "12/39", "ccv": "958"})
	v.post(http.StatusOK, "/addresses", map[string]string{"number": "12", "street": "St James's Square", "city": "London", "postcode": "SW1Y 4LB", "country": "UK"})
	v.post(http.StatusCreated, "/orders", struct{}{})
	v.send(http.StatusCreated, v.request(http.MethodGet, "/orders", "", ""))
}

func TestARecordedRegistrationRuns(t *testing.T) {
	t.Parallel()
	s := &sockShop{users: map[string]sockUser{}, baskets: map[string]*sockSession{}}
	serve(t, &s.server, s.mux())
	recorded{
		server: &s.server, what: "removed customers", secrets: []string{"lovelace"},
		forget: func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.users, s.baskets = map[string]sockUser{}, map[string]*sockSession{}
		},
		visit: func(v *visitor) {
			var is struct{ ID string }
			name := uuid.NewString()
			v.decode(v.post(http.StatusOK, "/register", map[string]string{
				"username": name, "password": "lovelace", "email": "ada@example.com", "first_name": "Ada", "last_name": "King",
			}), &is)
			login := v.request(http.MethodGet, "/login", "", "")
			login.SetBasicAuth(name, "lovelace")
			v.send(http.StatusOK, login)
			var customer sockUser
			v.read("/customers/"+is.ID, &customer)
			order(v)
			v.send(http.StatusOK, v.request(http.MethodDelete, "/customers/"+customer.ID, "", ""))
		},
	}.check(t)
}

func TestARecordedVisitOfRobotShopRuns(t *testing.T) {
	t.Parallel()
	s := &robotShop{carts: map[string]*robotCart{}}
	serve(t, &s.server, s.mux())
	recorded{
		server: &s.server, what: "orders", secrets: []string{`"password"`},
		forget: func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.carts = map[string]*robotCart{}
		},
		visit: func(v *visitor) {
			var user struct{ UUID string }
			v.get("/")
			v.read("/api/user/uniqueid", &user)
			v.post(http.StatusOK, "/api/user/login", map[string]string{"name": "user", "password": "password"})
			v.get("/api/catalogue/categories")
			v.get("/api/catalogue/products")
			for _, sku := range []string{"UHJ", "HAL-1"} {
				v.get("/api/catalogue/product/" + sku)
				v.get("/api/ratings/api/fetch/" + sku)
				v.send(http.StatusOK, v.request(http.MethodPut, "/api/ratings/api/rate/"+sku+"/4", "", ""))
				v.get("/api/cart/add/" + user.UUID + "/" + sku + "/1")
			}
			v.get("/api/cart/cart/" + user.UUID)
			v.get("/api/cart/update/" + user.UUID + "/UHJ/2")
			v.get("/api/shipping/codes")
			var all []city
			v.read("/api/shipping/cities/de", &all)
			var ship shipping
			v.read("/api/shipping/calc/102", &ship)
			ship.Location = "Germany " + all[1].Name
			var cart robotCart
			v.decode(v.post(http.StatusOK, "/api/shipping/confirm/"+user.UUID, ship), &cart)
			v.post(http.StatusOK, "/api/payment/pay/"+user.UUID, cart)
		},
	}.check(t)
}

func TestARecordedVisitOfTheBoutiqueRuns(t *testing.T) {
	t.Parallel()
	b := &boutique{validate: validator.New(validator.WithRequiredStructEnabled()), carts: map[string]int{}, last: map[string]string{}}
	serve(t, &b.server, b.mux())
	recorded{
		server: &b.server, what: "orders", secrets: []string{"someone@example.com", "4432801561520454"},
		forget: func() {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.carts, b.last = map[string]int{}, map[string]string{}
		},
		visit: func(v *visitor) {
			v.get("/")
			v.submit(http.StatusOK, "/setCurrency", url.Values{"currency_code": {"EUR"}})
			for _, product := range []string{"OLJCESPC7Z", "66VCHSJNUP", "1YMWWN1N4O"} {
				v.get("/product/" + product)
			}
			v.get("/product/L9ECAV7KIM")
			v.submit(http.StatusOK, "/cart", url.Values{"product_id": {"L9ECAV7KIM"}, "quantity": {"2"}})
			v.get("/product/2ZYFJ3GM2N")
			v.submit(http.StatusOK, "/cart", url.Values{"product_id": {"2ZYFJ3GM2N"}, "quantity": {"1"}})
			v.get("/cart")
			v.submit(http.StatusOK, "/cart/checkout", url.Values{
				"email": {"someone@example.com"}, "street_address": {"1600 Amphitheatre Parkway"}, "zip_code": {"94043"}, "city": {"Mountain View"}, "state": {"CA"},
				"country": {"United States"}, "credit_card_number": {"4432801561520454"}, "credit_card_expiration_month": {"1"}, "credit_card_expiration_year": {"2039"},
				"credit_card_cvv": {"672"},
			})
		},
	}.check(t)
}

func TestARecordedVisitOfTheRetailStoreRuns(t *testing.T) {
	t.Parallel()
	s := &retail{visits: map[string]*retailVisit{}}
	serve(t, &s.server, s.mux())
	recorded{
		server: &s.server, what: "orders", secrets: []string{"john_doe", "1234567890123456"},
		forget: func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.visits = map[string]*retailVisit{}
		},
		visit: func(v *visitor) {
			v.get("/home")
			v.get("/catalog")
			var last string
			for range 9 {
				last = uuid.NewString()
				v.get("/catalog/" + last)
			}
			v.submit(http.StatusOK, "/cart", url.Values{"productId": {last}})
			v.get("/cart")
			v.get("/checkout")
			v.submit(http.StatusOK, "/checkout", url.Values{
				"firstName": {"John"}, "lastName": {"Doe"}, "email": {"john_doe@example.com"}, "streetAddress": {"100 Main Street"}, "city": {"Anytown"}, "state": {"CA"}, "zipCode": {"11111"},
			})
			v.submit(http.StatusOK, "/checkout/delivery", url.Values{"token": {"priority-mail"}})
			v.submit(http.StatusOK, "/checkout/payment", url.Values{"cardHolder": {"John Doe"}, "cardNumber": {"1234567890123456"}, "expiryDate": {"01/35"}, "cvc": {"123"}})
		},
	}.check(t)
}

func TestARecordedLoginByOpenIDConnectRuns(t *testing.T) {
	t.Parallel()
	k := &keycloak{}
	serve(t, &k.server, k.mux())
	begin := func() {
		k.mu.Lock()
		k.realms, k.used = map[string]*realm{}, map[string]bool{}
		k.mu.Unlock()
		k.addRealm(t, "realm-0")
	}
	begin()
	recorded{server: &k.server, what: "logouts", flags: []string{"--headers"}, secrets: []string{"client-7-secret", "user-3-password"}, forget: begin, visit: func(v *visitor) {
		v.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		const base = "/realms/realm-0/protocol/openid-connect"
		account := k.url + "/realms/realm-0/account"
		ask := v.request(http.MethodGet, base+"/auth?"+url.Values{
			"login": {"true"}, "response_type": {"code"}, "client_id": {"client-7"}, "state": {uuid.NewString()}, "redirect_uri": {account}, "scope": {"openid profile"},
		}.Encode(), "", "")
		ask.Header.Set("Accept", "text/html,application/xhtml+xml,application/xml")
		ask.Header.Set("Accept-Language", "en")
		_, form := v.send(http.StatusOK, ask)
		action := html.UnescapeString(regexp.MustCompile(`action="([^"]*)"`).FindStringSubmatch(form)[1])
		// A form that names its host leads past the recorder.
		header, _ := v.submit(http.StatusFound, strings.TrimPrefix(action, k.url), url.Values{"username": {"user-3"}, "password": {"user-3-password"}, "login": {"Log in"}})
		back, err := url.Parse(header.Get("Location"))
		if err != nil {
			t.Fatal(err)
		}
		client := url.Values{"client_id": {"client-7"}, "client_secret": {"client-7-secret"}, "redirect_uri": {account}}
		var tokens struct {
			ID      string `json:"id_token"`
			Refresh string `json:"refresh_token"`
		}
		client.Set("grant_type", "authorization_code")
		client.Set("code", back.Query().Get("code"))
		_, body := v.submit(http.StatusOK, base+"/token", client)
		v.decode(body, &tokens)
		client.Set("grant_type", "refresh_token")
		client.Del("code")
		for range 2 {
			client.Set("refresh_token", tokens.Refresh)
			_, body = v.submit(http.StatusOK, base+"/token", client)
			v.decode(body, &tokens)
		}
		v.send(http.StatusFound, v.request(http.MethodGet, base+"/logout?"+url.Values{"client_id": {"client-7"}, "post_logout_redirect_uri": {account}, "id_token_hint": {tokens.ID}}.Encode(), "", ""))
	}}.check(t)
}

func TestARecordedTransferByAClientOfOAuth2Runs(t *testing.T) {
	t.Parallel()
	b := &bank{expires: map[string]time.Time{}}
	serve(t, &b.server, b.mux())
	recorded{
		server: &b.server, what: "transfers", secrets: []string{"a secret"},
		forget: func() {
			b.mu.Lock()
			defer b.mu.Unlock()
			// So that a token of the recording would be refused.
			b.expires = map[string]time.Time{"token-0": {}}
		},
		visit: func(v *visitor) {
			ask := v.request(http.MethodPost, "/token", "application/x-www-form-urlencoded", url.Values{
				"grant_type": {"client_credentials"}, "scope": {"accounts transfers"}, "audience": {"bank"},
			}.Encode())
			ask.SetBasicAuth("exporter", url.QueryEscape("a secret+of/the client"))
			var token struct {
				Access string `json:"access_token"`
			}
			_, body := v.send(http.StatusOK, ask)
			v.decode(body, &token)
			as := func(req *http.Request) *http.Request {
				req.Header.Set("Authorization", "Bearer "+token.Access)
				return req
			}
			v.send(http.StatusOK, as(v.request(http.MethodGet, "/accounts", "", "")))
			v.send(http.StatusOK, as(v.request(http.MethodGet, "/accounts/2", "", "")))
			v.send(http.StatusCreated, as(v.request(http.MethodPost, "/transfers", "application/json", `{"Account":2,"Amount":20}`)))
		},
	}.check(t)
}
