//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"net/http"
	"slices"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
)

// metrics are the families of one scrape, by name.
type metrics map[string]*dto.MetricFamily

// scrape asks for metrics by protobuf, which native histograms travel by.
func scrape(ctx context.Context, url string) (metrics, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", string(expfmt.NewFormat(expfmt.TypeProtoDelim)))
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, fmt.Errorf("scrape: %w", err)
	}
	defer func() { _ = answer.Body.Close() }()
	decoder := expfmt.NewDecoder(answer.Body, expfmt.ResponseFormat(answer.Header))
	all := metrics{}
	for {
		var family dto.MetricFamily
		switch err := decoder.Decode(&family); {
		case errors.Is(err, io.EOF):
			return all, nil
		case err != nil:
			return nil, fmt.Errorf("scrape: %w", err)
		}
		all[family.GetName()] = &family
	}
}

// sum adds up a family of counters or gauges.
func (m metrics) sum(name string) float64 {
	var sum float64
	for _, s := range m[name].GetMetric() {
		sum += s.GetCounter().GetValue() + s.GetGauge().GetValue()
	}
	return sum
}

// series returns how many series a scrape of the same in the text format would have.
func (m metrics) series() int {
	n := 0
	for _, family := range m {
		for _, s := range family.GetMetric() {
			switch {
			case s.GetHistogram() != nil:
				n += len(s.GetHistogram().GetBucket()) + 2 // The sum and the count.
			case s.GetSummary() != nil:
				n += len(s.GetSummary().GetQuantile()) + 2
			default:
				n++
			}
		}
	}
	return n
}

// histogram adds up the native histograms of a family.
func (m metrics) histogram(name string) histogram {
	sum := histogram{schema: math.MaxInt32}
	for _, s := range m[name].GetMetric() {
		if h := s.GetHistogram(); h != nil {
			sum = sum.add(newHistogram(h), 1)
		}
	}
	return sum
}

// histogram is a native histogram of values that are not negative. The bucket i ends at
// 2 to the power of i/2^schema.
type histogram struct {
	schema  int32
	zero    float64 // The count of values up to width.
	width   float64
	buckets map[int32]float64
}

func newHistogram(h *dto.Histogram) histogram {
	n := histogram{schema: h.GetSchema(), zero: float64(h.GetZeroCount()), width: h.GetZeroThreshold(), buckets: map[int32]float64{}}
	deltas := h.GetPositiveDelta()
	var index int32
	var count int64
	for _, span := range h.GetPositiveSpan() {
		index += span.GetOffset()
		for range span.GetLength() {
			if len(deltas) == 0 {
				return n
			}
			count += deltas[0]
			deltas = deltas[1:]
			n.buckets[index] = float64(count)
			index++
		}
	}
	return n
}

// minus returns the observations since an earlier state.
func (h histogram) minus(earlier histogram) histogram { return h.add(earlier, -1) }

// add adds another one, times a factor, at the coarser of the two schemas.
func (h histogram) add(o histogram, factor float64) histogram {
	schema := min(h.schema, o.schema)
	h, o = h.coarse(schema), o.coarse(schema)
	sum := histogram{schema: schema, zero: h.zero + factor*o.zero, width: max(h.width, o.width), buckets: maps.Clone(h.buckets)}
	for i, n := range o.buckets {
		sum.buckets[i] += factor * n
	}
	return sum
}

// coarse returns the histogram at a schema that is not finer.
func (h histogram) coarse(schema int32) histogram {
	c := histogram{schema: schema, zero: h.zero, width: h.width, buckets: map[int32]float64{}}
	// The schema of an empty histogram may be beyond all shifts.
	by := min(h.schema-schema, 31)
	for i, n := range h.buckets {
		c.buckets[(i-1)>>by+1] += n
	}
	return c
}

// quantile returns the q-quantile; within a bucket values are assumed to be spread
// evenly on a logarithmic scale. NaN of none.
func (h histogram) quantile(q float64) float64 {
	total := h.zero
	for _, n := range h.buckets {
		total += n
	}
	if total <= 0 {
		return 0
	}
	rank := q * total
	if rank <= h.zero {
		return h.width * rank / h.zero
	}
	rank -= h.zero
	bound := func(i int32) float64 { return math.Exp2(float64(i) / math.Exp2(float64(h.schema))) }
	indices := slices.Sorted(maps.Keys(h.buckets))
	for _, i := range indices {
		n := h.buckets[i]
		if rank <= n {
			low := max(bound(i-1), h.width)
			return low * math.Pow(bound(i)/low, rank/n)
		}
		rank -= n
	}
	return bound(indices[len(indices)-1])
}
