package examples

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"html"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// keycloak is Keycloak's pages before a certified implementation of OpenID Connect, which
// checks clients, their secrets, redirect URIs, codes, refresh tokens and hints.
type keycloak struct {
	server

	realms map[string]*realm
	used   map[string]bool // codes and refresh tokens; each is good once
}

// realm is a provider of its own, with its keys, clients, users and logins under way.
type realm struct {
	name, base string
	provider   *op.Provider
	store      *realmStorage
	logins     map[string]*kcLogin // by session code
}

// kcLogin is a login page that was shown.
type kcLogin struct{ request, client, cookie, tab, execution, state string }

const protocolPath = "/protocol/openid-connect"

// realmStorage knows the clients and users that Keycloak's dataset provider makes.
type realmStorage struct {
	*storage.Storage

	account string
	clients map[string]*storage.Client
}

// realmClient is a confidential client.
type realmClient struct {
	*storage.Client

	account string
}

// AuthMethod implements op.Client.
func (realmClient) AuthMethod() oidc.AuthMethod { return oidc.AuthMethodPost }

// LoginURL implements op.Client.
func (realmClient) LoginURL(id string) string { return "/login?request=" + id }

// PostLogoutRedirectURIs implements op.Client.
func (c realmClient) PostLogoutRedirectURIs() []string { return []string{c.account} }

// GetClientByClientID implements op.Storage.
func (s *realmStorage) GetClientByClientID(_ context.Context, id string) (op.Client, error) {
	c, ok := s.clients[id]
	if !ok {
		return nil, fmt.Errorf("there is no client %q", id)
	}
	return realmClient{c, s.account}, nil
}

// CreateAuthRequest implements op.Storage. Keycloak issues refresh tokens unasked.
func (s *realmStorage) CreateAuthRequest(ctx context.Context, r *oidc.AuthRequest, user string) (op.AuthRequest, error) {
	r.Scopes = append(r.Scopes, oidc.ScopeOfflineAccess)
	return s.Storage.CreateAuthRequest(ctx, r, user)
}

// TerminateSession implements op.Storage. Keycloak ends the session of the hint, not all of the user's.
func (*realmStorage) TerminateSession(context.Context, string, string) error { return nil }

// realmUsers are user-0 to user-999.
type realmUsers struct{}

// GetUserByID implements storage.UserStore.
func (realmUsers) GetUserByID(id string) *storage.User {
	var n int
	if _, err := fmt.Sscanf(id, "user-%d", &n); err != nil || id != fmt.Sprintf("user-%d", n) || n < 0 || n > 999 {
		return nil
	}
	return &storage.User{ID: id, Username: id, Password: id + "-password", FirstName: "First", LastName: id, Email: id + "@example.com"}
}

// GetUserByUsername implements storage.UserStore.
func (u realmUsers) GetUserByUsername(name string) *storage.User { return u.GetUserByID(name) }

// ExampleClientID implements storage.UserStore.
func (realmUsers) ExampleClientID() string { return "none" }

