package app

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// forum is a target whose users have to log in. It knows them by a cookie and a token.
type forum struct {
	mu sync.Mutex
	// refused are users who cannot log in, and away says that nobody can.
	refused map[string]bool
	away    bool
	// sessions are the users by their cookies; the token of each is the cookie's, in capitals.
	sessions map[string]string
	logins   map[string]int
	// good are the requests by user, and bad those without a session.
	good     map[string]int
	bad      int
	mistakes []string
}

func newForum(t *testing.T) (*forum, string) {
	t.Helper()
	f := &forum{refused: map[string]bool{}, sessions: map[string]string{}, logins: map[string]int{}, good: map[string]int{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /login", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" || r.Header.Get("X-App") != "forum" {
			f.mistake("login with the header %v", r.Header)
		}
		http.SetCookie(w, &http.Cookie{Name: "form", Value: "1"})
		_, _ = io.WriteString(w, `<input name="csrf" value="c&amp;d">`)
	})
	mux.HandleFunc("POST /login", f.login)
	mux.HandleFunc("GET /posts", f.known)
	mux.HandleFunc("GET /fixed", f.known)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return f, server.URL
}

func (f *forum) mistake(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mistakes = append(f.mistakes, fmt.Sprintf(format, args...))
}

func (f *forum) login(w http.ResponseWriter, r *http.Request) {
	user := r.FormValue("user")
	if cookie, err := r.Cookie("form"); err != nil || cookie.Value != "1" || r.FormValue("csrf") != "c&d" || r.FormValue("password") != "p&w of "+user {
		f.mistake("login with %v and %v", r.Form, r.Header)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.logins[user]++
	if f.away || f.refused[user] {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	sid := fmt.Sprintf("sid-%d", len(f.sessions))
	f.sessions[sid] = user
	http.SetCookie(w, &http.Cookie{Name: "sid", Value: sid, Path: "/", HttpOnly: true})
	w.Header().Set("Content-Type", "application/json")
	_, _ = fmt.Fprintf(w, `{"access":{"token":%q}}`, strings.ToUpper(sid))
}

// known serves users who are logged in.
func (f *forum) known(w http.ResponseWriter, r *http.Request) {
	cookie, err := r.Cookie("sid")
	if err != nil {
		f.mistake("%s without a cookie", r.URL)
		return
	}
	f.mu.Lock()
	user := f.sessions[cookie.Value]
	if user == "" {
		f.bad++
	} else {
		f.good[user]++
	}
	f.mu.Unlock()
	switch {
	case user == "":
		w.WriteHeader(http.StatusUnauthorized)
	case r.Header.Get("Authorization") != "Bearer "+strings.ToUpper(cookie.Value) || r.Header.Get("X-User") != "" && r.Header.Get("X-User") != user:
		f.mistake("%s by %q with the cookie of %q and the token %q", r.URL, r.Header.Get("X-User"), user, r.Header.Get("Authorization"))
	}
}

func (f *forum) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

// total returns how many good requests there were.
func (f *forum) total() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, good := range f.good {
		n += good
	}
	return n
}

// fine fails the test if the forum has noted mistakes.
func (f *forum) fine(t *testing.T) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.mistakes) > 0 {
		t.Errorf("the forum noted %d mistakes: %s", len(f.mistakes), strings.Join(f.mistakes[:min(5, len(f.mistakes))], "\n"))
	}
}

const forumText = `data: {people: {file: people.csv}}
scenarios:
  - name: forum
    rate: 100/s
    base_url: %s
    headers: {Authorization: "Bearer {{ access }}", X-App: forum}
    variables:
      person: {row: people}
    session:
      for: person
      concurrency: 3
      steps:
        - {name: form, url: /login, capture: {csrf: {regex: 'value="([^"]*)"', unescape: html}}}
        - pause: 1ms
        - {name: login, method: POST, url: /login, body: {form: {user: "{{ person.name }}", password: "p&w of {{ person.name }}", csrf: "{{ csrf }}"}}, capture: {access: {json: access.token}}}
    requests:
      - {name: posts, url: /posts, headers: {X-User: "{{ person.name }}"}}
      - {name: fixed, url: /fixed}
      - name: visit
        cookies: true
        steps:
          - {name: first, url: "/posts?csrf={{ csrf }}"}
          - pause: 5ms
          - {name: second, url: /posts, headers: {X-User: "{{ person.name }}"}}
`

