package app

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/config"
)

// shop is a target with sessions: a user that logs in gets a cookie, by which the shop knows
// the user, who is also in a header of each request.
type shop struct {
	mu       sync.Mutex
	sessions map[string]string // users by cookie
	slots    map[string]int    // logins by slot
	users    []string          // in the order of the data
	mistakes []string
	orders   int
}

func newShop(t *testing.T, secure bool, users ...string) (*shop, string) {
	t.Helper()
	s := &shop{sessions: map[string]string{}, slots: map[string]int{}, users: users}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", s.login)
	mux.HandleFunc("GET /home", s.known(func(w http.ResponseWriter, user string, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		defer func() { _ = z.Close() }()
		_, _ = fmt.Fprintf(z, `<form action="/order?a=1&amp;user=%s"><input name="csrf" value="c-%s"></form>`, user, user)
	}))
	mux.HandleFunc("GET /catalogue", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"items":[{"id":"a b","stock":1},{"id":"c/d?e","stock":0},{"id":"f&g","stock":4}]}`)
	})
	mux.HandleFunc("GET /item/{id}", s.known(func(_ http.ResponseWriter, _ string, r *http.Request) {
		if id := r.PathValue("id"); id != "a b" && id != "f&g" {
			s.mistake("item %q is asked for", id)
		}
	}))
	mux.HandleFunc("POST /order", s.known(func(w http.ResponseWriter, user string, r *http.Request) {
		var order struct {
			Item     string
			Quantity int
			CSRF     string
		}
		if err := json.NewDecoder(r.Body).Decode(&order); err != nil || order.CSRF != "c-"+user || order.Quantity < 1 || r.FormValue("user") != user {
			s.mistake("order %+v of %q at %s: %v", order, user, r.URL, err)
		}
		s.mu.Lock()
		s.orders++
		s.mu.Unlock()
		w.WriteHeader(http.StatusCreated)
	}))
	return s, serveHTTP(t, mux, secure)
}

// serveHTTP starts a server, of HTTP/2 as well if it is secure, and returns its URL.
func serveHTTP(t *testing.T, h http.Handler, secure bool) string {
	t.Helper()
	server := httptest.NewUnstartedServer(h)
	server.EnableHTTP2 = secure
	if secure {
		server.StartTLS()
	} else {
		server.Start()
	}
	t.Cleanup(server.Close)
	return server.URL
}

func (s *shop) mistake(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mistakes = append(s.mistakes, fmt.Sprintf(format, args...))
}

// user returns the user of a slot.
func (s *shop) user(seq int) string { return s.users[seq%len(s.users)] }

func (s *shop) login(w http.ResponseWriter, r *http.Request) {
	user := r.FormValue("user")
	if r.FormValue("password") != "p&w "+user || r.Header.Get("X-User") != user {
		s.mistake("login of %q with %q", user, r.Form)
	}
	// The row of data is that of the slot's number, whichever slots were dropped.
	slot := r.Header.Get("Traffic-Slot")
	if seq, err := strconv.Atoi(slot[strings.LastIndexByte(slot, '/')+1:]); err != nil || user != s.user(seq) {
		s.mistake("slot %q logs in as %q", slot, user)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.slots[slot]++; s.slots[slot] > 1 {
		s.mistakes = append(s.mistakes, "slot "+slot+" began twice")
	}
	cookie := fmt.Sprintf("session-%d", len(s.sessions))
	s.sessions[cookie] = user
	http.SetCookie(w, &http.Cookie{Name: "sid", Value: cookie, Path: "/", HttpOnly: true})
	http.Redirect(w, r, "/home", http.StatusFound)
}

// known serves users who are logged in, as whom they say they are.
func (s *shop) known(serve func(http.ResponseWriter, string, *http.Request)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		cookie, err := r.Cookie("sid")
		if err != nil {
			s.mistake("%s without a cookie", r.URL)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		s.mu.Lock()
		user := s.sessions[cookie.Value]
		s.mu.Unlock()
		if user == "" || user != r.Header.Get("X-User") {
			s.mistake("%s by %q with the cookie of %q", r.URL, r.Header.Get("X-User"), user)
		}
		serve(w, user, r)
	}
}

// patience lets a busy machine take its time: nothing is given up.
const patience = `
    timeout: 1m
    shutdown_grace: 1m
    limits: {late_after: 1m}`

const visit = `
    base_url: %s
    headers: {X-User: "{{ person.name }}"}
    variables:
      person: {row: people}
      quantity: {int: {from: 1, to: 9}}
    requests:
      - name: visit
        cookies: true
        steps:
          - name: login
            method: POST
            url: /login
            follow_redirects: true
            body: {form: {user: "{{ person.name }}", password: "p&w {{ person.name }}"}}
            capture:
              form: {regex: 'action="([^"]*)"', unescape: html}
              csrf: {regex: 'value="([^"]*)"'}
            expect: {body: {contains: "<form"}}
          - {name: catalogue, url: /catalogue, capture: {items: {json: "items.#(stock>0)#"}}, expect: {json: {"items.#": 3}}}
          - pause: {from: 10ms, to: 50ms}
          - repeat: 2
            each: {item: {from: items}}
            steps: [{name: look, url: "/item/{{ item.id }}"}]
          - name: order
            method: POST
            url: "{{ form }}"
            body: {json: {item: "of {{ person.name }}", quantity: "{{ quantity }}", csrf: "{{ csrf }}"}}
            expect: {status: [201]}
`

func TestJourneysAreRealUsers(t *testing.T) {
	for _, protocol := range []string{"http1", "http2"} {
		t.Run(protocol, func(t *testing.T) { realUsers(t, protocol) })
	}
}

func realUsers(t *testing.T, protocol string) {
	t.Helper()
	people, users := "name,town\n", make([]string, 40)
	for i := range users {
		users[i] = fmt.Sprintf("user %d, é", i)
		people += `"` + users[i] + "\",x\n"
	}
	s, url := newShop(t, protocol == "http2", users...)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "people.csv"), []byte(people), 0o600); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "config.yaml")
	text := "data: {people: {file: people.csv}}\nscenarios:\n  - name: shop\n    rate: 40/s" + patience + fmt.Sprintf(visit, url)
	if protocol == "http2" {
		text += "    http_config: {protocol: http2, tls_config: {insecure_skip_verify: true}}\n"
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	got := runUntil(t, file, 100, func() int {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.orders
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.mistakes) > 0 {
		t.Errorf("the shop noted %d mistakes: %s", len(s.mistakes), strings.Join(s.mistakes[:min(5, len(s.mistakes))], "\n"))
	}
	due, finished, dropped := got["slots_due"], got["slots_finished"], got["slots_dropped"]
	if due != finished+dropped || int(finished) != len(s.sessions) || got["journeys_in_progress"] != 0 {
		t.Errorf("%v slots due, %v finished, %v dropped; %d sessions; in progress %v", due, finished, dropped, len(s.sessions), got["journeys_in_progress"])
	}
	if s.orders != len(s.sessions) {
		t.Errorf("%d orders of %d sessions", s.orders, len(s.sessions))
	}
}

// runUntil runs a file until so many things were done, and returns the sums of its metrics after a stop.
// No request may have failed.
func runUntil(t *testing.T, file string, n int, done func() int) map[string]float64 {
	t.Helper()
	var logs syncBuffer
	a := startApp(t, options(file, &logs))
	for deadline := time.Now().Add(time.Minute); done() < n; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d of %d done after a minute", done(), n)
		}
	}
	if err := a.stop(); err != nil {
		t.Error(err)
	}
	got := gather(t, a.app, "traffic_")
	if n := got["request_failures"]; n != 0 {
		t.Errorf("%v requests failed\n%s", n, logs.String())
	}
	return got
}

