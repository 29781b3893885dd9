package examples

import (
	"crypto/rand"
	"net/http"
	"slices"
	"strconv"
	"testing"
)

// robotShop does what the services of Robot Shop do behind its front.
type robotShop struct {
	server

	carts map[string]*robotCart // by the user's identifier; nil for one without a cart
}

type robotCart struct {
	Total float64     `json:"total"`
	Tax   float64     `json:"tax"`
	Items []robotItem `json:"items"`
}

type robotItem struct {
	Qty      int     `json:"qty"`
	SKU      string  `json:"sku"`
	Name     string  `json:"name"`
	Price    float64 `json:"price"`
	Subtotal float64 `json:"subtotal"`
}

type robot struct {
	SKU     string  `json:"sku"`
	Name    string  `json:"name"`
	Price   float64 `json:"price"`
	InStock int     `json:"instock"`
}

func robots() []robot {
	return []robot{{"UHJ", "Ultimate Harm Joint", 42, 12}, {"EMM", "Evil Mechanised Man", 2001, 0}, {"HAL-1", "Holistic \"Hal\" & Co", 2001.5, 2}, {"C3P0", "Cold", 0.5, 0}, {"STAN-1", "Stan", 67, 2}}
}

type (
	country struct {
		Code string `json:"code"`
		Name string `json:"name"`
	}
	city struct {
		UUID int    `json:"uuid"`
		Name string `json:"name"`
	}
	shipping struct {
		Distance int     `json:"distance"`
		Cost     float64 `json:"cost"`
		Location string  `json:"location,omitempty"`
	}
)

// cities are those of each country; no city has the name of another.
func cities() map[country][]city {
	return map[country][]city{
		{"de", "Germany"}:       {{101, "Köln"}, {102, "Weimar"}},
		{"ci", "Côte d'Ivoire"}: {{201, "Bouaké"}, {202, "Man"}},
	}
}

func (s *robotShop) mux() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/user/login", func(w http.ResponseWriter, r *http.Request) {
		var login struct{ Name, Password string }
		if !s.document(r, &login) || login.Name != "user" || login.Password != "password" {
			s.refuse(w, r, http.StatusNotFound, "name not found")
			return
		}
		s.done("logins")
		reply(w, http.StatusOK, map[string]string{"name": login.Name})
	})
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { page(w, "robots") })
	mux.HandleFunc("GET /api/user/uniqueid", func(w http.ResponseWriter, r *http.Request) {
		id := "anonymous-" + rand.Text()
		s.mu.Lock()
		s.carts[id] = nil
		s.mu.Unlock()
		s.session(r, id)
		reply(w, http.StatusOK, map[string]string{"uuid": id})
	})
	mux.HandleFunc("GET /api/catalogue/categories", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, http.StatusOK, []string{"Artificial Intelligence", "Robot"})
	})
	mux.HandleFunc("GET /api/catalogue/products", func(w http.ResponseWriter, _ *http.Request) { reply(w, http.StatusOK, robots()) })
	s.products(mux)
	s.cartOf(mux)
	s.shippingOf(mux)
	return mux
}

func (s *robotShop) products(mux *http.ServeMux) {
	product := func(w http.ResponseWriter, r *http.Request) (robot, bool) {
		at := slices.IndexFunc(robots(), func(p robot) bool { return p.SKU == r.PathValue("sku") })
		if at < 0 || robots()[at].InStock == 0 {
			s.refuse(w, r, http.StatusNotFound, "SKU not found, or out of stock")
			return robot{}, false
		}
		return robots()[at], true
	}
	mux.HandleFunc("GET /api/catalogue/product/{sku}", func(w http.ResponseWriter, r *http.Request) {
		if p, ok := product(w, r); ok {
			reply(w, http.StatusOK, p)
		}
	})
	mux.HandleFunc("PUT /api/ratings/api/rate/{sku}/{score}", func(w http.ResponseWriter, r *http.Request) {
		if n, err := strconv.Atoi(r.PathValue("score")); err != nil || n < 1 || n > 5 {
			s.refuse(w, r, http.StatusBadRequest, "score must be between 1 and 5")
			return
		}
		if _, ok := product(w, r); ok {
			s.done("ratings of " + r.PathValue("score"))
			reply(w, http.StatusOK, map[string]bool{"success": true})
		}
	})
	mux.HandleFunc("GET /api/ratings/api/fetch/{sku}", func(w http.ResponseWriter, r *http.Request) {
		if _, ok := product(w, r); ok {
			reply(w, http.StatusOK, map[string]int{"avg_rating": 3, "rating_count": 1})
		}
	})
	mux.HandleFunc("GET /api/cart/add/{id}/{sku}/{qty}", func(w http.ResponseWriter, r *http.Request) {
		p, ok := product(w, r)
		n, err := strconv.Atoi(r.PathValue("qty"))
		if !ok || err != nil || n < 1 {
			s.refuse(w, r, http.StatusBadRequest, "quantity has to be greater than zero")
			return
		}
		s.change(w, r, func(c *robotCart) bool {
			if at := slices.IndexFunc(c.Items, func(i robotItem) bool { return i.SKU == p.SKU }); at >= 0 {
				c.Items[at].Qty += n
				return true
			}
			c.Items = append(c.Items, robotItem{Qty: n, SKU: p.SKU, Name: p.Name, Price: p.Price})
			return true
		})
	})
}

