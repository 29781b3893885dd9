package protocoltest

import (
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
)

// Drive makes n exchanges of entry 0, as many at a time as there are calls. All have to go well.
func Drive(tb testing.TB, c protocol.Client, calls []protocol.Call, n int) {
	tb.Helper()
	free := make(chan *protocol.Call, len(calls))
	for i := range calls {
		call := &calls[i]
		call.Request = protocol.Request{Scenario: "bench", Segment: "1700000000-ab12", Trace: [16]byte{1}, Span: [8]byte{2}}
		call.Done = func() { free <- call }
		free <- call
	}
	take := func() *protocol.Call {
		select {
		case call := <-free:
			return call
		default:
			c.Flush()
			return <-free
		}
	}
	for i := range n {
		call := take()
		if call.Result.Failed() {
			tb.Fatal(call.Result.Err)
		}
		call.Request.Seq = uint64(i)
		c.Start(call)
	}
	c.Flush()
	for range calls {
		if call := <-free; call.Result.Failed() {
			tb.Fatal(call.Result.Err)
		}
	}
}

// BenchmarkClient measures exchanges of entry 0, as many at a time as there are calls: also the
// CPU time that the process spends on each, its server included.
func BenchmarkClient(b *testing.B, c protocol.Client, calls []protocol.Call) {
	b.Helper()
	Drive(b, c, calls, 10*len(calls))
	b.ReportAllocs()
	b.ResetTimer()
	before := CPU(b)
	Drive(b, c, calls, b.N)
	b.ReportMetric(float64(CPU(b)-before)/float64(time.Microsecond)/float64(b.N), "cpu-µs/op")
}
