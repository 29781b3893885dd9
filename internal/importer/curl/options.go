package curl

import "strings"

// effect is what an option of curl does to a request.
type effect int

const (
	ignored effect = iota
	method
	header
	data
	dataRaw
	dataBinary
	dataEncoded
	jsonData
	formField
	formText
	user
	cookieOption
	userAgent
	referer
	head
	get
	address
	upload
	follow
	bearer
	byteRange
	connection
	next
)

// option is an option of curl.
type option struct {
	effect effect
	// argument says that one follows.
	argument bool
}

// longOptions are the options by their long names.
func longOptions() map[string]option {
	all := map[string]option{
		"request": {method, true}, "header": {header, true}, "data": {data, true}, "data-ascii": {data, true}, "data-raw": {dataRaw, true},
		"data-binary": {dataBinary, true}, "data-urlencode": {dataEncoded, true}, "json": {jsonData, true}, "form": {formField, true},
		"form-string": {formText, true}, "user": {user, true}, "cookie": {cookieOption, true}, "user-agent": {userAgent, true}, "referer": {referer, true},
		"head": {head, false}, "get": {get, false}, "url": {address, true}, "upload-file": {upload, true}, "location": {follow, false},
		"location-trusted": {follow, false}, "oauth2-bearer": {bearer, true}, "range": {byteRange, true}, "insecure": {connection, false},
		"next": {next, false},
	}
	for name := range strings.FieldsSeq(`proxy proxy-user preproxy socks5 socks5-hostname cacert capath crlfile pinnedpubkey cert key pass resolve connect-to
		interface unix-socket`) {
		all[name] = option{connection, true}
	}
	for name := range strings.FieldsSeq(`compressed silent show-error verbose include fail fail-with-body fail-early http1.0 http1.1 http2
		http2-prior-knowledge http3 http3-only ipv4 ipv6 globoff no-buffer progress-bar tcp-nodelay tlsv1 tlsv1.0 tlsv1.1 tlsv1.2 tlsv1.3 ssl-reqd
		remote-name remote-header-name remote-time create-dirs parallel raw path-as-is junk-session-cookies basic anyauth no-keepalive no-progress-meter
		styled-output retry-connrefused retry-all-errors tr-encoding cert-status disable post301 post302 post303 fast-open tcp-fastopen`) {
		all[name] = option{ignored, false}
	}
	for name := range strings.FieldsSeq(`output max-time connect-timeout retry retry-delay retry-max-time write-out
		cert-type key-type limit-rate max-redirs cookie-jar dump-header trace trace-ascii keepalive-time noproxy
		ciphers tls-max tls13-ciphers dns-servers local-port max-filesize speed-limit speed-time stderr
		output-dir continue-at expect100-timeout curves alt-svc hsts rate parallel-max`) {
		all[name] = option{ignored, true}
	}
	return all
}

// shortOptions are the long names of the short ones.
func shortOptions() map[byte]string {
	return map[byte]string{
		'X': "request", 'H': "header", 'd': "data", 'F': "form", 'u': "user", 'b': "cookie", 'A': "user-agent", 'e': "referer", 'I': "head", 'G': "get",
		'T': "upload-file", 'L': "location", 'k': "insecure", 's': "silent", 'S': "show-error", 'v': "verbose", 'i': "include", 'f': "fail",
		'0': "http1.0", '4': "ipv4", '6': "ipv6", 'g': "globoff", 'N': "no-buffer", '#': "progress-bar", '1': "tlsv1", 'O': "remote-name", 'J': "remote-header-name",
		'R': "remote-time", 'o': "output", 'm': "max-time", 'w': "write-out", 'x': "proxy", 'U': "proxy-user", 'E': "cert", 'c': "cookie-jar",
		'D': "dump-header", 'r': "range", 'C': "continue-at", 'y': "speed-time", 'Y': "speed-limit", 'Z': "parallel", 'j': "junk-session-cookies", 'q': "disable", ':': "next",
	}
}
