package har

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"time"
	"unicode/utf8"

	"github.com/traffic-exporter/traffic_exporter/internal/importer/exchange"
)

// What stands before the entries of an archive, and behind them.
const (
	head = `{"log":{"version":"1.2","creator":{"name":"traffic_exporter","version":"1"},"entries":[` + "\n"
	tail = "\n]}}\n"
)

// Writer writes exchanges as an archive, with all that they hold: secrets, too. The archive is whole after
// each of them, so that it can be read whatever becomes of the writer. Make it with NewWriter. Not safe for
// concurrent use.
type Writer struct {
	w io.WriterAt
	// end is where the next entry is written to, in bytes, and more whether there is one before it.
	end  int64
	more bool
}

// NewWriter returns a writer of an archive, which has no entries yet. Nothing else may be written to w.
func NewWriter(w io.WriterAt) (*Writer, error) {
	_, err := w.WriteAt([]byte(head+tail), 0)
	return &Writer{w: w, end: int64(len(head))}, err
}

// Add appends an exchange.
func (w *Writer) Add(x exchange.Exchange) error {
	text, err := json.Marshal(newEntry(&x))
	if err != nil {
		return err
	}
	if w.more {
		text = append([]byte(",\n"), text...)
	}
	if _, err = w.w.WriteAt(append(text, tail...), w.end); err != nil {
		return err
	}
	w.end += int64(len(text))
	w.more = true
	return nil
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

// encodeText returns bytes as a string, in base64 if they are none.
func encodeText(data []byte) (text, encoding string) {
	if utf8.Valid(data) {
		return string(data), ""
	}
	return base64.StdEncoding.EncodeToString(data), "base64"
}
