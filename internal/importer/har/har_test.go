package har_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/importer/exchange"
	"github.com/traffic-exporter/traffic_exporter/internal/importer/har"
)

const archive = `{"log":{"version":"1.2","pages":[{"id":"p"}],"entries":[
 {"startedDateTime":"2026-11-28T10:00:02.5Z","time":120.5,
  "request":{"method":"post","url":"https://u:p@shop.example/login?a=1#x","headers":[{"name":"Content-Type","value":"application/x-www-form-urlencoded"}],
   "postData":{"mimeType":"application/x-www-form-urlencoded","params":[{"name":"user","value":"ada b"},{"name":"at","value":"x%40y"}]}},
  "response":{"status":303,"headers":[],"cookies":[{"name":"sid","value":"1"}],"content":{"size":2,"mimeType":"text/plain","text":"aGk=","encoding":"base64"}}},
 {"startedDateTime":"2026-11-28T10:00:01Z","time":-1,"request":{"method":"GET","url":"https://shop.example/"},
  "response":{"status":200,"content":{"mimeType":"image/png","text":"x"}}},
 {"request":{"method":"POST","url":"https://shop.example/up","postData":{"mimeType":"multipart/form-data","params":[{"name":"f","fileName":"a.txt","value":"x"},{"name":"n","value":"1"}]}},"response":{"status":200}}
]}}`

func TestAnArchiveIsRead(t *testing.T) {
	all, err := har.Read(strings.NewReader(archive))
	if err != nil || len(all) != 3 {
		t.Fatalf("%d exchanges, %v", len(all), err)
	}
	upload, page, login := all[0], all[1], all[2]
	if got := string(login.Request.Body.Data); got != "user=ada+b&at=x%40y" || login.Request.Method != "POST" || login.Request.URL.String() != "https://shop.example/login?a=1" {
		t.Errorf("the login is %s %s %q", login.Request.Method, login.Request.URL, got)
	}
	if got := string(login.Response.Body.Data); got != "hi" || login.Response.Header.Get("Set-Cookie") != "sid=1" || login.Response.Header.MediaType() != "text/plain" {
		t.Errorf("the response is %q %v", got, login.Response.Header)
	}
	if login.Took != 120500*time.Microsecond || login.Start.Nanosecond() != 5e8 || page.Took != 0 || len(page.Response.Body.Data) != 0 {
		t.Errorf("took %v from %v, %v and %q", login.Took, login.Start, page.Took, page.Response.Body.Data)
	}
	if got := string(upload.Request.Body.Data); !strings.Contains(upload.Request.Header.Get("Content-Type"), "boundary=") || !strings.Contains(got, `filename="a.txt"`) {
		t.Errorf("the form is %q with %v", got, upload.Request.Header)
	}
}

func TestWhatIsNoArchiveIsAMistake(t *testing.T) {
	many := `{"log":{"entries":[` + strings.Repeat(`{"request":{"url":"http://a"}},`, exchange.MaxCount) + `{}]}}`
	for text, want := range map[string]string{
		"":                            "not JSON at byte 0",
		"[]":                          "no log.entries",
		`{"log":{}}`:                  "no log.entries",
		`{"log":{"entries":{}}}`:      "no log.entries",
		`{"log":{"entries":[{}, 1]}}`: "entry 1, from byte 21 on",
		`{"log":{"entries":[{"request":{"url":"http://a b"}}]}}`: "entry 0, from byte 19 on: found a request.url that cannot be read",
		many: "more than 10000 entries",
	} {
		if _, err := har.Read(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: %v, want %q", text, err, want)
		}
	}
}

// file is a file in memory.
type file []byte

// WriteAt implements io.WriterAt.
func (f *file) WriteAt(p []byte, at int64) (int, error) {
	if more := int(at) + len(p) - len(*f); more > 0 {
		*f = append(*f, make([]byte, more)...)
	}
	return copy((*f)[at:], p), nil
}

func TestWhatIsWrittenIsReadAgainAtAnyTime(t *testing.T) {
	all, err := har.Read(strings.NewReader(archive))
	if err != nil {
		t.Fatal(err)
	}
	var f file
	w, err := har.NewWriter(&f)
	if err != nil {
		t.Fatal(err)
	}
	var again []exchange.Exchange
	for n := 0; ; n++ {
		if again, err = har.Read(bytes.NewReader(f)); err != nil || len(again) != n {
			t.Fatalf("%d exchanges, want %d, %v: %s", len(again), n, err, f)
		}
		if n == len(all) {
			break
		}
		if err = w.Add(all[n]); err != nil {
			t.Fatal(err)
		}
	}
	for i := range all {
		a, b := all[i], again[i]
		if a.Request.Method != b.Request.Method || a.Request.URL.String() != b.Request.URL.String() || !bytes.Equal(a.Request.Body.Data, b.Request.Body.Data) ||
			a.Response.Status != b.Response.Status || !bytes.Equal(a.Response.Body.Data, b.Response.Body.Data) || !a.Start.Equal(b.Start) || a.Took != b.Took {
			t.Errorf("%+v is read as %+v", a, b)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add(archive)
	f.Fuzz(func(t *testing.T, text string) {
		all, err := har.Read(strings.NewReader(text))
		for _, x := range all {
			if err != nil || x.Request.URL == nil || x.Request.Method == "" || x.Took < 0 {
				t.Errorf("%q has %+v, %v", text, x, err)
			}
		}
	})
}
