package grpc

import (
	"bytes"
	"encoding/json"
	"strconv"
	"time"

	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	// The types of rich details, so that they are known where a schema lacks them.
	_ "google.golang.org/genproto/googleapis/rpc/errdetails"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/grpc/spec"
)

const (
	gzipName     = "gzip"
	contentType  = "application/grpc"
	statusName   = "grpc-status"
	messageName  = "grpc-message"
	encodingName = "grpc-encoding"
	detailsName  = "grpc-status-details-bin"
	timeoutName  = "grpc-timeout"
)

// Fields returns the header of a call: what the protocol wants, and its metadata.
func Fields(metadata []protocol.Field, timeout time.Duration, compress bool) []protocol.Field {
	all := []protocol.Field{
		{Name: "Content-Type", Value: contentType},
		{Name: timeoutName, Value: Timeout(timeout)},
		{Name: "grpc-accept-encoding", Value: "identity,gzip"},
	}
	if compress {
		all = append(all, protocol.Field{Name: encodingName, Value: gzipName})
	}
	return append(all, metadata...)
}

// Timeout returns a duration as the value of grpc-timeout: at most eight digits and a unit, rounded
// up, so that the server does not give up first.
func Timeout(d time.Duration) string {
	const most = 99_999_999
	for _, unit := range []struct {
		size time.Duration
		name string
	}{{time.Nanosecond, "n"}, {time.Microsecond, "u"}, {time.Millisecond, "m"}, {time.Second, "S"}, {time.Minute, "M"}} {
		if n := (d + unit.size - 1) / unit.size; n <= most {
			return strconv.FormatInt(int64(n), 10) + unit.name
		}
	}
	return strconv.Itoa(most) + "H"
}

// decodeMessage decodes grpc-message, which is percent-encoded. A sequence that is no escape
// stays as it is.
func decodeMessage(value []byte) string {
	if bytes.IndexByte(value, '%') < 0 {
		return string(value)
	}
	out := make([]byte, 0, len(value))
	for i := 0; i < len(value); i++ {
		if value[i] == '%' && i+2 < len(value) {
			if n, err := strconv.ParseUint(string(value[i+1:i+3]), 16, 8); err == nil {
				out = append(out, byte(n))
				i += 2
				continue
			}
		}
		out = append(out, value[i])
	}
	return string(out)
}

// details returns the value of grpc-status-details-bin as JSON; false if it is none, or of types
// that are not known.
func details(value string, s *Schema) (string, bool) {
	wire, err := spec.DecodeBinary(value)
	if err != nil {
		return "", false
	}
	var st status.Status
	if proto.Unmarshal(wire, &st) != nil {
		return "", false
	}
	text, err := protojson.MarshalOptions{Resolver: s}.Marshal(&st)
	if err != nil {
		return "", false
	}
	var out bytes.Buffer
	if json.Compact(&out, text) != nil {
		return "", false
	}
	return out.String(), true
}
