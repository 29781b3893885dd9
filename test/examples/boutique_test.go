package examples

import (
	"crypto/rand"
	"net/http"
	"slices"
	"strconv"
	"testing"

	"github.com/go-playground/validator/v10"
)

// boutique does what Online Boutique's frontend does, and checks forms as it does: with the
// same rules for the same library.
type boutique struct {
	server

	validate *validator.Validate
	carts    map[string]int    // how many items, by session
	last     map[string]string // which product was looked at last, by session
}

// The payloads, after microservices-demo/src/frontend/validator.
type (
	addToCart struct {
		Quantity  uint64 `validate:"required,gte=1,lte=10"`
		ProductID string `validate:"required"`
	}
	placeOrder struct {
		Email         string `validate:"required,email"`
		StreetAddress string `validate:"required,max=512"`
		ZipCode       int64  `validate:"required"`
		City          string `validate:"required,max=128"`
		State         string `validate:"required,max=128"`
		Country       string `validate:"required,max=128"`
		CcNumber      string `validate:"required,credit_card"`
		CcMonth       int64  `validate:"required,gte=1,lte=12"`
		CcYear        int64  `validate:"required"`
		CcCVV         int64  `validate:"required"`
	}
	setCurrency struct {
		Currency string `validate:"required,iso4217"`
	}
)

func boutiqueProducts() []string {
	return []string{"OLJCESPC7Z", "66VCHSJNUP", "1YMWWN1N4O", "L9ECAV7KIM", "2ZYFJ3GM2N", "0PUK6V6EV0", "LS4PSXUNUM", "9SIQT8TOJO", "6E92ZMYYFZ"}
}

func (b *boutique) mux() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", b.in(func(w http.ResponseWriter, _ *http.Request, _ string) { page(w, "Hot products") }))
	mux.HandleFunc("GET /product/{id}", b.in(func(w http.ResponseWriter, r *http.Request, session string) {
		b.mu.Lock()
		if last := b.last[session]; last != "" && last != r.PathValue("id") {
			b.did["other products"]++
		}
		b.last[session] = r.PathValue("id")
		b.mu.Unlock()
		if !slices.Contains(boutiqueProducts(), r.PathValue("id")) {
			b.refuse(w, r, http.StatusInternalServerError, "there is no such product")
			return
		}
		page(w, "%s", r.PathValue("id"))
	}))
	mux.HandleFunc("POST /setCurrency", b.in(func(w http.ResponseWriter, r *http.Request, _ string) {
		f := b.form(r, "currency_code")
		if err := b.validate.Struct(setCurrency{f.Get("currency_code")}); err != nil {
			b.refuse(w, r, http.StatusUnprocessableEntity, "%v", err)
			return
		}
		http.SetCookie(w, &http.Cookie{Name: "shop_currency", Value: f.Get("currency_code"), MaxAge: 60 * 60 * 48})
		http.Redirect(w, r, "/", http.StatusFound)
	}))
	mux.HandleFunc("GET /cart", b.in(func(w http.ResponseWriter, _ *http.Request, session string) {
		b.mu.Lock()
		defer b.mu.Unlock()
		page(w, "%d items", b.carts[session])
	}))
	mux.HandleFunc("POST /cart", b.in(b.add))
	mux.HandleFunc("POST /cart/checkout", b.in(b.checkout))
	return mux
}

// in serves a session, which begins with the first request.
func (b *boutique) in(serve func(http.ResponseWriter, *http.Request, string)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		cookie, err := r.Cookie("shop_session-id")
		if err != nil {
			cookie = &http.Cookie{Name: "shop_session-id", Value: rand.Text(), MaxAge: 60 * 60 * 48}
			http.SetCookie(w, cookie)
			b.done("sessions")
		}
		b.session(r, cookie.Value)
		serve(w, r, cookie.Value)
	}
}

func (b *boutique) add(w http.ResponseWriter, r *http.Request, session string) {
	f := b.form(r, "product_id", "quantity")
	n, _ := strconv.ParseUint(f.Get("quantity"), 10, 32)
	if err := b.validate.Struct(addToCart{n, f.Get("product_id")}); err != nil || !slices.Contains(boutiqueProducts(), f.Get("product_id")) {
		b.refuse(w, r, http.StatusUnprocessableEntity, "%v: %v", f, err)
		return
	}
	b.mu.Lock()
	b.carts[session]++
	looked := b.last[session] == f.Get("product_id")
	b.mu.Unlock()
	if !looked {
		b.mistake(r, "it was not looked at before")
	}
	w.Header().Set("Location", "/cart")
	w.WriteHeader(http.StatusFound)
}

func (b *boutique) checkout(w http.ResponseWriter, r *http.Request, session string) {
	f := b.form(r, "email", "street_address", "zip_code", "city", "state", "country",
		"credit_card_number", "credit_card_expiration_month", "credit_card_expiration_year", "credit_card_cvv")
	number := func(name string) int64 {
		n, _ := strconv.ParseInt(f.Get(name), 10, 64)
		return n
	}
	order := placeOrder{
		f.Get("email"), f.Get("street_address"), number("zip_code"), f.Get("city"), f.Get("state"), f.Get("country"),
		f.Get("credit_card_number"), number("credit_card_expiration_month"), number("credit_card_expiration_year"), number("credit_card_cvv"),
	}
	if err := b.validate.Struct(order); err != nil {
		b.refuse(w, r, http.StatusUnprocessableEntity, "%v", err)
		return
	}
	b.mu.Lock()
	items := b.carts[session]
	b.carts[session] = 0
	b.mu.Unlock()
	if items == 0 {
		b.refuse(w, r, http.StatusInternalServerError, "the cart is empty")
		return
	}
	b.done("orders")
	page(w, "Your order is complete!")
}

func TestBoutique(t *testing.T) {
	t.Parallel()
	b := &boutique{validate: validator.New(validator.WithRequiredStructEnabled()), carts: map[string]int{}, last: map[string]string{}}
	serve(t, &b.server, b.mux())
	run(t, setup{file: root + "/examples/boutique/config.yaml", origin: "http://frontend.boutique.svc", server: b.url, rates: []string{"20/s"}, visits: 60})
	if visits, orders, others := b.counted("sessions"), b.counted("orders"), b.counted("other products"); visits < 60 || orders < 10 || others < 5*visits {
		t.Errorf("%d visits, %d orders, and %d times another product than before", visits, orders, others)
	}
}
