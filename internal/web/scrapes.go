package web

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

const (
	// maxScrapes bounds the scrapes that are gathered, and those that are sent, at one
	// time. Each that is sent takes the memory of its text.
	maxScrapes = 20
	// maxScrapeWait bounds how long a scrape waits until fewer are gathered.
	maxScrapeWait = 5 * time.Second
	// scrapeChunk is how much is written of a scrape at a time, in bytes.
	scrapeChunk = 64 << 10
)

// scrapes serves the metrics. It gathers all of them before it sends the first byte, so
// that no client can hold up what it is gathered from. A client that does not read gives
// up its place to the next one when all places are taken. Safe for concurrent use.
type scrapes struct {
	// gather writes the metrics without waiting for anybody.
	gather http.Handler
	// gathering has an element for each scrape that is gathered.
	gathering chan struct{}
	permits   int

	mu sync.Mutex
	// writes counts the writes that have ended; it stands for the time.
	writes  uint64
	sending map[*scrape]struct{}
}

// scrape is one that is being sent.
type scrape struct {
	control *http.ResponseController
	// last is the write that has ended last.
	last uint64
}

func newScrapes(o Options) *scrapes {
	return &scrapes{
		gather: promhttp.HandlerFor(o.Registry, promhttp.HandlerOpts{
			ErrorLog: slog.NewLogLogger(o.Logger.Handler(), slog.LevelError),
			// A scrape with most of the series beats none, and the error is counted.
			ErrorHandling:     promhttp.ContinueOnError,
			Registry:          o.Registry,
			EnableOpenMetrics: true,
		}),
		gathering: make(chan struct{}, maxScrapes),
		permits:   maxScrapes,
		sending:   map[*scrape]struct{}{},
	}
}

// ServeHTTP implements http.Handler.
func (s *scrapes) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p := page{header: w.Header(), status: http.StatusOK}
	if !s.gathered(&p, r) {
		http.Error(w, fmt.Sprintf("%d scrapes are being gathered", maxScrapes), http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Length", strconv.Itoa(p.body.Len()))
	w.WriteHeader(p.status)
	if r.Method == http.MethodHead {
		return
	}
	sc := s.enter(w)
	defer s.leave(sc)
	for chunk := p.body.Next(scrapeChunk); len(chunk) > 0; chunk = p.body.Next(scrapeChunk) {
		if _, err := w.Write(chunk); err != nil {
			return // The client went away or did not read; nobody is left to notify.
		}
		s.wrote(sc)
	}
}

// gathered gathers a scrape when fewer than maxScrapes are gathered, in turn. It reports false
// when that takes too long, or the client is gone.
func (s *scrapes) gathered(p *page, r *http.Request) bool {
	ctx, cancel := context.WithTimeout(r.Context(), maxScrapeWait)
	defer cancel()
	select {
	case s.gathering <- struct{}{}:
	case <-ctx.Done():
		return false
	}
	defer func() { <-s.gathering }()
	s.gather.ServeHTTP(p, r)
	return true
}

// enter takes a place, if need be that of the scrape that has written nothing for the
// longest time.
func (s *scrapes) enter(w http.ResponseWriter) *scrape {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.sending) >= s.permits {
		s.evict()
	}
	s.writes++
	sc := &scrape{control: http.NewResponseController(w), last: s.writes}
	s.sending[sc] = struct{}{}
	return sc
}

func (s *scrapes) evict() {
	var slowest *scrape
	for sc := range s.sending {
		if slowest == nil || sc.last < slowest.last {
			slowest = sc
		}
	}
	delete(s.sending, slowest)
	// Its write fails now. Where there are no deadlines nobody reads slowly.
	_ = slowest.control.SetWriteDeadline(time.Unix(1, 0))
}

func (s *scrapes) wrote(sc *scrape) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writes++
	sc.last = s.writes
}

func (s *scrapes) leave(sc *scrape) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sending, sc)
}

// page is a response in memory.
type page struct {
	header http.Header
	status int
	body   bytes.Buffer
}

var _ http.ResponseWriter = (*page)(nil)

// Header implements http.ResponseWriter.
func (p *page) Header() http.Header { return p.header }

// WriteHeader implements http.ResponseWriter.
func (p *page) WriteHeader(status int) { p.status = status }

// Write implements http.ResponseWriter.
func (p *page) Write(b []byte) (int, error) { return p.body.Write(b) }
