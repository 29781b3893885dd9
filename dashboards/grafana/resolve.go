package grafana

import (
	"errors"
	"fmt"
	"regexp"
)

// Server responds to the queries of variables, as a Prometheus server does.
type Server interface {
	// LabelValues returns the values that a label has in the series of a selector.
	LabelValues(selector, label string) ([]string, error)
	// QueryResult returns the result of an expression at the end of the time range: one
	// line for each of its series, the labels in braces, the value, the time in milliseconds.
	QueryResult(expr string) ([]string, error)
}

// The two kinds of queries that variables may have, as Grafana takes them apart.
const (
	labelValuesQuery = `^label_values\((?:(.+),\s*)?([a-zA-Z_][a-zA-Z0-9_]*)\)\s*$`
	resultQuery      = `^query_result\((.+)\)\s*$`
)

// Resolve finds the values of a dashboard's variables as Grafana does when the dashboard
// is opened: those that are given stay; where all values may be chosen, all are; else
// the default, or the first. A variable without any value is an error, unless all may be
// chosen.
func (d Dashboard) Resolve(s Server, given Values) (Values, error) {
	values := Values{}
	for _, v := range d.Templating.List {
		if g, ok := given[v.Name]; ok {
			values[v.Name] = g
			continue
		}
		value, err := v.resolve(s, values)
		if err != nil {
			return nil, fmt.Errorf("variable %s: %w", v.Name, err)
		}
		values[v.Name] = value
	}
	return values, nil
}

// resolve finds the value of a variable that may refer to others.
func (v Variable) resolve(s Server, others Values) (string, error) {
	switch v.Type {
	case "datasource":
		return "", nil
	case "custom":
		return v.Current.Value, nil
	}
	options, err := v.Ask(s, others)
	switch {
	case err != nil:
		return "", err
	case v.IncludeAll:
		return v.AllValue, nil
	case len(options) == 0:
		return "", errors.New("it has no values")
	}
	return v.Choose(options[:1]), nil
}

// Ask returns the values that a variable offers, by its query.
func (v Variable) Ask(s Server, others Values) ([]string, error) {
	text, err := others.Interpolate(v.query())
	if err != nil {
		return nil, err
	}
	if m := regexp.MustCompile(labelValuesQuery).FindStringSubmatch(text); m != nil {
		return s.LabelValues(m[1], m[2])
	}
	m := regexp.MustCompile(resultQuery).FindStringSubmatch(text)
	if m == nil {
		return nil, fmt.Errorf("a query of no known kind: %q", text)
	}
	lines, err := s.QueryResult(m[1])
	if err != nil {
		return nil, err
	}
	return v.extract(lines)
}

// extract takes the values out of lines by the group "value" of the variable's regular
// expression, which stands between slashes.
func (v Variable) extract(lines []string) ([]string, error) {
	if len(v.Regex) < 2 {
		return nil, errors.New("no regular expression")
	}
	re, err := regexp.Compile(v.Regex[1 : len(v.Regex)-1])
	if err != nil {
		return nil, err
	}
	var all []string
	for _, line := range lines {
		if m := re.FindStringSubmatch(line); m != nil {
			all = append(all, m[re.SubexpIndex("value")])
		}
	}
	return all, nil
}

// query returns the text of the variable's query, whether it was made or read.
func (v Variable) query() string {
	switch q := v.Query.(type) {
	case string:
		return q
	case VariableQuery:
		return q.Query
	case map[string]any:
		text, _ := q["query"].(string)
		return text
	default:
		return ""
	}
}
