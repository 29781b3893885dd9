package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/traffic-exporter/traffic_exporter/dashboards/grafana"
)

// server asks a Prometheus server about a time range.
type server struct {
	url        string
	start, end time.Time
	step, day  time.Duration
	values     grafana.Values
}

var _ grafana.Server = (*server)(nil)

// series is one line of a response.
type series struct {
	labels map[string]string
	points []point
	// spreads are the samples of a native histogram.
	spreads []spread
}

// point is a sample at a time in Unix seconds.
type point struct{ at, value float64 }

// spread is a native histogram at a time.
type spread struct {
	at      float64
	buckets []bucket
}

// bucket is a part of a histogram.
type bucket struct{ low, high, count float64 }

// builtIn adds the variables that Grafana always has.
func (s *server) builtIn(values grafana.Values, scrape time.Duration) grafana.Values {
	all := maps.Clone(values)
	window := max(s.step+scrape, 4*scrape)
	all["__rate_interval"] = promDuration(window)
	all["__interval"] = promDuration(s.step)
	all["__range"] = promDuration(s.end.Sub(s.start))
	return all
}

func promDuration(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) + "ms" }

// ask queries a target over the range, or at its end.
func (s *server) ask(expr string, instant bool) ([]series, error) {
	text, err := s.values.Interpolate(expr)
	if err != nil {
		return nil, err
	}
	text = regexp.MustCompile(`offset 1([dw])`).ReplaceAllStringFunc(text, func(m string) string {
		if strings.HasSuffix(m, "w") {
			return "offset " + promDuration(7*s.day)
		}
		return "offset " + promDuration(s.day)
	})
	form := url.Values{"query": {text}}
	if instant {
		form.Set("time", stamp(s.end))
		return s.get("query", form)
	}
	form.Set("start", stamp(s.start))
	form.Set("end", stamp(s.end))
	form.Set("step", strconv.FormatFloat(s.step.Seconds(), 'f', -1, 64))
	return s.get("query_range", form)
}

func stamp(t time.Time) string { return strconv.FormatInt(t.Unix(), 10) }

// LabelValues is part of grafana.Server.
func (s *server) LabelValues(selector, label string) ([]string, error) {
	var all []string
	err := s.call("label/"+label+"/values", url.Values{"match[]": {selector}, "start": {stamp(s.start)}, "end": {stamp(s.end)}}, &all)
	return all, err
}

// QueryResult is part of grafana.Server.
func (s *server) QueryResult(expr string) ([]string, error) {
	answer, err := s.get("query", url.Values{"query": {expr}, "time": {stamp(s.end)}})
	var lines []string
	for _, one := range answer {
		var labels []string
		for _, name := range slices.Sorted(maps.Keys(one.labels)) {
			labels = append(labels, fmt.Sprintf("%s=%q", name, one.labels[name]))
		}
		last := one.points[len(one.points)-1]
		lines = append(lines, fmt.Sprintf("{%s} %v %.0f", strings.Join(labels, ","), last.value, last.at*1000))
	}
	return lines, err
}

// get asks for series.
func (s *server) get(path string, form url.Values) ([]series, error) {
	var data struct {
		Result []struct {
			Metric     map[string]string
			Value      *sample
			Values     []sample
			Histograms []histogram
		}
	}
	if err := s.call(path, form, &data); err != nil {
		return nil, err
	}
	var all []series
	for _, r := range data.Result {
		one := series{labels: r.Metric}
		if r.Value != nil {
			r.Values = append(r.Values, *r.Value)
		}
		for _, v := range r.Values {
			if !math.IsNaN(v.value) && !math.IsInf(v.value, 0) {
				one.points = append(one.points, point(v))
			}
		}
		for _, h := range r.Histograms {
			one.spreads = append(one.spreads, spread(h))
		}
		all = append(all, one)
	}
	return all, nil
}

// call asks the API.
func (s *server) call(path string, form url.Values, into any) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/api/v1/"+path+"?"+form.Encode(), http.NoBody)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	var answer struct {
		Error           string
		Warnings, Infos []string
		Data            json.RawMessage
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return fmt.Errorf("%s: %s: %w", path, resp.Status, err)
	}
	if notes := append(answer.Warnings, answer.Infos...); answer.Error != "" || len(notes) > 0 {
		return errors.New(strings.Join(append(notes, answer.Error), "; ") + ": " + form.Get("query"))
	}
	return json.Unmarshal(answer.Data, into)
}

// sample is a pair of a time and a string with a number.
type sample point

// UnmarshalJSON reads [time, "value"].
func (s *sample) UnmarshalJSON(b []byte) error {
	var text string
	pair := []any{&s.at, &text}
	if err := json.Unmarshal(b, &pair); err != nil {
		return err
	}
	v, err := strconv.ParseFloat(text, 64)
	s.value = v
	return err
}

// histogram is a pair of a time and a histogram.
type histogram spread

// UnmarshalJSON reads [time, {"buckets": [[rule, "low", "high", "count"], ...]}].
func (h *histogram) UnmarshalJSON(b []byte) error {
	var body struct{ Buckets [][]any }
	pair := []any{&h.at, &body}
	if err := json.Unmarshal(b, &pair); err != nil {
		return err
	}
	for _, raw := range body.Buckets {
		var number [3]float64
		for i := range number {
			text, _ := raw[i+1].(string)
			v, err := strconv.ParseFloat(text, 64)
			if err != nil {
				return err
			}
			number[i] = v
		}
		h.buckets = append(h.buckets, bucket{low: number[0], high: number[1], count: number[2]})
	}
	return nil
}

// exemplarsOf returns the exemplars of the series that an expression reads.
func (s *server) exemplarsOf(expr string) []point {
	text, err := s.values.Interpolate(expr)
	if err != nil {
		return nil
	}
	var data []struct {
		Exemplars []struct {
			Value     string
			Timestamp float64
		}
	}
	if err := s.call("query_exemplars", url.Values{"query": {text}, "start": {stamp(s.start)}, "end": {stamp(s.end)}}, &data); err != nil {
		return nil
	}
	var all []point
	for _, d := range data {
		for _, e := range d.Exemplars {
			if v, err := strconv.ParseFloat(e.Value, 64); err == nil {
				all = append(all, point{at: e.Timestamp, value: v})
			}
		}
	}
	return all
}
