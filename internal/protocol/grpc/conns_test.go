package grpc_test

import (
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/protocoltest"
)

// heldConn is a connection whose writes wait until a channel is closed.
type heldConn struct {
	net.Conn
	let <-chan struct{}
}

func (c heldConn) Write(p []byte) (int, error) {
	<-c.let
	return c.Conn.Write(p)
}

func TestACallInFlightEndsOnItsConnectionAfterThatHasAged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		let := make(chan struct{})
		conns := make(chan struct{}, 1)
		w := new(protocoltest.ConnRecorder)
		o := protocoltest.Pipe(t, false, func(c net.Conn) {
			select {
			case conns <- struct{}{}: // The first one.
				c = heldConn{c, let}
			default:
			}
			responder(c)
		})
		o.Observer, o.MaxConnAge, o.Timeout = w, 10*time.Second, time.Minute
		c := open(t, optionsOf(o, "Unary", `{"text": "hi"}`))
		ended := make(chan struct{})
		first := &protocol.Call{Done: func() { close(ended) }}
		c.Start(first)
		c.Flush()
		time.Sleep(12 * time.Second)
		if r := send(c, nil); r.Failed() {
			t.Errorf("a call after the age of the first connection: %v", r.Err)
		}
		if opened, closed := w.Counts(); opened != 2 || closed != 0 {
			t.Errorf("%d connections opened, %d closed, want 2 and none while a call is in flight", opened, closed)
		}
		close(let)
		<-ended
		if r := first.Result; r.Failed() || r.Code != "OK" {
			t.Errorf("the call in flight: code %q, error %v", r.Code, r.Err)
		}
		synctest.Wait()
		if _, closed := w.Counts(); closed != 1 {
			t.Errorf("%d connections closed, want the one that has aged", closed)
		}
	})
}

func TestAnIdleConnectionIsClosedWhenItHasAged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := new(protocoltest.ConnRecorder)
		o := protocoltest.Pipe(t, false, responder)
		o.Observer, o.MaxConnAge = w, 10*time.Second
		c := open(t, optionsOf(o, "Unary", `{"text": "hi"}`))
		for range 8 {
			if r := send(c, nil); r.Failed() {
				t.Fatal(r.Err)
			}
			time.Sleep(time.Second)
		}
		if opened, closed := w.Counts(); opened != 1 || closed != 0 {
			t.Errorf("%d connections opened, %d closed after eight seconds", opened, closed)
		}
		time.Sleep(4 * time.Second)
		if _, closed := w.Counts(); closed != 1 {
			t.Errorf("%d connections closed after twelve seconds", closed)
		}
	})
}

func TestOneClientCallsWithTLSAndWithout(t *testing.T) {
	handle := respond(0, "", message(0, hello))
	secure := protocoltest.Flavour{Major: 2, TLS: true, H2: true}.Serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.TLS == nil {
			t.Error("a call to an https URL without TLS")
		}
		handle(w, r)
	})
	plain := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.TLS != nil {
			t.Error("a call to an http URL with TLS")
		}
		handle(w, r)
	})
	o := secure
	o.Entries = []httpreq.Entry{secure.Entries[0], plain.Entries[0]}
	w := new(protocoltest.ConnRecorder)
	o.Observer = w
	c := open(t, optionsOf(o, "Unary", `{"text": "hi"}`))
	for range 2 {
		for entry := range o.Entries {
			done := make(chan struct{})
			call := &protocol.Call{Request: protocol.Request{Entry: entry}, Done: func() { close(done) }}
			c.Start(call)
			c.Flush()
			<-done
			if r := call.Result; r.Failed() || r.Code != "OK" {
				t.Errorf("entry %d: code %q, error %v", entry, r.Code, r.Err)
			}
		}
	}
	if opened, _ := w.Counts(); opened != 2 {
		t.Errorf("%d connections opened, want one for each server", opened)
	}
}
