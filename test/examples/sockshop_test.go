package examples

import (
	"crypto/rand"
	"net/http"
	"slices"
	"testing"
)

// sockShop does what Sock Shop's front-end does.
type sockShop struct {
	server

	users   map[string]sockUser // by name
	baskets map[string]*sockSession
}

type sockUser struct {
	ID        string `json:"id"`
	Username  string `json:"username"`
	FirstName string `json:"first_name"`
	LastName  string `json:"last_name"`
	Email     string `json:"email"`
	Password  string `json:"password"`
}

// sockSession is what belongs to the cookie md.sid.
type sockSession struct {
	user          string
	cart          []sockItem
	card, address bool
	orders        int
}

type sockItem struct {
	ID        string  `json:"id"`
	ItemID    string  `json:"itemId"`
	Quantity  int     `json:"quantity"`
	UnitPrice float64 `json:"unitPrice"`
}

type sock struct {
	ID    string   `json:"id"`
	Name  string   `json:"name"`
	Price float64  `json:"price"`
	Tag   []string `json:"tag"`
}

func socks() []sock {
	return []sock{
		{"03fef6ac-1896-4ce8-bd69-b798f85c6e0b", "Holy", 99.99, []string{"action", "magic"}},
		{"3395a43e-2d88-40de-b95f-e00e1502085b", "Colourful", 18, []string{"brown", "blue"}},
		{"510a0d7e-8e83-4193-b483-e27e09ddc34d", "SuperSport XL", 15, []string{"sport", "formal"}},
	}
}

func (s *sockShop) mux() *http.ServeMux {
	mux := http.NewServeMux()
	for _, path := range []string{"GET /{$}", "GET /basket.html"} {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) { page(w, "socks") })
	}
	tags := []string{"brown", "blue", "sport & formal", "action", "magic"}
	mux.HandleFunc("GET /tags", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, http.StatusOK, map[string]any{"tags": tags, "err": nil})
	})
	mux.HandleFunc("GET /category.html", func(w http.ResponseWriter, r *http.Request) {
		if tag, ok := r.URL.Query()["tags"]; ok && !slices.Contains(tags, tag[0]) {
			s.mistake(r, "there is no tag %q", tag)
		}
		page(w, "socks")
	})
	mux.HandleFunc("GET /catalogue", func(w http.ResponseWriter, _ *http.Request) { reply(w, http.StatusOK, socks()) })
	mux.HandleFunc("GET /detail.html", func(w http.ResponseWriter, r *http.Request) {
		if _, ok := findSock(r.FormValue("id")); !ok {
			s.mistake(r, "there is no such sock")
		}
		page(w, "a sock")
	})
	mux.HandleFunc("GET /customers", s.list)
	mux.HandleFunc("GET /customers/{id}", s.customer)
	mux.HandleFunc("DELETE /customers/{id}", s.remove)
	mux.HandleFunc("POST /register", s.register)
	mux.HandleFunc("GET /login", s.login)
	mux.HandleFunc("POST /cart", s.known(s.add))
	mux.HandleFunc("GET /cart", s.known(func(w http.ResponseWriter, _ *http.Request, u *sockSession) {
		reply(w, http.StatusOK, append([]sockItem{}, u.cart...))
	}))
	mux.HandleFunc("DELETE /cart/{id}", s.known(func(w http.ResponseWriter, r *http.Request, u *sockSession) {
		at := slices.IndexFunc(u.cart, func(i sockItem) bool { return i.ItemID == r.PathValue("id") })
		if at < 0 {
			s.refuse(w, r, http.StatusNotFound, "the item is not in the cart")
			return
		}
		u.cart = slices.Delete(u.cart, at, at+1)
		w.WriteHeader(http.StatusAccepted)
	}))
	mux.HandleFunc("POST /cards", s.known(s.card))
	mux.HandleFunc("POST /addresses", s.known(s.address))
	mux.HandleFunc("POST /orders", s.order)
	mux.HandleFunc("GET /orders", s.known(func(w http.ResponseWriter, _ *http.Request, u *sockSession) {
		reply(w, http.StatusCreated, make([]string, u.orders)) // That is its status.
	}))
	return mux
}

func findSock(id string) (sock, bool) {
	at := slices.IndexFunc(socks(), func(s sock) bool { return s.ID == id })
	if at < 0 {
		return sock{}, false
	}
	return socks()[at], true
}

func (s *sockShop) list(w http.ResponseWriter, _ *http.Request) {
	reply(w, http.StatusOK, map[string]any{"_embedded": map[string]any{"customer": []string{}}})
}

// register makes a user, who is logged in.
func (s *sockShop) register(w http.ResponseWriter, r *http.Request) {
	var u sockUser
	if !s.document(r, &u) || u.Username == "" || u.Password == "" || u.Email == "" || u.FirstName == "" || u.LastName == "" {
		s.refuse(w, r, http.StatusInternalServerError, "the registration lacks something: %+v", u)
		return
	}
	u.ID = rand.Text()
	s.mu.Lock()
	_, taken := s.users[u.Username]
	s.users[u.Username] = u
	s.mu.Unlock()
	if taken {
		s.refuse(w, r, http.StatusInternalServerError, "the user is registered already")
		return
	}
	s.begin(w, r, u.ID)
	reply(w, http.StatusOK, map[string]string{"id": u.ID})
}

