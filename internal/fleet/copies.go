package fleet

import (
	"sync"

	"github.com/golang/snappy"
	"github.com/grafana/dskit/kv/codec"
	"github.com/grafana/dskit/ring"
	"google.golang.org/protobuf/encoding/protowire"
)

// remembers bounds the replicas whose last heartbeats are known again.
const remembers = 1 << 13

// copyCodec decodes the heartbeats that gossip brings, but skips copies of those already
// decoded: gossip brings each up to a dozen times, and only the first changes anything. It
// is safe for concurrent use.
type copyCodec struct {
	codec.Codec

	mu sync.Mutex
	// seen are the stamps of the last heartbeats, by ID.
	seen map[string]stamp
}

// stamp separates versions of a replica's entry in the store: of two the later counts, and
// of the same time the one that it has left.
type stamp struct {
	second int64
	left   bool
}

func (s stamp) isAfter(o stamp) bool {
	return s.second > o.second || s.second == o.second && s.left && !o.left
}

var _ codec.Codec = (*copyCodec)(nil)

func newCopyCodec(c codec.Codec) *copyCodec { return &copyCodec{Codec: c, seen: map[string]stamp{}} }

// Decode implements codec.Codec. A message that says nothing new lists no replicas.
func (c *copyCodec) Decode(message []byte) (any, error) {
	stamps, ok := stampsOf(message)
	if ok && !c.hasNews(stamps) {
		return ring.NewDesc(), nil
	}
	value, err := c.Codec.Decode(message)
	if ok && err == nil {
		c.remember(stamps)
	}
	return value, err
}

func (c *copyCodec) hasNews(stamps map[string]stamp) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, s := range stamps {
		if old, known := c.seen[id]; !known || s.isAfter(old) {
			return true
		}
	}
	return false
}

func (c *copyCodec) remember(stamps map[string]stamp) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.seen)+len(stamps) > remembers {
		clear(c.seen) // All are decoded once more.
	}
	for id, s := range stamps {
		if s.isAfter(c.seen[id]) {
			c.seen[id] = s
		}
	}
}

// The numbers of fields in dskit's ring.proto that are read without decoding the rest,
// and of those of a map's entries.
const (
	fieldIngesters = 1
	fieldTimestamp = 2
	fieldState     = 3
	fieldMapKey    = 1
	fieldMapValue  = 2
)

// stampsOf returns the stamps of the replicas that an encoded ring.Desc lists, and whether
// it could be read.
func stampsOf(message []byte) (stamps map[string]stamp, ok bool) {
	b, err := snappy.Decode(nil, message)
	if err != nil {
		return nil, false
	}
	stamps = map[string]stamp{}
	ok = eachField(b, func(number protowire.Number, _ uint64, entry []byte) bool {
		if number != fieldIngesters {
			return true
		}
		id, s, whole := entryOf(entry)
		stamps[id] = s
		return whole
	})
	return stamps, ok
}

// entryOf returns the ID and the stamp of an entry of the map in an encoded ring.Desc.
func entryOf(entry []byte) (id string, s stamp, ok bool) {
	ok = eachField(entry, func(number protowire.Number, _ uint64, content []byte) bool {
		whole := true
		switch int(number) {
		case fieldMapKey:
			id = string(content)
		case fieldMapValue:
			s, whole = stampOf(content)
		}
		return whole
	})
	return id, s, ok
}

// stampOf returns the stamp of an encoded ring.InstanceDesc.
func stampOf(replica []byte) (s stamp, ok bool) {
	ok = eachField(replica, func(number protowire.Number, value uint64, _ []byte) bool {
		switch int(number) {
		case fieldTimestamp:
			s.second = int64(value)
		case fieldState:
			s.left = value == uint64(ring.LEFT)
		}
		return true
	})
	return s, ok
}

// eachField calls a function with the number of each field of an encoded message, and its
// value, which is a number or bytes, until it returns false. It reports whether it got to
// the end.
func eachField(b []byte, do func(number protowire.Number, value uint64, content []byte) bool) bool {
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return false
		}
		b = b[n:]
		var value uint64
		var content []byte
		switch kind {
		case protowire.VarintType:
			value, n = protowire.ConsumeVarint(b)
		case protowire.BytesType:
			content, n = protowire.ConsumeBytes(b)
		default:
			n = protowire.ConsumeFieldValue(number, kind, b)
		}
		if n < 0 || !do(number, value, content) {
			return false
		}
		b = b[n:]
	}
	return true
}
