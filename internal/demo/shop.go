package demo

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strconv"
	"sync"
)

const (
	// shopPath is what the shop's paths begin with.
	shopPath = "/shop/"
	// shopPassword is that of all users.
	shopPassword = "secret"
	// maxSessions bounds the sessions: the oldest is forgotten for a new one.
	maxSessions = 10_000
	// maxQuantity bounds how often an item is in a cart.
	maxQuantity = 100
	// maxForm bounds the body of a request to the shop.
	maxForm = 16 << 10
)

// item is an item of the catalogue.
type item struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Price int    `json:"price"`
	Stock int    `json:"stock"`
}

// catalogue returns what the shop sells. Its stock is never used up.
func catalogue() []item {
	return []item{
		{"boots", "Boots", 129, 12},
		{"hat", "Sun hat", 25, 40},
		{"lamp", "Head lamp", 39, 0},
		{"map", "Map 1:25,000", 12, 300},
		{"mug", "Enamel mug", 9, 85},
		{"socks", "Wool socks", 14, 220},
		{"tent", "Tent for two", 249, 5},
		{"stove", "Gas stove", 59, 0},
	}
}

// line is an item in a cart.
type line struct {
	Item     string `json:"item"`
	Quantity int    `json:"quantity"`
}

// session is what the shop knows of a user who has logged in.
type session struct {
	user string
	cart []line
	// token is that of the checkout page that was shown last, and good for one order.
	token string
}

// shop is a small shop with logins: its responses depend on what a user has done before.
type shop struct {
	mux   *http.ServeMux
	items []item

	mu       sync.Mutex
	sessions map[string]*session
	// cookies are those of the sessions, the oldest at next once there are maxSessions.
	cookies []string
	next    int
	orders  int
}

var _ http.Handler = (*shop)(nil)

func newShop() *shop {
	s := &shop{mux: http.NewServeMux(), items: catalogue(), sessions: map[string]*session{}}
	s.mux.HandleFunc("GET /shop/login", s.loginPage)
	s.mux.HandleFunc("POST /shop/login", s.login)
	s.mux.HandleFunc("GET /shop/catalogue", s.catalogue)
	s.mux.HandleFunc("GET /shop/items/{item}", s.itemPage)
	s.mux.HandleFunc("GET /shop/{$}", s.known(s.home))
	s.mux.HandleFunc("GET /shop/cart", s.known(s.cart))
	s.mux.HandleFunc("POST /shop/cart", s.known(s.add))
	s.mux.HandleFunc("DELETE /shop/cart/{item}", s.known(s.remove))
	s.mux.HandleFunc("GET /shop/checkout", s.known(s.checkout))
	s.mux.HandleFunc("POST /shop/orders", s.known(s.order))
	return s
}

// ServeHTTP implements http.Handler.
func (s *shop) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	s.mux.ServeHTTP(w, r)
}

// known serves users who have logged in. It holds the lock.
func (s *shop) known(serve func(http.ResponseWriter, *http.Request, *session)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm() // Fields that cannot be read are missing.
		s.mu.Lock()
		defer s.mu.Unlock()
		cookie, err := r.Cookie("session")
		if err == nil {
			if session, ok := s.sessions[cookie.Value]; ok {
				serve(w, r, session)
				return
			}
		}
		fail(w, http.StatusUnauthorized, "log in first: POST /shop/login")
	}
}

func (s *shop) loginPage(w http.ResponseWriter, _ *http.Request) {
	page(w, `<form action="/shop/login" method="post"><input name="user"><input name="password" type="password"><button>Log in</button></form>`, nil)
}

func (s *shop) login(w http.ResponseWriter, r *http.Request) {
	user := r.FormValue("user")
	if user == "" || r.FormValue("password") != shopPassword {
		fail(w, http.StatusUnauthorized, "the user or the password is wrong")
		return
	}
	cookie := rand.Text()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.cookies) < maxSessions {
		s.cookies = append(s.cookies, cookie)
	} else {
		delete(s.sessions, s.cookies[s.next])
		s.cookies[s.next] = cookie
		s.next = (s.next + 1) % maxSessions
	}
	s.sessions[cookie] = &session{user: user}
	//nolint:gosec // The target is served without TLS, so that the cookie cannot be Secure.
	http.SetCookie(w, &http.Cookie{Name: "session", Value: cookie, Path: shopPath, HttpOnly: true, SameSite: http.SameSiteLaxMode})
	http.Redirect(w, r, shopPath, http.StatusSeeOther)
}

