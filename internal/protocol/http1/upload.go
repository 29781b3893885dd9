package http1

import (
	"sync"
	"sync/atomic"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
)

// uploader sends bodies that are generated: piece by piece, each when the network has taken the
// one before. The zero uploader sends nothing.
type uploader struct {
	// rest is the rest of the body, still to be sent; the connection's writing guards it.
	rest httpreq.Upload
	// unfinished says that a piece after the present one is to come.
	unfinished atomic.Bool
	// drained wakes the goroutine, and running is that.
	drained chan struct{}
	running sync.WaitGroup
}

// appendFirst takes a body that is generated, and appends its first piece to a head.
func (k *conn) appendFirst(b []byte, p *httpreq.Prepared) []byte {
	u := &k.upload
	u.rest = p.Upload()
	b = u.next(b)
	if !u.unfinished.Load() {
		return b
	}
	if u.drained == nil {
		u.drained = make(chan struct{}, 1)
		k.under.WhenWritten(u.wake)
	}
	return b
}

// next appends the next piece. From then on unfinished says whether it was not the last.
func (u *uploader) next(b []byte) []byte {
	n := min(bodyBuffer, u.rest.Len())
	b = u.rest.Append(b, int(n))
	u.unfinished.Store(u.rest.Len() > 0)
	return b
}

// wake has the goroutine look at the connection.
func (u *uploader) wake() {
	select {
	case u.drained <- struct{}{}:
	default:
	}
}

// stop ends the upload on a connection that has a cause to end, and waits for that.
func (u *uploader) stop() {
	if u.drained != nil {
		u.wake()
		u.running.Wait()
	}
}

// sendRest sends the rest of a body.
func (k *conn) sendRest() {
	buf, _ := k.client.requests.Get().(*[]byte)
	defer k.client.requests.Put(buf)
	for {
		for k.cause.Load() == nil && k.under.Unwritten() {
			<-k.upload.drained
		}
		if !k.sendNext(buf) {
			return
		}
	}
}

// sendNext sends the next piece, and reports whether it was not the last.
func (k *conn) sendNext(buf *[]byte) (more bool) {
	k.writing.Lock()
	defer k.writing.Unlock()
	if k.cause.Load() != nil {
		return false
	}
	*buf = k.upload.next((*buf)[:0])
	// Behind the last piece the connection may be somebody else's.
	more = k.upload.unfinished.Load()
	_, err := k.write(*buf)
	return err == nil && more
}