func TestSendPrintsAJourneyStepByStep(t *testing.T) {
	_, url := newShop(t, false, "Ann")
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "people.csv"), []byte("name\nAnn\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "config.yaml")
	text := "data: {people: {file: people.csv}}\nscenarios:\n  - name: shop\n    rate: 40/s" + fmt.Sprintf(visit, url)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := Send(t.Context(), &out, SendOptions{File: file, Scenario: "shop"}); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	for _, want := range []string{
		"* step 1: visit/login", "> POST /login", "< HTTP/1.1 302 Found", "> GET /home", `* person = {"name":"Ann"}`,
		`* form = "/order?a=1&user=Ann"`, "* pause of ", "* step 4: visit/look", "> GET /item/f%26g", "* step 5: visit/order", "> POST /order?a=1&user=Ann",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
	// The same slot again is the same, whatever the time.
	slot := strings.TrimSuffix(strings.Fields(out.String())[2], ",")
	var again bytes.Buffer
	if err := Send(t.Context(), &again, SendOptions{File: file, Slot: slot}); err != nil {
		t.Fatal(err)
	}
	for line := range strings.SplitSeq(out.String(), "\n") {
		if strings.HasPrefix(line, `{"item"`) && !strings.Contains(again.String(), line) {
			t.Errorf("slot %s sent %s, and then\n%s", slot, line, again.String())
		}
	}
	for slot, want := range map[string]string{
		"shop/x/1":                         `segment "x": expected a name such as`,
		"shop/1":                           "expected scenario/segment/number",
		"nobody/a/1":                       `no scenario "nobody": there is shop`,
		"shop/20261128T000000Z-00000000/1": "by this file it is",
	} {
		if err := Send(t.Context(), &out, SendOptions{File: file, Slot: slot}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", slot, err, want)
		}
	}
}

// deep returns lists within lists.
func deep(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }

// What a target sends is data. It can neither change the structure of a request nor where it
// goes.
func TestAHostileTargetIsContained(t *testing.T) {
	stranger := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("a request went to an origin that the file does not name")
	}))
	defer stranger.Close()
	var mu sync.Mutex
	var seen []string
	value := ""
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if r.URL.Path == "/value" {
			if strings.HasPrefix(value, "[") {
				_, _ = io.WriteString(w, `{"v":`+value+`}`)
				return
			}
			out, _ := json.Marshal(map[string]string{"v": value})
			_, _ = w.Write(out)
			return
		}
		body, _ := io.ReadAll(r.Body)
		seen = append(seen, fmt.Sprintf("%s %q %q %s", r.Method, r.URL.EscapedPath(), r.URL.Query(), body))
		if len(r.Header.Values("X-Evil")) > 0 || r.Host == "evil" {
			t.Errorf("a header was added: %v", r.Header)
		}
	}))
	defer target.Close()
	for _, tc := range []struct{ name, value, step, reason string }{
		{"a header", "x\r\nX-Evil: 1", `{name: use, url: /use, headers: {X-V: "{{ v }}"}}`, "check"},
		{"a path", "../../admin?x=1#y", `{name: use, url: "/use/{{ v }}"}`, ""},
		{"a dot segment", "..", `{name: use, url: "/use/{{ v }}/x"}`, "check"},
		{"a query", "1&admin=1", `{name: use, url: "/use?a={{ v }}"}`, ""},
		{"JSON", `"},"admin":true,"x":{"y":"`, `{name: use, method: POST, url: /use, body: {json: {a: "{{ v }}"}}}`, ""},
		{"a form", "1&admin=1", `{name: use, method: POST, url: /use, body: {form: {a: "{{ v }}"}}}`, ""},
		{"a template", "{{ secret }}", `{name: use, url: "/use/{{ v }}"}`, ""},
		{"an origin", stranger.URL + "/", `{name: use, url: "{{ v }}"}`, "denied"},
		{"10 MB", strings.Repeat("x", 10_000_000), `{name: use, url: /use}`, "check"},
		{"JSON that is deep", deep(9_000), `{name: use, method: POST, url: /use, body: {json: {a: "{{ v }}"}}}`, ""},
		{"JSON that is deep and a secret", deep(9_000), `{name: use, url: /use, variables: {token: {text: "{{ v }}"}}, expect: {body: {contains: "x{{ token }}"}}}`, "check"},
		{"JSON that is too deep to be kept", deep(2_000_000), `{name: use, url: /use}`, "check"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			mu.Lock()
			value, seen = tc.value, nil
			mu.Unlock()
			cfg := parse(t, fmt.Sprintf(`  - name: s
    rate: 1/s
    base_url: %s
    requests:
      - name: j
        steps:
          - {name: get, url: /value, capture: {v: {json: v}}}
          - %s
`, target.URL, tc.step))
			got := sendOnce(t, cfg)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case tc.reason != "" && !strings.Contains(got, "request failed: "+tc.reason):
				t.Errorf("it ends with %q, want reason %s", got, tc.reason)
			case tc.reason == "" && got != "":
				t.Errorf("it ends with %q", got)
			case tc.reason == "" && len(seen) != 1:
				t.Errorf("the target saw %q", seen)
			}
			for _, line := range seen {
				if strings.Contains(line, `"admin"`) && !strings.Contains(line, `\"admin`) || strings.Contains(line, `"/admin`) {
					t.Errorf("the structure was changed: %s", line)
				}
			}
		})
	}
}

