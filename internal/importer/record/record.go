// Package record is a reverse proxy that keeps the exchanges that go through it. Responses are passed on
// as they come; the kept parts are bounded.
package record

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/importer/exchange"
)

// Recorder is a reverse proxy in front of one target. Make it with New. Safe for concurrent use.
type Recorder struct {
	target *url.URL
	proxy  *httputil.ReverseProxy
	logger *slog.Logger
	// keep, if not nil, is called for each exchange that has ended.
	keep func(exchange.Exchange)

	mu   sync.Mutex
	all  []*exchange.Exchange
	kept int
	lost int
}

// New returns a recorder of the requests to a target, an origin such as https://shop.example, through
// transport. keep, unless it is nil, is called for each exchange that has ended, from several goroutines
// at once.
func New(target *url.URL, transport http.RoundTripper, keep func(exchange.Exchange), logger *slog.Logger) *Recorder {
	r := &Recorder{target: target, keep: keep, logger: logger}
	r.proxy = &httputil.ReverseProxy{
		Rewrite:        r.rewrite,
		ModifyResponse: r.response,
		ErrorHandler:   r.failed,
		Transport:      transport,
		FlushInterval:  -1, // Streams go on at once.
		ErrorLog:       slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
	}
	return r
}

// NewTransport returns a transport that asks for bodies as they are, so that they can be read. It trusts
// no certificate that it cannot verify, unless it is insecure.
func NewTransport(insecure bool) *http.Transport {
	return &http.Transport{
		Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, DisableCompression: true, MaxIdleConnsPerHost: 100,
		IdleConnTimeout: time.Minute, TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: 10 * time.Minute,
		TLSClientConfig: &tls.Config{InsecureSkipVerify: insecure}, //nolint:gosec // The user asks for it.
	}
}

// recordingKey is the key of the context under which a request has its recording.
type recordingKey struct{}

// recording is an exchange in progress.
type recording struct {
	x             *exchange.Exchange
	request, body *bounded
}

// ServeHTTP implements http.Handler.
func (r *Recorder) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	x := &exchange.Exchange{Start: time.Now(), Request: exchange.Request{Method: req.Method}}
	rec := &recording{x: x, request: &bounded{r: r}, body: &bounded{r: r}}
	if !r.begin(x) {
		rec = nil
	}
	req = req.WithContext(context.WithValue(req.Context(), recordingKey{}, rec))
	defer func() { r.end(rec) }() // Also when the client goes away, for which the proxy panics.
	r.proxy.ServeHTTP(w, req)
}

// begin keeps an exchange, if there is room.
func (r *Recorder) begin(x *exchange.Exchange) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.all) == exchange.MaxCount {
		if r.lost++; r.lost == 1 {
			r.logger.Warn("no more requests are recorded", "requests", exchange.MaxCount)
		}
		return false
	}
	r.all = append(r.all, x)
	return true
}

// end notes the kept parts of the bodies.
func (r *Recorder) end(rec *recording) {
	if rec == nil {
		return
	}
	r.mu.Lock()
	rec.x.Took = time.Since(rec.x.Start)
	rec.x.Request.Body = rec.request.body()
	rec.x.Response.Body = rec.body.body()
	x := *rec.x
	r.mu.Unlock()
	if r.keep != nil && x.Request.URL != nil {
		r.keep(x)
	}
}

// rewrite has a request sent to the target as if the client had asked it.
func (r *Recorder) rewrite(p *httputil.ProxyRequest) {
	here := origin(p.In)
	p.SetURL(r.target)
	p.Out.Host = r.target.Host
	p.Out.Header.Del("Accept-Encoding")
	for _, name := range []string{"Origin", "Referer"} {
		if rest, ok := strings.CutPrefix(p.Out.Header.Get(name), here); ok {
			p.Out.Header.Set(name, r.target.Scheme+"://"+r.target.Host+rest)
		}
	}
	rec, _ := p.In.Context().Value(recordingKey{}).(*recording)
	if rec == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	u := *p.Out.URL
	rec.x.Request.URL = &u
	rec.x.Request.Header = exchange.FromHTTP(p.Out.Header)
	if p.Out.Body != nil && p.Out.Body != http.NoBody {
		p.Out.Body = tee{p.Out.Body, rec.request}
	}
}

