package web

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// attack writes frames until the server has had enough.
type attack func(f *http2.Framer, request []byte) error

// attacks are those on servers of HTTP/2 that have had names.
func attacks() map[string]attack {
	return map[string]attack{
		// CVE-2023-44487
		"rapid reset": each(func(f *http2.Framer, request []byte, stream uint32) error {
			if err := f.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: request, EndHeaders: true, EndStream: true}); err != nil {
				return err
			}
			return f.WriteRSTStream(stream, http2.ErrCodeCancel)
		}),
		// CVE-2023-45288
		"continuations": each(func(f *http2.Framer, request []byte, stream uint32) error {
			if stream == 1 {
				return f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: request})
			}
			return f.WriteContinuation(1, false, bytes.Repeat(request, 100))
		}),
		// CVE-2019-9512 and CVE-2019-9515
		"pings":    each(func(f *http2.Framer, _ []byte, _ uint32) error { return f.WritePing(false, [8]byte{}) }),
		"settings": each(func(f *http2.Framer, _ []byte, _ uint32) error { return f.WriteSettings() }),
		// CVE-2019-9511 and CVE-2019-9517: responses that nobody reads, in windows of 0 bytes.
		"streams that do not read": each(func(f *http2.Framer, request []byte, stream uint32) error {
			if stream == 1 {
				if err := f.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize}); err != nil {
					return err
				}
			}
			return f.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: request, EndHeaders: true, EndStream: true})
		}),
		"a header that never ends": func(f *http2.Framer, request []byte) error {
			return f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: request[:1]})
		},
	}
}

// each is an attack that does something on one stream after the other.
func each(do func(f *http2.Framer, request []byte, stream uint32) error) attack {
	return func(f *http2.Framer, request []byte) error {
		for stream := uint32(1); stream < 1<<20; stream += 2 {
			if err := do(f, request, stream); err != nil {
				return err
			}
		}
		return nil
	}
}

// metricsRequest is a request for the metrics, in HPACK.
func metricsRequest(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	e := hpack.NewEncoder(&b)
	for _, f := range [][2]string{{":method", "GET"}, {":scheme", "https"}, {":authority", "a"}, {":path", "/metrics"}} {
		if err := e.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]}); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

func TestHTTP2IsNotSpoken(t *testing.T) {
	_, file, client := secure(t)
	addr := startAt(t, &stubs{webConfig: file})
	resp, err := client.Get("https://" + addr + "/-/healthy")
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.ProtoMajor != 1 || resp.TLS.NegotiatedProtocol == "h2" {
		t.Errorf("got %s by %q", resp.Proto, resp.TLS.NegotiatedProtocol)
	}
}

func TestAttacksByHTTP2KeepNobodyOut(t *testing.T) {
	for name, run := range attacks() {
		t.Run(name, func(t *testing.T) {
			_, file, client := secure(t)
			addr := startAt(t, &stubs{webConfig: file, series: 4 << 20})
			request := metricsRequest(t)
			ctx, cancel := context.WithCancel(t.Context())
			var attackers sync.WaitGroup
			defer attackers.Wait()
			defer cancel()
			ended := make(chan time.Duration, 1<<10)
			for range 2 {
				attackers.Go(func() {
					for ctx.Err() == nil {
						select {
						case ended <- strike(addr, request, run):
						case <-ctx.Done():
						}
					}
				})
			}
			if code, body := get(t, client, addr, "/metrics"); code != http.StatusOK || len(body) < 4<<20 {
				t.Errorf("/metrics: got %d and %d bytes", code, len(body))
			}
			if code, _ := get(t, client, addr, "/-/healthy"); code != http.StatusOK {
				t.Errorf("/-/healthy: got %d", code)
			}
			if took := <-ended; took > readHeaderTimeout+patience {
				t.Errorf("an attack went on for %v", took)
			}
		})
	}
}

// strike attacks over one connection until the server closes it, and returns how long it took.
func strike(addr string, request []byte, run attack) time.Duration {
	begin := time.Now()
	d := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2", "http/1.1"}}}
	nc, err := d.Dial("tcp", addr)
	if err != nil {
		return time.Since(begin)
	}
	defer func() { _ = nc.Close() }()
	_ = nc.SetDeadline(begin.Add(readHeaderTimeout + patience))
	if _, err := io.WriteString(nc, http2.ClientPreface); err != nil {
		return time.Since(begin)
	}
	f := http2.NewFramer(nc, nc)
	if f.WriteSettings() == nil && run(f, request) == nil {
		_, _ = io.Copy(io.Discard, nc) // It waits for the server to close.
	}
	return time.Since(begin)
}
