package journey

import (
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"

	"golang.org/x/net/publicsuffix"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/uri"
)

// jar keeps the cookies of one journey (RFC 6265; public suffixes are known). The zero jar is
// empty, and costs nothing until a response sets a cookie.
type jar struct {
	cookies *cookiejar.Jar
	// size is how many bytes of cookies there are at most.
	size int
}

// maxCookies bounds the cookies of a jar, in bytes. Those beyond it are ignored, as browsers do.
const maxCookies = 256 << 10

// cookies is a jar whose cookies can be had one by one.
type cookies interface {
	httpreq.Jar
	// of returns the cookies of a request for a URL.
	of(u uri.URI) []*http.Cookie
}

var _ cookies = (*jar)(nil)

// SetCookies implements httpreq.Jar.
func (j *jar) SetCookies(u uri.URI, response []protocol.Field) {
	var header http.Header
	for _, f := range response {
		if isSetCookie(f) && j.size+len(f.Value) <= maxCookies {
			j.size += len(f.Value)
			if header == nil {
				header = http.Header{}
			}
			header.Add("Set-Cookie", f.Value)
		}
	}
	if header == nil {
		return
	}
	if j.cookies == nil {
		j.cookies, _ = cookiejar.New(&cookiejar.Options{PublicSuffixList: publicsuffix.List}) // It never fails.
	}
	j.cookies.SetCookies(urlOf(u), (&http.Response{Header: header}).Cookies())
}

func isSetCookie(f protocol.Field) bool { return strings.EqualFold(f.Name, "Set-Cookie") }

// Cookies implements httpreq.Jar.
func (j *jar) Cookies(u uri.URI) string { return fieldOf(j.of(u)) }

func (j *jar) of(u uri.URI) []*http.Cookie {
	if j.cookies == nil {
		return nil
	}
	return j.cookies.Cookies(urlOf(u))
}

// fieldOf returns cookies as the value of the field Cookie.
func fieldOf(cookies []*http.Cookie) string {
	var b strings.Builder
	for i, c := range cookies {
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(c.Name + "=")
		if c.Quoted {
			b.WriteString(`"` + c.Value + `"`)
		} else {
			b.WriteString(c.Value)
		}
	}
	return b.String()
}

// urlOf returns what of a URL matters to cookies.
func urlOf(u uri.URI) *url.URL {
	path, _, _ := strings.Cut(u.Target, "?")
	return &url.URL{Scheme: u.Scheme, Host: u.Authority(), Path: path}
}