// change changes the cart of the user whose identifier is in the path, and responds with it.
func (s *robotShop) change(w http.ResponseWriter, r *http.Request, change func(*robotCart) bool) {
	id := r.PathValue("id")
	s.session(r, id)
	s.mu.Lock()
	cart, known := s.carts[id]
	if known && cart == nil {
		cart = &robotCart{}
		s.carts[id] = cart
	}
	ok := known && change(cart)
	copied := robotCart{}
	if ok {
		cart.Total = 0
		for i := range cart.Items {
			cart.Items[i].Subtotal = cart.Items[i].Price * float64(cart.Items[i].Qty)
			cart.Total += cart.Items[i].Subtotal
		}
		cart.Tax = cart.Total / 5
		copied = robotCart{cart.Total, cart.Tax, slices.Clone(cart.Items)}
	}
	s.mu.Unlock()
	if !ok {
		s.refuse(w, r, http.StatusNotFound, "not found")
		return
	}
	reply(w, http.StatusOK, copied)
}

func (s *robotShop) cartOf(mux *http.ServeMux) {
	mux.HandleFunc("GET /api/cart/cart/{id}", func(w http.ResponseWriter, r *http.Request) {
		s.change(w, r, func(c *robotCart) bool { return len(c.Items) > 0 })
	})
	mux.HandleFunc("GET /api/cart/update/{id}/{sku}/{qty}", func(w http.ResponseWriter, r *http.Request) {
		s.change(w, r, func(c *robotCart) bool {
			at := slices.IndexFunc(c.Items, func(i robotItem) bool { return i.SKU == r.PathValue("sku") })
			if at < 0 || r.PathValue("qty") != "2" {
				return false
			}
			c.Items[at].Qty = 2
			return true
		})
	})
	mux.HandleFunc("POST /api/payment/pay/{id}", func(w http.ResponseWriter, r *http.Request) {
		var paid robotCart
		if !s.document(r, &paid) {
			s.refuse(w, r, http.StatusBadRequest, "cart not valid")
			return
		}
		s.mu.Lock()
		cart := s.carts[r.PathValue("id")]
		// The payment equals the confirmed cart, number for number.
		ok := cart != nil && slices.Equal(cart.Items, paid.Items) && cart.Total == paid.Total && cart.Tax == paid.Tax &&
			slices.ContainsFunc(paid.Items, func(i robotItem) bool { return i.SKU == "SHIP" })
		s.carts[r.PathValue("id")] = nil
		s.mu.Unlock()
		if !ok {
			s.refuse(w, r, http.StatusBadRequest, "cart not valid: %+v, not %+v", paid, cart)
			return
		}
		s.done("orders")
		reply(w, http.StatusOK, map[string]string{"orderid": rand.Text()})
	})
}

func (s *robotShop) shippingOf(mux *http.ServeMux) {
	mux.HandleFunc("GET /api/shipping/codes", func(w http.ResponseWriter, _ *http.Request) {
		var all []country
		for c := range cities() {
			all = append(all, c)
		}
		reply(w, http.StatusOK, all)
	})
	mux.HandleFunc("GET /api/shipping/cities/{code}", func(w http.ResponseWriter, r *http.Request) {
		for c, all := range cities() {
			if c.Code == r.PathValue("code") {
				reply(w, http.StatusOK, all)
				return
			}
		}
		s.refuse(w, r, http.StatusNotFound, "there is no such country")
	})
	mux.HandleFunc("GET /api/shipping/calc/{city}", func(w http.ResponseWriter, r *http.Request) {
		n, err := strconv.Atoi(r.PathValue("city"))
		if err != nil || n < 100 {
			s.refuse(w, r, http.StatusBadRequest, "there is no such city")
			return
		}
		reply(w, http.StatusOK, shipping{Distance: n, Cost: float64(n) * 0.05})
	})
	mux.HandleFunc("POST /api/shipping/confirm/{id}", func(w http.ResponseWriter, r *http.Request) {
		var ship shipping
		if !s.document(r, &ship) || ship.Cost != float64(ship.Distance)*0.05 {
			s.refuse(w, r, http.StatusBadRequest, "the shipping is %+v", ship)
			return
		}
		known := false
		for c, all := range cities() {
			for _, one := range all {
				known = known || one.UUID == ship.Distance && ship.Location == c.Name+" "+one.Name
			}
		}
		if !known {
			s.mistake(r, "%q is not where %d leads", ship.Location, ship.Distance)
		}
		s.change(w, r, func(c *robotCart) bool {
			c.Items = append(c.Items, robotItem{Qty: 1, SKU: "SHIP", Name: "shipping to " + ship.Location, Price: ship.Cost})
			return len(c.Items) > 1
		})
	})
}

func TestRobotShop(t *testing.T) {
	t.Parallel()
	s := &robotShop{carts: map[string]*robotCart{}}
	serve(t, &s.server, s.mux())
	run(t, setup{file: root + "/examples/robot-shop/config.yaml", origin: "http://web.robot-shop.svc:8080", server: s.url, rates: []string{"60/s"}, visits: 100})
	if orders := s.counted("orders"); orders < 100 {
		t.Errorf("%d orders", orders)
	}
	for _, stars := range []string{"1", "2", "3", "4", "5"} {
		if s.counted("ratings of "+stars) == 0 {
			t.Errorf("nobody rates by %s", stars)
		}
	}
}