func (s *shop) home(w http.ResponseWriter, _ *http.Request, u *session) {
	page(w, `<p>Welcome, {{.}}.</p><a href="/shop/catalogue">Catalogue</a>`, u.user)
}

func (s *shop) catalogue(w http.ResponseWriter, _ *http.Request) {
	reply(w, http.StatusOK, map[string]any{"items": s.items})
}

// find returns the item that a request is about.
func (s *shop) find(id string) (item, bool) {
	i := slices.IndexFunc(s.items, func(it item) bool { return it.ID == id })
	if i < 0 {
		return item{}, false
	}
	return s.items[i], true
}

func (s *shop) itemPage(w http.ResponseWriter, r *http.Request) {
	it, ok := s.find(r.PathValue("item"))
	if !ok {
		fail(w, http.StatusNotFound, "no such item")
		return
	}
	page(w, `<h1>{{.Name}}</h1><p>{{.Price}} €, {{.Stock}} in stock</p>`, it)
}

func (s *shop) cart(w http.ResponseWriter, _ *http.Request, u *session) {
	reply(w, http.StatusOK, map[string]any{"items": append([]line{}, u.cart...), "total": s.total(u)})
}

func (s *shop) total(u *session) int {
	sum := 0
	for _, l := range u.cart {
		it, _ := s.find(l.Item)
		sum += l.Quantity * it.Price
	}
	return sum
}

func (s *shop) add(w http.ResponseWriter, r *http.Request, u *session) {
	it, ok := s.find(r.PostFormValue("item"))
	n, err := strconv.Atoi(r.PostFormValue("quantity"))
	at := slices.IndexFunc(u.cart, func(l line) bool { return l.Item == it.ID })
	switch {
	case !ok:
		fail(w, http.StatusNotFound, "no such item")
	case err != nil || n < 1 || n > maxQuantity:
		fail(w, http.StatusBadRequest, fmt.Sprintf("quantity: expected 1 to %d", maxQuantity))
	case it.Stock == 0:
		fail(w, http.StatusConflict, "the item is sold out")
	case at < 0:
		u.cart = append(u.cart, line{it.ID, n})
		reply(w, http.StatusCreated, u.cart[len(u.cart)-1])
	default:
		u.cart[at].Quantity = min(maxQuantity, u.cart[at].Quantity+n)
		reply(w, http.StatusCreated, u.cart[at])
	}
}

func (s *shop) remove(w http.ResponseWriter, r *http.Request, u *session) {
	at := slices.IndexFunc(u.cart, func(l line) bool { return l.Item == r.PathValue("item") })
	if at < 0 {
		fail(w, http.StatusNotFound, "the item is not in the cart")
		return
	}
	u.cart = slices.Delete(u.cart, at, at+1)
	w.WriteHeader(http.StatusNoContent)
}

// checkout shows the page with the token without which nothing can be ordered.
func (s *shop) checkout(w http.ResponseWriter, _ *http.Request, u *session) {
	if len(u.cart) == 0 {
		fail(w, http.StatusConflict, "the cart is empty")
		return
	}
	u.token = rand.Text()
	page(w, `<form action="/shop/orders?page=checkout&amp;step=1" method="post"><input type="hidden" name="token" value="{{.}}"><button>Buy</button></form>`, u.token)
}

func (s *shop) order(w http.ResponseWriter, r *http.Request, u *session) {
	token := r.PostFormValue("token")
	switch {
	case token == "" || token != u.token:
		fail(w, http.StatusForbidden, "the token is not that of the last checkout page")
	case len(u.cart) == 0:
		fail(w, http.StatusConflict, "the cart is empty")
	default:
		total := s.total(u)
		u.cart, u.token = nil, ""
		s.orders++
		reply(w, http.StatusCreated, map[string]any{"order": s.orders, "user": u.user, "total": total})
	}
}

// page writes a page of HTML.
func page(w http.ResponseWriter, text string, data any) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	t := template.Must(template.New("page").Parse("<!DOCTYPE html>\n<title>Shop</title>\n" + text + "\n</html>\n"))
	_ = t.Execute(w, data) // Who has gone away needs no page.
}

// reply writes a document.
func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // A client that has gone away needs no response.
}

func fail(w http.ResponseWriter, status int, why string) {
	reply(w, status, map[string]string{"error": why})
}
