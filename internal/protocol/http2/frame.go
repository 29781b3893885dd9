package http2

import (
	"encoding/binary"
	"fmt"
)

// Types of frames (RFC 9113, section 6).
const (
	frameData = iota
	frameHeaders
	framePriority
	frameReset
	frameSettings
	framePush
	framePing
	frameGoAway
	frameWindowUpdate
	frameContinuation
)

// Flags of frames. An acknowledgement and the end of a stream have the same bit, of
// different frames.
const (
	flagAck        = 0x1
	flagEndStream  = 0x1
	flagEndHeaders = 0x4
	flagPadded     = 0x8
	flagPriority   = 0x20
)

// Settings (RFC 9113, section 6.5.2).
const (
	settingTableSize      = 0x1
	settingPush           = 0x2
	settingMaxStreams     = 0x3
	settingInitialWindow  = 0x4
	settingMaxFrame       = 0x5
	settingMaxHeaderBytes = 0x6
)

const (
	// preface is what a client says first.
	preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
	// headerLen is the length of a frame's header, and priorityLen, pingLen and settingLen
	// are those of fixed parts of payloads.
	headerLen   = 9
	priorityLen = 5
	pingLen     = 8
	settingLen  = 6
	// maxFrame is the longest payload that either side takes unless it says otherwise.
	maxFrame = 1 << 14
	// maxWindow is the most that a window of flow control can hold.
	maxWindow = 1<<31 - 1
	// firstWindow is every window's size unless somebody says otherwise.
	firstWindow = 1<<16 - 1
	// lastStream is the highest id of a stream that a client may open.
	lastStream = 1<<31 - 1
)

// code is why a stream or a connection ends (RFC 9113, section 7).
type code uint32

// The codes.
const (
	codeNone code = iota
	codeProtocol
	codeInternal
	codeFlowControl
	codeSettingsTimeout
	codeStreamClosed
	codeFrameSize
	codeRefused
	codeCancel
	codeCompression
	codeConnect
	codeCalm
	codeSecurity
	codeHTTP11
)

// String returns the code's name.
func (c code) String() string {
	names := [...]string{
		"NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT",
		"STREAM_CLOSED", "FRAME_SIZE_ERROR", "REFUSED_STREAM", "CANCEL", "COMPRESSION_ERROR",
		"CONNECT_ERROR", "ENHANCE_YOUR_CALM", "INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED",
	}
	if int(c) < len(names) {
		return names[c]
	}
	return fmt.Sprintf("code %#x", uint32(c))
}

// appendHeader appends the header of a frame.
func appendHeader(b []byte, n int, kind, flags byte, id uint32) []byte {
	b = append(b, byte(n>>16), byte(n>>8), byte(n), kind, flags)
	return binary.BigEndian.AppendUint32(b, id)
}

// appendNumber appends a frame whose payload is one number: RST_STREAM or WINDOW_UPDATE.
func appendNumber(b []byte, kind byte, id, n uint32) []byte {
	return binary.BigEndian.AppendUint32(appendHeader(b, 4, kind, 0, id), n)
}

// appendPing appends a PING.
func appendPing(b []byte, flags byte, data []byte) []byte {
	return append(appendHeader(b, len(data), framePing, flags, 0), data...)
}

// appendGoAway appends a GOAWAY. A client has no streams of the server's to name.
func appendGoAway(b []byte, why code) []byte {
	b = appendHeader(b, 8, frameGoAway, 0, 0)
	b = binary.BigEndian.AppendUint32(b, 0)
	return binary.BigEndian.AppendUint32(b, uint32(why))
}

// setting is one setting of a SETTINGS frame.
type setting struct {
	id    uint16
	value uint32
}

// appendSettings appends a SETTINGS.
func appendSettings(b []byte, settings ...setting) []byte {
	b = appendHeader(b, settingLen*len(settings), frameSettings, 0, 0)
	for _, s := range settings {
		b = binary.BigEndian.AppendUint16(b, s.id)
		b = binary.BigEndian.AppendUint32(b, s.value)
	}
	return b
}

// appendAck appends the acknowledgement of a SETTINGS.
func appendAck(b []byte) []byte {
	return appendHeader(b, 0, frameSettings, flagAck, 0)
}
