package fleet

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/traffic-exporter/traffic_exporter/internal/override"
)

// consulKV keeps what Consul's API promises for keys: an index that rises with each
// change, reads that block until it has, and writes that fail if it has.
type consulKV struct {
	mu      sync.Mutex
	index   uint64
	entries map[string]consulEntry
	// changed is closed and replaced at each change.
	changed chan struct{}
}

// consulEntry is a key as the API shows it.
type consulEntry struct {
	Key         string
	Value       []byte
	Flags       uint64
	CreateIndex uint64
	ModifyIndex uint64
	LockIndex   uint64
}

func newConsulKV(t *testing.T) (address string) {
	t.Helper()
	c := &consulKV{index: 1, entries: map[string]consulEntry{}, changed: make(chan struct{})}
	s := httptest.NewServer(c)
	t.Cleanup(func() {
		s.CloseClientConnections() // Reads that block.
		s.Close()
	})
	return strings.TrimPrefix(s.URL, "http://")
}

func (c *consulKV) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	key, ok := strings.CutPrefix(r.URL.Path, "/v1/kv/")
	switch {
	case !ok:
		http.NotFound(w, r)
	case r.Method == http.MethodGet:
		c.get(w, r, key)
	case r.Method == http.MethodPut:
		c.put(w, r, key)
	default:
		http.Error(w, "not supported", http.StatusMethodNotAllowed)
	}
}

func (c *consulKV) get(w http.ResponseWriter, r *http.Request, key string) {
	seen, _ := strconv.ParseUint(r.URL.Query().Get("index"), 10, 64)
	wait, _ := time.ParseDuration(r.URL.Query().Get("wait"))
	timeout := time.After(wait)
	for {
		c.mu.Lock()
		entry, found := c.entries[key]
		index, changed := max(c.index, 1), c.changed
		if found {
			index = entry.ModifyIndex
		}
		c.mu.Unlock()
		if seen == 0 || index > seen {
			c.respond(w, entry, found, index)
			return
		}
		select {
		case <-changed:
		case <-timeout:
			c.respond(w, entry, found, index)
			return
		case <-r.Context().Done():
			return
		}
	}
}

func (c *consulKV) respond(w http.ResponseWriter, entry consulEntry, found bool, index uint64) {
	w.Header().Set("X-Consul-Index", fmt.Sprint(index))
	if !found {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	_ = json.NewEncoder(w).Encode([]consulEntry{entry})
}

func (c *consulKV) put(w http.ResponseWriter, r *http.Request, key string) {
	value, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	old, found := c.entries[key]
	if cas := r.URL.Query().Get("cas"); cas != "" {
		expected, _ := strconv.ParseUint(cas, 10, 64)
		if found && expected != old.ModifyIndex || !found && expected != 0 {
			fmt.Fprint(w, "false")
			return
		}
	}
	c.index++
	entry := consulEntry{Key: key, Value: value, CreateIndex: old.CreateIndex, ModifyIndex: c.index}
	if !found {
		entry.CreateIndex = c.index
	}
	c.entries[key] = entry
	close(c.changed)
	c.changed = make(chan struct{})
	fmt.Fprint(w, "true")
}

func TestAFleetMeetsInConsul(t *testing.T) {
	address := newConsulKV(t)
	var fleet []*Fleet
	for i := range 3 {
		fleet = append(fleet, run(t, Options{
			Store: StoreConsul, Name: fmt.Sprintf("replica-%d", i), Weight: 1, Cluster: "test",
			MinReplicas: 1, ForgetAfter: time.Minute, Consul: Consul{Address: address},
			Logger: slog.New(slog.NewTextHandler(t.Output(), nil)).With("replica", i), Registerer: prometheus.NewRegistry(),
		}))
	}
	for _, f := range fleet {
		counts(t, f, 3)
	}
	now := time.Now()
	err := fleet[0].Overrides().Change(t.Context(), "shop", func(h override.History) (override.History, error) {
		h, _, _ = h.Add(override.Change{Kind: override.Rate, Value: 600, Until: now.Add(time.Hour)}, now)
		return h, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range fleet {
		eventually(t, func() error {
			if c, ok := f.Overrides().Book()["shop"].At(override.Begin(now)); !ok || c.Value != 600 {
				return fmt.Errorf("%s has not heard of the override", f.ID())
			}
			return nil
		})
	}
	if err := fleet[0].Leave(t.Context()); err != nil {
		t.Fatal(err)
	}
	counts(t, fleet[1], 2)
	counts(t, fleet[2], 2)
}
