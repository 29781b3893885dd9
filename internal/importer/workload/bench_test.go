package workload_test

import (
	"bytes"
	"testing"

	"github.com/traffic-exporter/traffic_exporter/internal/importer/accesslog"
	"github.com/traffic-exporter/traffic_exporter/internal/importer/logtest"
	"github.com/traffic-exporter/traffic_exporter/internal/importer/workload"
)

// BenchmarkLines reads and counts the lines of a log; an operation is a line.
func BenchmarkLines(b *testing.B) {
	var log bytes.Buffer
	if err := logtest.Write(&log, 500_000, 1); err != nil {
		b.Fatal(err)
	}
	p, err := accesslog.New("combined")
	if err != nil {
		b.Fatal(err)
	}
	c := workload.NewCounter(workload.Filter{})
	var e accesslog.Record
	var lines *accesslog.Lines
	b.ReportAllocs()
	b.SetBytes(int64(log.Len() / 500_000))
	for i := 0; b.Loop(); i++ {
		if i%490_000 == 0 {
			if lines, err = accesslog.NewLines(bytes.NewReader(log.Bytes())); err != nil {
				b.Fatal(err)
			}
		}
		line, _, err := lines.Next()
		if err != nil {
			b.Fatal(err)
		}
		if p.Parse(line, &e) == nil {
			c.Add(&e)
		}
	}
}
