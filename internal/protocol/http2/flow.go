package http2

// sendFlow is the flow control of what we send (RFC 9113, section 5.2): how many bytes of
// bodies the server takes, over all streams and on each. Make it with newSendFlow.
type sendFlow struct {
	// window is the connection's. It is no setting, and only WINDOW_UPDATE widens it.
	window int64
	// initial is what the window of a new stream begins with.
	initial int64
}

func newSendFlow() sendFlow { return sendFlow{window: firstWindow, initial: firstWindow} }

// setInitial takes SETTINGS_INITIAL_WINDOW_SIZE and returns by how much the windows of open
// streams change, which may leave them below zero (RFC 9113, section 6.9.2).
func (f *sendFlow) setInitial(n int64) (by int64) {
	by = n - f.initial
	f.initial = n
	return by
}

// take takes as much of n bytes out of both windows as a frame of the stream may carry.
func (f *sendFlow) take(stream *int64, n int64) int {
	n = max(0, min(n, maxFrame, f.window, *stream))
	f.window -= n
	*stream -= n
	return int(n)
}

// widen adds to a window. It reports false if that is more than a window may hold (RFC 9113,
// section 6.9.1).
func widen(window *int64, by int64) bool {
	*window += by
	return *window <= maxWindow
}

// unreturned counts what of the window for the server's DATA has not been given back with
// WINDOW_UPDATE. Bodies are dropped as they come, so that the server never has to wait.
type unreturned int64

// receive counts n bytes, padding included. When half of the window is used it returns how
// much to give back; otherwise 0.
func (u *unreturned) receive(n int, window int64) (update uint32) {
	*u += unreturned(n)
	if int64(*u) < window/2 {
		return 0
	}
	update = uint32(*u)
	*u = 0
	return update
}
