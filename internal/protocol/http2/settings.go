package http2

import "encoding/binary"

// gotSettings deals with SETTINGS.
func (c *conn) gotSettings(flags byte, id uint32, p []byte) *violation {
	switch {
	case id != 0:
		return breach(codeProtocol, "SETTINGS for a stream")
	case flags&flagAck != 0:
		if len(p) != 0 {
			return breach(codeFrameSize, "SETTINGS are acknowledged with more")
		}
		return c.useless()
	case len(p)%6 != 0:
		return breach(codeFrameSize, "SETTINGS of a wrong length")
	}
	if !c.greeted {
		// A server that sets no limit has none.
		c.greeted, c.limit = true, maxOpen
	}
	settings := len(p) / 6
	for ; len(p) > 0; p = p[6:] {
		if v := c.set(setting{binary.BigEndian.Uint16(p), binary.BigEndian.Uint32(p[2:])}); v != nil {
			return v
		}
	}
	c.out = appendAck(c.out)
	c.urgent = true
	c.origin.learned.Store(int32(c.limit))
	c.room()
	return c.costs(1 + settings/8)
}

// set takes one setting.
func (c *conn) set(s setting) *violation {
	switch s.id {
	case settingTableSize:
		c.encoder.resize(int(min(s.value, tableSize)))
	case settingPush:
		if s.value != 0 {
			return breach(codeProtocol, "it wants to be pushed to")
		}
	case settingMaxStreams:
		c.limit = int(min(s.value, maxOpen))
	case settingInitialWindow:
		return c.setWindow(int64(s.value))
	case settingMaxFrame:
		if s.value < maxFrame || s.value >= 1<<24 {
			return breach(codeProtocol, "SETTINGS_MAX_FRAME_SIZE is out of range")
		}
		// Longer frames save nothing, and keep others waiting.
	case settingMaxHeaderBytes:
		c.peer.headerList = int(min(s.value, maxWindow))
	}
	return nil
}

// setWindow takes the size that streams' windows begin with. Those that are open change
// by the difference, and may have less than nothing left.
func (c *conn) setWindow(n int64) *violation {
	if n > maxWindow {
		return breach(codeFlowControl, "SETTINGS_INITIAL_WINDOW_SIZE is out of range")
	}
	by := n - c.peer.window
	c.peer.window = n
	for s := c.streamsByDeadline.first; s != nil; s = s.links[byDeadline].next {
		if s.window += by; s.window > maxWindow {
			return breach(codeFlowControl, "SETTINGS_INITIAL_WINDOW_SIZE overflows a window")
		}
	}
	return nil
}

// gotWindow deals with WINDOW_UPDATE.
func (c *conn) gotWindow(id uint32, p []byte) *violation {
	if len(p) != 4 {
		return breach(codeFrameSize, "WINDOW_UPDATE of a wrong length")
	}
	by := int64(binary.BigEndian.Uint32(p) & maxWindow)
	if id == 0 {
		return c.widen(by)
	}
	if v := c.known(id); v != nil {
		return v
	}
	if s := c.streams.get(id); s != nil {
		switch s.window += by; {
		case by == 0:
			c.fault(s, breach(codeProtocol, "WINDOW_UPDATE by nothing"))
		case s.window > maxWindow:
			c.fault(s, breach(codeFlowControl, "WINDOW_UPDATE overflows a stream's window"))
		case len(s.body) > 0:
			c.urgent = true
		}
	}
	return c.useless()
}

// widen widens the connection's window.
func (c *conn) widen(by int64) *violation {
	switch c.window += by; {
	case by == 0:
		return breach(codeProtocol, "WINDOW_UPDATE by nothing")
	case c.window > maxWindow:
		return breach(codeFlowControl, "WINDOW_UPDATE overflows the connection's window")
	case c.bodies.first != nil:
		c.urgent = true
	}
	return c.useless()
}
