package config

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"reflect"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol/uri"
)

// URL is an absolute http, https, grpc, grpcs, ws or wss URL with a host, without user info and fragment, or, where there is a base_url, what follows that: a
// path or a query that begins with / or ?. It may have placeholders, though not in scheme, host and port, or be one placeholder.
type URL struct {
	// URI is the URL with all that belongs to it, base_url and query included, if it is the
	// same for all slots.
	uri.URI

	// text is how it is written, varies that it has placeholders.
	text   string
	varies bool
}

func (URL) expectation() string { return "an absolute URL such as http://example.org/path" }

// Text returns the URL as the file has it, with placeholders and without base_url.
func (u URL) Text() string { return u.text }

func (u *URL) decode(d *decoder, n *yaml.Node, path string, f field) {
	v := reflect.ValueOf(u).Elem()
	switch {
	case n.Kind != yaml.ScalarNode:
		d.mismatch(n, path, f, v)
		return
	case strings.Contains(n.Value, "{{"):
		if t, ok := d.template(n, path, "; write braces of the URL itself as %7B and %7D"); ok {
			*u = URL{text: t.String(), varies: true}
		}
		return
	}
	text, ok := d.expandedText(n, path)
	if !ok {
		return
	}
	if _, err := readURL(text); errors.Is(err, errRelative) && !strings.Contains(text, "{{") {
		*u = URL{text: text} // There may be a base_url.
		return
	}
	if err := u.UnmarshalText([]byte(text)); err != nil {
		d.at(position(n), path, "%s", problem(n, v, err))
	}
}

// UnmarshalText sets the URL from its text, which is absolute and has no placeholders. An error
// names the expected syntax.
func (u *URL) UnmarshalText(text []byte) error {
	s := string(text)
	if strings.Contains(s, "{{") {
		return maskedError("found {{ in what the environment holds, which would be a placeholder")
	}
	read, err := readURL(s)
	if errors.Is(err, errRelative) {
		return expectedError(u.expectation())
	}
	if err != nil {
		return err
	}
	*u = URL{URI: read, text: s}
	return nil
}

// errRelative says that a URL has no scheme.
var errRelative = errors.New("no scheme")

// readURL reads an absolute URL. An error names the expected syntax.
func readURL(s string) (uri.URI, error) {
	scheme, rest, absolute := cutScheme(s)
	read, err := uri.Parse(s)
	if err == nil {
		err = hostFits(read.Host)
	}
	switch {
	case absolute && strings.Contains(authorityOf(rest), "@"):
		return uri.URI{}, maskedError("found user info in the URL, write it as http_config.basic_auth instead")
	case strings.HasPrefix(s, "/") && !strings.HasPrefix(s, "//"), strings.HasPrefix(s, "?"):
		return uri.URI{}, errRelative
	case err != nil && strings.Contains(s, "@"):
		// A password with a slash may stand before it.
		return uri.URI{}, maskedError("expected " + URL{}.expectation() + ", without user info")
	case strings.TrimSpace(s) != s:
		return uri.URI{}, expectedError("no spaces or line breaks around the URL")
	case !absolute:
		return uri.URI{}, errRelative
	case !slices.Contains(schemes(), strings.ToLower(scheme)):
		return uri.URI{}, expectedError("one of the schemes " + list(schemes(), "and"))
	case strings.Contains(s, "#"):
		return uri.URI{}, expectedError("no fragment, as it is never sent: write # as %23")
	case strings.Contains(s, " "):
		return uri.URI{}, expectedError("no spaces in the URL: write them as %20")
	case strings.ContainsFunc(s, isControl):
		c := s[strings.IndexFunc(s, isControl)]
		return uri.URI{}, expectedError(fmt.Sprintf("no control characters in the URL: write this one as %%%02X", c))
	case err != nil:
		return uri.URI{}, urlProblem(err)
	}
	return read, nil
}

// isControl reports whether a character is one of ASCII's control characters.
func isControl(c rune) bool { return c < ' ' || c == 0x7f }

// urlProblem says what keeps a URL from being read.
func urlProblem(err error) error {
	_, ok := errors.AsType[*uri.HostError](err)
	switch {
	case ok:
		return err
	case errors.Is(err, uri.ErrPort):
		return expectedError("a port of 1 to 65535")
	case errors.Is(err, uri.ErrEscape):
		return expectedError("two hexadecimal digits after each %: write % itself as %25")
	default:
		return expectedError(URL{}.expectation())
	}
}

// errLabels is a name that the DNS cannot have (RFC 1035, section 2.3.4).
var errLabels = errors.New("labels are empty or too long")

// hostFits reports a name that the DNS cannot have.
func hostFits(host string) error {
	if _, err := netip.ParseAddr(host); err == nil {
		return nil
	}
	name := strings.TrimSuffix(host, ".")
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 || len(name) > 253 {
			return &uri.HostError{Host: host, Err: errLabels}
		}
	}
	return nil
}

// hostProblem says that a host cannot be converted. text is how the URL stands in the file:
// the cause repeats the host, which may not be shown if the environment put it there.
func hostProblem(text string, err *uri.HostError) string {
	want, why := "that IDNA can convert", fmt.Sprintf(": %v", err.Err)
	if errors.Is(err, errLabels) {
		want, why = "of at most 253 characters, 1 to 63 of them between its dots", ""
	}
	if strings.Contains(text, "${") {
		return fmt.Sprintf("found %s from the environment, expected a host %s", quote(text), want)
	}
	return fmt.Sprintf("found the host %s, expected one %s%s", quote(err.Host), want, why)
}

