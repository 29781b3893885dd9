package examples

import (
	"net/http"
	"regexp"
	"slices"
	"testing"
)

// telescopes does what the frontend of the OpenTelemetry demo does.
type telescopes struct {
	server

	carts map[string]int // how many items, by user
}

func telescopeProducts() []string {
	return []string{"0PUK6V6EV0", "1YMWWN1N4O", "2ZYFJ3GM2N", "66VCHSJNUP", "6E92ZMYYFZ", "9SIQT8TOJO", "L9ECAV7KIM", "LS4PSXUNUM", "OLJCESPC7Z", "HQTGWGPNH4"}
}

func (s *telescopes) mux() *http.ServeMux {
	mux := http.NewServeMux()
	handle := func(pattern string, serve func(w http.ResponseWriter, r *http.Request, user string)) {
		baggage := regexp.MustCompile(`^session\.id=([0-9a-f-]{36}),synthetic_request=true$`)
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			found := baggage.FindStringSubmatch(r.Header.Get("Baggage"))
			if found == nil {
				s.refuse(w, r, http.StatusBadRequest, "the baggage is %q", r.Header.Get("Baggage"))
				return
			}
			s.session(r, found[1])
			serve(w, r, found[1])
		})
	}
	product := func(w http.ResponseWriter, r *http.Request, id string) {
		if !slices.Contains(telescopeProducts(), id) {
			s.refuse(w, r, http.StatusInternalServerError, "there is no product %q", id)
			return
		}
		reply(w, http.StatusOK, map[string]any{"id": id})
	}
	handle("GET /{$}", func(w http.ResponseWriter, _ *http.Request, _ string) { page(w, "telescopes") })
	handle("GET /api/products/{id}", func(w http.ResponseWriter, r *http.Request, _ string) { product(w, r, r.PathValue("id")) })
	handle("GET /api/recommendations", func(w http.ResponseWriter, r *http.Request, _ string) {
		product(w, r, r.URL.Query().Get("productIds"))
	})
	handle("GET /api/data/", func(w http.ResponseWriter, r *http.Request, _ string) {
		if !slices.Contains([]string{"binoculars", "telescopes", "accessories", "assembly", "travel", "books"}, r.URL.Query().Get("contextKeys")) {
			s.mistake(r, "there are no such ads")
		}
		reply(w, http.StatusOK, []string{})
	})
	handle("GET /api/cart", func(w http.ResponseWriter, _ *http.Request, user string) { s.cart(w, user) })
	handle("POST /api/cart", func(w http.ResponseWriter, r *http.Request, user string) {
		var add struct {
			Item struct {
				ProductID string
				Quantity  int
			}
			UserID string
		}
		if !s.document(r, &add) || !slices.Contains(telescopeProducts(), add.Item.ProductID) || !slices.Contains([]int{1, 2, 3, 4, 5, 10}, add.Item.Quantity) || add.UserID != user {
			s.refuse(w, r, http.StatusInternalServerError, "%+v is not added for %s", add, user)
			return
		}
		s.mu.Lock()
		s.carts[user]++
		s.mu.Unlock()
		s.cart(w, user)
	})
	handle("POST /api/checkout", s.checkout)
	return mux
}

func (s *telescopes) cart(w http.ResponseWriter, user string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	reply(w, http.StatusOK, map[string]any{"userId": user, "items": make([]int, s.carts[user])})
}

func (s *telescopes) checkout(w http.ResponseWriter, r *http.Request, user string) {
	var order struct {
		UserID, Email, UserCurrency string
		Address                     struct{ StreetAddress, ZipCode, City, State, Country string }
		CreditCard                  struct {
			CreditCardNumber                                                   string
			CreditCardExpirationMonth, CreditCardExpirationYear, CreditCardCvv int
		}
	}
	card := &order.CreditCard
	if !s.document(r, &order) || order.UserID != user || order.Email == "" || len(order.UserCurrency) != 3 || order.Address.City == "" || order.Address.ZipCode == "" ||
		len(card.CreditCardNumber) != 19 || card.CreditCardExpirationMonth < 1 || card.CreditCardExpirationMonth > 12 || card.CreditCardExpirationYear < 2030 || card.CreditCardCvv < 100 {
		s.refuse(w, r, http.StatusInternalServerError, "%+v is not ordered for %s", order, user)
		return
	}
	s.mu.Lock()
	items := s.carts[user]
	delete(s.carts, user)
	s.mu.Unlock()
	if items == 0 {
		s.refuse(w, r, http.StatusInternalServerError, "the cart is empty")
		return
	}
	s.done(map[bool]string{true: "orders of one", false: "orders of several"}[items == 1])
	reply(w, http.StatusOK, map[string]any{"orderId": "1"})
}

func TestOtelDemo(t *testing.T) {
	t.Parallel()
	s := &telescopes{carts: map[string]int{}}
	serve(t, &s.server, s.mux())
	run(t, setup{file: root + "/examples/otel-demo/config.yaml", origin: "http://frontend-proxy.otel-demo.svc:8080", server: s.url, rates: []string{"100/s"}, visits: 10})
	if one, several := s.counted("orders of one"), s.counted("orders of several"); one < 10 || several < 10 {
		t.Errorf("%d orders of one item and %d of several", one, several)
	}
}
