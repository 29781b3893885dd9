package demo

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// customer is a browser of the shop, with the one cookie that it has.
type customer struct {
	t      *testing.T
	shop   http.Handler
	cookie string
}

func newCustomer(t *testing.T, shop http.Handler) *customer {
	t.Helper()
	return &customer{t: t, shop: shop}
}

// ask sends a request and returns the response's body. The status has to be as expected.
func (c *customer) ask(want int, method, path string, form url.Values) string {
	c.t.Helper()
	r := httptest.NewRequestWithContext(c.t.Context(), method, path, strings.NewReader(form.Encode()))
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if c.cookie != "" {
		r.AddCookie(&http.Cookie{Name: "session", Value: c.cookie})
	}
	w := httptest.NewRecorder()
	c.shop.ServeHTTP(w, r)
	if w.Code != want {
		c.t.Errorf("%s %s %v: status %d, want %d: %s", method, path, form, w.Code, want, w.Body)
	}
	for _, cookie := range w.Result().Cookies() {
		if cookie.Name != "session" || cookie.Path != "/shop/" || !cookie.HttpOnly {
			c.t.Errorf("%s %s sets %v", method, path, cookie)
		}
		c.cookie = cookie.Value
	}
	if location := w.Header().Get("Location"); want/100 == 3 && location != "/shop/" {
		c.t.Errorf("%s %s leads to %q", method, path, location)
	}
	return w.Body.String()
}

func (c *customer) login(user string) {
	c.t.Helper()
	c.ask(http.StatusSeeOther, http.MethodPost, "/shop/login", url.Values{"user": {user}, "password": {"secret"}})
}

func (c *customer) add(want int, item, quantity string) string {
	c.t.Helper()
	return c.ask(want, http.MethodPost, "/shop/cart", url.Values{"item": {item}, "quantity": {quantity}})
}

// token returns that of the checkout page.
func (c *customer) token() string {
	c.t.Helper()
	page := c.ask(http.StatusOK, http.MethodGet, "/shop/checkout", nil)
	found := regexp.MustCompile(`name="token" value="([^"]+)"`).FindStringSubmatch(page)
	if found == nil || !strings.Contains(page, `action="/shop/orders?page=checkout&amp;step=1"`) {
		c.t.Fatalf("the checkout page is %q", page)
	}
	return found[1]
}

func TestACustomerOrdersWhatIsInTheCart(t *testing.T) {
	c := newCustomer(t, newTarget(t, Options{}))
	if page := c.ask(http.StatusOK, http.MethodGet, "/shop/login", nil); !strings.Contains(page, `action="/shop/login"`) {
		t.Errorf("the login page is %q", page)
	}
	c.login("Ada <3")
	if page := c.ask(http.StatusOK, http.MethodGet, "/shop/", nil); !strings.Contains(page, "Ada &lt;3") {
		t.Errorf("the home page is %q", page)
	}
	var list struct {
		Items []struct {
			ID    string
			Stock int
		}
	}
	if err := json.Unmarshal([]byte(c.ask(http.StatusOK, http.MethodGet, "/shop/catalogue", nil)), &list); err != nil || len(list.Items) == 0 {
		t.Fatalf("catalogue %v: %v", list, err)
	}
	for _, it := range list.Items {
		c.ask(http.StatusOK, http.MethodGet, "/shop/items/"+it.ID, nil)
		want := http.StatusCreated
		if it.Stock == 0 {
			want = http.StatusConflict
		}
		c.add(want, it.ID, "1")
		if want == http.StatusCreated && it.ID != "mug" {
			c.ask(http.StatusNoContent, http.MethodDelete, "/shop/cart/"+it.ID, nil)
		}
	}
	c.add(http.StatusCreated, "mug", "2")
	if cart := c.ask(http.StatusOK, http.MethodGet, "/shop/cart", nil); cart != `{"items":[{"item":"mug","quantity":3}],"total":27}`+"\n" {
		t.Errorf("the cart is %s", cart)
	}
	order := c.ask(http.StatusCreated, http.MethodPost, "/shop/orders?page=checkout&step=1", url.Values{"token": {c.token()}})
	if !strings.Contains(order, `"order":1`) || !strings.Contains(order, `"total":27`) {
		t.Errorf("the order is %s", order)
	}
	if cart := c.ask(http.StatusOK, http.MethodGet, "/shop/cart", nil); cart != `{"items":[],"total":0}`+"\n" {
		t.Errorf("after the order the cart is %s", cart)
	}
}

