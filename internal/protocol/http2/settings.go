package http2

import "encoding/binary"

// peerSettings is what the server's SETTINGS say (RFC 9113, section 6.5.2). Make it with
// newPeerSettings.
type peerSettings struct {
	// maxStreams is how many streams may be open.
	maxStreams int
	// initialWindow is what windows of streams begin with.
	initialWindow int64
	// maxHeaderBytes is how long a request's header may be.
	maxHeaderBytes int
	// tableSize is the largest dynamic table of HPACK, and lowestTable the lowest that it was
	// in the SETTINGS that were read last: the encoder has to hear of both (RFC 7541, section
	// 4.2).
	tableSize, lowestTable int
	// received says that there were any.
	received bool
}

// newPeerSettings returns what holds until a server has sent its SETTINGS, except that it is
// taken to allow so many streams.
func newPeerSettings(streams int) peerSettings {
	return peerSettings{maxStreams: streams, initialWindow: firstWindow, maxHeaderBytes: maxWindow, tableSize: tableSize, lowestTable: tableSize}
}

// read reads the payload of a SETTINGS, in order.
func (s *peerSettings) read(p []byte) *violation {
	if !s.received {
		s.received, s.maxStreams = true, maxOpen // A server that sets no limit has none.
	}
	s.lowestTable = s.tableSize
	for ; len(p) >= settingLen; p = p[settingLen:] {
		if v := s.set(setting{binary.BigEndian.Uint16(p), binary.BigEndian.Uint32(p[2:])}); v != nil {
			return v
		}
	}
	return nil
}

// set takes one setting; those that are unknown mean nothing.
func (s *peerSettings) set(x setting) *violation {
	switch x.id {
	case settingTableSize:
		s.tableSize = int(min(x.value, tableSize))
		s.lowestTable = min(s.lowestTable, s.tableSize)
	case settingPush:
		if x.value != 0 {
			return breach(codeProtocol, "SETTINGS_ENABLE_PUSH from a server")
		}
	case settingMaxStreams:
		s.maxStreams = int(min(x.value, maxOpen))
	case settingInitialWindow:
		if x.value > maxWindow {
			return breach(codeFlowControl, "SETTINGS_INITIAL_WINDOW_SIZE is out of range")
		}
		s.initialWindow = int64(x.value)
	case settingMaxFrame:
		// Our frames have the size that is always allowed: longer ones would save nothing,
		// and keep others waiting.
		if x.value < maxFrame || x.value >= 1<<24 {
			return breach(codeProtocol, "SETTINGS_MAX_FRAME_SIZE is out of range")
		}
	case settingMaxHeaderBytes:
		s.maxHeaderBytes = int(min(x.value, maxWindow))
	}
	return nil
}
