package httpstd

import (
	"testing"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpmix"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/protocoltest"
)

func TestTheClientDoesWhatAllClientsDo(t *testing.T) {
	protocoltest.Suite{
		New: func(o httpmix.Options) (protocol.Client, error) {
			c, err := New(o)
			if err != nil {
				return nil, err
			}
			return protocol.NewWaiting(c), nil
		},
		Flavours:  protocoltest.Flavours(),
		MostConns: connLimit,
	}.Run(t)
}
