// Package uri reads the URLs of requests (RFC 3986) and keeps what their author wrote: an
// escape stays an escape, byte for byte, a reserved character stays as it is, and only what
// cannot stand in a URL is percent-encoded. Names of hosts are converted to ASCII as
// IDNA2008 has it (RFC 5891, UTS 46 non-transitional).
//
// It is pure, and knows no protocol beyond the default ports of schemes.
package uri

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"golang.org/x/net/idna"
)

// URI is an absolute URL with a host. It is a small value, comparable and safe to copy;
// the zero URI is none.
type URI struct {
	// Scheme is in lower case.
	Scheme string
	// Host is a name in ASCII, in lower case, or an IP address without brackets, with the
	// zone that it may have.
	Host string
	// Port is the port as it was written; empty if there was none.
	Port string
	// Target is the path and the query as they go over the wire. It begins with a slash.
	Target string

	text string
}

// The ways in which a URL cannot be used.
var (
	ErrNoScheme = errors.New("no scheme")
	ErrNoHost   = errors.New("no host")
	ErrPort     = errors.New("port is not one of 1 to 65535")
	ErrUserInfo = errors.New("user info in the URL")
	ErrEscape   = errors.New("% without two hexadecimal digits in the path")
)

// HostError is a name that cannot be converted to ASCII.
type HostError struct {
	Host string
	Err  error
}

// Error implements error.
func (e *HostError) Error() string { return fmt.Sprintf("host %q: %v", e.Host, e.Err) }

// Unwrap returns the cause.
func (e *HostError) Unwrap() error { return e.Err }

// Parse reads an absolute URL. A fragment is left out, since it is never sent.
func Parse(text string) (URI, error) {
	u, err := url.Parse(escapeRest(text))
	if err != nil {
		if _, ok := errors.AsType[url.EscapeError](err); ok {
			return URI{}, ErrEscape
		}
		return URI{}, err
	}
	if u.User != nil {
		return URI{}, ErrUserInfo
	}
	return fromURL(u, text)
}

// Resolve reads a reference relative to u (RFC 3986, section 5.2), such as the Location of
// a redirect. User info in it is left out.
func (u URI) Resolve(reference string) (URI, error) {
	base, err := url.Parse(escapeRest(u.String()))
	if err != nil {
		return URI{}, err
	}
	ref, err := url.Parse(escapeRest(reference))
	if err != nil {
		return URI{}, err
	}
	to := base.ResolveReference(ref)
	to.User, to.Fragment, to.RawFragment = nil, "", ""
	return fromURL(to, to.String())
}

func fromURL(u *url.URL, text string) (URI, error) {
	if u.Scheme == "" {
		return URI{}, ErrNoScheme
	}
	if u.Opaque != "" || u.Hostname() == "" {
		return URI{}, ErrNoHost
	}
	host, err := ASCII(u.Hostname())
	if err != nil {
		return URI{}, err
	}
	if !validPort(u.Port()) {
		return URI{}, ErrPort
	}
	path := u.EscapedPath() // What escapeRest leaves is valid, so that this changes nothing.
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	if u.ForceQuery || u.RawQuery != "" {
		path += "?" + u.RawQuery
	}
	return URI{Scheme: strings.ToLower(u.Scheme), Host: host, Port: u.Port(), Target: path, text: text}, nil
}

func validPort(port string) bool {
	if port == "" {
		return true
	}
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && n > 0
}

// WithTarget returns the URL with another path and query, which have to be as they go over
// the wire.
func (u URI) WithTarget(target string) URI {
	u.Target, u.text = target, ""
	return u
}

// String returns the URL as it was written.
func (u URI) String() string {
	if u.text == "" && u.Host != "" {
		return u.Scheme + "://" + u.Authority() + u.Target
	}
	return u.text
}

// Secure reports whether TLS is spoken to the URL.
func (u URI) Secure() bool {
	switch u.Scheme {
	case "https", "wss", "grpcs":
		return true
	}
	return false
}

