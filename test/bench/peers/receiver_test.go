//go:build linux

package main

import (
	"context"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// receive runs a receiver, lets do send to it, and returns its records.
func receive(t *testing.T, s script, do func(url string)) []record {
	t.Helper()
	r, err := newReceiver(s, true, func(int64) {})
	if err != nil {
		t.Fatal(err)
	}
	address, err := r.address()
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.serve(ctx) }()
	do("http://" + address.String() + "/")
	stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	return r.records
}

// get sends n requests, one after the other.
func get(t *testing.T, transport *http.Transport, url string, n int) {
	t.Helper()
	client := &http.Client{Transport: transport}
	defer transport.CloseIdleConnections()
	for range n {
		answer, err := client.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		_, err = io.Copy(io.Discard, answer.Body)
		_ = answer.Body.Close()
		if err != nil || answer.StatusCode != http.StatusOK {
			t.Fatalf("found the status %d, %v", answer.StatusCode, err)
		}
	}
}

func TestReceiverSpeaksBothProtocols(t *testing.T) {
	var one, two http.Protocols
	one.SetHTTP1(true)
	two.SetUnencryptedHTTP2(true)
	for name, protocols := range map[string]*http.Protocols{"HTTP/1.1": &one, "HTTP/2": &two} {
		t.Run(name, func(t *testing.T) {
			begin := time.Now().UnixNano()
			const latency = 20 * time.Millisecond
			records := receive(t, script{P50: latency, P99: latency}, func(url string) {
				get(t, &http.Transport{Protocols: protocols}, url, 5)
			})
			if len(records) != 5 {
				t.Fatalf("found %d records, want 5", len(records))
			}
			// The kernel may take a moment to begin with it.
			if !records[4].Stamped {
				t.Error("the kernel does not stamp what arrives")
			}
			for _, r := range records {
				if r.Arrived < begin || time.Duration(r.Responded-r.Arrived) < latency {
					t.Errorf("found %+v, want it to arrive after %d and answered %v later", r, begin, latency)
				}
				if r.Conn != records[0].Conn {
					t.Error("the connection was not kept")
				}
			}
		})
	}
}

func TestAConnectionTakesPieces(t *testing.T) {
	request := "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
	for size := range len(request) {
		c := &conn{}
		first, err := c.take([]byte(request[:size]))
		if err != nil || len(first.streams) != 0 {
			t.Fatalf("found %v, %v after %d bytes", first.streams, err, size)
		}
		then, err := c.take([]byte(request[size:] + request))
		if err != nil || len(then.streams) != 2 || len(c.buffer) != 0 {
			t.Fatalf("found %v, %v after all", then.streams, err)
		}
	}
}

func TestAConnectionTakesPiecesOfFrames(t *testing.T) {
	said := slices.Concat([]byte(preface), frame(frameSettings, 0, 0, nil), frame(framePing, 0, 0, make([]byte, 8)),
		frame(frameHeaders, flagEndStream|flagEndHeader, 1, []byte{0x82}), frame(frameHeaders, flagEndStream|flagEndHeader, 3, []byte{0x82}))
	for size := range len(said) {
		c := &conn{}
		a, err := c.take(said[:size])
		if err != nil {
			t.Fatal(err)
		}
		b, err := c.take(said[size:])
		if err != nil {
			t.Fatal(err)
		}
		if streams := slices.Concat(a.streams, b.streams); !slices.Equal(streams, []uint32{1, 3}) {
			t.Fatalf("found the streams %v after %d bytes, want 1 and 3", streams, size)
		}
		want := slices.Concat(frame(frameSettings, 0, 0, nil), frame(frameSettings, flagAck, 0, nil), frame(framePing, flagAck, 0, make([]byte, 8)))
		if reply := slices.Concat(a.reply, b.reply); !slices.Equal(reply, want) {
			t.Fatalf("found the reply %v after %d bytes, want %v", reply, size, want)
		}
	}
}

func TestWhatIsNotHTTPIsRefused(t *testing.T) {
	for _, said := range []string{"POST / HTTP/1.1\r\n\r\n", "PRI * HTTP/3\r\n\r\n", preface + string(frame(frameHeaders, 0, 1, nil))} {
		if _, err := (&conn{}).take([]byte(said)); err == nil {
			t.Errorf("%q was taken", said)
		}
	}
}

func TestRecordsSurviveTheFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "records")
	want := []record{{Conn: 1, Stamped: true, Arrived: 2, Responded: 3}, {Conn: 4, Arrived: 1 << 60}}
	if err := writeRecords(file, want); err != nil {
		t.Fatal(err)
	}
	if got, err := readRecords(file); err != nil || !slices.Equal(got, want) {
		t.Errorf("found %v, %v, want %v", got, err, want)
	}
}
