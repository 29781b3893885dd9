package http2

import "encoding/binary"

// frameReader divides what a server sends into frames (RFC 9113, section 4.1), puts header
// blocks together that come in several, and checks of each frame all that can be checked
// without knowing the streams. The zero frameReader waits for the server's greeting.
type frameReader struct {
	// greeted says that the server's first SETTINGS came.
	greeted bool
	// block is the header block of stream blockID as far as it has come; blockFlags are
	// those of its HEADERS. No block is open while blockID is 0.
	block      []byte
	blockID    uint32
	blockFlags byte
}

// inFrame is a frame as it came.
type inFrame struct {
	kind, flags byte
	id          uint32
	// length is that of the payload, with its padding.
	length int
	// payload is without padding and priority. That of a HEADERS is the whole header block;
	// that of a CONTINUATION a piece of one that is still to be completed.
	payload []byte
}

// has reports whether the frame has the flag.
func (f *inFrame) has(flag byte) bool { return f.flags&flag != 0 }

// next reads the frame at the beginning of p and returns how many bytes it took, which is 0
// if the frame is not all there. The payload is valid until next is called again, or p is
// overwritten. A violation is one of the whole connection.
func (r *frameReader) next(p []byte, f *inFrame) (n int, v *violation) {
	if len(p) < headerLen {
		return 0, nil
	}
	f.length = int(p[0])<<16 | int(p[1])<<8 | int(p[2])
	f.kind, f.flags = p[3], p[4]
	f.id = binary.BigEndian.Uint32(p[5:]) & lastStream
	switch {
	case r.greeted && r.blockID == 0 && f.length <= maxFrame: // As it should be.
	case !r.greeted && (f.kind != frameSettings || f.has(flagAck)):
		return 0, breach(codeProtocol, "it does not begin with SETTINGS") // RFC 9113, section 3.4.
	case f.length > maxFrame:
		return 0, breach(codeFrameSize, "a frame is too long") // RFC 9113, section 4.2.
	case r.blockID != 0 && (f.kind != frameContinuation || f.id != r.blockID):
		return 0, breach(codeProtocol, "a header block is interrupted") // RFC 9113, section 4.3.
	}
	n = headerLen + f.length
	if len(p) < n {
		return 0, nil
	}
	f.payload = p[headerLen:n]
	r.greeted = true
	switch f.kind {
	case frameData:
		v = f.unpad()
	case frameHeaders:
		if v = f.unpad(); v == nil {
			v = r.headers(f)
		}
	case frameContinuation:
		v = r.continuation(f)
	default:
		v = f.check()
	}
	return n, v
}

// headers begins a header block, unless the frame has all of it.
func (r *frameReader) headers(f *inFrame) *violation {
	if f.has(flagPriority) {
		if len(f.payload) < priorityLen {
			return breach(codeFrameSize, "HEADERS are too short for their priority")
		}
		f.payload = f.payload[priorityLen:]
	}
	if f.has(flagEndHeaders) {
		return nil
	}
	r.blockID, r.blockFlags = f.id, f.flags
	r.block = append(r.block[:0], f.payload...)
	f.kind = frameContinuation
	return nil
}

// continuation adds to the header block that is open. With its last piece the frame becomes
// the HEADERS that the block began with.
func (r *frameReader) continuation(f *inFrame) *violation {
	switch {
	case r.blockID == 0:
		return breach(codeProtocol, "CONTINUATION of nothing")
	case len(r.block)+len(f.payload) > maxHead:
		return breach(codeCalm, "a header block is too long")
	}
	r.block = append(r.block, f.payload...)
	if !f.has(flagEndHeaders) {
		return nil
	}
	f.kind, f.flags, f.payload = frameHeaders, r.blockFlags|flagEndHeaders, r.block
	r.blockID = 0
	if cap(r.block) > maxScratch {
		r.block = nil
	}
	return nil
}

// check checks the stream and the length of a frame that is neither DATA nor of a header
// block (RFC 9113, section 6).
func (f *inFrame) check() *violation {
	switch f.kind {
	case framePriority, frameReset:
		if f.id == 0 {
			return breach(codeProtocol, "a frame of a stream for none")
		}
	case frameSettings, framePing, frameGoAway:
		if f.id != 0 {
			return breach(codeProtocol, "a frame of the connection for a stream")
		}
	case framePush:
		return breach(codeProtocol, "PUSH_PROMISE was not allowed") // RFC 9113, section 8.4.
	}
	if !f.fits() {
		return breach(codeFrameSize, "a frame of a wrong length")
	}
	return nil
}

// fits reports whether the frame is as long as one of its kind may be.
func (f *inFrame) fits() bool {
	switch f.kind {
	case framePriority:
		return f.length == priorityLen
	case frameReset, frameWindowUpdate:
		return f.length == 4
	case framePing:
		return f.length == pingLen
	case frameGoAway:
		return f.length >= 8
	case frameSettings:
		return f.length%settingLen == 0 && (f.length == 0 || !f.has(flagAck))
	}
	return true
}

// unpad removes the padding of a frame that has to be a stream's (RFC 9113, section 6.1).
func (f *inFrame) unpad() *violation {
	if f.id == 0 {
		return breach(codeProtocol, "a frame of a stream for none")
	}
	if !f.has(flagPadded) {
		return nil
	}
	p := f.payload
	if len(p) == 0 || int(p[0]) >= len(p) {
		return breach(codeProtocol, "a frame is all padding")
	}
	f.payload = p[1 : len(p)-int(p[0])]
	return nil
}
