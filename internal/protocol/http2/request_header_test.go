package http2

import (
	"fmt"
	"strings"
	"testing"

	"golang.org/x/net/http2/hpack"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/protocoltest"
)

// headersOf returns the header block of frames for a stream, how many frames it is in and
// whether it ends the stream.
func headersOf(t *testing.T, frames []byte, id uint32) (block []byte, n int, end bool) {
	t.Helper()
	r := frameReader{greeted: true}
	var f inFrame
	for len(frames) > 0 {
		used, v := r.next(frames, &f)
		if v != nil || used == 0 || f.id != id {
			t.Fatalf("stream %d, %d bytes of %d, %v", f.id, used, len(frames), v)
		}
		frames = frames[used:]
		n++
	}
	if f.kind != frameHeaders || !f.has(flagEndHeaders) {
		t.Fatal("the block has no end")
	}
	return f.payload, n, f.has(flagEndStream)
}

func TestHeadersSayWhatIsMeant(t *testing.T) {
	o := protocoltest.Options(t, "https://[fe80::1%25eth0]:8443/a%2Fb?c")
	e := &o.Entries[0]
	e.Method, e.Body = "POST", []byte("body")
	e.Fields = []protocol.Field{{Name: "X-Upper", Value: "Value"}, {Name: "X-Long", Value: strings.Repeat("\x80", 3*maxFrame)}}
	p, err := e.Prepare("agent")
	if err != nil {
		t.Fatal(err)
	}
	tables := newTables()
	set := fieldSet{tables: tables, ids: make(map[[2]string]uint32)}
	x := set.entry(0, &p, nil)
	h := newHeaderEncoder(set.fields, 1, httpreq.Varying{Slot: true, Trace: true})
	d := hpack.NewDecoder(tableSize, nil)
	for i := range 3 {
		id := uint32(1 + 2*i)
		j := &job{call: &protocol.Call{Request: protocol.Request{Scenario: "s", Segment: "g", Seq: uint64(i), Trace: [16]byte{1}, Span: [8]byte{2}, Sampled: true}}, entry: &x, upload: p.Upload()}
		b, ok := h.append([]byte("before"), j, id, maxWindow)
		if !ok || string(b[:6]) != "before" {
			t.Fatal("not appended")
		}
		block, frames, end := headersOf(t, b[6:], id)
		if frames != 4 || end {
			t.Errorf("%d frames, the end of the stream: %t", frames, end)
		}
		fields, err := d.DecodeFull(block)
		if err != nil {
			t.Fatal(err)
		}
		var got strings.Builder
		for _, f := range fields {
			if f.Name != "x-long" {
				fmt.Fprintf(&got, "%s=%s\n", f.Name, f.Value)
			}
		}
		want := ":method=POST\n:authority=" + p.Authority + "\n:scheme=https\n:path=/a%2Fb?c\nx-upper=Value\nuser-agent=agent\ncontent-length=4\n" +
			fmt.Sprintf("traffic-slot=s/g/%d\ntraceparent=00-01000000000000000000000000000000-0200000000000000-01\n", i)
		if got.String() != want {
			t.Errorf("got\n%swant\n%s", got.String(), want)
		}
		if same, fits := h.append(b[:6], j, id, 1000); fits || len(same) != 6 {
			t.Error("a header that is longer than the server takes is sent")
		}
	}
}