// addRealm makes a realm. The server listens already.
func (k *keycloak) addRealm(t *testing.T, name string) {
	t.Helper()
	r := &realm{name: name, base: k.url + "/realms/" + name, logins: map[string]*kcLogin{}}
	r.store = &realmStorage{account: r.base + "/account", clients: map[string]*storage.Client{}}
	for i := range 100 {
		id := fmt.Sprintf("client-%d", i)
		r.store.clients[id] = storage.WebClient(id, id+"-secret", r.store.account)
	}
	r.store.Storage = storage.NewStorageWithClients(realmUsers{}, r.store.clients)
	endpoint := func(name string) *op.Endpoint { return op.NewEndpoint(protocolPath + "/" + name) }
	var err error
	r.provider, err = op.NewProvider(
		&op.Config{CryptoKey: sha256.Sum256([]byte(name)), AuthMethodPost: true, GrantTypeRefreshToken: true, CodeMethodS256: true},
		r.store, op.StaticIssuer(r.base), op.WithAllowInsecure(),
		op.WithCustomAuthEndpoint(endpoint("auth")), op.WithCustomTokenEndpoint(endpoint("token")), op.WithCustomEndSessionEndpoint(endpoint("logout")),
	)
	if err != nil {
		t.Fatal(err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.realms[name] = r
}

func (k *keycloak) mux() *http.ServeMux {
	mux := http.NewServeMux()
	handle := func(pattern string, serve func(http.ResponseWriter, *http.Request, *realm)) {
		method, path, _ := strings.Cut(pattern, " ")
		mux.HandleFunc(method+" /realms/{realm}"+path, func(w http.ResponseWriter, r *http.Request) {
			k.mu.Lock()
			re := k.realms[r.PathValue("realm")]
			k.mu.Unlock()
			if re == nil {
				k.refuse(w, r, http.StatusNotFound, "there is no such realm")
				return
			}
			serve(w, r, re)
		})
	}
	handle("GET "+protocolPath+"/auth", k.loginPage)
	handle("POST /login-actions/authenticate", k.login)
	handle("POST "+protocolPath+"/token", k.token)
	handle("GET "+protocolPath+"/logout", k.logout)
	return mux
}

// ask has the provider of a realm respond. What it refuses is a mistake.
func (k *keycloak) ask(r *http.Request, re *realm, want int) *httptest.ResponseRecorder {
	rec := httptest.NewRecorder()
	http.StripPrefix("/realms/"+re.name, re.provider).ServeHTTP(rec, r)
	if rec.Code != want {
		k.mistake(r, "the provider responds with %d: %s", rec.Code, rec.Body)
	}
	return rec
}

// pass sends what the provider responded.
func pass(w http.ResponseWriter, rec *httptest.ResponseRecorder) {
	maps.Copy(w.Header(), rec.Header())
	w.WriteHeader(rec.Code)
	_, _ = w.Write(rec.Body.Bytes())
}

// loginPage shows the form, in place of a redirect to it.
func (k *keycloak) loginPage(w http.ResponseWriter, r *http.Request, re *realm) {
	q := r.URL.Query()
	if q.Get("state") == "" || q.Get("login") != "true" || q.Get("scope") != "openid profile" || !strings.HasPrefix(r.Header.Get("Accept"), "text/html") || r.Header.Get("Accept-Language") == "" {
		k.mistake(r, "no browser asks like that: %v", r.Header)
	}
	rec := k.ask(r, re, http.StatusFound)
	_, request, ok := strings.Cut(rec.Header().Get("Location"), "/login?request=")
	if !ok {
		k.mistake(r, "the provider leads to %s", rec.Header().Get("Location"))
		pass(w, rec)
		return
	}
	l := &kcLogin{request, q.Get("client_id"), rand.Text(), rand.Text(), rand.Text(), q.Get("state")}
	code := rand.Text()
	k.mu.Lock()
	re.logins[code] = l
	k.mu.Unlock()
	k.session(r, l.cookie)
	for _, name := range []string{"AUTH_SESSION_ID", "KC_RESTART"} {
		http.SetCookie(w, &http.Cookie{Name: name, Value: l.cookie, Path: "/realms/" + re.name + "/", HttpOnly: true})
	}
	action := re.base + "/login-actions/authenticate?" + url.Values{"session_code": {code}, "execution": {l.execution}, "client_id": {l.client}, "tab_id": {l.tab}}.Encode()
	page(w, `<form id="kc-form-login" onsubmit="login.disabled = true; return true;" action="%s" method="post"><input name="username"></form>`, html.EscapeString(action))
}

// login takes the form and leads back to the client.
func (k *keycloak) login(w http.ResponseWriter, r *http.Request, re *realm) {
	q := r.URL.Query()
	f := k.form(r, "username", "password", "login")
	k.mu.Lock()
	l := re.logins[q.Get("session_code")]
	delete(re.logins, q.Get("session_code"))
	k.mu.Unlock()
	cookie, err := r.Cookie("AUTH_SESSION_ID")
	if l == nil || err != nil || cookie.Value != l.cookie || q.Get("client_id") != l.client || q.Get("tab_id") != l.tab || q.Get("execution") != l.execution || f.Get("login") != "Log in" {
		k.refuse(w, r, http.StatusBadRequest, "the page has expired: %v, cookie %v", l, cookie)
		return
	}
	k.session(r, l.cookie)
	if err = re.store.CheckUsernamePassword(f.Get("username"), f.Get("password"), l.request); err != nil {
		k.refuse(w, r, http.StatusOK, "%v", err)
		return
	}
	back := r.Clone(r.Context())
	back.Method, back.Body = http.MethodGet, http.NoBody
	back.Form, back.PostForm = nil, nil
	back.URL = &url.URL{Path: "/realms/" + re.name + protocolPath + "/auth/callback", RawQuery: url.Values{"id": {l.request}}.Encode()}
	rec := k.ask(back, re, http.StatusFound)
	location, err := url.Parse(rec.Header().Get("Location"))
	if err != nil || location.Query().Get("state") != l.state || location.Query().Get("code") == "" || !strings.HasPrefix(location.String(), re.store.account+"?") {
		k.mistake(r, "the login leads to %v", location)
	}
	http.SetCookie(w, &http.Cookie{Name: "KEYCLOAK_IDENTITY", Value: l.cookie, Path: "/realms/" + re.name + "/", HttpOnly: true})
	k.done("logins")
	pass(w, rec)
}

// token exchanges a code or a refresh token. Each is good once.
func (k *keycloak) token(w http.ResponseWriter, r *http.Request, re *realm) {
	once := "code"
	fields := []string{"grant_type", "client_id", "client_secret", "redirect_uri", "code"}
	if r.PostFormValue("grant_type") == "refresh_token" {
		once = "refresh_token"
		fields[4] = once
	}
	f := k.form(r, fields...)
	k.mu.Lock()
	again := k.used[f.Get(once)]
	k.used[f.Get(once)] = true
	k.mu.Unlock()
	if again {
		k.mistake(r, "this %s was used before", once)
	}
	// The provider has no use for it with a refresh token, and Keycloak checks it.
	if f.Get("redirect_uri") != re.store.account {
		k.mistake(r, "the redirect URI is %q", f.Get("redirect_uri"))
	}
	rec := k.ask(r, re, http.StatusOK)
	k.done(once)
	pass(w, rec)
}

func (k *keycloak) logout(w http.ResponseWriter, r *http.Request, re *realm) {
	identity, err := r.Cookie("KEYCLOAK_IDENTITY")
	if err != nil {
		k.mistake(r, "nobody is logged in")
	} else {
		k.session(r, identity.Value)
	}
	if q := r.URL.Query(); q.Get("id_token_hint") == "" || q.Get("post_logout_redirect_uri") != re.store.account {
		k.mistake(r, "the hint or where to go is missing")
	}
	k.done("logouts")
	pass(w, k.ask(r, re, http.StatusFound))
}

func TestKeycloak(t *testing.T) {
	t.Parallel()
	k := &keycloak{realms: map[string]*realm{}, used: map[string]bool{}}
	serve(t, &k.server, k.mux())
	for i := range 10 {
		k.addRealm(t, fmt.Sprintf("realm-%d", i))
	}
	run(t, setup{file: root + "/examples/keycloak/config.yaml", origin: "http://keycloak.svc:8080", server: k.url, rates: []string{"20/s"}, visits: 60})
	logins, codes, refreshes, logouts := k.counted("logins"), k.counted("code"), k.counted("refresh_token"), k.counted("logouts")
	if logins < 60 || codes < 60 || refreshes < 180 || logouts < 20 || logouts > logins*9/10 {
		t.Errorf("%d logins, %d codes, %d refreshes and %d logouts", logins, codes, refreshes, logouts)
	}
	if slots := len(k.sessions); slots != logins {
		t.Errorf("%d logins of %d slots", logins, slots)
	}
}
