package accesslog

import "bytes"

// setRequest reads a request line such as "GET /items?page=2 HTTP/1.1". Anything that is not a request of HTTP/1
// or later, such as "-" or the bytes of a handshake, leaves the entry without a method.
func (e *Record) setRequest(line []byte) {
	first, last := bytes.IndexByte(line, ' '), bytes.LastIndexByte(line, ' ')
	if first < 0 || first == last || !bytes.HasPrefix(line[last+1:], []byte("HTTP/")) {
		return
	}
	e.Method = method(line[:first])
	e.setTarget(line[first+1 : last])
}

// setTarget takes a path with its query, or a whole URL as proxies are sent it.
func (e *Record) setTarget(target []byte) {
	if fragment := bytes.IndexByte(target, '#'); fragment >= 0 {
		target = target[:fragment]
	}
	if len(target) > 0 && target[0] == '/' {
		e.Target = target
		return
	}
	_, rest, ok := bytes.Cut(target, []byte("://"))
	if !ok {
		return
	}
	slash := bytes.IndexByte(rest, '/')
	if slash < 0 {
		e.setHost(rest)
		e.Target = append(e.Target[:0:0], '/')
		return
	}
	e.setHost(rest[:slash])
	e.Target = rest[slash:]
}

// setHost takes a host, with a port or without.
func (e *Record) setHost(host []byte) {
	if colon := bytes.LastIndexByte(host, ':'); colon >= 0 && bytes.IndexByte(host[colon:], ']') < 0 {
		host = host[:colon]
	}
	e.Host = orNone(host)
}

// setStatus takes the response's status; "-" and 000 are none.
func (e *Record) setStatus(b []byte) error {
	if len(orNone(b)) == 0 {
		return nil
	}
	n := number(b)
	if n < 0 || n > 999 {
		return errStatus
	}
	e.Status = n
	return nil
}

// setTime takes the time.
func (e *Record) setTime(b []byte) error {
	at, ok := parseTime(b)
	if !ok {
		return errTime
	}
	e.Time = at
	return nil
}

// finish settles whether the line has a request: one has a method and a target.
func (e *Record) finish() error {
	if e.Time == 0 {
		return errTime
	}
	if e.Method == "" || len(e.Target) == 0 {
		e.Method, e.Target = "", nil
	}
	return nil
}

// orNone returns a value; nil for "-", which stands for none.
func orNone(b []byte) []byte {
	if len(b) == 1 && b[0] == '-' {
		return nil
	}
	return b
}

// method returns a method of HTTP that has an address; it is empty for anything else.
func method(b []byte) string {
	switch string(b) {
	case "GET":
		return "GET"
	case "HEAD":
		return "HEAD"
	case "POST":
		return "POST"
	case "PUT":
		return "PUT"
	case "PATCH":
		return "PATCH"
	case "DELETE":
		return "DELETE"
	case "OPTIONS":
		return "OPTIONS"
	}
	return ""
}
