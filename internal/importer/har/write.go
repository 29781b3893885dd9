package har

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"time"
	"unicode/utf8"

	"github.com/traffic-exporter/traffic_exporter/internal/importer/exchange"
)

// archive is what is written.
type archive struct {
	Log struct {
		Version string  `json:"version"`
		Creator creator `json:"creator"`
		Entries []entry `json:"entries"`
	} `json:"log"`
}

type creator struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// Write writes exchanges as an archive, with all that they hold: secrets, too.
func Write(w io.Writer, all []exchange.Exchange) error {
	var a archive
	a.Log.Version = "1.2"
	a.Log.Creator = creator{"traffic_exporter", "1"}
	a.Log.Entries = []entry{}
	for i := range all {
		a.Log.Entries = append(a.Log.Entries, newEntry(&all[i]))
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(a)
}

func newEntry(x *exchange.Exchange) entry {
	e := entry{StartedDateTime: x.Start.Format(time.RFC3339Nano), Time: float64(x.Took) / float64(time.Millisecond)}
	e.Request = request{Method: x.Request.Method, URL: x.Request.URL.String(), HTTPVersion: "HTTP/1.1", Headers: pairs(x.Request.Header)}
	if len(x.Request.Body.Data) > 0 {
		text, encoding := encodeText(x.Request.Body.Data)
		e.Request.PostData = &post{MimeType: x.Request.Header.Get("Content-Type"), Text: text, Encoding: encoding}
	}
	e.Response = response{Status: x.Response.Status, HTTPVersion: "HTTP/1.1", Headers: pairs(x.Response.Header), Cookies: []pair{}}
	text, encoding := encodeText(x.Response.Body.Data)
	e.Response.Content = content{Size: int64(len(x.Response.Body.Data)), MimeType: x.Response.Header.Get("Content-Type"), Text: text, Encoding: encoding}
	return e
}

func pairs(h exchange.Header) []pair {
	all := []pair{}
	for _, f := range h {
		all = append(all, pair{Name: f.Name, Value: f.Value})
	}
	return all
}

// encodeText returns bytes as a text, in base64 if they are none.
func encodeText(data []byte) (text, encoding string) {
	if utf8.Valid(data) {
		return string(data), ""
	}
	return base64.StdEncoding.EncodeToString(data), "base64"
}
