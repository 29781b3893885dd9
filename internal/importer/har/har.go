// Package har reads and writes HTTP archives (HAR 1.2), as browsers and proxies save them. It reads one
// entry at a time and keeps no more of bodies than an importer needs.
package har

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/url"
	"strings"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/importer/exchange"
)

// MaxSize bounds an archive, in bytes.
const MaxSize = 1 << 30

// entry is an entry of an archive.
type entry struct {
	StartedDateTime string   `json:"startedDateTime"`
	Time            float64  `json:"time"`
	Request         request  `json:"request"`
	Response        response `json:"response"`
}

type request struct {
	Method      string `json:"method"`
	URL         string `json:"url"`
	HTTPVersion string `json:"httpVersion"`
	Headers     []pair `json:"headers"`
	PostData    *post  `json:"postData,omitempty"`
}

type response struct {
	Status      int     `json:"status"`
	StatusText  string  `json:"statusText"`
	HTTPVersion string  `json:"httpVersion"`
	Headers     []pair  `json:"headers"`
	Cookies     []pair  `json:"cookies"`
	Content     content `json:"content"`
}

type pair struct {
	Name        string `json:"name"`
	Value       string `json:"value"`
	FileName    string `json:"fileName,omitempty"`
	ContentType string `json:"contentType,omitempty"`
}

type post struct {
	MimeType string `json:"mimeType"`
	Text     string `json:"text,omitempty"`
	Encoding string `json:"encoding,omitempty"`
	Params   []pair `json:"params,omitempty"`
}

type content struct {
	Size     int64  `json:"size"`
	MimeType string `json:"mimeType"`
	Text     string `json:"text,omitempty"`
	Encoding string `json:"encoding,omitempty"`
}

// Read reads the exchanges of an archive, in the order of their requests. An error says which entry and
// which byte it is about.
func Read(r io.Reader) ([]exchange.Exchange, error) {
	limited := &io.LimitedReader{R: r, N: MaxSize + 1}
	all, err := read(json.NewDecoder(limited))
	if limited.N <= 0 {
		return nil, fmt.Errorf("found more than %d bytes, expected a smaller archive", int64(MaxSize))
	}
	if err != nil {
		return nil, err
	}
	exchange.Sort(all)
	return all, nil
}

// errNoEntries says that a document is none.
var errNoEntries = errors.New("found no log.entries, expected an HTTP archive (HAR)")

func read(d *json.Decoder) ([]exchange.Exchange, error) {
	for _, key := range []string{"log", "entries"} {
		found, err := find(d, key)
		if err != nil {
			return nil, fmt.Errorf("not JSON at byte %d: %w", d.InputOffset(), err)
		}
		if !found {
			return nil, errNoEntries
		}
	}
	if token, err := d.Token(); err != nil || token != json.Delim('[') {
		return nil, errNoEntries
	}
	var all []exchange.Exchange
	kept := 0
	for n := 0; d.More(); n++ {
		if n == exchange.MaxCount {
			return nil, fmt.Errorf("found more than %d entries, expected fewer", exchange.MaxCount)
		}
		begin := d.InputOffset()
		var e entry
		if err := d.Decode(&e); err != nil {
			return nil, fmt.Errorf("entry %d, from byte %d on: %w", n, begin, err)
		}
		x, err := e.exchange()
		if err != nil {
			return nil, fmt.Errorf("entry %d, from byte %d on: %w", n, begin, err)
		}
		if kept += len(x.Request.Body.Data) + len(x.Response.Body.Data); kept > exchange.MaxTotal {
			return nil, fmt.Errorf("entry %d, from byte %d on: found more than %d bytes of bodies, expected fewer", n, begin, exchange.MaxTotal)
		}
		all = append(all, x)
	}
	return all, nil
}

// find reads on to the value of a key of the object that begins.
func find(d *json.Decoder, key string) (bool, error) {
	token, err := d.Token()
	if err != nil {
		return false, err
	}
	if token != json.Delim('{') {
		return false, nil
	}
	for d.More() {
		if token, err = d.Token(); err != nil {
			return false, err
		}
		if token == key {
			return true, nil
		}
		var other json.RawMessage
		if err = d.Decode(&other); err != nil {
			return false, err
		}
	}
	return false, nil
}

