package dial_test

import (
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/dial"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/protocoltest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pair returns a Conn and its peer.
func pair(t *testing.T, w protocol.ConnObserver) (*dial.Conn, net.Conn) {
	t.Helper()
	l := protocoltest.Listen(t)
	near, err := new(net.Dialer).DialContext(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	far, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	c, err := dial.NewConn(near, w)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Close()
		c.Wait()
		_ = far.Close()
	})
	return c, far
}

func TestWriteDoesNotWaitForThePeer(t *testing.T) {
	w := new(protocoltest.ConnRecorder)
	c, far := pair(t, w)
	var want []byte
	for i := range 64 { // More than any socket takes.
		piece := make([]byte, 1<<18)
		piece[0], piece[len(piece)-1] = byte(i), byte(i)
		if n, err := c.Write(piece); n != len(piece) || err != nil {
			t.Fatal(n, err)
		}
		want = append(want, piece...)
	}
	got := make([]byte, len(want))
	if _, err := io.ReadFull(far, got); err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Error("the peer got something else, or in another order")
	}
	protocoltest.Eventually(t, "all is written", func() bool { return !c.Unwritten() })
	if sent, _ := w.Bytes(); sent != len(want) {
		t.Errorf("%d bytes were counted of %d", sent, len(want))
	}
}

func TestAPeerThatNeverReadsIsGivenUp(t *testing.T) {
	c, _ := pair(t, protocol.Discard{})
	piece := make([]byte, 1<<23)
	var err error
	for i := 0; i < 20 && err == nil; i++ {
		_, err = c.Write(piece)
	}
	if !errors.Is(err, dial.ErrPending) {
		t.Errorf("got %v", err)
	}
	if _, err = c.Read(piece); !errors.Is(err, dial.ErrPending) {
		t.Errorf("reading, got %v", err)
	}
}

// TestFailEndsAReadThatWaits does it to a connection as it is, and to one that has been
// reset and that the system has forgotten.
func TestFailEndsAReadThatWaits(t *testing.T) {
	cause := errors.New("because")
	for _, reset := range []bool{false, true} {
		c, far := pair(t, protocol.Discard{})
		if _, err := io.WriteString(far, "last words"); err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 100)
		if n, err := c.Read(buf); n != 10 || err != nil {
			t.Fatal(n, err)
		}
		parked := make(chan struct{})
		result := make(chan error, 1)
		c.BeforeWait(func() {
			if reset { // It is not noticed by the Read that is about to wait.
				_ = far.(*net.TCPConn).SetLinger(0)
				_ = far.Close()
			}
			close(parked)
		})
		go func() {
			_, err := c.Read(buf)
			result <- err
		}()
		<-parked
		c.Fail(cause)
		select {
		case err := <-result:
			// Read may have returned the reset before.
			if !errors.Is(err, cause) && (!reset || !errors.Is(err, syscall.ECONNRESET)) {
				t.Errorf("reset %t: got %v", reset, err)
			}
		case <-time.After(protocoltest.Long):
			t.Errorf("reset %t: it still waits", reset)
		}
	}
}

func TestWhatHasComeIsReadBeforeTheFailure(t *testing.T) {
	c, far := pair(t, protocol.Discard{})
	if _, err := io.WriteString(far, "last words"); err != nil {
		t.Fatal(err)
	}
	_ = far.(*net.TCPConn).SetLinger(0)
	_ = far.Close()
	var err error
	protocoltest.Eventually(t, "writing fails", func() bool { _, err = c.Write([]byte("x")); return err != nil })
	buf := make([]byte, 4)
	var got string
	for {
		n, readErr := c.Read(buf)
		got += string(buf[:n])
		if readErr != nil {
			if !errors.Is(readErr, err) {
				t.Errorf("writing failed as %v, reading as %v", err, readErr)
			}
			break
		}
	}
	if got != "last words" {
		t.Errorf("got %q", got)
	}
	if _, again := c.Write([]byte("x")); !errors.Is(again, err) {
		t.Errorf("writing again fails as %v", again)
	}
}