func (s *sockShop) begin(w http.ResponseWriter, r *http.Request, user string) {
	id := rand.Text()
	if c, err := r.Cookie("md.sid"); err == nil {
		id = c.Value
	}
	s.mu.Lock()
	if s.baskets[id] == nil {
		s.baskets[id] = &sockSession{}
	}
	s.baskets[id].user = user
	s.mu.Unlock()
	http.SetCookie(w, &http.Cookie{Name: "md.sid", Value: id, Path: "/", HttpOnly: true})
	http.SetCookie(w, &http.Cookie{Name: "logged_in", Value: id, Path: "/", MaxAge: 3600})
}

func (s *sockShop) login(w http.ResponseWriter, r *http.Request) {
	name, password, ok := r.BasicAuth()
	if ok && name == "wrong_user" && password == "no_pass" {
		s.done("refused logins")
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	s.mu.Lock()
	u, known := s.users[name]
	s.mu.Unlock()
	if !known || u.Password != password {
		s.refuse(w, r, http.StatusUnauthorized, "the user %q is not known by this password", name)
		return
	}
	s.begin(w, r, u.ID)
	page(w, "Cookie is set")
}

// known serves a session. It holds the lock.
func (s *sockShop) known(serve func(http.ResponseWriter, *http.Request, *sockSession)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		id, err := r.Cookie("md.sid")
		login, err2 := r.Cookie("logged_in")
		if err != nil || err2 != nil || id.Value != login.Value {
			s.refuse(w, r, http.StatusInternalServerError, "User not logged in.")
			return
		}
		s.session(r, id.Value)
		s.mu.Lock()
		u := s.baskets[id.Value]
		s.mu.Unlock()
		if u == nil {
			s.refuse(w, r, http.StatusInternalServerError, "User not logged in.")
			return
		}
		serve(w, r, u) // One slot does one thing after the other.
	}
}

func (s *sockShop) add(w http.ResponseWriter, r *http.Request, u *sockSession) {
	var add struct {
		ID       string
		Quantity int
	}
	if !s.document(r, &add) || add.Quantity < 1 {
		s.refuse(w, r, http.StatusInternalServerError, "%+v is not added", add)
		return
	}
	it, ok := findSock(add.ID)
	if !ok {
		s.refuse(w, r, http.StatusInternalServerError, "there is no sock %q", add.ID)
		return
	}
	if n := len(u.cart); n > 0 && u.cart[n-1].Quantity != add.Quantity {
		s.done("other quantities")
	}
	u.cart = append(u.cart, sockItem{it.ID, rand.Text(), add.Quantity, it.Price})
	w.WriteHeader(http.StatusCreated)
}

func (s *sockShop) card(w http.ResponseWriter, r *http.Request, u *sockSession) {
	var card struct{ LongNum, Expires, CCV string }
	if u.card = s.document(r, &card) && len(card.LongNum) == 16 && len(card.CCV) == 3 && len(card.Expires) == 5; !u.card {
		s.mistake(r, "it is no card: %+v", card)
	}
	reply(w, http.StatusOK, map[string]string{"id": rand.Text()})
}

func (s *sockShop) address(w http.ResponseWriter, r *http.Request, u *sockSession) {
	var a struct{ Number, Street, City, Postcode, Country string }
	if u.address = s.document(r, &a) && a.Number != "" && a.Street != "" && a.City != "" && a.Postcode != "" && a.Country != ""; !u.address {
		s.mistake(r, "it is no address: %+v", a)
	}
	reply(w, http.StatusOK, map[string]string{"id": rand.Text()})
}

// order takes the items in the cart. The payment service declines more than $100.
func (s *sockShop) order(w http.ResponseWriter, r *http.Request) {
	if _, err := r.Cookie("logged_in"); err != nil {
		s.done("refused orders")
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	s.known(func(w http.ResponseWriter, r *http.Request, u *sockSession) {
		if !u.card || !u.address || len(u.cart) == 0 {
			s.refuse(w, r, http.StatusInternalServerError, "the order lacks something: %+v", u)
			return
		}
		total := 4.99
		for _, it := range u.cart {
			total += float64(it.Quantity) * it.UnitPrice
		}
		s.done("orders")
		if total > 100 {
			w.WriteHeader(http.StatusNotAcceptable)
			return
		}
		u.orders++
		u.cart = nil
		w.WriteHeader(http.StatusCreated)
	})(w, r)
}

// byID returns the user of an identifier.
func (s *sockShop) byID(id string) (sockUser, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, u := range s.users {
		if u.ID == id {
			return u, true
		}
	}
	return sockUser{}, false
}

func (s *sockShop) customer(w http.ResponseWriter, r *http.Request) {
	u, ok := s.byID(r.PathValue("id"))
	if !ok {
		s.refuse(w, r, http.StatusNotFound, "there is no such customer")
		return
	}
	reply(w, http.StatusOK, u)
}

func (s *sockShop) remove(w http.ResponseWriter, r *http.Request) {
	u, ok := s.byID(r.PathValue("id"))
	if !ok {
		s.refuse(w, r, http.StatusNotFound, "there is no such customer")
		return
	}
	s.mu.Lock()
	delete(s.users, u.Username)
	s.mu.Unlock()
	s.done("removed customers")
	reply(w, http.StatusOK, map[string]bool{"status": true})
}

func TestSockShop(t *testing.T) {
	t.Parallel()
	s := &sockShop{users: map[string]sockUser{}, baskets: map[string]*sockSession{}}
	serve(t, &s.server, s.mux())
	run(t, setup{file: root + "/examples/sock-shop/config.yaml", origin: "http://front-end.sock-shop.svc", server: s.url, rates: []string{"20/s", "10/s", "10/s"}, visits: 20})
	for _, what := range []string{"orders", "refused logins", "refused orders", "removed customers", "other quantities"} {
		if n := s.counted(what); n < 5 {
			t.Errorf("%d %s", n, what)
		}
	}
}
