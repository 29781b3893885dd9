package remotewrite

import (
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// The numbers of fields, of prometheus.WriteRequest and io.prometheus.write.v2.Request and of their messages. A
// sample is the same in both.
const (
	requestSeries    = 1
	seriesLabels     = 1
	seriesSamples    = 2
	labelName        = 1
	labelValue       = 2
	sampleValue      = 1
	sampleTimestamp  = 2
	requestSymbolsV2 = 4
	requestSeriesV2  = 5
	seriesMetadataV2 = 5
	metadataType     = 1
)

// The types of metrics in version 2's metadata.
const (
	typeUnspecified = 0
	typeCounter     = 1
	typeGauge       = 2
)

// sample is a value at an instant, in milliseconds since the Unix epoch.
type sample struct {
	value float64
	at    int64
}

// buffer is where a body is put together.
type buffer struct {
	v2 bool
	// series are those of the request, encoded, and one is the present one.
	series, one []byte
	// symbols are the strings of version 2, and table their numbers.
	symbols []byte
	table   map[string]uint32
	// labels and samples are those of the present series.
	labels  []string
	samples []sample
	refs    []byte
}

// begin begins a request.
func (b *buffer) begin(v2 bool) {
	b.v2 = v2
	b.series, b.symbols = b.series[:0], b.symbols[:0]
	if !v2 {
		return
	}
	if b.table == nil {
		b.table = map[string]uint32{}
	}
	clear(b.table)
	b.symbol("") // The first has to be empty.
}

// symbol returns the number of a string in the table of version 2.
func (b *buffer) symbol(text string) uint64 {
	n, known := b.table[text]
	if !known {
		n = uint32(len(b.table))
		b.table[text] = n
		b.symbols = protowire.AppendTag(b.symbols, requestSymbolsV2, protowire.BytesType)
		b.symbols = protowire.AppendString(b.symbols, text)
	}
	return uint64(n)
}

// add adds a series with these labels, names before values, and the samples of the buffer.
func (b *buffer) add(labels []string, metric uint64) {
	b.one = b.one[:0]
	field := protowire.Number(requestSeries)
	if b.v2 {
		field = requestSeriesV2
		b.addRefs(labels)
	} else {
		b.addLabels(labels)
	}
	for _, s := range b.samples {
		b.one = protowire.AppendTag(b.one, seriesSamples, protowire.BytesType)
		b.one = protowire.AppendVarint(b.one, uint64(1+8+1+protowire.SizeVarint(uint64(s.at))))
		b.one = protowire.AppendTag(b.one, sampleValue, protowire.Fixed64Type)
		b.one = protowire.AppendFixed64(b.one, math.Float64bits(s.value))
		b.one = protowire.AppendTag(b.one, sampleTimestamp, protowire.VarintType)
		b.one = protowire.AppendVarint(b.one, uint64(s.at))
	}
	if b.v2 && metric != typeUnspecified {
		b.one = protowire.AppendTag(b.one, seriesMetadataV2, protowire.BytesType)
		b.one = protowire.AppendVarint(b.one, 2)
		b.one = protowire.AppendTag(b.one, metadataType, protowire.VarintType)
		b.one = protowire.AppendVarint(b.one, metric)
	}
	b.series = protowire.AppendTag(b.series, field, protowire.BytesType)
	b.series = protowire.AppendBytes(b.series, b.one)
}

func (b *buffer) addLabels(labels []string) {
	for i := 0; i < len(labels); i += 2 {
		name, value := labels[i], labels[i+1]
		b.one = protowire.AppendTag(b.one, seriesLabels, protowire.BytesType)
		b.one = protowire.AppendVarint(b.one, uint64(2+protowire.SizeBytes(len(name))+protowire.SizeBytes(len(value))))
		b.one = protowire.AppendTag(b.one, labelName, protowire.BytesType)
		b.one = protowire.AppendString(b.one, name)
		b.one = protowire.AppendTag(b.one, labelValue, protowire.BytesType)
		b.one = protowire.AppendString(b.one, value)
	}
}

func (b *buffer) addRefs(labels []string) {
	b.refs = b.refs[:0]
	for _, text := range labels {
		b.refs = protowire.AppendVarint(b.refs, b.symbol(text))
	}
	b.one = protowire.AppendTag(b.one, seriesLabels, protowire.BytesType)
	b.one = protowire.AppendBytes(b.one, b.refs)
}

// end returns the request. It is valid until the next one begins.
func (b *buffer) end() []byte {
	if !b.v2 {
		return b.series
	}
	b.symbols = append(b.symbols, b.series...)
	return b.symbols
}