func TestReadReportsHowItEnds(t *testing.T) {
	for _, test := range []struct {
		name string
		end  func(c *dial.Conn, far net.Conn)
		want error
	}{
		{"in order", func(_ *dial.Conn, far net.Conn) { _ = far.Close() }, io.EOF},
		{"by a reset", func(_ *dial.Conn, far net.Conn) { _ = far.(*net.TCPConn).SetLinger(0); _ = far.Close() }, syscall.ECONNRESET},
		{"by us", func(c *dial.Conn, _ net.Conn) { _ = c.Close() }, net.ErrClosed},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, far := pair(t, protocol.Discard{})
			go test.end(c, far)
			if _, err := c.Read(make([]byte, 10)); !errors.Is(err, test.want) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestAConnectionNeedsNoDescriptor goes over net.Pipe, whose Write waits for the reader.
func TestAConnectionNeedsNoDescriptor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		w := new(protocoltest.ConnRecorder)
		c, err := dial.NewConn(near, w)
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if n, failed := c.Write([]byte("hello ")); n != 6 || failed != nil {
				t.Fatal(n, failed)
			}
		}
		if !c.Unwritten() {
			t.Error("nobody reads, but all is written")
		}
		got := make([]byte, 18)
		if _, err = io.ReadFull(far, got); err != nil || string(got) != "hello hello hello " {
			t.Errorf("got %q, %v", got, err)
		}
		synctest.Wait()
		if c.Unwritten() {
			t.Error("all is read, but not written")
		}
		parked := false
		c.BeforeWait(func() { parked = true })
		go func() {
			time.Sleep(time.Second)
			_, _ = io.WriteString(far, "goodbye")
			_ = far.Close()
		}()
		n, err := c.Read(got)
		if string(got[:n]) != "goodbye" || err != nil || !parked {
			t.Errorf("got %q, %v; parked: %t", got[:n], err, parked)
		}
		if _, err = c.Read(got); !errors.Is(err, io.EOF) {
			t.Errorf("got %v", err)
		}
		if sent, received := w.Bytes(); sent != 18 || received != 7 {
			t.Errorf("%d bytes were sent and %d received", sent, received)
		}
		_ = c.Close()
		c.Wait()
	})
}

// TestAResponseComesAfterTheRequestIsWritten is for callers that check whether a connection
// can be used again: a request that has its response has been written.
func TestAResponseComesAfterTheRequestIsWritten(t *testing.T) {
	near, far := protocoltest.BufferedPipe()
	c, err := dial.NewConn(near, protocol.Discard{})
	if err != nil {
		t.Fatal(err)
	}
	var echo sync.WaitGroup
	echo.Go(func() { _, _ = io.Copy(far, far) })
	buf := make([]byte, 100)
	for range 1000 {
		if _, err = c.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		if _, err = c.Read(buf); err != nil {
			t.Fatal(err)
		}
		if c.Unwritten() {
			t.Fatal("the response came before the request was written")
		}
	}
	_ = c.Close()
	c.Wait()
	echo.Wait()
}

// TestATrickleIsReadInLargerPieces has a peer that writes a byte every 10 µs: what it costs
// to read them is bounded by the time that they take.
func TestATrickleIsReadInLargerPieces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := protocoltest.BufferedPipe()
		c, err := dial.NewConn(ours, protocol.Discard{})
		if err != nil {
			t.Fatal(err)
		}
		const all = 100_000
		go func() {
			for range all {
				_, _ = theirs.Write([]byte("x"))
				time.Sleep(10 * time.Microsecond)
			}
			_ = theirs.Close()
		}()
		buf := make([]byte, 4096)
		reads, got := 0, 0
		for {
			n, err := c.Read(buf)
			got += n
			if err != nil {
				break
			}
			reads++
		}
		_ = c.Close()
		c.Wait()
		// A thousand at first, and then one for each millisecond of a second.
		if got != all || reads > 2100 {
			t.Errorf("%d reads for %d bytes", reads, got)
		}
	})
}
