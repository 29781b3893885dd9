package accesslog

import (
	"fmt"
	"strings"
)

// The formats by name, as their servers' own configuration writes them.
const (
	common   = `$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent`
	combined = common + ` "$http_referer" "$http_user_agent"`
	vhost    = `$host ` + combined
	envoy    = `[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% %RESPONSE_FLAGS% ` +
		`%BYTES_RECEIVED% %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" ` +
		`"%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%"`
	istio = `[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% %RESPONSE_FLAGS% ` +
		`%RESPONSE_CODE_DETAILS% %CONNECTION_TERMINATION_DETAILS% "%UPSTREAM_TRANSPORT_FAILURE_REASON%" ` +
		`%BYTES_RECEIVED% %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" ` +
		`"%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%"`
	alb = `$type $time_iso8601 $elb $client $backend $request_processing_time $target_processing_time $response_processing_time ` +
		`$status $target_status $received $sent "$request" "$http_user_agent"`
)

// Names are the names of formats that New takes, those with more in them first: a line of combined
// is one of common as well.
func Names() []string {
	return []string{"json", "istio", "envoy", "alb", "vhost", "combined", "common"}
}

// New returns a parser of a format: one of Names, or the format as the configuration of nginx
// (log_format), Apache (LogFormat) or Envoy (text_format) has it.
func New(format string) (Parser, error) {
	switch format {
	case "json":
		return &jsonLines{}, nil
	case "common":
		return newText(format, nginxTokens(common))
	case "combined":
		return newText(format, nginxTokens(combined))
	case "vhost":
		return newText(format, nginxTokens(vhost))
	case "alb":
		return newText(format, nginxTokens(alb))
	case "envoy":
		return newText(format, envoyTokens(envoy))
	case "istio":
		return newText(format, envoyTokens(istio))
	}
	switch {
	case strings.Contains(format, "%START_TIME"):
		return newText(format, envoyTokens(format))
	case strings.Contains(format, "$"):
		return newText(format, nginxTokens(format))
	case strings.Contains(format, "%"):
		return newText(format, apacheTokens(format))
	default:
		return nil, fmt.Errorf("format %q: expected one of %s, or a format with values such as $request or %%r", format, strings.Join(Names(), ", "))
	}
}

// Detect returns a parser of the format that most of some lines have.
func Detect(lines [][]byte) (Parser, error) {
	var best Parser
	most := 0
	for _, name := range Names() {
		p, err := New(name)
		if err != nil {
			return nil, err
		}
		if n := parsed(p, lines); n > most {
			best, most = p, n
		}
	}
	if best == nil {
		return nil, fmt.Errorf("none of the first %d lines has a format that is known: %s; name yours by --format", len(lines), strings.Join(Names(), ", "))
	}
	return best, nil
}

// parsed returns how many lines a parser reads.
func parsed(p Parser, lines [][]byte) int {
	n := 0
	var e Record
	for _, line := range lines {
		if p.Parse(line, &e) == nil {
			n++
		}
	}
	return n
}

// tokens collects the tokens of a format.
type tokens []token

func (all *tokens) text(s string) {
	if s == "" {
		return
	}
	if n := len(*all); n > 0 && !(*all)[n-1].value {
		(*all)[n-1].literal += s
		return
	}
	*all = append(*all, token{literal: s})
}

func (all *tokens) value(f field) { *all = append(*all, token{field: f, value: true}) }

// nginxTokens splits a log_format of nginx: names behind a dollar, in braces or not.
func nginxTokens(format string) []token {
	// The two together are what $request_uri has.
	format = strings.NewReplacer("$uri$is_args$args", "$request_uri", "$uri$is_args$query_string", "$request_uri").Replace(format)
	var all tokens
	for format != "" {
		fixed, rest, ok := strings.Cut(format, "$")
		all.text(fixed)
		if !ok {
			break
		}
		rest, braces := strings.CutPrefix(rest, "{")
		name := rest[:len(rest)-len(strings.TrimLeft(rest, nameCharacters))]
		all.value(nginxField(name))
		if format = rest[len(name):]; braces {
			format = strings.TrimPrefix(format, "}")
		}
	}
	return all
}

// nameCharacters are those of the names of nginx' variables.
const nameCharacters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"

func nginxField(name string) field {
	switch name {
	case "time_local", "time_iso8601", "msec":
		return clock
	case "request":
		return request
	case "request_method":
		return methodField
	case "request_uri":
		return target
	case "uri", "document_uri":
		return path
	case "args", "query_string":
		return args
	case "host", "http_host", "server_name":
		return host
	case "status":
		return status
	case "http_user_agent":
		return agent
	default:
		return other
	}
}

// apacheTokens splits a LogFormat of Apache: directives such as %r, %>s and %{User-Agent}i.
func apacheTokens(format string) []token {
	format = strings.ReplaceAll(format, `\"`, `"`)
	var all tokens
	for format != "" {
		fixed, rest, ok := strings.Cut(format, "%")
		all.text(fixed)
		if !ok {
			break
		}
		directive, after := apacheDirective(rest)
		switch directive {
		case "%":
			all.text("%")
		case "t":
			all.text("[")
			all.value(clock)
			all.text("]")
		default:
			all.value(apacheField(directive))
		}
		format = after
	}
	return all
}

// apacheDirective cuts a directive off, without its conditions and < or >.
func apacheDirective(s string) (directive, rest string) {
	s = strings.TrimLeft(s, "!<>,0123456789")
	argument := ""
	if strings.HasPrefix(s, "{") {
		if end := strings.IndexByte(s, '}'); end >= 0 {
			argument, s = strings.ToLower(s[:end+1]), s[end+1:]
		}
	}
	if s == "" {
		return "", ""
	}
	return argument + s[:1], s[1:]
}

func apacheField(directive string) field {
	switch directive {
	case "{sec}t", "{msec}t", "{usec}t":
		return clock
	case "r":
		return request
	case "m":
		return methodField
	case "U":
		return path
	case "q":
		return args
	case "v", "V", "{host}i":
		return host
	case "s":
		return status
	case "{user-agent}i":
		return agent
	default:
		return other
	}
}

// envoyTokens splits a text_format of Envoy: operators such as %PROTOCOL% and %REQ(:METHOD)%.
func envoyTokens(format string) []token {
	var all tokens
	for format != "" {
		fixed, rest, ok := strings.Cut(format, "%")
		all.text(fixed)
		if !ok {
			break
		}
		operator, after, _ := strings.Cut(rest, "%")
		if strings.HasPrefix(operator, "START_TIME(") {
			// The layout in parentheses has percent signs of its own.
			_, after, _ = strings.Cut(rest, ")%")
		}
		all.value(envoyField(operator))
		format = after
	}
	return all
}

func envoyField(operator string) field {
	name, argument, _ := strings.Cut(strings.ToLower(operator), "(")
	first, _, _ := strings.Cut(strings.TrimSuffix(argument, ")"), "?")
	switch {
	case name == "start_time":
		return clock
	case name == "response_code":
		return status
	case name != "req":
		return other
	}
	switch first {
	case ":method":
		return methodField
	case ":path", "x-envoy-original-path":
		return target
	case ":authority", "host":
		return host
	case "user-agent":
		return agent
	default:
		return other
	}
}
