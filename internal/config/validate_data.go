package config

import (
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"
)

func (v validator) datasets() {
	for _, e := range v.c.Data {
		if at := join("data", e.Name); v.given(at) && !v.bad[at] {
			v.dataset(at, e.Name, e.Value)
		}
	}
}

func (v validator) dataset(path, name string, s Dataset) {
	file, rows := join(path, "file"), join(path, "rows")
	switch {
	case v.given(file) && v.given(rows):
		v.fail(rows, "found together with file, expected only one of them")
	case v.given(rows):
		v.rows(rows, s)
	case !v.given(file) && v.complete(path):
		v.fail(path, "found no rows, expected file or rows")
	case v.ok(file) && !slices.Contains([]string{".csv", ".json", ".jsonl", ".ndjson"}, strings.ToLower(filepath.Ext(s.File))):
		v.fail(file, "found %s, expected a name that ends in .csv, .json, .jsonl or .ndjson", v.found(file))
	}
	at := join(path, "weight")
	switch {
	case !v.given(at) || v.bad[at]:
	case s.Weight == "":
		v.fail(at, "found an empty string: to do without, leave the key out")
	case s.Order != OrderRandom && v.ok(join(path, "order")):
		v.fail(at, "found without order: random, which it needs")
	case s.File != "":
		v.uses(name, s.Weight, at)
	case v.ok(rows):
		v.weights(at, s)
	}
}

// rows checks that rows are alike.
func (v validator) rows(path string, s Dataset) {
	if v.bad[path] {
		return
	}
	columns, isMapping := s.columns()
	slices.Sort(columns)
	for i, row := range s.Rows {
		r := gjson.Parse(row.Text)
		at := element(path, i)
		switch {
		case r.IsArray() || r.Type == gjson.Null:
			v.fail(at, "found %s, expected a value or a mapping", kindOfJSON(r))
		case r.IsObject() != isMapping:
			v.fail(at, "found %s, but the first row is %s: expected the same of all", kindOfJSON(r), kindOfJSON(gjson.Parse(s.Rows[0].Text)))
		case isMapping:
			own, _ := Dataset{Rows: s.Rows[i : i+1]}.columns()
			slices.Sort(own)
			if !slices.Equal(own, columns) {
				v.fail(at, "found the columns %s, but the first row has %s: expected the same of all", list(own, "and"), list(columns, "and"))
			}
			if len(own) == 0 {
				v.fail(at, "found no columns, expected some")
			}
		}
	}
}

func kindOfJSON(r gjson.Result) string {
	switch {
	case r.IsArray():
		return "a list"
	case r.IsObject():
		return "a mapping"
	case r.Type == gjson.Null:
		return "nothing"
	default:
		return "a value"
	}
}

// weights checks the column with the weights of rows.
func (v validator) weights(path string, s Dataset) {
	columns, isMapping := s.columns()
	if !isMapping {
		v.fail(path, "found %s, but the rows are values without columns", v.found(path))
		return
	}
	if !slices.Contains(columns, s.Weight) {
		v.fail(path, "found %s, which is no column: %s", v.found(path), there(s.Weight, columns, ""))
		return
	}
	sum := uint64(0)
	rows := join(parent(path), "rows")
	for i, row := range s.Rows {
		gjson.Parse(row.Text).ForEach(func(key, value gjson.Result) bool {
			if key.Str != s.Weight {
				return true
			}
			n, err := strconv.ParseUint(value.String(), 10, 32)
			if err != nil {
				at := join(element(rows, i), s.Weight)
				v.fail(at, "found %s as a weight, expected a whole number of 0 or more", v.found(at))
			}
			sum += n
			return false
		})
	}
	if sum == 0 && v.ok(rows) {
		v.fail(path, "found only weights of 0, expected one above it")
	}
}
