package fleet

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/golang/snappy"
	"github.com/grafana/dskit/kv/codec"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/traffic-exporter/traffic_exporter/internal/mesh"
)

// sentFigures are the figures of a member as it sent them. They are passed on unread.
type sentFigures struct {
	// at is when, by its clock, in Unix milliseconds.
	at int64
	// content are its figures, encoded. It is not modified.
	content []byte
}

// encodeFigures writes the figures of one member, by scenario, in JSON. They have to be finite.
func encodeFigures(all map[string]Figures) ([]byte, error) {
	b, err := json.Marshal(all)
	if err != nil {
		return nil, fmt.Errorf("encode figures: %w", err)
	}
	return b, nil
}

// decodeFigures reads the output of encodeFigures, within the bounds that others have to
// keep to. It returns nil with an error.
func decodeFigures(b []byte) (map[string]Figures, error) {
	all := map[string]Figures{}
	if err := json.Unmarshal(b, &all); err != nil {
		return nil, fmt.Errorf("decode figures: %w", err)
	}
	if len(all) > MaxFigures {
		return nil, fmt.Errorf("decode figures: %d scenarios, more than %d", len(all), MaxFigures)
	}
	for name, one := range all {
		one.bound()
		all[name] = one
	}
	return all, nil
}

// figures are those of all members, by ID.
type figures map[string]sentFigures

// forget drops figures that are too old for any use.
func (f figures) forget(now time.Time) {
	maps.DeleteFunc(f, func(_ string, o sentFigures) bool { return isStale(time.UnixMilli(o.at), now) })
}

// figuresCodec writes figures as messages of protocol buffers, compressed: one for each
// member, whose figures it leaves as they are.
type figuresCodec struct{}

var _ codec.Codec = figuresCodec{}

// The numbers of the fields of a member's message, and of these in the whole.
const (
	fieldMember  = 1
	fieldID      = 1
	fieldAt      = 2
	fieldContent = 3
)

// CodecID implements codec.Codec.
func (figuresCodec) CodecID() string { return "trafficFigures" }

// Encode implements codec.Codec.
func (figuresCodec) Encode(value any) ([]byte, error) {
	v, ok := value.(*figures)
	if !ok {
		return nil, fmt.Errorf("encode figures: found %T", value)
	}
	var all, one []byte
	for id, t := range *v {
		one = protowire.AppendTag(one[:0], fieldID, protowire.BytesType)
		one = protowire.AppendString(one, id)
		one = protowire.AppendTag(one, fieldAt, protowire.VarintType)
		one = protowire.AppendVarint(one, uint64(t.at))
		one = protowire.AppendTag(one, fieldContent, protowire.BytesType)
		one = protowire.AppendBytes(one, t.content)
		all = protowire.AppendTag(all, fieldMember, protowire.BytesType)
		all = protowire.AppendBytes(all, one)
	}
	return snappy.Encode(nil, all), nil
}

// errNoFigures is returned for bytes that are no message.
var errNoFigures = errors.New("decode figures: not a message of figures")

// Decode implements codec.Codec.
func (figuresCodec) Decode(b []byte) (any, error) {
	plain, err := snappy.Decode(nil, b)
	if err != nil {
		return nil, fmt.Errorf("decode figures: %w", err)
	}
	f := figures{}
	whole := mesh.EachField(plain, func(number int, _ uint64, entry []byte) bool {
		if number != fieldMember {
			return true
		}
		id, t, ok := memberOf(entry)
		f[id] = t
		return ok
	})
	if !whole {
		return nil, errNoFigures
	}
	return &f, nil
}

// memberOf returns the ID and the figures of an encoded member.
func memberOf(entry []byte) (id string, t sentFigures, ok bool) {
	ok = mesh.EachField(entry, func(number int, value uint64, content []byte) bool {
		switch number {
		case fieldID:
			id = string(content)
		case fieldAt:
			t.at = int64(value)
		case fieldContent:
			t.content = content
		}
		return true
	})
	return id, t, ok
}
