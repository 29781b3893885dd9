package app

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/traffic-exporter/traffic_exporter/internal/script"
)

const (
	// maxRows bounds the rows of a file.
	maxRows = 1_000_000
	// maxRow bounds a row as JSON, and maxRowsTogether all of them, in bytes: a file of maxData
	// may take much more when each row repeats the names of its columns.
	maxRow          = 1 << 20
	maxRowsTogether = 256 << 20
)

// errNotJSON is a file with data that is no JSON.
var errNotJSON = errors.New("it is no JSON")

// rowList gathers rows within their bounds.
type rowList struct {
	values []script.Value
	size   int
}

// add adds a row, unless that is one too many.
func (l *rowList) add(v script.Value) error {
	l.size += len(v.Text)
	switch {
	case len(l.values) == maxRows:
		return fmt.Errorf("it has more than %d rows", maxRows)
	case len(v.Text) > maxRow:
		return fmt.Errorf("row %d has more than %d bytes", len(l.values)+1, maxRow)
	case l.size > maxRowsTogether:
		return fmt.Errorf("its rows as JSON have more than %d bytes", maxRowsTogether)
	}
	l.values = append(l.values, v)
	return nil
}

// readRows reads rows of data, as the ending of the file's name says.
func readRows(path, content string) ([]script.Value, error) {
	content = strings.TrimPrefix(content, "\ufeff")
	var l rowList
	var err error
	switch strings.ToLower(filepath.Ext(path)) {
	case ".json":
		err = l.readList(content)
	case ".jsonl", ".ndjson":
		err = l.readLines(content)
	default:
		err = l.readCSV(content)
	}
	if err != nil {
		return nil, err
	}
	return l.values, nil
}

func (l *rowList) readList(content string) error {
	if !script.ValidJSON(content) {
		return errNotJSON
	}
	var err error
	isList := script.FromJSON(content).EachElement(func(v script.Value) bool {
		err = l.add(v)
		return err == nil
	})
	if !isList {
		return errors.New("it is no list")
	}
	return err
}

func (l *rowList) readLines(content string) error {
	number := 0
	for line := range strings.Lines(content) {
		number++
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		if !script.ValidJSON(line) {
			return fmt.Errorf("line %d: %w", number, errNotJSON)
		}
		if err := l.add(script.FromJSON(line)); err != nil {
			return err
		}
	}
	return nil
}

// readCSV reads rows under a header row as objects with strings.
func (l *rowList) readCSV(content string) error {
	if err := checkLines(content); err != nil {
		return err
	}
	r := csv.NewReader(strings.NewReader(content))
	header, err := r.Read()
	if errors.Is(err, io.EOF) {
		return errors.New("it is empty, expected a header row")
	}
	if err != nil {
		return err
	}
	keys := make([]string, len(header))
	for i, name := range header {
		keys[i] = quoted(strings.TrimSpace(name))
	}
	var b bytes.Buffer
	r.ReuseRecord = true
	for {
		record, err := r.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		b.Reset()
		object(&b, keys, record)
		if err := l.add(script.FromJSON(b.String())); err != nil {
			return err
		}
	}
}

// checkLines reports a line that is longer than a row may be, which a reader of CSV would take
// into memory several times.
func checkLines(content string) error {
	number := 0
	for line := range strings.Lines(content) {
		number++
		if len(line) > maxRow {
			return fmt.Errorf("line %d has more than %d bytes", number, maxRow)
		}
	}
	return nil
}

// object writes a row as an object, or as much of it as makes it too large.
func object(b *bytes.Buffer, keys, record []string) {
	separator := "{"
	for i, field := range record {
		b.WriteString(separator + keys[i] + ":")
		b.WriteString(quoted(field[:min(len(field), maxRow)]))
		separator = ","
		if b.Len() > maxRow {
			return
		}
	}
	b.WriteByte('}')
}

// quoted returns a string of JSON.
func quoted(text string) string { return string(script.String(text).AppendJSON(nil)) }
