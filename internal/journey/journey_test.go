package journey

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/inflate"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/uri"
)

// coded returns a string in a content coding.
func coded(tb testing.TB, coding, text string) []byte {
	tb.Helper()
	var b bytes.Buffer
	var w io.WriteCloser
	var err error
	switch coding {
	case "gzip":
		w = gzip.NewWriter(&b)
	case "deflate":
		w = zlib.NewWriter(&b)
	case "raw deflate":
		w, err = flate.NewWriter(&b, flate.DefaultCompression)
	case "br":
		w = brotli.NewWriter(&b)
	case "zstd":
		w, err = zstd.NewWriter(&b)
	default:
		return []byte(text)
	}
	if err != nil {
		tb.Fatal(err)
	}
	_, err = io.WriteString(w, text)
	if err = errors.Join(err, w.Close()); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

func TestContentCodingsAreTakenOff(t *testing.T) {
	const text = "some text that is repeated, some text that is repeated"
	for _, tc := range []struct {
		name    string
		body    []byte
		codings []string
		want    string // or the error
	}{
		{"none", []byte(text), nil, text},
		{"identity", []byte(text), []string{"identity"}, text},
		{"gzip", coded(t, "gzip", text), []string{" GZIP "}, text},
		{"deflate", coded(t, "deflate", text), []string{"deflate"}, text},
		{"deflate without zlib", coded(t, "raw deflate", text), []string{"deflate"}, text},
		{"br", coded(t, "br", text), []string{"br"}, text},
		{"zstd", coded(t, "zstd", text), []string{"zstd"}, text},
		{"two", coded(t, "gzip", string(coded(t, "br", text))), []string{"br", "gzip"}, text},
		{"empty", nil, []string{"gzip"}, ""},
		{"unknown", []byte(text), []string{"compress"}, "it is not known"},
		{"not what it says", []byte(text), []string{"gzip"}, "gzip: invalid header"},
		{"cut off", coded(t, "gzip", text)[:20], []string{"gzip"}, "unexpected EOF"},
		{"a bomb", coded(t, "gzip", strings.Repeat("\x00", 1<<20)), []string{"gzip"}, "it costs too much to decompress: it is longer than max_response_bytes then"},
		{"a bomb in layers", nested(t, 10, text), slices.Repeat([]string{"gzip"}, 10), errCodings.Error()},
		{"as many layers as there may be", nested(t, maxCodings, text), slices.Repeat([]string{"gzip"}, maxCodings), text},
	} {
		got, err := decode(tc.body, tc.codings, 1000)
		text := string(got)
		if err != nil {
			text = err.Error()
		}
		if text != tc.want {
			t.Errorf("%s: %q, want %q", tc.name, text, tc.want)
		}
	}
}

// nested returns a string in so many content codings.
func nested(tb testing.TB, layers int, text string) []byte {
	tb.Helper()
	for range layers {
		text = string(coded(tb, "gzip", text))
	}
	return []byte(text)
}

func TestNoCodingMakesMuchOfLittle(t *testing.T) {
	const most = 10 << 20
	for _, coding := range []string{"gzip", "deflate", "raw deflate", "br", "zstd"} {
		name := strings.TrimPrefix(coding, "raw ")
		if _, err := decode(coded(t, coding, strings.Repeat(" ", most)), []string{name}, most); !errors.Is(err, inflate.ErrBound) {
			t.Errorf("%s: %v", coding, err)
		}
		small := `[` + strings.Repeat(`{"id":1},`, 20_000) + `{}]`
		if got, err := decode(coded(t, coding, small), []string{name}, most); err != nil || string(got) != small {
			t.Errorf("%s: %d bytes of a small one that is repetitive, %v", coding, len(got), err)
		}
	}
}

func TestTheWindowOfBrotliIsNoLargerThanItsContent(t *testing.T) {
	noise := make([]byte, 300_000)
	_, _ = rand.NewChaCha8([32]byte{}).Read(noise)
	text := string(noise) + " and a reference to the beginning: " + string(noise[:1000])
	for window := 10; window <= 24; window++ {
		var b bytes.Buffer
		w := brotli.NewWriterOptions(&b, brotli.WriterOptions{Quality: 9, LGWin: window})
		_, err := io.WriteString(w, text)
		if err = errors.Join(err, w.Close()); err != nil {
			t.Fatal(err)
		}
		narrowed := narrow(b.Bytes(), int64(len(text)))
		if changed := !bytes.Equal(narrowed, b.Bytes()); changed != (window > 19) {
			t.Errorf("2^%d: changed: %t", window, changed)
		}
		got, err := io.ReadAll(brotli.NewReader(bytes.NewReader(narrowed)))
		if err != nil || string(got) != text {
			t.Errorf("2^%d: %d bytes, %v", window, len(got), err)
		}
	}
}

func TestAResponseIsDecodedOnce(t *testing.T) {
	for _, body := range [][]byte{coded(t, "gzip", "text"), []byte("no gzip")} {
		r := received{body: body, head: protocol.Head{Status: 200, Fields: []protocol.Field{{Name: "content-encoding", Value: "gzip"}}}}
		first, err := r.response(1000)
		r.head.Fields = nil
		if second, again := r.response(1000); second != first || !errors.Is(again, err) {
			t.Errorf("%q was decoded again", body)
		}
	}
}

func TestAJarKeepsCookiesWhereTheyBelong(t *testing.T) {
	at := func(text string) uri.URI {
		u, err := uri.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	set := func(values ...string) []protocol.Field {
		var fields []protocol.Field
		for _, v := range values {
			fields = append(fields, protocol.Field{Name: "set-cookie", Value: v})
		}
		return fields
	}
	var j jar
	if got := j.Cookies(at("http://a.example/")); got != "" || j.cookies != nil {
		t.Errorf("an empty jar has %q", got)
	}
	j.SetCookies(at("https://a.example/x/y?z"), set(
		"host=1", "path=2; Path=/x", "secure=3; Secure; Path=/", "domain=4; Domain=example; Path=/", "sub=5; Domain=a.example; Path=/",
		`quoted="6 7"; Path=/`, "gone=8; Max-Age=0; Path=/", "other=9; Domain=b.example", "broken",
	))
	for url, want := range map[string]string{
		"https://a.example/":        `secure=3; sub=5; quoted="6 7"`,
		"https://a.example/x/other": `host=1; path=2; secure=3; sub=5; quoted="6 7"`,
		"http://a.example/":         `sub=5; quoted="6 7"`,
		"https://b.a.example/":      "sub=5",
		"https://b.example/":        "",
	} {
		if got := j.Cookies(at(url)); got != want {
			t.Errorf("%s gets %s, want %s", url, got, want)
		}
	}
	j.SetCookies(at("https://a.example/"), set("sub=; Domain=a.example; Max-Age=0; Path=/", "secure=new; Secure; Path=/"))
	if got := j.Cookies(at("https://a.example/")); got != `secure=new; quoted="6 7"` {
		t.Errorf("after a change: %s", got)
	}
}
