// Package remotewrite makes the bodies of Prometheus' remote write, of both versions of the protocol
// (https://prometheus.io/docs/specs/prw/remote_write_spec/ and .../remote_write_spec_2_0/): series with samples, as protobuf,
// compressed by snappy. What they hold follows from the slot.
package remotewrite

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/golang/snappy"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
	"github.com/traffic-exporter/traffic_exporter/internal/script"
)

// Options are what a Body is made from.
type Options struct {
	// V2 says that it is the protocol's version 2, and otherwise version 1.
	V2 bool
	// Shards is into how many parts the series are divided: a slot has that of its number. At least 1.
	Shards int
	Sets   []Set
}

// Set is series that have the same labels, with other values: one for each combination of the elements of
// Each, which templates know by their names.
type Set struct {
	Labels []Label
	Each   []Dimension
	// Value is what samples have: one of these that is not nil.
	Value   *script.Template
	Counter *Counter
	Gauge   *script.Decimal
	// Samples is how many each series has. The last is as old as the slot's due time, and the others are Every apart.
	Samples int
	Every   time.Duration
}

// Label is a label with its value. One whose value is empty is left out.
type Label struct {
	Name  string
	Value script.Template
}

// Dimension is a name with its elements.
type Dimension struct {
	Name     string
	Elements []script.Value
}

// Counter is a value that grows by so much a second, since the Unix epoch.
type Counter struct{ PerSecond float64 }

// Body makes bodies. It is immutable and safe for concurrent use.
type Body struct {
	v2     bool
	shards int
	sets   []set
	// buffers are what bodies are put together in.
	buffers sync.Pool
}

var _ httpreq.DraftBody = (*Body)(nil)

// set is a Set with its names resolved.
type set struct {
	Set

	// first is the number of its first series, and count how many they are.
	first, count int
	// constant are the labels of all series, one after the other, names before values, if they are always the same.
	constant [][]string
}

// localBase is the index of the first name of Each: those of the scope have lower ones.
const localBase = math.MaxInt / 2

// New returns a Body. Its error names what the scope does not know.
func New(o Options, scope func(name string) (index int, ok bool)) (*Body, error) {
	b := &Body{v2: o.V2, shards: max(1, o.Shards)}
	b.buffers.New = func() any { return &buffer{} }
	first := 0
	for _, s := range o.Sets {
		bound, err := s.bind(scope)
		if err != nil {
			return nil, err
		}
		bound.first = first
		first += bound.count
		b.sets = append(b.sets, bound)
	}
	return b, nil
}

// bind returns the set with its names resolved, its labels sorted, and made if they do not vary.
func (s Set) bind(outer func(string) (int, bool)) (set, error) {
	varies := false
	scope := func(name string) (int, bool) {
		if i := slices.IndexFunc(s.Each, func(d Dimension) bool { return d.Name == name }); i >= 0 {
			return localBase + i, true
		}
		varies = true
		return outer(name)
	}
	labels := slices.Clone(s.Labels)
	slices.SortFunc(labels, func(a, b Label) int { return cmp.Compare(a.Name, b.Name) })
	var err error
	for i := range labels {
		if labels[i].Value, err = labels[i].Value.Bind(scope); err != nil {
			return set{}, err
		}
	}
	labelsVary := varies
	if s.Value != nil {
		var value script.Template
		if value, err = s.Value.Bind(scope); err != nil {
			return set{}, err
		}
		s.Value = &value
	}
	s.Labels = labels
	out := set{Set: s, count: 1}
	for _, d := range s.Each {
		out.count *= len(d.Elements)
	}
	if !labelsVary {
		out.constant = make([][]string, out.count)
		for i := range out.constant {
			if out.constant[i], err = out.render(nil, out.within(nil, i)); err != nil {
				return set{}, err
			}
		}
	}
	return out, nil
}

// within returns the values that the templates of a series have.
func (s *set) within(outer script.Values, i int) within {
	w := within{Values: outer, each: make([]script.Value, len(s.Each))}
	for k := len(s.Each) - 1; k >= 0; k-- {
		n := len(s.Each[k].Elements)
		w.each[k] = s.Each[k].Elements[i%n]
		i /= n
	}
	return w
}

// within are values among which are the elements of a series.
type within struct {
	script.Values

	each []script.Value
}

// Value implements script.Values.
func (w within) Value(index int) (script.Value, error) {
	if index >= localBase {
		return w.each[index-localBase], nil
	}
	return w.Values.Value(index)
}

// labels returns the labels of a series, names before values.
func (s *set) labels(dst []string, i int, w within) ([]string, error) {
	if s.constant != nil {
		return s.constant[i], nil
	}
	return s.render(dst[:0], w)
}

func (s *set) render(dst []string, w within) ([]string, error) {
	for _, l := range s.Labels {
		value, err := l.Value.Text(w)
		if err != nil {
			return dst, fmt.Errorf("label %q: %w", l.Name, err)
		}
		if value != "" {
			dst = append(dst, l.Name, value)
		}
	}
	return dst, nil
}

// Append implements httpreq.DraftBody.
func (b *Body) Append(dst []byte, v script.Values) ([]byte, error) {
	buf, _ := b.buffers.Get().(*buffer)
	defer b.buffers.Put(buf)
	buf.begin(b.v2)
	shard := int(v.Slot().Seq % uint64(b.shards))
	for i := range b.sets {
		if err := b.sets[i].append(buf, v, shard, b.shards); err != nil {
			return dst, err
		}
	}
	raw := buf.end()
	n := len(dst)
	dst = slices.Grow(dst, snappy.MaxEncodedLen(len(raw)))
	return dst[:n+len(snappy.Encode(dst[n:cap(dst)], raw))], nil
}

// append appends those series of the set that are of a shard.
func (s *set) append(buf *buffer, v script.Values, shard, shards int) error {
	skip := (shard - s.first%shards + shards) % shards
	for i := skip; i < s.count; i += shards {
		var w within
		if s.constant == nil || s.Value != nil {
			w = s.within(v, i)
		}
		labels, err := s.labels(buf.labels, i, w)
		if err != nil {
			return err
		}
		if s.constant == nil {
			buf.labels = labels
		}
		if err := s.samples(buf, v, w, i); err != nil {
			return err
		}
		buf.add(labels, s.metricType())
	}
	return nil
}

// metricType returns the type of version 2's metadata.
func (s *set) metricType() uint64 {
	switch {
	case s.Counter != nil:
		return typeCounter
	case s.Gauge != nil:
		return typeGauge
	default:
		return typeUnspecified
	}
}

// samples puts the samples of a series into the buffer.
func (s *set) samples(buf *buffer, v script.Values, w within, i int) error {
	buf.samples = buf.samples[:0]
	slot := v.Slot()
	fixed := 0.0
	if s.Value != nil {
		text, err := s.Value.Text(w)
		if err != nil {
			return fmt.Errorf("value: %w", err)
		}
		if fixed, err = strconv.ParseFloat(text, 64); err != nil {
			return fmt.Errorf("value: %q is no number", text)
		}
	}
	for k := range s.Samples {
		at := slot.Due.Add(-time.Duration(s.Samples-1-k) * s.Every).UnixMilli()
		value := fixed
		switch {
		case s.Counter != nil:
			value = s.Counter.PerSecond * (float64(at) / 1000)
		case s.Gauge != nil:
			value = s.Gauge.At(v, uint64(s.first+i)*uint64(s.Samples)+uint64(k))
		}
		buf.samples = append(buf.samples, sample{value, at})
	}
	return nil
}
