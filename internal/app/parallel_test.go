package app

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// magazine is a target whose pages have parts and pictures. It responds to no part of a page before all
// of them have been asked for by the same slot, and then in any order.
type magazine struct {
	mu       sync.Mutex
	readers  map[string]*reader // by slot
	mistakes []string
	read     int
}

// reader is what a slot has asked for.
type reader struct {
	parts    int
	all      chan struct{} // closed when there are magazineParts
	busy     int           // pictures in flight
	most     int
	pictures []string
	vote     string
}

const (
	magazineParts  = 3
	magazineAtOnce = 2
)

var magazinePictures = []string{"p 1", "p/2", "p3", "p4", "p5"}

func newMagazine(t *testing.T, secure bool) (*magazine, string) {
	t.Helper()
	m := &magazine{readers: map[string]*reader{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /page", func(w http.ResponseWriter, _ *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "last", Value: "page", Path: "/"})
		_, _ = io.WriteString(w, `{"pictures":["p 1","p/2","p3","p4","p5"]}`)
	})
	mux.HandleFunc("GET /part/{n}", m.part)
	mux.HandleFunc("GET /moved/{n}", func(w http.ResponseWriter, r *http.Request) {
		if c, err := r.Cookie("last"); err != nil || c.Value != r.PathValue("n") {
			m.mistake("part %s moved with the cookie %v", r.PathValue("n"), c)
		}
		m.respond(w, r)
	})
	mux.HandleFunc("GET /picture/{name}", m.picture)
	mux.HandleFunc("GET /end", m.end)
	return m, serveHTTP(t, mux, secure)
}

func (m *magazine) mistake(format string, args ...any) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mistakes = append(m.mistakes, fmt.Sprintf(format, args...))
}

func (m *magazine) of(r *http.Request) *reader {
	slot := r.Header.Get("Traffic-Slot")
	one := m.readers[slot]
	if one == nil {
		one = &reader{all: make(chan struct{}), vote: r.Header.Get("X-Vote")}
		m.readers[slot] = one
	}
	return one
}

func (m *magazine) part(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	one := m.of(r)
	if one.parts++; one.parts == magazineParts {
		close(one.all)
	}
	m.mu.Unlock()
	select {
	case <-one.all:
	case <-r.Context().Done():
		return
	case <-time.After(time.Minute):
		m.mistake("a part waits for others of its slot")
	}
	if c, err := r.Cookie("last"); err != nil || c.Value != "page" {
		m.mistake("part %s is asked for with the cookie %v, want that of the page", r.PathValue("n"), c)
	}
	http.SetCookie(w, &http.Cookie{Name: "last", Value: r.PathValue("n"), Path: "/"})
	if r.PathValue("n") == "2" {
		http.Redirect(w, r, "/moved/2", http.StatusFound)
		return
	}
	m.respond(w, r)
}

// respond responds after a while.
func (m *magazine) respond(w http.ResponseWriter, r *http.Request) {
	time.Sleep(rand.N(5 * time.Millisecond))
	_, _ = fmt.Fprintf(w, `{"id":"%s of %s"}`, r.PathValue("n"), r.Header.Get("Traffic-Slot"))
}

func (m *magazine) picture(_ http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	one := m.of(r)
	one.busy++
	one.most = max(one.most, one.busy)
	one.pictures = append(one.pictures, r.PathValue("name"))
	m.mu.Unlock()
	time.Sleep(rand.N(5 * time.Millisecond))
	m.mu.Lock()
	defer m.mu.Unlock()
	one.busy--
}

func (m *magazine) end(_ http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.read++
	slot, one := r.Header.Get("Traffic-Slot"), m.of(r)
	slices.Sort(one.pictures)
	q := r.URL.Query()
	// Of the cookies that the parts have set, that of the last one in the file counts.
	c, err := r.Cookie("last")
	switch {
	case err != nil || c.Value != "3":
		m.mistakes = append(m.mistakes, fmt.Sprintf("the last cookie is %v", c))
	case q.Get("a") != "1 of "+slot || q.Get("b") != "2 of "+slot:
		m.mistakes = append(m.mistakes, fmt.Sprintf("slot %s has captured %v", slot, q))
	case !slices.Equal(one.pictures, magazinePictures) || one.most > magazineAtOnce:
		m.mistakes = append(m.mistakes, fmt.Sprintf("pictures %q, %d at once", one.pictures, one.most))
	}
}

const reading = `
    base_url: %s
    requests:
      - name: read
        cookies: true
        steps:
          - {name: page, url: /page, capture: {pictures: {json: pictures}}}
          - parallel:
              - {name: first, url: /part/1, capture: {a: {json: id}}}
              - {name: second, url: /part/2, follow_redirects: true, capture: {b: {json: id}}}
              - {name: third, url: "/part/3?x={{ x }}", variables: {x: {int: {from: 1, to: 1000000}}}}
          - parallel: [{name: picture, url: "/picture/{{ picture }}?x={{ y }}", variables: {y: {int: {from: 1, to: 1000000}}}}]
            each: {picture: {from: pictures}}
            at_once: 2
          - {name: end, url: /end, query: {a: "{{ a }}", b: "{{ b }}"}}
`

