package examples

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"testing"
)

// retail does what the user interface of AWS' retail store does: a page leads to the next, and
// none can be left out.
type retail struct {
	server

	visits map[string]*retailVisit // by session
}

// retailVisit is where a session is.
type retailVisit struct {
	seen map[string]bool // items
	cart string
	page string
}

func (s *retail) mux() *http.ServeMux {
	mux := http.NewServeMux()
	handle := func(pattern string, serve func(http.ResponseWriter, *http.Request, *retailVisit)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { serve(w, r, s.visit(w, r)) })
	}
	next := func(from, to string, then func(w http.ResponseWriter, r *http.Request, v *retailVisit)) func(http.ResponseWriter, *http.Request, *retailVisit) {
		return func(w http.ResponseWriter, r *http.Request, v *retailVisit) {
			if v.page != from {
				s.mistake(r, "the page before is %q, not %q", v.page, from)
			}
			v.page = to
			then(w, r, v)
		}
	}
	show := func(w http.ResponseWriter, _ *http.Request, v *retailVisit) { page(w, "%s", v.page) }
	handle("GET /home", next("", "home", show))
	handle("GET /catalog", next("home", "catalog", show))
	handle("GET /catalog/{item}", next("catalog", "catalog", func(w http.ResponseWriter, r *http.Request, v *retailVisit) {
		if v.seen[r.PathValue("item")] || len(r.PathValue("item")) != 36 {
			s.mistake(r, "it was seen before, or is none")
		}
		v.seen[r.PathValue("item")] = true
		show(w, r, v)
	}))
	handle("POST /cart", next("catalog", "added", func(w http.ResponseWriter, r *http.Request, v *retailVisit) {
		if v.cart = s.form(r, "productId").Get("productId"); !v.seen[v.cart] || len(v.seen) != 9 {
			s.mistake(r, "%q is added after %d items were seen", v.cart, len(v.seen))
		}
		http.Redirect(w, r, "/cart", http.StatusFound)
	}))
	// The redirect leads there, and then the step.
	handle("GET /cart", func(w http.ResponseWriter, r *http.Request, v *retailVisit) {
		if v.page != "added" && v.page != "cart" {
			s.mistake(r, "the page before is %q", v.page)
		}
		v.page += "+"
		if v.page == "added+" {
			v.page = "cart"
		}
		show(w, r, v)
	})
	handle("GET /checkout", next("cart+", "checkout", show))
	handle("POST /checkout", next("checkout", "delivery", func(w http.ResponseWriter, r *http.Request, v *retailVisit) {
		s.form(r, "firstName", "lastName", "email", "streetAddress", "city", "state", "zipCode")
		show(w, r, v)
	}))
	handle("POST /checkout/delivery", next("delivery", "payment", func(w http.ResponseWriter, r *http.Request, v *retailVisit) {
		if token := s.form(r, "token").Get("token"); token != "priority-mail" {
			s.mistake(r, "nobody delivers by %q", token)
		}
		show(w, r, v)
	}))
	handle("POST /checkout/payment", next("payment", "ordered", func(w http.ResponseWriter, r *http.Request, v *retailVisit) {
		if f := s.form(r, "cardHolder", "cardNumber", "expiryDate", "cvc"); f.Get("expiryDate") != "01/35" || len(f.Get("cardNumber")) != 16 {
			s.mistake(r, "it is no card: %v", f)
		}
		s.done("orders")
		show(w, r, v)
	}))
	return mux
}

// visit returns that of the session, which begins with the first request.
func (s *retail) visit(w http.ResponseWriter, r *http.Request) *retailVisit {
	id := fmt.Sprint("new ", rand.Text())
	if c, err := r.Cookie("SESSIONID"); err == nil {
		id = c.Value
	} else {
		http.SetCookie(w, &http.Cookie{Name: "SESSIONID", Value: id, Path: "/", HttpOnly: true})
	}
	s.session(r, id)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.visits[id] == nil {
		s.visits[id] = &retailVisit{seen: map[string]bool{}}
	}
	return s.visits[id]
}

func TestRetailStore(t *testing.T) {
	t.Parallel()
	s := &retail{visits: map[string]*retailVisit{}}
	serve(t, &s.server, s.mux())
	run(t, setup{file: root + "/examples/retail-store/config.yaml", origin: "http://ui.retail.svc", server: s.url, rates: []string{"20/s"}, visits: 40})
	if orders := s.counted("orders"); orders < 40 {
		t.Errorf("%d orders", orders)
	}
}
