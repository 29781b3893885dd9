package http2

import "testing"

func TestABodyFitsIntoBothWindowsAndAFrame(t *testing.T) {
	for _, test := range []struct {
		name               string
		connection, stream int64
		n                  int64
		want               int
	}{
		{"all of it", 100, 100, 50, 50},
		{"the connection's window", 20, 100, 50, 20},
		{"the stream's window", 100, 30, 50, 30},
		{"a frame", 1 << 20, 1 << 20, 1 << 19, maxFrame},
		{"a window below zero", 100, -5, 50, 0},
		{"nothing", 100, 100, 0, 0},
	} {
		f, stream := sendFlow{window: test.connection}, test.stream
		if got := f.take(&stream, test.n); got != test.want {
			t.Errorf("%s: %d bytes, want %d", test.name, got, test.want)
		}
		if f.window != test.connection-int64(test.want) || stream != test.stream-int64(test.want) {
			t.Errorf("%s: windows of %d and %d are left", test.name, f.window, stream)
		}
	}
}

func TestTheInitialWindowMovesOpenStreams(t *testing.T) {
	f := newSendFlow()
	stream := f.initial
	f.take(&stream, 1000)
	for _, size := range []int64{100, 0, maxWindow, firstWindow} {
		stream += f.setInitial(size)
		if want := size - 1000; stream != want || f.initial != size {
			t.Errorf("a stream's window is %d, want %d", stream, want)
		}
	}
	if f.window != firstWindow-1000 {
		t.Errorf("a setting moved the connection's window to %d", f.window)
	}
}

func TestAWindowHoldsTwoGigabytes(t *testing.T) {
	window := int64(maxWindow - 10)
	if !widen(&window, 10) || widen(&window, 1) {
		t.Errorf("a window of %d", window)
	}
}

func TestWindowsAreReturnedByHalves(t *testing.T) {
	var u unreturned
	sum := 0
	for i, want := range []uint32{0, 0, 0, 0, 50, 0, 0, 0, 0, 50} {
		got := u.receive(10, 100)
		sum += int(got)
		if got != want {
			t.Errorf("after %d bytes %d are returned, want %d", 10*(i+1), got, want)
		}
	}
	if sum != 100 {
		t.Errorf("%d bytes of 100 were returned", sum)
	}
}
