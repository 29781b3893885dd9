package http1

// maxRecent is the longest head that is remembered, in bytes.
const maxRecent = 1 << 10

// recentHead is the last head of a connection, and what it says. Most servers send the same
// head again and again, and another one each second, for its date: to compare the bytes takes
// a small part of the time of reading them. The zero recentHead is empty.
type recentHead struct {
	text []byte
	// says is the response behind the head, without its taps.
	says response
}

// feed is the response's own, but takes a head that has come before as read.
func (h *recentHead) feed(r *response, p []byte) (used int, err error) {
	if r.stage != stageStatus || r.heads > 0 {
		return r.feed(p)
	}
	if used = h.recall(r, p); used == 0 {
		if used, err = r.feedHead(p); err != nil || !r.headed() {
			return used, err
		}
		h.keep(r, p[:used])
	}
	n, err := r.feed(p[used:])
	return used + n, err
}

// recall gives a response that has just begun the head that p begins with, if it is the last
// one, and returns its length. It returns 0 if the head has to be read, as for a tap.
func (h *recentHead) recall(r *response, p []byte) int {
	n := len(h.text)
	if n == 0 || n > len(p) || string(p[:n]) != string(h.text) || r.method != h.says.method || r.maxBody != h.says.maxBody {
		return 0
	}
	if r.watched != nil {
		r.watched.came(h.says.status)
		r.watched = nil
	}
	if r.tap != nil {
		return 0
	}
	*r = h.says
	return n
}

// keep remembers a head that has just been read. Interim responses before it are not a part
// of what it says.
func (h *recentHead) keep(r *response, text []byte) {
	if len(text) > maxRecent || r.interim > 0 {
		return
	}
	h.text, h.says = append(h.text[:0], text...), *r
	h.says.tap, h.says.watched = nil, nil
}
