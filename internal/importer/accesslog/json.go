package accesslog

import (
	"strings"

	"github.com/tidwall/gjson"
)

// jsonLines parses a JSON object a line, by the names that servers give their fields: those of
// Caddy, Traefik, Envoy and Istio, of Google's load balancers, of the Elastic Common Schema, and
// of nginx' variables.
type jsonLines struct {
	entry *Record
	err   error
	// query is that of a path which comes without it. scratch holds what the entry points to.
	query   string
	scratch []byte
}

// maxNesting is how deep objects may be within each other, such as Caddy's request.headers.
const maxNesting = 3

// String returns the format's name.
func (j *jsonLines) String() string { return "json" }

// Parse reads a line.
func (j *jsonLines) Parse(line []byte, e *Record) error {
	*e = Record{}
	if !gjson.ValidBytes(line) {
		return errJSON
	}
	object := gjson.ParseBytes(line)
	if !object.IsObject() {
		return errJSON
	}
	j.entry, j.err, j.query, j.scratch = e, nil, "", j.scratch[:0]
	j.object("", object, 1)
	if j.err != nil {
		return j.err
	}
	if j.query != "" && len(e.Target) > 0 && !strings.Contains(string(e.Target), "?") {
		e.Target = append(append(e.Target, '?'), strings.TrimPrefix(j.query, "?")...)
	}
	return e.finish()
}

// object takes the fields of an object by its name.
func (j *jsonLines) object(name string, object gjson.Result, depth int) {
	if depth > maxNesting {
		return
	}
	object.ForEach(func(key, value gjson.Result) bool {
		if value.IsObject() {
			j.object(key.Str, value, depth+1)
		} else {
			j.field(name, key, value)
		}
		return j.err == nil
	})
}

// field takes a field of an object by the name of the object.
func (j *jsonLines) field(parent string, key, value gjson.Result) {
	if value.IsArray() {
		value = value.Get("0")
	}
	if value.Type != gjson.Null {
		j.err = j.set(jsonField(parent, key.Str), value)
	}
}

// set takes a value.
func (j *jsonLines) set(f field, value gjson.Result) error {
	e := j.entry
	text := value.Str
	if value.Type == gjson.Number {
		text = value.Raw
	}
	switch f {
	case other:
	case clock:
		if e.Time == 0 {
			return e.setTime(j.hold(text))
		}
	case status:
		return e.setStatus(j.hold(text))
	case host:
		if len(e.Host) == 0 {
			e.setHost(j.hold(text))
		}
	case agent:
		e.Agent = orNone(j.hold(text))
	case methodField:
		e.Method = method(j.hold(text))
	case args:
		j.query = text
	case request:
		e.setRequest(j.hold(text))
	case target, path:
		if len(e.Target) == 0 {
			e.setTarget(j.hold(text))
		}
	}
	return nil
}

// hold keeps a value for as long as the entry is good.
func (j *jsonLines) hold(s string) []byte {
	start := len(j.scratch)
	j.scratch = append(j.scratch, s...)
	return j.scratch[start:len(j.scratch):len(j.scratch)]
}

// jsonField returns what a field is by its name and that of the object around it.
func jsonField(parent, name string) field {
	if parent != "" {
		if f := jsonNested(parent, name); f != other {
			return f
		}
	}
	switch name {
	case "time_local", "time_iso8601", "msec", "time", "ts", "timestamp", "@timestamp", "start_time", "StartUTC":
		return clock
	case "request":
		return request
	case "request_method", "method", "RequestMethod", "http.request.method", ":method":
		return methodField
	case "request_uri", "uri", "path", "RequestPath", "url", "request_path", "url.original", "url.path", "x-envoy-origin-path":
		return target
	case "args", "query_string", "query", "url.query":
		return args
	case "host", "http_host", "server_name", "authority", "RequestHost", "vhost", "url.domain", ":authority":
		return host
	case "status", "response_code", "DownstreamStatus", "status_code", "http.response.status_code":
		return status
	case "http_user_agent", "user_agent", "request_User-Agent", "agent", "user_agent.original":
		return agent
	}
	return other
}

// jsonNested returns what a field of an object within the line's is.
func jsonNested(parent, name string) field {
	switch parent + "." + name {
	case "httpRequest.requestMethod":
		return methodField
	case "httpRequest.requestUrl", "url.original", "url.path":
		return target
	case "url.query":
		return args
	case "url.domain":
		return host
	case "response.status_code":
		return status
	case "httpRequest.userAgent", "headers.User-Agent", "user_agent.original":
		return agent
	}
	return other
}
