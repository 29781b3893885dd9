package demo

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	// maxLatency bounds the law as well as what a request may ask for itself, maxSize
	// the latter.
	maxLatency = time.Minute
	maxSize    = 10 << 20
)

// about is the body of the root, for people who look at it with a browser. Its responses
// follow the script as all others do.
const about = `This is the demo target of traffic_exporter. It responds to any method and path with
latencies and errors that follow a script. The query changes a single response:

  ?latency=50ms   its latency, up to 1m
  ?status=404     its status, 200 to 599
  ?size=10KiB     the size of its body, up to 10MiB

Below /shop/ is a shop with sessions. The password of every user is "secret".

  GET /shop/login       the form             POST /shop/login      user, password
  GET /shop/            who is logged in     GET /shop/catalogue   what there is, as JSON
  GET /shop/items/ID    an item              GET /shop/cart        the cart, as JSON
  POST /shop/cart       item, quantity       DELETE /shop/cart/ID  takes an item out
  GET /shop/checkout    the page with token  POST /shop/orders     token
`

// response is what one request gets.
type response struct {
	latency time.Duration
	status  int
	size    int
	about   bool
}

// response returns what the n-th request gets, or an error about its query.
func (t *Target) response(r *http.Request, n uint64) (response, error) {
	a := response{
		latency: t.script.Law.Quantile(draw(n, golden)),
		status:  http.StatusOK,
		about:   r.URL.Path == "/",
	}
	if draw(n, root2) < t.script.ErrorRatio {
		a.status = http.StatusServiceUnavailable
	}
	if r.URL.RawQuery == "" {
		return a, nil
	}
	return a.override(r.URL.Query())
}

// override applies the query to a response.
func (a response) override(query url.Values) (response, error) {
	if s := query.Get("latency"); s != "" {
		d, err := time.ParseDuration(s)
		if err != nil || d < 0 || d > maxLatency {
			return a, fmt.Errorf("latency: found %q, expected a duration up to %v", s, maxLatency)
		}
		a.latency = d
	}
	if s := query.Get("status"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 200 || n > 599 {
			return a, fmt.Errorf("status: found %q, expected 200 to 599", s)
		}
		a.status = n
	}
	if s := query.Get("size"); s != "" {
		n, err := parseSize(s)
		if err != nil || n > maxSize {
			return a, fmt.Errorf("size: found %q, expected a size up to 10MiB such as 512, 10KiB or 1MiB", s)
		}
		a.size = int(n)
	}
	return a, nil
}

// parseSize reads a number of bytes, or of KiB or MiB.
func parseSize(s string) (uint64, error) {
	unit := 0
	if number, ok := strings.CutSuffix(s, "KiB"); ok {
		s, unit = number, 10
	} else if number, ok := strings.CutSuffix(s, "MiB"); ok {
		s, unit = number, 20
	}
	n, err := strconv.ParseUint(s, 10, 32)
	return n << unit, err
}

// body returns a small document, or one of the size that was asked for.
func (a response) body() []byte {
	switch {
	case a.status == http.StatusNoContent || a.status == http.StatusNotModified:
		return nil
	case a.size > 0:
		return bytes.Repeat([]byte{' '}, a.size)
	case a.about:
		return []byte(about)
	}
	return fmt.Appendf(nil, "{\"status\": %d, \"latency_seconds\": %.6f}\n", a.status, a.latency.Seconds())
}

// contentType returns the media type of the body.
func (a response) contentType() string {
	if a.size > 0 || a.about {
		return "text/plain; charset=utf-8"
	}
	return "application/json"
}
