package app_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/traffic-exporter/traffic_exporter/internal/app"
)

// side is a target of one half of pairs. It keeps what it was asked, with the cookie of each request.
type side struct {
	*httptest.Server

	mu    sync.Mutex
	asked []string
}

// newSide returns a target whose responses have a token of its own, which the next request has to bring.
func newSide(t *testing.T, token string) *side {
	t.Helper()
	s := &side{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		cookie, _ := r.Cookie("who")
		who := ""
		if cookie != nil {
			who = cookie.Value
		}
		s.mu.Lock()
		s.asked = append(s.asked, r.URL.RequestURI()+" "+who+" "+r.Header.Get("X-Version"))
		s.mu.Unlock()
		http.SetCookie(w, &http.Cookie{Name: "who", Value: token})
		fmt.Fprintf(w, `{"token": %q}`, token)
	}))
	t.Cleanup(s.Close)
	return s
}

// compareConfig writes a configuration all of whose slots are compared.
func compareConfig(t *testing.T, own, candidate, more string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "config.yaml")
	text := fmt.Sprintf(`
scenarios:
  - name: shop
    rate: 10/s
    base_url: %s/api
    headers: {X-Version: stable}
    variables: {id: uuid}
    compare: {with: {base_url: "%s/next", headers: {X-Version: next}}, sample: 100%%, body: json%s}
    requests:
      - name: visit
        cookies: true
        steps:
          - {name: login, url: "/login?id={{ id }}", capture: {token: {json: token}}}
          - {name: cart, url: "/cart/{{ token }}?id={{ id }}"}
      - {name: fixed, url: /fixed}
`, own, candidate, more)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestTheHalvesOfAPairHaveTheSameValuesAndTheirOwnCookiesAndCaptures(t *testing.T) {
	own, candidate := newSide(t, "a"), newSide(t, "b")
	var out strings.Builder
	err := app.Send(t.Context(), &out, app.SendOptions{File: compareConfig(t, own.URL, candidate.URL, ""), Request: "visit"})
	if err == nil || !strings.Contains(out.String(), "* visit/login: the body differs at token") {
		t.Fatalf("send: %v\n%s", err, out.String())
	}
	if len(own.asked) != 2 || len(candidate.asked) != 2 {
		t.Fatalf("the own target was asked %q, the candidate %q", own.asked, candidate.asked)
	}
	_, id, _ := strings.Cut(own.asked[0], "?id=")
	id = strings.Fields(id)[0]
	if want := []string{"/api/login?id=" + id + "  stable", "/api/cart/a?id=" + id + " a stable"}; !slices.Equal(own.asked, want) {
		t.Errorf("the own target was asked %q, want %q", own.asked, want)
	}
	if want := []string{"/next/login?id=" + id + "  next", "/next/cart/b?id=" + id + " b next"}; !slices.Equal(candidate.asked, want) {
		t.Errorf("the candidate was asked %q, want %q", candidate.asked, want)
	}
}

func TestSendIsContentWithACandidateThatDiffersInNothingElse(t *testing.T) {
	own, candidate := newSide(t, "a"), newSide(t, "b")
	for _, request := range []string{"visit", "fixed"} {
		var out strings.Builder
		o := app.SendOptions{File: compareConfig(t, own.URL, candidate.URL, ", ignore: [token]"), Request: request}
		if err := app.Send(t.Context(), &out, o); err != nil || !strings.Contains(out.String(), ": the same for both (") {
			t.Errorf("send %s: %v\n%s", request, err, out.String())
		}
	}
}

func TestACandidateThatIsAwayKeepsNothingFromTheOwnTarget(t *testing.T) {
	own, candidate := newSide(t, "a"), newSide(t, "b")
	candidate.Close()
	file := compareConfig(t, own.URL, candidate.URL, "")
	for range 8 { // In either order.
		var out strings.Builder
		err := app.Send(t.Context(), &out, app.SendOptions{File: file, Request: "fixed"})
		if err == nil || !strings.Contains(out.String(), "* fixed: the candidate failed: refused") {
			t.Fatalf("send: %v\n%s", err, out.String())
		}
	}
	if len(own.asked) != 8 {
		t.Errorf("the own target was asked %d times, want 8", len(own.asked))
	}
}
