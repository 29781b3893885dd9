package app

import (
	"fmt"
	"log/slog"
	"slices"

	"github.com/traffic-exporter/traffic_exporter/internal/config"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/dial"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/uri"
	"github.com/traffic-exporter/traffic_exporter/internal/sink"
)

// surroundings are what a client needs beside its scenario.
type surroundings struct {
	observer protocol.ConnObserver
	// descriptors are shared by all clients of the process; nil is no bound.
	descriptors *dial.Descriptors
	// fence says where connections may go; nil allows all.
	fence  *dial.Fence
	logger *slog.Logger
	// tables are the data of the configuration.
	tables *tables
	// admit reports whether a scenario may put one more request on the wire that is none of its
	// slots'; nil admits all.
	admit func(scenario string) bool
	// sink is what a dry run sends to, in the place of all targets; nil if it is none.
	sink *sink.Sink
	// offline leaves the files of a scenario alone.
	offline bool
}

// apart are the surroundings of a client that the commands use for a moment.
func apart(cfg *config.Config) surroundings {
	logger := slog.New(slog.DiscardHandler)
	return surroundings{observer: protocol.Discard{}, fence: dial.NewFence(cfg.Allowed()), logger: logger, tables: newTables(cfg.Columns(), logger, false)}
}

// offline are the surroundings of a configuration that is only checked.
func offline() surroundings {
	logger := slog.New(slog.DiscardHandler)
	return surroundings{observer: protocol.Discard{}, logger: logger, tables: newTables(nil, logger, true), offline: true}
}

// family is a family of protocols, with options of its own.
type family struct {
	// sends reports whether requests to a URL are the family's.
	sends func(uri.URI) bool
	// client makes the client of a scenario's requests that are.
	client func(config.Scenario, part, surroundings) (protocol.Client, error)
}

// families is the table of protocols.
func families() []family {
	return []family{
		{sends: isHTTP, client: newHTTP},
		{sends: schemes("grpc", "grpcs"), client: newGRPC},
		{sends: schemes("ws", "wss"), client: newWebSocket},
	}
}

// schemes returns what reports whether a URL has one of these schemes.
func schemes(all ...string) func(uri.URI) bool {
	return func(u uri.URI) bool { return slices.Contains(all, u.Scheme) }
}

// part are the requests of a mix that one client sends. The entries of other clients are filled by
// one of its own, so that the indexes are those of the mix.
type part struct {
	*mix

	entries []sent
}

// part returns the requests that a family sends; false if there are none.
func (m *mix) part(f family) (part, bool) {
	first := slices.IndexFunc(m.sent, func(s sent) bool { return f.sends(s.to) })
	if first < 0 {
		return part{}, false
	}
	p := part{mix: m, entries: slices.Clone(m.sent)}
	for i, s := range p.entries {
		if !f.sends(s.to) {
			p.entries[i] = m.sent[first]
		}
	}
	return p, true
}

// newClient makes the client of a scenario's requests: one for each family that they are of.
func newClient(sc config.Scenario, m *mix, in surroundings) (protocol.Client, error) {
	r := router{byEntry: make([]protocol.Client, len(m.sent))}
	for _, f := range families() {
		p, there := m.part(f)
		if !there {
			continue
		}
		c, err := f.client(sc, p, in)
		if err != nil {
			r.Close()
			return nil, fmt.Errorf("scenario %q: %w", sc.Name, err)
		}
		r.clients = append(r.clients, c)
		for i, s := range m.sent {
			if f.sends(s.to) {
				r.byEntry[i] = c
			}
		}
	}
	if i := slices.Index(r.byEntry, nil); i >= 0 {
		r.Close()
		return nil, fmt.Errorf("scenario %q: no protocol for %s URLs", sc.Name, m.sent[i].to.Scheme)
	}
	if len(r.clients) == 1 {
		return r.clients[0], nil
	}
	return &r, nil
}

// router sends each request by the client of its protocol's family.
type router struct {
	clients []protocol.Client
	byEntry []protocol.Client
}

var _ protocol.Client = (*router)(nil)

// Start implements protocol.Client.
func (r *router) Start(c *protocol.Call) {
	if i := c.Request.Entry; i >= 0 && i < len(r.byEntry) {
		r.byEntry[i].Start(c)
		return
	}
	r.clients[0].Start(c) // It reports the error.
}

// Flush implements protocol.Client.
func (r *router) Flush() {
	for _, c := range r.clients {
		c.Flush()
	}
}

// Close implements protocol.Client.
func (r *router) Close() {
	for _, c := range r.clients {
		c.Close()
	}
}
