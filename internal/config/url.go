package config

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol/uri"
)

// URL is an absolute http or https URL with a host, without user info and fragment.
type URL struct {
	uri.URI
}

func (URL) expectation() string { return "an absolute URL such as http://example.org/path" }

// UnmarshalText sets the URL from its text. The error says what was expected.
func (u *URL) UnmarshalText(text []byte) error {
	s := string(text)
	scheme, rest, absolute := cutScheme(s)
	read, err := uri.Parse(s)
	if err == nil {
		err = hostFits(read.Host)
	}
	switch {
	case strings.Contains(s, "{{"):
		return maskedError("found a template, which is not supported by this version: write braces as %7B and %7D")
	case absolute && strings.Contains(authorityOf(rest), "@"):
		return maskedError("found user info in the URL, write it as http_config.basic_auth instead")
	case err != nil && strings.Contains(s, "@"):
		// What is before it may be a password with a slash.
		return maskedError("expected " + u.expectation() + ", without user info")
	case !absolute:
		return expectedError(u.expectation())
	case !slices.Contains(schemes(), strings.ToLower(scheme)):
		return expectedError("one of the schemes " + list(schemes(), "and"))
	case strings.Contains(s, "#"):
		return expectedError("no fragment, as it is never sent: write # as %23")
	case strings.ContainsFunc(s, func(c rune) bool { return c <= ' ' || c == 0x7f }):
		return expectedError("no spaces in the URL: write them as %20")
	case err != nil:
		return u.problem(err)
	}
	*u = URL{URI: read}
	return nil
}

// problem says what keeps a URL from being read.
func (u *URL) problem(err error) error {
	_, ok := errors.AsType[*uri.HostError](err)
	switch {
	case ok:
		return err
	case errors.Is(err, uri.ErrPort):
		return expectedError("a port of 1 to 65535")
	case errors.Is(err, uri.ErrEscape):
		return expectedError("two hexadecimal digits after each %: write % itself as %25")
	default:
		return expectedError(u.expectation())
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
func schemes() []string { return []string{"http", "https"} }

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

// MarshalText returns the text of String.
func (u URL) MarshalText() ([]byte, error) { return []byte(u.String()), nil }

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

// UnmarshalText sets the URL from its text. The error says what was expected.
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