// writeForum writes a configuration with so many users, and returns its path.
func writeForum(t *testing.T, text, url string, users int) string {
	t.Helper()
	dir := t.TempDir()
	people := "name\n"
	for i := range users {
		people += fmt.Sprintf("user-%d\n", i)
	}
	if err := os.WriteFile(filepath.Join(dir, "people.csv"), []byte(people), 0o600); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "config.yaml")
	if err := os.WriteFile(file, fmt.Appendf(nil, text, url), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestUsersLogInBeforeTheirSlotsAreSent(t *testing.T) {
	f, url := newForum(t)
	f.set(func() { f.refused["user-3"] = true })
	file := writeForum(t, forumText, url, 10)
	var logs syncBuffer
	r := startApp(t, options(file, &logs))
	until(t, "all users but one send requests", func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		return len(f.good) == 9
	})
	r.eventually(t, `traffic_sessions{scenario="forum"} 9`)
	r.eventually(t, `traffic_session_renewals_total{scenario="forum"} 9`)
	before := f.total()
	until(t, "requests go on", func() bool { return f.total() > before+100 })
	if logins := f.logins["user-1"]; logins != 1 {
		t.Errorf("user-1 logged in %d times", logins)
	}
	// A session that the target has ended is replaced, and only that.
	f.set(func() {
		for sid, user := range f.sessions {
			if user == "user-1" {
				delete(f.sessions, sid)
				f.sessions["old "+sid] = user
			}
		}
	})
	until(t, "who was logged out logs in again", func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		return f.logins["user-1"] == 2 && f.bad > 0
	})
	before = f.total()
	until(t, "requests go on", func() bool { return f.total() > before+100 })
	_, body := r.get(t, "/metrics")
	if sumOf(body, `traffic_session_failures_total{scenario="forum"}`) == 0 || sumOf(body, `traffic_slots_dropped_total{reason="no_session",scenario="forum"}`) == 0 {
		t.Error("the user who cannot log in is not counted")
	}
	if strings.Contains(body, `"form"`) || strings.Contains(body, `"session/`) {
		t.Error("requests of logins have series")
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	f.fine(t)
	got := gather(t, r.app, "traffic_")
	if got["slots_due"] != got["slots_finished"]+got["slots_dropped"] {
		t.Errorf("the ledger is %v", got)
	}
	if text := logs.String(); !strings.Contains(text, `step \"login\": status`) || strings.Contains(text, "p&w") || strings.Contains(text, "SID-") || strings.Contains(text, "user-") {
		t.Errorf("the log does not say why a user cannot log in, or tells too much:\n%s", text)
	}
}

func TestLoginsCountTowardsMaxRate(t *testing.T) {
	f, url := newForum(t)
	text := strings.Replace(forumText, "rate: 100/s\n", "rate: 1/d\n    limits: {max_rate: 20/s}\n", 1)
	file := writeForum(t, text, url, 200)
	begun := time.Now()
	startApp(t, options(file, io.Discard))
	until(t, "30 users have logged in", func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		return len(f.sessions) >= 30
	})
	// These are 60 requests, and as many as fit in a second may come at once.
	if took := time.Since(begun); took < 1500*time.Millisecond {
		t.Errorf("30 logins took %v at 20/s", took)
	}
	f.fine(t)
}

func TestAReloadKeepsSessions(t *testing.T) {
	f, url := newForum(t)
	file := writeForum(t, forumText, url, 5)
	r := startApp(t, options(file, io.Discard))
	r.eventually(t, `traffic_sessions{scenario="forum"} 5`)
	f.set(func() { f.away = true })
	text := strings.Replace(fmt.Sprintf(forumText, url), "name: fixed", "name: other", 1)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := r.app.reloader.Reload(); err != nil {
		t.Fatal(err)
	}
	before := f.total()
	until(t, "requests go on", func() bool { return f.total() > before+50 })
	r.eventually(t, `traffic_sessions{scenario="forum"} 5`)
	if f.bad > 0 {
		t.Errorf("%d requests were sent without a session", f.bad)
	}
	f.fine(t)
}

