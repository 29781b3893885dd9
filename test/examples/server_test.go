package examples

import (
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
)

// server is what the servers of all examples have: they note what a real one would refuse, and
// count what they did.
type server struct {
	url string
	// tokens is where the exporter asks for its own tokens; that is of no slot.
	tokens string

	mu       sync.Mutex
	mistakes []string
	did      map[string]int
	// sessions and slots are those that were seen together: a user is one slot.
	sessions, slots map[string]string
}

// serve serves a mux on loopback. When the test ends nobody may have made a mistake.
func serve(t *testing.T, s *server, mux *http.ServeMux) {
	t.Helper()
	s.did, s.sessions, s.slots = map[string]int{}, map[string]string{}, map[string]string{}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, pattern := mux.Handler(r); pattern == "" {
			s.mistake(r, "nobody serves it")
		}
		if r.URL.Path == s.tokens {
			mux.ServeHTTP(w, r)
			return
		}
		if r.Header.Get("Traffic-Slot") == "" || r.Header.Get("Traceparent") == "" {
			s.mistake(r, "it does not say which slot it is")
		}
		mux.ServeHTTP(w, r)
	}))
	s.url = srv.URL
	t.Cleanup(func() {
		srv.Close()
		if n := len(s.mistakes); n > 0 {
			t.Errorf("%d mistakes: %s", n, strings.Join(s.mistakes[:min(n, 5)], "\n"))
		}
	})
}

// mistake notes what a real server would refuse.
func (s *server) mistake(r *http.Request, format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mistakes = append(s.mistakes, r.Method+" "+r.URL.String()+": "+fmt.Sprintf(format, args...))
}

// refuse notes a mistake and responds as the real server would.
func (s *server) refuse(w http.ResponseWriter, r *http.Request, status int, format string, args ...any) {
	s.mistake(r, format, args...)
	http.Error(w, fmt.Sprintf(format, args...), status)
}

// done counts something that was done, and counted returns how often.
func (s *server) done(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.did[what]++
}

func (s *server) counted(what string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.did[what]
}

// session notes that a request is of a session: no other slot may be of it, nor the slot of
// another.
func (s *server) session(r *http.Request, session string) {
	slot := r.Header.Get("Traffic-Slot")
	s.mu.Lock()
	other, slotKnown := s.sessions[slot]
	user, known := s.slots[session]
	s.sessions[slot], s.slots[session] = session, slot
	s.mu.Unlock()
	if slotKnown && other != session || known && user != slot {
		s.mistake(r, "slot %s is in session %s, but was in %s, which is of slot %s", slot, session, other, user)
	}
}

// document reads the JSON of a request, which has to be all of v and nothing else.
func (s *server) document(r *http.Request, v any) bool {
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != "application/json" {
		s.mistake(r, "the content type is %q", r.Header.Get("Content-Type"))
		return false
	}
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		s.mistake(r, "no such document: %v", err)
		return false
	}
	if d.More() {
		s.mistake(r, "more than one document")
		return false
	}
	return true
}

// form reads the form of a request, which has to have these fields, each once and not empty.
func (s *server) form(r *http.Request, fields ...string) url.Values {
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != "application/x-www-form-urlencoded" {
		s.mistake(r, "the content type is %q", r.Header.Get("Content-Type"))
	}
	if err := r.ParseForm(); err != nil {
		s.mistake(r, "the form cannot be read: %v", err)
	}
	for _, name := range fields {
		if v := r.PostForm[name]; len(v) != 1 || v[0] == "" {
			s.mistake(r, "%s is %q", name, v)
		}
	}
	for name := range r.PostForm {
		if !slices.Contains(fields, name) {
			s.mistake(r, "nobody knows the field %s", name)
		}
	}
	return r.PostForm
}

// reply responds with JSON.
func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

// page responds with a page of HTML.
func page(w http.ResponseWriter, format string, args ...any) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = fmt.Fprintf(w, "<!doctype html><html><body>"+format+"</body></html>", args...)
}
