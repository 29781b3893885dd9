package http2

import (
	"bytes"
	"encoding/hex"
	"io"
	"testing"

	lib "golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// nginxBlock is the header block of a small file's response by nginx 1.22 with add_header for a
// request id and HSTS, as captured. nginx has no table: each of its blocks is all literals.
const nginxBlock = "887689aa6355e580ae212e1f6196dc34fd282794d27eea080271403b7196ae09953168df5f87497ca58ae819aa5c033230306c" +
	"96dc34fd282794d27eea080271403b7196ae082a62d1bf00832a47378bfe5c8c03799964588f7f3f0089f2b585ed6950958d2797294a46c0e3b2c8" +
	"f3a408db6630caf086cb8e0a4249293f0091426c3112b26c1d48acf625641496d864fa9aa47e561cc58190b6cb80003ed43544a2d90bbad8ef9e91" +
	"9aa47f008919085ad2b583aa62a3848fd24a8f"

// blocksOf returns the header blocks of n responses with these fields, as a server with an
// encoder like the library's sends them: Go's, and gRPC's for Go.
func blocksOf(n int, fields func(i int) [][2]string) (blocks [][]byte) {
	var out bytes.Buffer
	e := hpack.NewEncoder(&out)
	for i := range n {
		for _, f := range fields(i) {
			_ = e.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]})
		}
		blocks = append(blocks, bytes.Clone(out.Bytes()))
		out.Reset()
	}
	return blocks
}

// responseBlocks are header blocks that real servers send, by server; the first comes once, and
// the last again and again.
func responseBlocks(tb testing.TB) map[string][][]byte {
	tb.Helper()
	nginx, err := hex.DecodeString(nginxBlock)
	if err != nil {
		tb.Fatal(err)
	}
	return map[string][][]byte{
		"nginx": {nginx, nginx},
		"go": blocksOf(2, func(int) [][2]string {
			return [][2]string{{":status", "200"}, {"content-type", "application/json"}, {"content-length", "200"}, {"date", "Sat, 28 Nov 2026 07:34:23 GMT"}}
		}),
		"grpc": blocksOf(4, func(i int) [][2]string {
			if i%2 == 0 {
				return [][2]string{{":status", "200"}, {"content-type", "application/grpc"}}
			}
			return [][2]string{{"grpc-status", "0"}, {"grpc-message", ""}}
		})[2:3],
	}
}

// BenchmarkHPACK decodes the header block of one response: with our decoder, and with the
// library's, whose fields are judged alike.
func BenchmarkHPACK(b *testing.B) {
	for _, server := range []string{"nginx", "go", "grpc"} {
		blocks := responseBlocks(b)[server]
		if server == "grpc" {
			blocks = blocksOf(2, func(int) [][2]string { return [][2]string{{":status", "200"}, {"content-type", "application/grpc"}} })
		}
		last := blocks[len(blocks)-1]
		b.Run(server+"/ours", func(b *testing.B) {
			t := newTables()
			d := newDecoder(t)
			var h head
			for _, block := range blocks {
				h.reset(headTap{})
				d.decode(block, &h)
			}
			b.ReportAllocs()
			for b.Loop() {
				h.reset(headTap{})
				if !d.decode(last, &h) || h.status != 200 {
					b.Fatal("not decoded")
				}
			}
		})
		b.Run(server+"/library", func(b *testing.B) {
			t := newTables()
			var h head
			d := hpack.NewDecoder(tableSize, func(f hpack.HeaderField) {
				h.add(t.classify([]byte(f.Name), []byte(f.Value)), len(f.Name)+len(f.Value)+fieldOverhead)
			})
			decode := func(block []byte) bool {
				h.reset(headTap{})
				_, err := d.Write(block)
				return err == nil && d.Close() == nil
			}
			for _, block := range blocks {
				decode(block)
			}
			b.ReportAllocs()
			for b.Loop() {
				if !decode(last) || h.status != 200 {
					b.Fatal("not decoded")
				}
			}
		})
	}
}

// BenchmarkFrames reads the two frames of a small response from memory: as the connection
// does, out of its buffer, and with the library's Framer.
func BenchmarkFrames(b *testing.B) {
	response := []byte(frame(frameHeaders, flagEndHeaders, 1, "\x88\x88\x88") + frame(frameData, flagEndStream, 1, string(make([]byte, 200))))
	b.Run("ours", func(b *testing.B) {
		r := frameReader{greeted: true}
		var f inFrame
		b.ReportAllocs()
		for b.Loop() {
			for p := response; len(p) > 0; {
				n, v := r.next(p, &f)
				if v != nil || n == 0 {
					b.Fatal(v)
				}
				p = p[n:]
			}
		}
	})
	b.Run("library", func(b *testing.B) {
		r := bytes.NewReader(response)
		f := lib.NewFramer(io.Discard, r)
		f.SetReuseFrames()
		b.ReportAllocs()
		for b.Loop() {
			r.Reset(response)
			for range 2 {
				if _, err := f.ReadFrame(); err != nil {
					b.Fatal(err)
				}
			}
		}
	})
}
