package httpauto_test

import (
	"slices"
	"testing"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/http1"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/http2"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpauto"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/protocoltest"
)

func TestTheClientDoesWhatAllClientsDo(t *testing.T) {
	protocoltest.Suite{
		New: newClient,
		Flavours: slices.DeleteFunc(protocoltest.Flavours(), func(f protocoltest.Flavour) bool {
			return f.Protocol != httpreq.Auto
		}),
		// Of each kind there may be as many.
		MostConns: func(maxConns int) int { return 2 * maxConns },
	}.Run(t)
}

func newClient(o httpreq.Options) (protocol.Client, error) {
	one, err := http1.New(o)
	if err != nil {
		return nil, err
	}
	two, err := http2.New(o)
	if err != nil {
		one.Close()
		return nil, err
	}
	return httpauto.New(o, one, two), nil
}
