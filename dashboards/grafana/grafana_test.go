package grafana_test

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/traffic-exporter/traffic_exporter/dashboards/grafana"
)

func TestInterpolate(t *testing.T) {
	values := grafana.Values{"job": "a|b", "__rate_interval": "1m", "x": ""}
	for _, c := range []struct{ text, want string }{
		{`rate(m{job=~"$job"}[$__rate_interval])`, `rate(m{job=~"a|b"}[1m])`},
		{`${job} ${job:regex}$x`, `a|b a|b`},
		{`label_replace(m, "a", "$1", "b", "(.*)")`, `label_replace(m, "a", "$1", "b", "(.*)")`},
		{`no variables`, `no variables`},
	} {
		if got, err := values.Interpolate(c.text); err != nil || got != c.want {
			t.Errorf("%s: got %q, %v, want %q", c.text, got, err, c.want)
		}
	}
	if got, err := values.Interpolate("$job $jobs $none"); err == nil || !strings.Contains(err.Error(), "jobs, none") {
		t.Errorf("unknown variables: %q, %v", got, err)
	}
}

func TestVariablesOfAText(t *testing.T) {
	if got := grafana.Variables("$b ${a:regex} $b $1"); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("got %v", got)
	}
}

func TestChooseWritesRegularExpressions(t *testing.T) {
	multi := grafana.Variable{Multi: true, AllValue: ".+"}
	for _, c := range []struct {
		variable grafana.Variable
		chosen   []string
		want     string
	}{
		{multi, []string{"a", "b.c"}, `(a|b\\.c)`},
		{multi, nil, ".+"},
		{grafana.Variable{}, []string{"b.c"}, "b.c"},
	} {
		if got := c.variable.Choose(c.chosen); got != c.want {
			t.Errorf("%v: got %q, want %q", c.chosen, got, c.want)
		}
	}
}

// server responds with its values and lines, and remembers the questions.
type server struct {
	values, lines []string
	err           error
	asked         []string
}

var _ grafana.Server = (*server)(nil)

func (s *server) LabelValues(selector, label string) ([]string, error) {
	s.asked = append(s.asked, label+" of "+selector)
	return s.values, s.err
}

func (s *server) QueryResult(expr string) ([]string, error) {
	s.asked = append(s.asked, expr)
	return s.lines, s.err
}

func dashboard(list ...grafana.Variable) grafana.Dashboard {
	return grafana.Dashboard{Templating: grafana.Templating{List: list}}
}

func TestResolve(t *testing.T) {
	s := &server{values: []string{"one", "two"}, lines: []string{`{form="native"} -1 17`, `{form="classic"} 1 17`}}
	got, err := dashboard(
		grafana.Variable{Name: "datasource", Type: "datasource"},
		grafana.Variable{Name: "job", Type: "query", Query: "label_values(up{a=~\"x, y\"}, job)", Multi: true, IncludeAll: true, AllValue: ".+"},
		grafana.Variable{Name: "one", Type: "query", Query: map[string]any{"query": `label_values(m{job=~"$job"}, one)`}},
		grafana.Variable{Name: "form", Type: "query", Query: grafana.VariableQuery{Query: `query_result(f("$one"))`}, Regex: `/form="(?<text>\w+)"} (?<value>-?1) /`},
		grafana.Variable{Name: "period", Type: "custom", Current: &grafana.Option{Value: "30d"}},
		grafana.Variable{Name: "given", Type: "query", Query: "nonsense"},
	).Resolve(s, grafana.Values{"given": "g"})
	want := grafana.Values{"datasource": "", "job": ".+", "one": "one", "form": "-1", "period": "30d", "given": "g"}
	if err != nil || !maps.Equal(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	if asked := []string{`job of up{a=~"x, y"}`, `one of m{job=~".+"}`, `f("one")`}; !slices.Equal(s.asked, asked) {
		t.Errorf("asked %q, want %q", s.asked, asked)
	}
}

func TestResolveReportsMistakes(t *testing.T) {
	for want, v := range map[string]grafana.Variable{
		"variable x: no value for y":       {Type: "query", Query: "label_values(m{y=~\"$y\"}, x)"},
		"variable x: a query of no known":  {Type: "query", Query: "metrics(x)"},
		"variable x: it has no values":     {Type: "query", Query: "label_values(m, x)"},
		"variable x: no regular":           {Type: "query", Query: "query_result(m)"},
		"variable x: error parsing regexp": {Type: "query", Query: "query_result(m)", Regex: "/(/"},
	} {
		v.Name = "x"
		if _, err := dashboard(v).Resolve(&server{}, nil); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	broken := errors.New("broken")
	if _, err := dashboard(grafana.Variable{Type: "query", Query: "label_values(x)"}).Resolve(&server{err: broken}, nil); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}
