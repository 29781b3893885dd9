//go:build linux

package main

import (
	"math"
	"net/http/httptest"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

func TestNativeHistogramsBetweenTwoScrapes(t *testing.T) {
	reg := prometheus.NewRegistry()
	h := prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "delay_seconds", Help: "A delay.", NativeHistogramBucketFactor: 1.1, NativeHistogramZeroThreshold: 15e-6, NativeHistogramMaxBucketNumber: 160,
	})
	c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "sent_total", Help: "What was sent."}, []string{"code"})
	reg.MustRegister(h, c)
	server := httptest.NewServer(promhttp.HandlerFor(reg, promhttp.HandlerOpts{}))
	defer server.Close()
	look := func() metrics {
		m, err := scrape(t.Context(), server.URL)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}

	for range 1000 {
		h.Observe(5) // Earlier observations do not count.
	}
	before := look()
	for i := range 1000 {
		h.Observe(float64(i+1) / 1000)
	}
	c.WithLabelValues("200").Add(3)
	c.WithLabelValues("503").Add(4)
	after := look()

	delta := after.histogram("delay_seconds").minus(before.histogram("delay_seconds"))
	for q, want := range map[float64]float64{0.1: 0.1, 0.5: 0.5, 0.99: 0.99} {
		if got := delta.quantile(q); math.Abs(got/want-1) > 0.05 {
			t.Errorf("quantile %v is %v, want %v", q, got, want)
		}
	}
	if got := after.sum("sent_total") - before.sum("sent_total"); got != 7 {
		t.Errorf("the sum is %v, want 7", got)
	}
	if before.series() != 2 || after.series() != 4 {
		t.Errorf("found %d series and then %d, want 2 and 4", before.series(), after.series())
	}
}

func TestSmallValuesAreBetweenZeroAndTheThreshold(t *testing.T) {
	h := histogram{schema: 3, zero: 10, width: 1e-5, buckets: map[int32]float64{}}
	if got := h.quantile(0.5); got != 5e-6 {
		t.Errorf("the median is %v, want 5e-6", got)
	}
}

func TestHistogramsOfTwoSchemas(t *testing.T) {
	// A bucket of schema 0 holds two of schema 1: (1,2] those up to sqrt(2) and up to 2.
	fine := histogram{schema: 1, buckets: map[int32]float64{1: 3, 2: 4, 3: 5}}
	sum := fine.add(histogram{schema: 0, buckets: map[int32]float64{1: 10}}, 1)
	if sum.schema != 0 || sum.buckets[1] != 17 || sum.buckets[2] != 5 {
		t.Errorf("found %+v, want 17 in bucket 1 and 5 in bucket 2", sum)
	}
}
