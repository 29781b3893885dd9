package http3

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/quic-go/qpack"
	"github.com/quic-go/quic-go/quicvarint"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/uri"
)

// fieldsOf decodes a HEADERS frame.
func fieldsOf(t *testing.T, b []byte) (fields []qpack.HeaderField) {
	t.Helper()
	r := bufio.NewReader(bytes.NewReader(b))
	f, err := readFrame(r)
	if err != nil || f.kind != frameHeaders {
		t.Fatalf("frame of kind %d, error %v", f.kind, err)
	}
	block, err := readBlock(r, f, maxHead)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = r.ReadByte(); !errors.Is(err, io.EOF) {
		t.Error("something follows the frame")
	}
	next := qpack.NewDecoder().Decode(block)
	for {
		field, err := next()
		if errors.Is(err, io.EOF) {
			return fields
		}
		if err != nil {
			t.Fatal(err)
		}
		fields = append(fields, field)
	}
}

func TestTheHeadHasItsFieldsInTheOrderOfTheFile(t *testing.T) {
	u, err := uri.Parse("https://a.test:8443/b?c")
	if err != nil {
		t.Fatal(err)
	}
	all, err := httpreq.NewStatuses(httpreq.StatusRange{First: 200, Last: 299})
	if err != nil {
		t.Fatal(err)
	}
	o := httpreq.Options{
		Protocol: httpreq.HTTP3, ConnectTimeout: time.Second, Timeout: time.Second, MaxResponseBytes: 1, MaxConns: 1,
		SlotHeader: true, Traceparent: true, Token: func() []string { return []string{"Bearer b"} }, UserAgent: "agent",
		Entries: []httpreq.Entry{{
			Method: "POST", URL: u, Body: []byte("body"), Expect: all,
			Fields: []protocol.Field{{Name: "Zeta", Value: "1"}, {Name: "alpha", Value: "2"}, {Name: "ZETA", Value: "3"}, {Name: "X-Empty"}},
		}},
	}
	m, err := o.Prepare(protocol.HTTP3)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Dialer.Close()
	e := newEntry(&m.Prepared[0], nil)
	call := &protocol.Call{Request: protocol.Request{Scenario: "s", Segment: "g", Seq: 7, Trace: [16]byte{1}, Span: [8]byte{2}, Sampled: true}}
	x := exchange{client: &client{varying: m.Varying}, call: call, entry: &e}
	b, size := x.head(0)
	want := []qpack.HeaderField{
		{Name: ":method", Value: "POST"},
		{Name: ":authority", Value: "a.test:8443"},
		{Name: ":scheme", Value: "https"},
		{Name: ":path", Value: "/b?c"},
		{Name: "zeta", Value: "1"},
		{Name: "alpha", Value: "2"},
		{Name: "zeta", Value: "3"},
		{Name: "x-empty"},
		{Name: "user-agent", Value: "agent"},
		{Name: "content-length", Value: "4"},
		{Name: "traffic-slot", Value: "s/g/7"},
		{Name: "traceparent", Value: "00-01000000000000000000000000000000-0200000000000000-01"},
		{Name: "authorization", Value: "Bearer b"},
	}
	got := fieldsOf(t, b)
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	counted := uint64(0)
	for _, f := range want {
		counted += uint64(len(f.Name)+len(f.Value)) + 32
	}
	if size != counted {
		t.Errorf("the fields count %d, want %d", size, counted)
	}
}

func TestCredentialsAreNeverPutIntoATable(t *testing.T) {
	for name, bit := range map[string]byte{"authorization": 0x20, "proxy-authorization": 0x10, "accept": 0, "x-other": 0} {
		s := newSection()
		s.add(name, "value")
		if first := s.fields()[0]; first&0xe0 == 0x20 && first&0x10 != bit || first&0xc0 == 0x40 && first&0x20 != bit || first&0x80 != 0 {
			t.Errorf("%s begins with %08b", name, first)
		}
	}
}

// FuzzResponses reads arbitrary bytes from a stream: it ends, and every accepted field is valid.
func FuzzResponses(f *testing.F) {
	f.Add([]byte("\x01\x03\x00\x00\xd9\x00\x01a"))
	f.Add([]byte("\x04\x02\x06\x10\x07\x01\x04"))
	f.Add(quicvarint.Append([]byte{1}, 1<<50))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bufio.NewReader(bytes.NewReader(b))
		for {
			f, err := readFrame(r)
			if err != nil {
				return
			}
			block, err := readBlock(r, f, maxControl)
			if err != nil {
				return
			}
			if uint64(len(block)) != f.length {
				t.Fatalf("%d bytes of a frame of %d", len(block), f.length)
			}
			_, _ = parseSettings(block)
			var h head
			if h.decode(block) != nil {
				continue
			}
			for _, field := range h.fields {
				if !h.add(field.Name, field.Value) && field.Name != "content-length" {
					t.Fatalf("%q was taken, and is refused", field.Name)
				}
			}
		}
	})
}
