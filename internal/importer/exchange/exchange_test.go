package exchange_test

import (
	"bytes"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/importer/exchange"
)

func TestFieldsKeepTheirOrder(t *testing.T) {
	for in, want := range map[string][]exchange.Field{
		"":                    nil,
		"b=1&a=2&b=3":         {{"b", "1"}, {"a", "2"}, {"b", "3"}},
		"q=wool+socks&e=a%40": {{"q", "wool socks"}, {"e", "a@"}},
		"flag&empty=&&=x":     {{"flag", ""}, {"empty", ""}, {"", "x"}},
		"broken=%zz":          {{"broken", "%zz"}},
	} {
		if got := exchange.Fields(in); !slices.Equal(got, want) {
			t.Errorf("%q has the fields %v, want %v", in, got, want)
		}
	}
}

func TestCookiesAreRead(t *testing.T) {
	h := exchange.Header{{"cookie", "sid=1; theme=dark"}, {"Set-Cookie", "a=1; Path=/\nb=2"}, {"set-cookie", "c=3; HttpOnly"}}
	names := func(all []*http.Cookie) (names string) {
		for _, c := range all {
			names += c.Name + c.Value
		}
		return names
	}
	if got := names(h.Cookies()); got != "sid1themedark" {
		t.Errorf("cookies %s", got)
	}
	if got := names(h.SetCookies()); got != "a1b2c3" {
		t.Errorf("set cookies %s", got)
	}
}

func TestMediaTypesHaveNoParameters(t *testing.T) {
	for in, want := range map[string]string{
		"":                                 "",
		"Application/JSON; charset=utf-8":  "application/json",
		"application/problem+json":         "application/problem+json",
		"text/html; charset=\"broken":      "text/html",
		"multipart/form-data; boundary=xy": "multipart/form-data",
	} {
		h := exchange.Header{{"content-type", in}}
		if got := h.MediaType(); got != want {
			t.Errorf("%q is %q, want %q", in, got, want)
		}
	}
	if !exchange.IsJSON("application/problem+json") || exchange.IsJSON("text/html") {
		t.Error("what is JSON is not known")
	}
}

func TestBodiesAreBounded(t *testing.T) {
	whole := exchange.Keep(bytes.Repeat([]byte("x"), exchange.MaxBody))
	cut := exchange.Keep(bytes.Repeat([]byte("x"), exchange.MaxBody+1))
	if whole.Truncated || !cut.Truncated || len(cut.Data) != exchange.MaxBody {
		t.Errorf("truncated %v and %v with %d bytes", whole.Truncated, cut.Truncated, len(cut.Data))
	}
}

func TestSortKeepsTheOrderOfOneInstant(t *testing.T) {
	at := time.Unix(1, 0)
	all := []exchange.Exchange{{Start: at, Took: 1}, {Start: at.Add(-1), Took: 2}, {Start: at, Took: 3}}
	exchange.Sort(all)
	if all[0].Took != 2 || all[1].Took != 1 || all[2].Took != 3 {
		t.Errorf("sorted to %v", all)
	}
}
