package examples

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// bank is an API that takes the tokens of its own authorization server, as long as they live and
// a leeway beyond it, since a machine that is busy is no mistake.
type bank struct {
	server

	mu      sync.Mutex
	expires map[string]time.Time
}

const (
	tokenLifetime = 3 * time.Second
	leeway        = 10 * time.Second
)

// token grants tokens for a client's credentials (RFC 6749, section 4.4).
func (b *bank) token(w http.ResponseWriter, r *http.Request) {
	id, password, _ := r.BasicAuth()
	secret, _ := url.QueryUnescape(password) // RFC 6749, section 2.3.1.
	if id != "exporter" || secret != "a secret+of/the client" {
		b.refuse(w, r, http.StatusUnauthorized, "the client is %q with %q", id, secret)
		return
	}
	form := b.form(r, "grant_type", "scope", "audience")
	if form.Get("grant_type") != "client_credentials" || form.Get("scope") != "accounts transfers" || form.Get("audience") != "bank" {
		b.refuse(w, r, http.StatusBadRequest, "the form is %v", form)
		return
	}
	b.mu.Lock()
	token := "token-" + strconv.Itoa(len(b.expires))
	b.expires[token] = time.Now().Add(tokenLifetime)
	b.mu.Unlock()
	b.done("tokens")
	reply(w, http.StatusOK, map[string]any{"access_token": token, "token_type": "Bearer", "expires_in": tokenLifetime.Seconds()})
}

// authorized serves requests with a token that lives.
func (b *bank) authorized(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		b.mu.Lock()
		expires := b.expires[token]
		b.mu.Unlock()
		if time.Since(expires) > leeway {
			b.refuse(w, r, http.StatusUnauthorized, "the token is %q", token)
			return
		}
		h(w, r)
	}
}

func (b *bank) mux() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /token", b.token)
	mux.HandleFunc("GET /accounts", b.authorized(func(w http.ResponseWriter, _ *http.Request) {
		reply(w, http.StatusOK, map[string]any{"accounts": []int{1, 2, 3}})
	}))
	mux.HandleFunc("GET /accounts/{id}", b.authorized(func(w http.ResponseWriter, r *http.Request) {
		n, err := strconv.Atoi(r.PathValue("id"))
		if err != nil || n < 1 || n > 100 {
			b.mistake(r, "there is no account %q", r.PathValue("id"))
		}
		reply(w, http.StatusOK, map[string]any{"balance": 10 * n})
	}))
	mux.HandleFunc("POST /transfers", b.authorized(func(w http.ResponseWriter, r *http.Request) {
		var transfer struct{ Account, Amount int }
		if b.document(r, &transfer) && transfer.Amount != 10*transfer.Account {
			b.mistake(r, "%+v is not the balance of the account", transfer)
		}
		b.done("transfers")
		reply(w, http.StatusCreated, transfer)
	}))
	return mux
}

func TestOAuth2(t *testing.T) {
	t.Parallel()
	b := &bank{server: server{tokens: "/token"}, expires: map[string]time.Time{}}
	serve(t, &b.server, b.mux())
	run(t, setup{file: "testdata/oauth2/config.yaml", origin: "http://api.example:80", server: b.url, rates: []string{"20/s"}, visits: 40})
	if tokens, transfers := b.counted("tokens"), b.counted("transfers"); tokens < 2 || transfers < 40 {
		t.Errorf("%d tokens and %d transfers", tokens, transfers)
	}
}
