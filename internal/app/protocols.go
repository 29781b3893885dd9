package app

import (
	"fmt"
	"log/slog"
	"slices"

	"github.com/traffic-exporter/traffic_exporter/internal/config"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/dial"
)

// surroundings are what a client needs beside its scenario.
type surroundings struct {
	wire protocol.Wire
	// descriptors are shared by all clients of the process; nil is no bound.
	descriptors *dial.Descriptors
	logger      *slog.Logger
	// tables are the data of the configuration.
	tables *tables
	// admit reports whether a scenario may put one more request on the wire that is none of its
	// slots'; nil admits all.
	admit func(scenario string) bool
	// offline leaves the files of a scenario alone.
	offline bool
}

// apart are the surroundings of a client that the commands use for a moment.
func apart(cfg *config.Config) surroundings {
	logger := slog.New(slog.DiscardHandler)
	return surroundings{wire: protocol.Discard{}, logger: logger, tables: newTables(cfg.Columns(), logger, false)}
}

// offline are the surroundings of what is only looked at.
func offline() surroundings {
	logger := slog.New(slog.DiscardHandler)
	return surroundings{wire: protocol.Discard{}, logger: logger, tables: newTables(nil, logger, true), offline: true}
}

// family is a family of protocols, with options of its own.
type family struct {
	// schemes are those of its URLs.
	schemes []string
	// client makes the client of a scenario whose URLs have them.
	client func(config.Scenario, *mix, surroundings) (protocol.Client, error)
}

// families is the table of protocols.
func families() []family {
	return []family{
		{schemes: []string{"http", "https"}, client: newHTTP},
		{schemes: []string{"grpc", "grpcs"}, client: newGRPC},
		{schemes: []string{"ws", "wss"}, client: newWebSocket},
	}
}

// newClient makes the client that the scenario's URLs ask for.
func newClient(sc config.Scenario, m *mix, in surroundings) (protocol.Client, error) {
	scheme := sc.Origins()[0].Scheme
	for _, f := range families() {
		if !slices.Contains(f.schemes, scheme) {
			continue
		}
		c, err := f.client(sc, m, in)
		if err != nil {
			return nil, fmt.Errorf("scenario %q: %w", sc.Name, err)
		}
		return c, nil
	}
	return nil, fmt.Errorf("scenario %q: no protocol for %s URLs", sc.Name, scheme)
}
