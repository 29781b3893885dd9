package recording

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// readCSV reads a header with the columns time and rate, in any order, and a point a line. Other
// columns are refused: a recording has one rate.
func readCSV(content string, b *builder) error {
	r := csv.NewReader(strings.NewReader(content))
	r.ReuseRecord, r.TrimLeadingSpace, r.Comment = true, true, '#'
	header, err := r.Read()
	if errors.Is(err, io.EOF) {
		return errors.New("it is empty, expected the header time,rate")
	}
	if err != nil {
		return err
	}
	timeColumn, rateColumn := slices.Index(header, "time"), slices.Index(header, "rate")
	if len(header) != 2 || timeColumn < 0 || rateColumn < 0 {
		return fmt.Errorf("line 1: found the header %q, expected time,rate", strings.Join(header, ","))
	}
	for {
		record, err := r.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := addLine(b, r, record[timeColumn], record[rateColumn], rateColumn); err != nil {
			return err
		}
	}
}

// addLine adds the point of a line.
func addLine(b *builder, r *csv.Reader, written, rate string, rateColumn int) error {
	at := func(column int, err error) error {
		line, position := r.FieldPos(column)
		return fmt.Errorf("line %d, column %d: %w", line, position, err)
	}
	m, err := parseTime(written)
	if err != nil {
		return at(1-rateColumn, err)
	}
	if rate == "" {
		return nil
	}
	value, err := parseRate(rate)
	if err != nil {
		return at(rateColumn, err)
	}
	if err := b.add(m, written, value); err != nil {
		return at(1-rateColumn, err)
	}
	return nil
}

// parseTime reads Mon 15:04 or Mon 15:04:05, RFC 3339, or seconds since 1970.
func parseTime(text string) (moment, error) {
	if name, clock, ok := strings.Cut(text, " "); ok {
		if offset, ok := parseWeekTime(name, clock); ok {
			return moment{weekly: true, offset: offset}, nil
		}
	}
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return instant(at, text)
	}
	if seconds, err := strconv.ParseFloat(text, 64); err == nil {
		return fromUnix(seconds, text)
	}
	return moment{}, fmt.Errorf("found the time %q, expected one such as Mon 00:00, 2026-03-02T00:00:00Z or 1772409600", text)
}

// parseWeekTime reads the name of a day and the time by the clock, as an offset from Monday.
func parseWeekTime(name, clock string) (time.Duration, bool) {
	days := []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"}
	i := slices.Index(days, strings.ToLower(name))
	if i < 0 {
		return 0, false
	}
	for _, layout := range []string{"15:04", "15:04:05"} {
		if at, err := time.Parse(layout, clock); err == nil {
			return time.Duration(i)*day + sinceMidnight(at), true
		}
	}
	return 0, false
}

func sinceMidnight(at time.Time) time.Duration { return at.Sub(at.Truncate(day)) }

// fromUnix returns the instant of seconds since 1970, to the millisecond, as Prometheus has it.
func fromUnix(seconds float64, written string) (moment, error) {
	const last = 1 << 40 // Further than any instant that is accepted.
	if !(math.Abs(seconds) < last) {
		seconds = last
	}
	return instant(time.UnixMilli(int64(math.Round(seconds*1e3))), written)
}

// instant returns a point in time, if it is one that a recording may have.
func instant(at time.Time, written string) (moment, error) {
	if y := at.UTC().Year(); y < 1970 || y > 2199 {
		return moment{}, fmt.Errorf("found the time %q, expected one from 1970 to 2199", written)
	}
	return moment{at: at.UTC()}, nil
}