// sendOnce sends the first slot of the first scenario, and returns the error's text.
func sendOnce(t *testing.T, cfg *config.Config) string {
	t.Helper()
	sc := cfg.Scenarios[0]
	slot, err := findSlot(sc, "", 0)
	if err != nil {
		t.Fatal(err)
	}
	m, client, err := newTraffic(sc, apart(cfg))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	s := sender{w: io.Discard, client: client, names: m.names}
	s.call.Request.Scenario = sc.Name
	if err := s.journey(t.Context(), m.engineEntries(nil)[0].Script.Begin(slot)); err != nil {
		return err.Error()
	}
	return ""
}

func TestDataIsReadByItsName(t *testing.T) {
	for _, tc := range []struct{ file, content, want string }{
		{"a.csv", "a,b\n1,\"x, \"\"y\"\"\"\n2,\n", `{"a":"1","b":"x, \"y\""} {"a":"2","b":""}`},
		{"a.csv", "\ufeffa\n1\n", `{"a":"1"}`},
		{"a.csv", "", "it is empty, expected a header row"},
		{"a.csv", "a\n", "the data has no rows"},
		{"a.csv", "a,b\n1\n", "record on line 2: wrong number of fields"},
		{"a.json", `[1, "x", {"a": null}]`, `1 "x" {"a": null}`},
		{"a.json", `{"a": 1}`, "it is no list"},
		{"a.json", `[1`, "it is no JSON"},
		{"a.json", `[]`, "the data has no rows"},
		{"a.jsonl", "{\"a\":1}\n\n[2]\n", `{"a":1} [2]`},
		{"a.ndjson", "1\n{", "line 2: it is no JSON"},
	} {
		path := filepath.Join(t.TempDir(), tc.file)
		if err := os.WriteFile(path, []byte(tc.content), 0o600); err != nil {
			t.Fatal(err)
		}
		values, err := readRows(path, tc.content)
		var parts []string
		for _, v := range values {
			parts = append(parts, string(v.AppendJSON(nil)))
		}
		got := strings.Join(parts, " ")
		if err == nil {
			f := &feeds{failed: func() {}, logger: slog.New(slog.DiscardHandler)}
			if _, _, err = f.table(config.Dataset{File: path}, nil); err == nil {
				err = f.err
			}
		}
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, tc.want) {
			t.Errorf("%s %q: %s, want %s", tc.file, tc.content, got, tc.want)
		}
	}
}

