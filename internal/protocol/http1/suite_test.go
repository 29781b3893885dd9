package http1

import (
	"testing"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/protocoltest"
)

func TestTheClientDoesWhatAllClientsDo(t *testing.T) {
	protocoltest.Suite{
		New:      func(o httpreq.Options) (protocol.Client, error) { return New(o) },
		Flavours: flavours(),
	}.Run(t)
}