// origin returns the origin under which a client knows the recorder.
func origin(req *http.Request) string { return "http://" + req.Host }

// response has a response lead back to the recorder, and keeps it as it was.
func (r *Recorder) response(resp *http.Response) error {
	rec, _ := resp.Request.Context().Value(recordingKey{}).(*recording)
	if rec != nil {
		r.mu.Lock()
		rec.x.Response.Status = resp.StatusCode
		rec.x.Response.Header = exchange.FromHTTP(resp.Header)
		r.mu.Unlock()
		if resp.StatusCode != http.StatusSwitchingProtocols {
			resp.Body = tee{resp.Body, rec.body}
		}
	}
	base := r.target.Scheme + "://" + r.target.Host
	if rest, ok := strings.CutPrefix(resp.Header.Get("Location"), base); ok && (rest == "" || strings.HasPrefix(rest, "/")) {
		// Relative to the recorder, under any name.
		resp.Header.Set("Location", "/"+strings.TrimPrefix(rest, "/"))
	}
	r.cookies(resp.Header)
	return nil
}

// cookies has browsers keep the cookies of the target for the recorder, which is another host and has no
// TLS.
func (r *Recorder) cookies(h http.Header) {
	for i, line := range h["Set-Cookie"] {
		c, err := http.ParseSetCookie(line)
		if err != nil {
			continue
		}
		c.Domain, c.Secure, c.Partitioned = "", false, false
		if c.SameSite == http.SameSiteNoneMode {
			c.SameSite = http.SameSiteLaxMode
		}
		h["Set-Cookie"][i] = c.String()
	}
}

// failed responds for a target that cannot be reached.
func (r *Recorder) failed(w http.ResponseWriter, req *http.Request, err error) {
	if req.Context().Err() == nil {
		r.logger.Warn("the target does not respond", "err", err)
	}
	w.WriteHeader(http.StatusBadGateway)
}

// Exchanges returns the recorded exchanges, in the order of the requests. Those in progress are left out.
func (r *Recorder) Exchanges() []exchange.Exchange {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []exchange.Exchange
	for _, x := range r.all {
		if x.Took > 0 && x.Request.URL != nil {
			all = append(all, *x)
		}
	}
	exchange.Sort(all)
	return all
}

// Check reports what keeps a URL from being a target.
func Check(target *url.URL) error {
	if target.Scheme != "http" && target.Scheme != "https" || target.Host == "" || strings.Trim(target.Path, "/") != "" || target.RawQuery != "" || target.User != nil {
		return fmt.Errorf("found %q, expected the scheme and the host of the target, such as https://shop.staging.example", target.Redacted())
	}
	return nil
}

// bounded keeps the beginning of the bytes read.
type bounded struct {
	r    *Recorder
	data bytes.Buffer
	cut  bool
}

// add keeps a piece as far as there is room.
func (b *bounded) add(p []byte) {
	b.r.mu.Lock()
	defer b.r.mu.Unlock()
	room := min(exchange.MaxBody-b.data.Len(), exchange.MaxTotal-b.r.kept)
	keep := p[:max(0, min(len(p), room))]
	b.cut = b.cut || len(keep) < len(p)
	b.r.kept += len(keep)
	b.data.Write(keep)
}

func (b *bounded) body() exchange.Body {
	return exchange.Body{Data: bytes.Clone(b.data.Bytes()), Truncated: b.cut}
}

// tee passes a body on and keeps its begin.
type tee struct {
	io.ReadCloser

	into *bounded
}

// Read implements io.Reader.
func (t tee) Read(p []byte) (int, error) {
	n, err := t.ReadCloser.Read(p)
	t.into.add(p[:n])
	return n, err
}