// exchange returns what an entry says.
func (e *entry) exchange() (exchange.Exchange, error) {
	u, err := url.Parse(e.Request.URL)
	if err != nil {
		// The URL may hold a secret.
		return exchange.Exchange{}, errors.New("found a request.url that cannot be read")
	}
	x := exchange.Exchange{Took: time.Duration(e.Time * float64(time.Millisecond))}
	x.Start, _ = time.Parse(time.RFC3339Nano, e.StartedDateTime) // Without a time there are no pauses.
	x.Took = max(0, min(x.Took, 24*time.Hour))
	u.User, u.Fragment = nil, ""
	x.Request = exchange.Request{Method: strings.ToUpper(e.Request.Method), URL: u, Header: header(e.Request.Headers)}
	if x.Request.Method == "" {
		x.Request.Method = "GET"
	}
	if p := e.Request.PostData; p != nil {
		x.Request.Body = p.body(&x.Request)
	}
	x.Response = exchange.Response{Status: e.Response.Status, Header: header(e.Response.Headers)}
	if x.Response.Header.Get("Content-Type") == "" && e.Response.Content.MimeType != "" {
		x.Response.Header.Add("Content-Type", e.Response.Content.MimeType)
	}
	if len(x.Response.Header.SetCookies()) == 0 {
		for _, c := range e.Response.Cookies { // Some browsers keep them out of the headers.
			x.Response.Header.Add("Set-Cookie", c.Name+"="+c.Value)
		}
	}
	if text := x.Response.Header.MediaType(); !binary(text) {
		x.Response.Body = exchange.Keep(decode(e.Response.Content.Text, e.Response.Content.Encoding))
	}
	return x, nil
}

// binary reports whether bodies of a media type hold nothing that comes back.
func binary(media string) bool {
	kind, _, _ := strings.Cut(media, "/")
	return kind == "image" || kind == "font" || kind == "video" || kind == "audio"
}

func header(all []pair) exchange.Header {
	var h exchange.Header
	for _, p := range all {
		h.Add(p.Name, p.Value)
	}
	return h
}

// decode returns the bytes of a string, which may be in base64.
func decode(text, encoding string) []byte {
	if encoding == "base64" {
		if plain, err := base64.StdEncoding.DecodeString(text); err == nil {
			return plain
		}
	}
	return []byte(text)
}

// body returns the body of a request. Where there are only its fields, it is made of them.
func (p *post) body(r *exchange.Request) exchange.Body {
	media, _, _ := strings.Cut(p.MimeType, ";")
	if r.Header.Get("Content-Type") == "" && p.MimeType != "" {
		r.Header.Add("Content-Type", p.MimeType)
	}
	switch {
	case p.Text != "":
		return exchange.Keep(decode(p.Text, p.Encoding))
	case len(p.Params) == 0:
		return exchange.Body{}
	case strings.TrimSpace(media) == "multipart/form-data":
		return p.multipart(r)
	default:
		var pairs []string
		for _, one := range p.Params {
			// They are encoded already in some archives and not in others, which their escapes show.
			pairs = append(pairs, encode(one.Name)+"="+encode(one.Value))
		}
		return exchange.Keep([]byte(strings.Join(pairs, "&")))
	}
}

// encode encodes a part of a form, unless it is encoded.
func encode(s string) string {
	if plain, err := url.QueryUnescape(s); err == nil && plain != s {
		return s
	}
	return url.QueryEscape(s)
}

// multipart writes the fields of a form with files as a body, and its boundary into the headers.
func (p *post) multipart(r *exchange.Request) exchange.Body {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, one := range p.Params {
		if one.FileName != "" {
			part, err := w.CreateFormFile(one.Name, one.FileName)
			if err == nil {
				_, _ = io.WriteString(part, one.Value) // A buffer takes all.
			}
			continue
		}
		_ = w.WriteField(one.Name, one.Value) // A buffer takes everything.
	}
	_ = w.Close()
	for i, h := range r.Header {
		if strings.EqualFold(h.Name, "Content-Type") {
			r.Header[i].Value = w.FormDataContentType()
		}
	}
	return exchange.Keep(b.Bytes())
}
