package examples

import (
	"net/http"
	"testing"

	"github.com/mccutchen/go-httpbin/v2/httpbin"
)

// What no example needs is held against httpbin, which echoes what it gets: whatever arrives
// otherwise than it was meant fails a check.
func TestHTTPBin(t *testing.T) {
	t.Parallel()
	s := &server{}
	mux := http.NewServeMux()
	mux.Handle("/", httpbin.New(httpbin.WithMaxBodySize(1<<20)))
	serve(t, s, mux)
	run(t, setup{file: "testdata/httpbin/config.yaml", origin: "http://httpbin.example:80", server: s.url, rates: []string{"50/s", "20/s"}, visits: 10, lists: map[string]int{"all": 4}})
}