func TestTheShopRefusesWhatCannotBe(t *testing.T) {
	shop := newTarget(t, Options{})
	c, other := newCustomer(t, shop), newCustomer(t, shop)
	for _, path := range []string{"/shop/", "/shop/cart", "/shop/checkout"} {
		c.ask(http.StatusUnauthorized, http.MethodGet, path, nil)
	}
	c.ask(http.StatusUnauthorized, http.MethodPost, "/shop/login", url.Values{"user": {"ada"}, "password": {"guess"}})
	c.ask(http.StatusUnauthorized, http.MethodPost, "/shop/login", url.Values{"password": {"secret"}})
	c.cookie = "forged"
	c.ask(http.StatusUnauthorized, http.MethodGet, "/shop/cart", nil)

	c.login("ada")
	other.login("eve")
	c.ask(http.StatusNotFound, http.MethodGet, "/shop/nothing", nil)
	c.ask(http.StatusNotFound, http.MethodGet, "/shop/items/moon", nil)
	c.ask(http.StatusMethodNotAllowed, http.MethodDelete, "/shop/catalogue", nil)
	c.ask(http.StatusNotFound, http.MethodDelete, "/shop/cart/mug", nil)
	c.ask(http.StatusConflict, http.MethodGet, "/shop/checkout", nil)
	c.add(http.StatusNotFound, "moon", "1")
	for _, quantity := range []string{"", "0", "101", "many"} {
		c.add(http.StatusBadRequest, "mug", quantity)
	}
	// The same item again and again ends at a bound.
	c.add(http.StatusCreated, "mug", "100")
	if line := c.add(http.StatusCreated, "mug", "100"); line != `{"item":"mug","quantity":100}`+"\n" {
		t.Errorf("the line is %s", line)
	}

	// A token is good for the session that it was shown to, and once.
	token := c.token()
	other.add(http.StatusCreated, "hat", "1")
	for _, bad := range []string{"", "forged", token} {
		other.ask(http.StatusForbidden, http.MethodPost, "/shop/orders", url.Values{"token": {bad}})
	}
	c.ask(http.StatusCreated, http.MethodPost, "/shop/orders", url.Values{"token": {token}})
	c.ask(http.StatusForbidden, http.MethodPost, "/shop/orders", url.Values{"token": {token}})
	c.add(http.StatusCreated, "mug", "1")
	token = c.token()
	c.ask(http.StatusNoContent, http.MethodDelete, "/shop/cart/mug", nil)
	c.ask(http.StatusConflict, http.MethodPost, "/shop/orders", url.Values{"token": {token}})
	c.ask(http.StatusUnauthorized, http.MethodPost, "/shop/login", url.Values{"user": {strings.Repeat("x", maxForm)}, "password": {"secret"}})
}

func TestTheShopFollowsTheScript(t *testing.T) {
	c := newCustomer(t, newTarget(t, Options{ErrorRatio: 1}))
	c.ask(http.StatusServiceUnavailable, http.MethodGet, "/shop/catalogue", nil)
	c.ask(http.StatusTeapot, http.MethodGet, "/shop/catalogue?status=418", nil)
}

func TestTheOldestSessionMakesRoom(t *testing.T) {
	s := newShop()
	first := newCustomer(t, s)
	first.login("first")
	c := newCustomer(t, s)
	for i := range maxSessions - 1 {
		c.login(fmt.Sprint("user ", i))
	}
	first.ask(http.StatusOK, http.MethodGet, "/shop/", nil)
	c.login("last")
	first.ask(http.StatusUnauthorized, http.MethodGet, "/shop/", nil)
	c.ask(http.StatusOK, http.MethodGet, "/shop/", nil)
	if len(s.sessions) != maxSessions {
		t.Errorf("%d sessions, want %d", len(s.sessions), maxSessions)
	}
}
