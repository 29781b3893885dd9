package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/golang/snappy"
	"github.com/grafana/dskit/kv"
	"github.com/grafana/dskit/kv/codec"
	"github.com/grafana/dskit/kv/memberlist"
	"github.com/grafana/dskit/ring"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/traffic-exporter/traffic_exporter/internal/mesh"
)

// entry is a replica's last heartbeat, from itself or by gossip. It is passed on unread, and
// decoded once, when it is first looked at. It is safe for concurrent use.
type entry struct {
	stamp
	// content is an encoded ring.InstanceDesc. It is not modified.
	content []byte
	// at is when it was received, and heard says that it counts as a heartbeat: it is not the one
	// with which a replica was registered in the gossip's ring.
	at    time.Time
	heard bool

	once  sync.Once
	words *words
}

// newEntry returns the entry of an encoded ring.InstanceDesc, and whether its stamp could be
// read.
func newEntry(content []byte) (*entry, bool) {
	s, ok := stampOf(content)
	return &entry{stamp: s, content: content, at: time.Now()}, ok
}

// leave returns the entry of a replica that has left since: its last words stay.
func (e *entry) leave(s stamp) *entry {
	return &entry{stamp: s, content: e.content, at: time.Now(), heard: e.heard}
}

// said returns what the entry says, nil if that cannot be read. It is not modified.
func (e *entry) said() *words {
	e.once.Do(func() { e.words = readWords(e.content) })
	return e.words
}

// isGossip reports whether the entry is of a replica that hears nothing but the gossip.
func (e *entry) isGossip() bool {
	w := e.said()
	return w != nil && w.of(fieldDirect) == 0
}

// decode returns the entry as dskit knows it.
func (e *entry) decode() (d ring.InstanceDesc, err error) {
	err = d.Unmarshal(e.content)
	return d, err
}

// entryFor returns the entry of a replica's description.
func entryFor(d ring.InstanceDesc) (*entry, error) {
	content, err := d.Marshal()
	if err != nil {
		return nil, fmt.Errorf("encode a heartbeat: %w", err)
	}
	e, _ := newEntry(content)
	return e, nil
}

// listing is a ring.Desc as the gossip holds it: the replicas by ID. Copies share their
// entries. News reaches each replica up to a dozen times, so that most messages bring nothing
// new, and the others change one entry of many.
type listing map[string]*entry

var _ memberlist.Mergeable = (*listing)(nil)

// Merge implements memberlist.Mergeable by the rules of ring.Desc.
func (l *listing) Merge(other memberlist.Mergeable, localCAS bool) (memberlist.Mergeable, error) {
	o, ok := other.(*listing)
	if !ok {
		return nil, fmt.Errorf("merge heartbeats: found %T", other)
	}
	if o == nil {
		return nil, nil //nolint:nilnil // No change is nil, by the interface's contract.
	}
	changed := listing{}
	for id, e := range *o {
		var known stamp
		if own := (*l)[id]; own != nil {
			known = own.stamp
		}
		if e.isAfter(known) {
			(*l)[id], changed[id] = e, e
		}
	}
	if localCAS {
		l.bury(*o, changed, time.Now())
	}
	if len(changed) == 0 {
		return nil, nil //nolint:nilnil // Likewise.
	}
	return &changed, nil
}

// bury marks the entries as left that another listing has not, and adds them to the changed
// ones.
func (l *listing) bury(others, changed listing, now time.Time) {
	for id, e := range *l {
		if others[id] != nil || e.left {
			continue
		}
		d, _ := e.decode() // What cannot be read leaves as well.
		d.State, d.Tokens, d.Timestamp = ring.LEFT, nil, now.Unix()
		if left, err := entryFor(d); err == nil {
			(*l)[id], changed[id] = left, left
		}
	}
}

// MergeContent implements memberlist.Mergeable.
func (l *listing) MergeContent() []string { return slices.Collect(maps.Keys(*l)) }

// RemoveTombstones implements memberlist.Mergeable.
func (l *listing) RemoveTombstones(limit time.Time) (total, removed int) {
	for id, e := range *l {
		switch {
		case !e.left:
		case limit.IsZero() || time.Unix(e.second, 0).Before(limit):
			delete(*l, id)
			removed++
		default:
			total++
		}
	}
	return total, removed
}

