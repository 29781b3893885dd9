package recording

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// response is what Prometheus' HTTP API responds to a range query.
type response struct {
	Status string `json:"status"`
	Error  string `json:"error"`
	Data   struct {
		Type   string   `json:"resultType"`
		Result []series `json:"result"`
	} `json:"data"`
}

type series struct {
	Metric     json.RawMessage   `json:"metric"`
	Values     [][2]any          `json:"values"`
	Histograms []json.RawMessage `json:"histograms"`
}

// readPrometheus reads the one series of a response to /api/v1/query_range.
func readPrometheus(content string, b *builder) error {
	d := json.NewDecoder(strings.NewReader(content))
	d.UseNumber()
	var r response
	if err := d.Decode(&r); err != nil {
		return jsonError(content, d.InputOffset(), err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return jsonError(content, d.InputOffset(), errors.New("found more behind the response, expected its end"))
	}
	switch {
	case r.Status != "success":
		return fmt.Errorf("found a response with the status %q: %s", r.Status, r.Error)
	case r.Data.Type != "matrix":
		return fmt.Errorf("found a result of type %q, expected a matrix: that of query_range", r.Data.Type)
	case len(r.Data.Result) > 1:
		return fmt.Errorf("found %d series, expected one: write sum(...) into the query", len(r.Data.Result))
	case len(r.Data.Result) == 0:
		return errNoPoint
	case len(r.Data.Result[0].Histograms) > 0:
		return errors.New("found native histograms, expected numbers")
	}
	for i, v := range r.Data.Result[0].Values {
		if err := addSample(b, v); err != nil {
			return fmt.Errorf("values[%d]: %w", i, err)
		}
	}
	return nil
}

// addSample adds a pair of a time, in seconds since 1970, and a number in quotes.
func addSample(b *builder, v [2]any) error {
	seconds, isNumber := v[0].(json.Number)
	text, isString := v[1].(string)
	if !isNumber || !isString {
		return fmt.Errorf("found %v, expected a time and a number in quotes", v)
	}
	at, err := seconds.Float64()
	if err != nil {
		return fmt.Errorf("found the time %q, expected seconds since 1970", seconds)
	}
	m, err := fromUnix(at, seconds.String())
	if err != nil {
		return err
	}
	rate, err := parseRate(text)
	if err != nil {
		return err
	}
	return b.add(m, seconds.String(), rate)
}

// jsonError adds the line and the column to an error of the decoder.
func jsonError(content string, offset int64, err error) error {
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		offset = syntax.Offset
	}
	if mismatch, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		offset = mismatch.Offset
	}
	before := []byte(content)[:min(int(max(0, offset)), len(content))]
	line := 1 + bytes.Count(before, []byte("\n"))
	column := len(before) - bytes.LastIndexByte(before, '\n')
	return fmt.Errorf("line %d, column %d: %w", line, column, err)
}