// Addr returns what to connect to, as host:port, with the scheme's own port if the URL has
// none.
func (u URI) Addr() string {
	switch {
	case u.Port != "":
		return net.JoinHostPort(u.Host, u.Port)
	case u.Secure():
		return net.JoinHostPort(u.Host, "443")
	default:
		return net.JoinHostPort(u.Host, "80")
	}
}

// Authority returns the value of Host or :authority: the host with the port that was
// written, without a zone, which means nothing to anybody else (RFC 6874, section 4).
func (u URI) Authority() string {
	host := u.Host
	if strings.Contains(host, ":") {
		host, _, _ = strings.Cut(host, "%")
		host = "[" + host + "]"
	}
	if u.Port == "" {
		return host
	}
	return host + ":" + u.Port
}

// Origin returns scheme, host and port in a form that is the same for all URLs of an origin
// (RFC 6454, section 4).
func (u URI) Origin() string { return u.Scheme + "://" + u.Addr() }

// SameOrigin reports whether two URLs have the same scheme, host and port, written alike.
func (u URI) SameOrigin(o URI) bool {
	return u.Scheme == o.Scheme && u.Host == o.Host && u.Port == o.Port
}

// ASCIIHostPort converts the name in a string that is host or host:port, as Host headers
// have it. The colon of an empty port is left out, and so is a zone.
func ASCIIHostPort(text string) (string, error) {
	u, err := url.Parse("//" + text)
	if err != nil || u.Hostname() == "" || u.Host != text && strings.ContainsAny(text, "/?#@") {
		return "", &HostError{Host: text, Err: ErrNoHost}
	}
	host, err := ASCII(u.Hostname())
	if err != nil {
		return "", err
	}
	return URI{Host: host, Port: u.Port()}.Authority(), nil
}

// ASCII returns the name of a host in ASCII and in lower case. Names that are ASCII may be
// any: underscores, for one, are in use. Addresses stay as they are.
func ASCII(host string) (string, error) {
	if addr, _, _ := strings.Cut(host, "%"); strings.Contains(addr, ":") {
		if _, err := netip.ParseAddr(addr); err != nil {
			return "", &HostError{Host: host, Err: err}
		}
		return host, nil
	}
	if isASCII(host) {
		if strings.ContainsFunc(host, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
			return "", &HostError{Host: host, Err: errors.New("blanks or control characters")}
		}
		return strings.ToLower(host), nil
	}
	name, err := idna.New(idna.MapForLookup(), idna.BidiRule(), idna.Transitional(false), idna.StrictDomainName(false)).ToASCII(host)
	if err != nil {
		return "", &HostError{Host: host, Err: err}
	}
	return name, nil
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// escapeRest percent-encodes what cannot stand in the path, the query and the fragment of a
// URL or of a relative reference. Scheme and authority stay as they are.
func escapeRest(text string) string {
	from := 0
	rest := text
	if scheme, after, ok := strings.Cut(text, "://"); ok && !strings.ContainsAny(scheme, "/?#") {
		from, rest = len(scheme)+3, after
	} else if after, ok := strings.CutPrefix(text, "//"); ok {
		from, rest = 2, after
	}
	if from > 0 {
		end := strings.IndexAny(rest, "/?#")
		if end < 0 {
			return text
		}
		from += end
	}
	return text[:from] + Escape(text[from:])
}

// Escape percent-encodes the bytes that cannot stand in a URL: those that are neither
// unreserved nor reserved (RFC 3986, sections 2.2 and 2.3) nor part of an escape. In a query a
// percent sign that begins no escape is encoded; in a path it stays, for Parse to refuse.
func Escape(s string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	query := false
	for i := range len(s) {
		c := s[i]
		query = query || c == '?'
		switch {
		case c == '%' && (!query || i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2])), c != '%' && mayStand(c):
			b.WriteByte(c)
		default:
			b.WriteByte('%')
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&0xf])
		}
	}
	return b.String()
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// mayStand reports whether a byte is a reserved or an unreserved character.
func mayStand(c byte) bool {
	switch {
	case '0' <= c && c <= '9', 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z':
		return true
	}
	return strings.IndexByte("-._~:/?#[]@!$&'()*+,;=", c) >= 0
}