// Clone implements memberlist.Mergeable.
func (l *listing) Clone() memberlist.Mergeable {
	c := maps.Clone(*l)
	return &c
}

// MarshalJSON implements json.Marshaler, for people who look at the gossip.
func (l *listing) MarshalJSON() ([]byte, error) { return json.Marshal(l.desc()) }

// desc returns the listing as dskit knows it, without entries that cannot be read. What it
// refers to must not be modified.
func (l *listing) desc() *ring.Desc {
	desc := &ring.Desc{Ingesters: make(map[string]ring.InstanceDesc, len(*l))}
	for id, e := range *l {
		if d, err := e.decode(); err == nil {
			desc.Ingesters[id] = d
		}
	}
	return desc
}

// listingOf returns the listing of a description, with the entries of an older one where
// their stamps are the same.
func listingOf(desc *ring.Desc, old listing) (*listing, error) {
	l := make(listing, len(desc.Ingesters))
	for id, d := range desc.Ingesters {
		e := old[id]
		if s := (stamp{second: d.Timestamp, left: d.State == ring.LEFT}); e == nil || e.stamp != s {
			var err error
			if e, err = entryFor(d); err != nil {
				return nil, err
			}
		}
		l[id] = e
	}
	return &l, nil
}

// listingCodec reads and writes listings as messages of ring.Desc, whose entries it leaves
// as they are.
type listingCodec struct{}

var _ codec.Codec = listingCodec{}

// CodecID implements codec.Codec.
func (listingCodec) CodecID() string { return ring.GetCodec().CodecID() }

// Encode implements codec.Codec.
func (listingCodec) Encode(value any) ([]byte, error) {
	l, ok := value.(*listing)
	if !ok {
		return nil, fmt.Errorf("encode heartbeats: found %T", value)
	}
	var all, one []byte
	for id, e := range *l {
		one = protowire.AppendTag(one[:0], fieldMapKey, protowire.BytesType)
		one = protowire.AppendString(one, id)
		one = protowire.AppendTag(one, fieldMapValue, protowire.BytesType)
		one = protowire.AppendBytes(one, e.content)
		all = protowire.AppendTag(all, fieldIngesters, protowire.BytesType)
		all = protowire.AppendBytes(all, one)
	}
	return snappy.Encode(nil, all), nil
}

// errNoHeartbeats is returned for bytes that are no message.
var errNoHeartbeats = errors.New("decode heartbeats: not a message of a ring")

// Decode implements codec.Codec.
func (listingCodec) Decode(message []byte) (any, error) {
	b, err := snappy.Decode(nil, message)
	if err != nil {
		return nil, fmt.Errorf("decode heartbeats: %w", err)
	}
	l := listing{}
	if !mesh.EachField(b, func(number int, _ uint64, content []byte) bool {
		if number != fieldIngesters {
			return true
		}
		id, e, ok := entryOf(content)
		l[id] = e
		return ok
	}) {
		return nil, errNoHeartbeats
	}
	return &l, nil
}

// listingClient is a client of the gossip whose values are dskit's.
type listingClient struct{ kv.Client }

var _ kv.Client = listingClient{}

// Get implements kv.Client.
func (c listingClient) Get(ctx context.Context, key string) (any, error) {
	value, err := c.Client.Get(ctx, key)
	return descOf(value), err
}

// WatchKey implements kv.Client.
func (c listingClient) WatchKey(ctx context.Context, key string, f func(any) bool) {
	c.Client.WatchKey(ctx, key, func(value any) bool { return f(descOf(value)) })
}

// CAS implements kv.Client.
func (c listingClient) CAS(ctx context.Context, key string, f func(in any) (out any, retry bool, err error)) error {
	return c.Client.CAS(ctx, key, func(in any) (any, bool, error) {
		out, retry, err := f(descOf(in))
		desc, ok := out.(*ring.Desc)
		if err != nil || !ok || desc == nil {
			return nil, retry, err
		}
		var old listing
		if l, ok := in.(*listing); ok && l != nil {
			old = *l
		}
		l, err := listingOf(desc, old)
		if err != nil {
			return nil, false, err
		}
		return l, retry, nil
	})
}

// descOf returns the description of a value that the gossip holds, nil if that is none.
func descOf(value any) any {
	if l, ok := value.(*listing); ok && l != nil {
		return l.desc()
	}
	return nil
}
