package main

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestFormat(t *testing.T) {
	two := 2
	for _, c := range []struct {
		value    float64
		unit     string
		decimals *int
		want     string
	}{
		{0.00123, "s", nil, "1.23 ms"},
		{0.9999, "s", nil, "1 s"},
		{90, "s", nil, "1.5 mins"},
		{0, "s", nil, "0 s"},
		{0.5, "percentunit", nil, "50%"},
		{0.00012, "percentunit", nil, "0.012%"},
		{1.0149, "percentunit", &two, "101.49%"},
		{1234, "reqps", nil, "1.23K req/s"},
		{12.34, "ops", nil, "12.3 ops/s"},
		{math.Copysign(0, -1), "short", nil, "0"},
		{3, "short", nil, "3"},
		{1 << 20, "bytes", nil, "1 MiB"},
		{1500, "Bps", nil, "1.5 kB/s"},
		{14.4, "suffix:x", nil, "14.4x"},
		{1, "bool_yes_no", nil, "Yes"},
	} {
		if got := format(c.value, c.unit, c.decimals); got != c.want {
			t.Errorf("%v %s: got %q, want %q", c.value, c.unit, got, c.want)
		}
	}
}

func TestTicksAreRoundAndFewEnough(t *testing.T) {
	for _, a := range []axis{
		{box: box{h: 200}, low: 0, high: 1.04},
		{box: box{h: 120}, low: -0.3, high: 0.2},
		{box: box{h: 200}, low: 0, high: 40 << 20, binary: true},
		{box: box{h: 150}, low: 0.003, high: 4, log: true},
	} {
		ticks := a.ticks()
		if len(ticks) < 2 || float64(len(ticks)) > a.h/16 {
			t.Errorf("%+v: %v", a, ticks)
		}
		for i, tick := range ticks {
			if y := a.y(tick); y < -1 || y > a.h+1 || i > 0 && tick <= ticks[i-1] {
				t.Errorf("%+v: tick %v at %v", a, tick, y)
			}
		}
	}
}

func TestClassicBucketsAreTakenApart(t *testing.T) {
	bound := func(le string, v float64) line {
		return line{series: series{labels: map[string]string{"le": le}, points: []point{{at: 1, value: v}}}}
	}
	got := classicSpreads([]line{bound("0.1", 7), bound("+Inf", 9), bound("0.05", 3)})
	want := []bucket{{low: 0.025, high: 0.05, count: 3}, {low: 0.05, high: 0.1, count: 4}}
	if len(got) != 1 || !slices.Equal(got[0].buckets, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// fake responds like Prometheus, the same to all queries: a series of any labels with
// values, or nothing to those that contain a string.
func fake(t *testing.T, without string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		query := r.FormValue("query")
		switch {
		case strings.HasSuffix(r.URL.Path, "/values"):
			_, _ = io.WriteString(w, `{"status":"success","data":["one"]}`)
		case strings.HasSuffix(r.URL.Path, "/query_exemplars"):
			_, _ = io.WriteString(w, `{"status":"success","data":[]}`)
		case without != "" && strings.Contains(query, without):
			_, _ = io.WriteString(w, `{"status":"success","data":{"result":[]}}`)
		case strings.HasPrefix(query, "label_replace"):
			_, _ = io.WriteString(w, `{"status":"success","data":{"result":[{"metric":{"form":"native"},"value":[1,"-1"]}]}}`)
		case strings.HasSuffix(r.URL.Path, "/query"):
			_, _ = io.WriteString(w, `{"status":"success","data":{"result":[{"metric":{"scenario":"one","instance":"one"},"value":[1,"-1"]}]}}`)
		default:
			from, _ := strconv.Atoi(r.FormValue("start"))
			var values string
			if strings.HasPrefix(query, "sum(rate(traffic_request_duration_seconds{") {
				values = fmt.Sprintf(`"histograms":[[%d,{"buckets":[[0,"0.1","0.2","3"],[0,"0.2","0.4","1"]]}]]`, from+60)
			} else {
				values = fmt.Sprintf(`"values":[[%d,"1"],[%d,"3"],[%d,"NaN"]]`, from, from+60, from+75)
			}
			_, _ = io.WriteString(w, `{"status":"success","data":{"result":[{"metric":{"scenario":"<one>"},`+values+`}]}}`)
		}
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func TestPreviewDrawsEveryDashboard(t *testing.T) {
	files, err := filepath.Glob("../../dashboards/*.json")
	if err != nil || len(files) < 3 {
		t.Fatalf("dashboards %v, %v", files, err)
	}
	o := options{prometheus: fake(t, ""), out: t.TempDir(), chromium: "no such browser", span: 10 * time.Minute, scrape: 15 * time.Second, day: time.Minute}
	for _, file := range files {
		if err := o.preview(file); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		picture, err := os.ReadFile(filepath.Join(o.out, strings.TrimSuffix(filepath.Base(file), ".json")+".svg"))
		if err != nil {
			t.Fatal(err)
		}
		d := xml.NewDecoder(strings.NewReader(string(picture)))
		for {
			_, err := d.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s is no XML: %v", file, err)
			}
		}
		if strings.Contains(string(picture), "NaN") || strings.Contains(string(picture), "magenta") {
			t.Errorf("%s: a place that is no number, or an unknown colour", file)
		}
	}
}

func TestPreviewNamesPanelsWithoutData(t *testing.T) {
	o := options{prometheus: fake(t, "traffic_requests_total"), out: t.TempDir(), chromium: "no such browser", span: 10 * time.Minute, scrape: 15 * time.Second}
	err := o.preview("../../dashboards/scenario.json")
	if err == nil || !strings.Contains(err.Error(), `no data in "Responses by code"`) || strings.Contains(err.Error(), `"Bytes"`) {
		t.Errorf("got %v", err)
	}
}
