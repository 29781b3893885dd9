package httpreq

// Source is a body that is generated while it is sent, so that nobody holds it. Its bytes follow
// from their offsets alone: it can be sent again, from any offset, with the same bytes.
// Implementations are immutable and safe for concurrent use.
type Source interface {
	// Size returns the length of the body in bytes.
	Size() int64
	// AppendAt appends n bytes of the body from an offset on. They lie within Size.
	AppendAt(dst []byte, offset int64, n int) []byte
}

// Upload is the unsent rest of the body of one request. The zero Upload is empty.
type Upload struct {
	held   []byte
	source Source
	offset int64
}

// NewUpload returns the upload of a body that is held in memory.
func NewUpload(body []byte) Upload { return Upload{held: body} }

// Upload returns the whole body of the request.
func (p *Prepared) Upload() Upload { return Upload{held: p.Body, source: p.Source} }

// Generated returns the length in bytes of a body that is generated; 0 if there is none.
func (p *Prepared) Generated() int64 {
	if p.Source == nil {
		return 0
	}
	return p.Source.Size()
}

// Held returns the unsent rest of a body that is held in memory; nil for one that is
// generated.
func (u *Upload) Held() []byte { return u.held }

// Len returns how many bytes are still to be sent.
func (u *Upload) Len() int64 {
	if u.source != nil {
		return u.source.Size() - u.offset
	}
	return int64(len(u.held))
}

// Append appends the next n bytes and takes them off. At least n must be left.
func (u *Upload) Append(dst []byte, n int) []byte {
	if u.source != nil {
		dst = u.source.AppendAt(dst, u.offset, n)
		u.offset += int64(n)
		return dst
	}
	dst = append(dst, u.held[:n]...)
	u.held = u.held[n:]
	return dst
}