func TestStepsThatAreAlikeAreOneSeries(t *testing.T) {
	var mu sync.Mutex
	seen := map[string]int{}
	target := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		seen[r.URL.Path]++
	}))
	defer target.Close()
	file := filepath.Join(t.TempDir(), "config.yaml")
	writeConfig(t, file, fmt.Sprintf(`  - name: s
    rate: 50/s
    base_url: %s
    variables: {n: uuid}
    requests:
      - name: j
        steps:
          - &look {name: look, url: "/look?{{ n }}"}
          - {name: add, url: /add}
          - repeat: 2
            steps: [*look]
`, target.URL))
	var logs syncBuffer
	a := startApp(t, options(file, &logs))
	eventually(t, func() bool { return gather(t, a.app, "traffic_")["slots_finished"] >= 3 }, "journeys end")
	if err := a.stop(); err != nil {
		t.Error(err)
	}
	mu.Lock()
	defer mu.Unlock()
	if seen["/add"] == 0 || seen["/look"] != 3*seen["/add"] {
		t.Errorf("the target saw %v, want three of /look for each /add", seen)
	}
}

func TestMistakesInFilesOfDataHaveAPlace(t *testing.T) {
	const scenario = `scenarios:
  - name: s
    rate: 1/s
    base_url: http://127.0.0.1:1
    variables: {person: {row: people}}
    requests: [{name: r, url: "/{{ person.name }}"}]
`
	for _, tc := range []struct{ content, want string }{
		{"name\nAnn\n", ""},
		{"", `c.yaml:1:23: data.people.file: found "people.csv", whose data cannot be used: it is empty, expected a header row`},
		{"nam\nAnn\n", `c.yaml:7:31: scenarios[0].requests[0].url: found the column "name", which people does not have: did you mean nam?`},
		{"town\nRome\n", `c.yaml:7:31: scenarios[0].requests[0].url: found the column "name", which people does not have: its columns are town`},
		{"name,town\nAnn\n", `c.yaml:1:23: data.people.file: found "people.csv", whose data cannot be used: record on line 2: wrong number of fields`},
		{"gone", `c.yaml:1:23: data.people.file: found "people.csv", whose data cannot be used: `},
	} {
		dir := t.TempDir()
		file := filepath.Join(dir, "c.yaml")
		if err := os.WriteFile(file, []byte("data: {people: {file: people.csv}}\n"+scenario), 0o600); err != nil {
			t.Fatal(err)
		}
		if tc.content != "gone" {
			if err := os.WriteFile(filepath.Join(dir, "people.csv"), []byte(tc.content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		_, err := load(file, newDisk())
		got := ""
		if err != nil {
			got = strings.ReplaceAll(err.Error(), dir+"/", "")
		}
		if !strings.HasPrefix(got, tc.want) || tc.want == "" && got != "" {
			t.Errorf("%q: %s, want %s", tc.content, got, tc.want)
		}
	}
}

func TestDataThatCannotBeReadAgainLeaveTheOldRows(t *testing.T) {
	path := filepath.Join(t.TempDir(), "people.csv")
	write := func(content string) {
		t.Helper()
		if err := os.WriteFile(path+".new", []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
	}
	write("name\nAnn\nBob\n")
	var failures atomic.Int64
	f := &feeds{failed: func() { failures.Add(1) }, logger: slog.New(slog.DiscardHandler)}
	table, current, err := f.table(config.Dataset{File: path}, []string{"name"})
	if err != nil || f.err != nil {
		t.Fatal(err, f.err)
	}
	eventually := func(rows int, ok bool) {
		t.Helper()
		for deadline := time.Now().Add(20 * time.Second); table().Len() != rows || current() != ok; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%d rows, current %t, want %d, %t", table().Len(), current(), rows, ok)
			}
		}
	}
	eventually(2, true)
	write("name\nAnn\nBob\nCyd\n")
	eventually(3, true)
	for _, bad := range []string{"", "name\n", "town\nRome\n", "name,town\nAnn\n"} {
		write(bad)
		eventually(3, false)
	}
	if failures.Load() == 0 {
		t.Error("no failure was counted")
	}
	write("name\nDan\n")
	eventually(1, true)
}

// TestCapturedSecretsAreNotShown has a target send secrets to and fro, and looks for them in all
// that is printed.
func TestCapturedSecretsAreNotShown(t *testing.T) {
	const token, sid, csrf = "eyJ+secret/token==", "sid-0123456789", `c"&<srf>`
	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, _ *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "sid", Value: sid, Path: "/"})
		_, _ = fmt.Fprintf(w, `{"access_token":%q,"user":{"id":7,"secret":"hunter2"},"form":%q}`, token, html.EscapeString(csrf))
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		_, _ = fmt.Fprintf(w, "you are %s by %s with %s and %s, %s", r.Form.Get("a"), r.Form.Get("b"), r.Header.Get("X-Plain"), html.EscapeString(r.Form.Get("c")), r.RequestURI)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	file := filepath.Join(t.TempDir(), "config.yaml")
	text := `scenarios:
  - name: shop
    rate: 1/s
    base_url: ` + server.URL + `
    requests:
      - name: visit
        cookies: true
        steps:
          - name: login
            method: POST
            url: /login
            body: {json: {user: mary}}
            capture: {access: {json: access_token}, whole: {json: user.secret}, cookie: {cookie: sid}, csrf_token: {json: form, unescape: html}}
          - name: whoami
            method: POST
            url: "/me/{{ access }}"
            query: {a: "{{ access }}", b: "{{ whole }}"}
            headers: {X-Plain: "{{ cookie }}"}
            body: {form: {c: "{{ csrf_token }}"}}
            expect: {body: {contains: "nobody {{ access }}"}}
`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	err := Send(t.Context(), &out, SendOptions{File: file, Scenario: "shop"})
	if err == nil || !strings.Contains(err.Error(), "does not contain \"nobody <hidden>\"") {
		t.Errorf("it ends with %v", err)
	}
	shown := out.String() + err.Error()
	for _, secret := range []string{
		token, "eyJ%2Bsecret%2Ftoken%3D%3D", sid, "hunter2", csrf, html.EscapeString(csrf), "c%22%26%3Csrf%3E", "secret/token", "srf&gt;",
	} {
		if strings.Contains(shown, secret) {
			t.Errorf("it shows %s:\n%s", secret, shown)
		}
	}
	for _, plain := range []string{`"id":7`, "> POST /me/<hidden>?a=<hidden>&b=<hidden>", "you are <hidden> by <hidden> with <hidden>", "c=<hidden>", "* access = <hidden>"} {
		if !strings.Contains(shown, plain) {
			t.Errorf("it does not show %s:\n%s", plain, shown)
		}
	}
}