func TestOneSessionForAll(t *testing.T) {
	f, url := newForum(t)
	text := strings.NewReplacer("      for: person\n", "", "person.name", "who").Replace(forumText)
	text = strings.Replace(text, "      person: {row: people}\n", "      who: {text: mary}\n", 1)
	text = strings.Replace(text, "data: {people: {file: people.csv}}\n", "", 1)
	r := startApp(t, options(writeForum(t, text, url, 1), io.Discard))
	until(t, "requests are sent", func() bool { return f.total() > 50 })
	r.eventually(t, `traffic_sessions{scenario="forum"} 1`)
	if f.logins["mary"] != 1 {
		t.Errorf("logins %v", f.logins)
	}
	f.fine(t)
}

func TestSendLogsTheUserOfTheSlotIn(t *testing.T) {
	f, url := newForum(t)
	file := writeForum(t, forumText, url, 5)
	var out bytes.Buffer
	if err := Send(t.Context(), &out, SendOptions{File: file, Scenario: "forum", Request: "visit"}); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	if len(f.logins) != 1 || f.total() != 2 || strings.Contains(out.String(), "SID-0") || strings.Contains(out.String(), "sid-0") {
		t.Errorf("logins %v, %d requests:\n%s", f.logins, f.total(), out.String())
	}
	f.fine(t)
	f.set(func() { f.away = true })
	err := Send(t.Context(), &out, SendOptions{File: file, Scenario: "forum"})
	if err == nil || !strings.HasPrefix(err.Error(), `session: step "login": status: `) {
		t.Errorf("error %v", err)
	}
}

func TestAStopEndsLoginsThatHang(t *testing.T) {
	entered := make(chan struct{}, 100)
	ended := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		entered <- struct{}{}
		select {
		case <-r.Context().Done():
		case <-ended:
		}
	}))
	defer server.Close()
	defer close(ended)
	r := startApp(t, options(writeForum(t, forumText, server.URL, 10), io.Discard))
	<-entered
	begun := time.Now()
	if err := r.stop(); err != nil {
		t.Error(err)
	}
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("the stop took %v", took)
	}
	if n := len(entered); n > 2 {
		t.Errorf("%d logins at once, want 3 at most", n+1)
	}
}

func TestCheckLogsNobodyIn(t *testing.T) {
	f, url := newForum(t)
	file := writeForum(t, forumText, url, 10)
	if err := Check(io.Discard, []string{file}); err != nil {
		t.Error(err)
	}
	if err := Preview(io.Discard, PreviewOptions{File: file, From: time.Now()}); err != nil {
		t.Error(err)
	}
	if len(f.logins) > 0 {
		t.Errorf("logins %v", f.logins)
	}
}

func TestUsersAreTheValuesOfAVariable(t *testing.T) {
	for name, variables := range map[string]string{
		"int":                 `number: {int: {from: 0, to: 4}}`,
		"one_of":              `number: {one_of: [0, 1, 2, 3, 4]}`,
		"one_of with weights": `number: {one_of: {0: 1, 1: 1, 2: 1, 3: 1, 4: 5, 5: 0}}`,
	} {
		t.Run(name, func(t *testing.T) {
			f, url := newForum(t)
			text := strings.NewReplacer("person: {row: people}", variables+"\n      user: {text: \"user-{{ number }}\"}", "person.name", "user", "for: person", "for: number").Replace(forumText)
			var logs syncBuffer
			startApp(t, options(writeForum(t, text, url, 1), &logs)).eventually(t, `traffic_session_renewals_total{scenario="forum"} 5`)
			until(t, "all of them send requests", func() bool {
				f.mu.Lock()
				defer f.mu.Unlock()
				return len(f.good) == 5
			})
			f.fine(t)
		})
	}
}