func magazineFile(t *testing.T, url string, more string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(file, []byte("scenarios:\n  - name: magazine\n    rate: 10/s"+patience+fmt.Sprintf(reading, url)+more), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestRequestsAtOnceOverlapOnTheWire(t *testing.T) {
	for name, secure := range map[string]bool{"http1": false, "http2": true} {
		t.Run(name, func(t *testing.T) {
			m, url := newMagazine(t, secure)
			more := ""
			if secure {
				more = "    http_config: {protocol: http2, tls_config: {insecure_skip_verify: true}}\n"
			}
			got := runUntil(t, magazineFile(t, url, more), 10, func() int {
				m.mu.Lock()
				defer m.mu.Unlock()
				return m.read
			})
			m.mu.Lock()
			defer m.mu.Unlock()
			if len(m.mistakes) > 0 {
				t.Errorf("%d mistakes: %s", len(m.mistakes), strings.Join(m.mistakes[:min(5, len(m.mistakes))], "\n"))
			}
			if due := got["slots_due"]; due != got["slots_finished"]+got["slots_dropped"] || int(got["slots_finished"]) != m.read {
				t.Errorf("%v slots due, %v finished, %v dropped, %d have read", due, got["slots_finished"], got["slots_dropped"], m.read)
			}
			if n := got["requests_in_flight"]; n != 0 {
				t.Errorf("%v requests in flight at the end", n)
			}
		})
	}
}

func TestSendSendsRequestsAtOnce(t *testing.T) {
	m, url := newMagazine(t, false)
	file := magazineFile(t, url, "")
	// requests are those on the wire, sorted, as responses come in any order.
	requests := func(o SendOptions) (lines []string, out string) {
		var b bytes.Buffer
		if err := Send(t.Context(), &b, o); err != nil {
			t.Fatalf("%v\n%s", err, b.String())
		}
		for line := range strings.SplitSeq(b.String(), "\n") {
			if strings.HasPrefix(line, "> GET ") {
				lines = append(lines, line)
			}
		}
		slices.Sort(lines)
		return lines, b.String()
	}
	lines, out := requests(SendOptions{File: file})
	for _, want := range []string{
		"* step 2: read/first", "* step 3: read/second", "* step 4: read/third", "> GET /moved/2",
		"* step 9: read/picture", "> GET /picture/p%2F2?x=", "* step 10: read/end",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	slot := strings.TrimSuffix(strings.Fields(out)[2], ",")
	m.mu.Lock()
	clear(m.readers)
	m.mu.Unlock()
	if again, _ := requests(SendOptions{File: file, Slot: slot}); !slices.Equal(again, lines) {
		t.Errorf("slot %s sent %q, and then %q", slot, lines, again)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.mistakes) > 0 {
		t.Errorf("mistakes: %q", m.mistakes)
	}
}

// A login may send requests at once, and fails with the first of them that does.
func TestALoginSendsRequestsAtOnce(t *testing.T) {
	for name, status := range map[string]int{"": http.StatusOK, `step "b": status: `: http.StatusTeapot} {
		both := make(chan struct{}, 2)
		target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/a", "/b":
				both <- struct{}{}
				for deadline := time.Now().Add(10 * time.Second); len(both) < 2 && time.Now().Before(deadline); {
					time.Sleep(time.Millisecond)
				}
				if r.URL.Path == "/b" {
					w.WriteHeader(status)
				}
				_, _ = fmt.Fprintf(w, `{"id":%q}`, r.URL.Path)
			case "/use":
				if got := r.Header.Get("X-Session"); got != "/a /b" {
					t.Errorf("the session has %q", got)
				}
			}
		}))
		file := filepath.Join(t.TempDir(), "config.yaml")
		text := fmt.Sprintf(`scenarios:
  - name: s
    rate: 1/s
    base_url: %s
    session:
      steps:
        - parallel:
            - {name: a, url: /a, capture: {a: {json: id}}}
            - {name: b, url: /b, capture: {b: {json: id}}}
    requests: [{name: use, url: /use, headers: {X-Session: "{{ a }} {{ b }}"}}]
`, target.URL)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		err := Send(t.Context(), io.Discard, SendOptions{File: file})
		if name == "" && err != nil || name != "" && (err == nil || !strings.Contains(err.Error(), name)) {
			t.Errorf("status %d: %v", status, err)
		}
		if len(both) != 2 {
			t.Errorf("%d requests at once", len(both))
		}
		target.Close()
	}
}