// schemes are those of URLs that can be sent to.
func schemes() []string { return []string{"http", "https", "grpc", "grpcs", "ws", "wss"} }

// cutScheme cuts an absolute URL after its scheme (RFC 3986, section 3.1).
func cutScheme(text string) (scheme, rest string, absolute bool) {
	scheme, rest, absolute = strings.Cut(text, "://")
	absolute = absolute && scheme != "" && !strings.ContainsFunc(scheme, func(c rune) bool {
		return !letterOrDigit(c) && !strings.ContainsRune("+-.", c)
	})
	return scheme, rest, absolute
}

// authorityOf returns what stands between the scheme and the path.
func authorityOf(rest string) string {
	if end := strings.IndexAny(rest, "/?#"); end >= 0 {
		return rest[:end]
	}
	return rest
}

// MarshalText returns the URL as it is written.
func (u URL) MarshalText() ([]byte, error) { return []byte(u.text), nil }

// Origin is the scheme, host and port of a URL, such as https://other.example:8443.
type Origin struct {
	uri.URI
}

func (Origin) expectation() string { return "an origin such as https://other.example" }

// UnmarshalText sets the origin from its text. An error names the expected syntax.
func (o *Origin) UnmarshalText(text []byte) error {
	read, err := readURL(string(text))
	if errors.Is(err, errRelative) {
		return expectedError(o.expectation())
	}
	if err != nil {
		return err
	}
	if read.Scheme != "http" && read.Scheme != "https" {
		return expectedError("an http or https URL")
	}
	if _, rest, _ := cutScheme(string(text)); authorityOf(rest) != strings.TrimSuffix(rest, "/") {
		return expectedError(o.expectation() + ", without a path")
	}
	*o = Origin{read}
	return nil
}

// MarshalText returns the origin as it is written.
func (o Origin) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// Endpoint is an absolute http or https URL of another server than the target, such as https://login.example/token.
type Endpoint struct {
	uri.URI
}

func (Endpoint) expectation() string { return "an absolute URL such as https://login.example/token" }

// UnmarshalText sets the endpoint from its text. An error names the expected syntax.
func (e *Endpoint) UnmarshalText(text []byte) error {
	s := string(text)
	if _, rest, absolute := cutScheme(s); absolute && strings.Contains(authorityOf(rest), "@") {
		return maskedError("found user info in the URL, expected it without")
	}
	read, err := readURL(s)
	if errors.Is(err, errRelative) {
		return expectedError(e.expectation())
	}
	if err != nil {
		return err
	}
	if read.Scheme != "http" && read.Scheme != "https" {
		return expectedError("an http or https URL")
	}
	*e = Endpoint{read}
	return nil
}

// MarshalText returns the endpoint as it is written.
func (e Endpoint) MarshalText() ([]byte, error) { return []byte(e.String()), nil }

// ProxyURL is the URL of a proxy, which may have user info. It is printed without it.
type ProxyURL struct {
	*url.URL
}

var (
	_ fmt.Formatter  = ProxyURL{}
	_ slog.LogValuer = ProxyURL{}
)

func (ProxyURL) expectation() string {
	return "the URL of a proxy such as http://proxy.example.org:3128"
}

// UnmarshalText sets the URL from its text. An error names the expected syntax.
func (p *ProxyURL) UnmarshalText(text []byte) error {
	u, err := url.Parse(string(text))
	switch {
	case err != nil || u.Hostname() == "" || u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "":
		return maskedError("expected " + p.expectation())
	case !slices.Contains([]string{"http", "https", "socks5", "socks5h"}, u.Scheme):
		return maskedError("expected one of the schemes http, https, socks5 and socks5h")
	case !goodPort(u.Port()):
		return maskedError("expected a port of 1 to 65535")
	}
	host, err := uri.ASCII(u.Hostname())
	if err == nil {
		err = hostFits(host)
	}
	if err != nil {
		return maskedError("expected a proxy with an IP address or a name that IDNA can convert, of at most 253 characters, 1 to 63 of them between its dots")
	}
	if host != u.Hostname() {
		u.Host = uri.URI{Host: host, Port: u.Port()}.Authority()
	}
	*p = ProxyURL{u}
	return nil
}

// resolves reports whether the proxy is asked for names, not for addresses.
func (p ProxyURL) resolves() bool { return p.URL != nil && p.Scheme != "socks5" }

// addr returns what to connect to, as host:port, with the port of its scheme if the URL has none.
func (p ProxyURL) addr() string {
	port := p.Port()
	switch {
	case port != "":
	case p.Scheme == "https":
		port = "443"
	case p.Scheme == "http":
		port = "80"
	default:
		port = "1080"
	}
	return net.JoinHostPort(p.Hostname(), port)
}

// String returns the URL with a stand-in for user info.
func (p ProxyURL) String() string {
	switch {
	case p.URL == nil:
		return ""
	case p.User == nil:
		return p.URL.String()
	default:
		return p.Scheme + "://" + hidden + "@" + p.Host
	}
}

// Format writes the text of String, whatever the verb.
func (p ProxyURL) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, p.String()) }

// MarshalText returns the text of String.
func (p ProxyURL) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// MarshalBinary returns the text of String: that of the embedded URL would show it all.
func (p ProxyURL) MarshalBinary() ([]byte, error) { return p.MarshalText() }

// LogValue returns the text of String.
func (p ProxyURL) LogValue() slog.Value { return slog.StringValue(p.String()) }
