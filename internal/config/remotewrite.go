package config

import (
	"reflect"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/traffic-exporter/traffic_exporter/internal/script"
)

// The most series of a body, and samples of a request.
const (
	maxSeries  = 100_000
	maxSamples = 100_000
)

// RemoteWrite is a request of Prometheus' remote write: a list of series, or a mapping. Its samples are as old as the slot's due time. Beside
// Content-Type, the headers Content-Encoding and X-Prometheus-Remote-Write-Version follow from it.
type RemoteWrite struct {
	// The series.
	Series []Series `yaml:"series" required:"true" min:"1" max:"1000"`
	// Into how many parts the series are divided: a slot sends that of its number, so that each series has a sample once in so many slots.
	Shards int `yaml:"shards" default:"1" min:"1" max:"100000"`
	// The version of the protocol.
	Version int `yaml:"version" default:"1" min:"1" max:"2"`
}

func (RemoteWrite) expectation() string {
	return "a list of series, or a mapping such as {series: [...], shards: 10}"
}

func (w *RemoteWrite) decode(d *decoder, n *yaml.Node, path string, f field) {
	v := reflect.ValueOf(w).Elem()
	switch n.Kind {
	case yaml.MappingNode:
		d.mapping(n, path, v)
	case yaml.SequenceNode:
		setDefaults(field{}, v)
		series, _ := v.Type().FieldByName("Series")
		own := fieldsOf(v.Type())[series.Index[0]]
		d.list(n, path, own, v.Field(own.index))
	default:
		d.mismatch(n, path, f, v)
	}
}

// Series is series that have the same labels, with other values: as many as each has combinations, and one without it. Exactly one of value,
// counter and gauge has to be there.
type Series struct {
	// The name of the metric. It may have placeholders.
	Name Template `yaml:"name" required:"true"`
	// The other labels. Their values may have placeholders; one that is empty is left out.
	Labels Named[Template] `yaml:"labels" max:"64"`
	// Names that placeholders of this series may use, with what they stand for: a number n for 0 to n-1, or a list of values.
	Each Named[Elements] `yaml:"each" max:"8" format:"names"`
	// The value of all samples: a number or a placeholder.
	Value *Template `yaml:"value"`
	// By how much the value grows in a second, as a counter does. It counts from the Unix epoch.
	Counter *float64 `yaml:"counter" min:"0" max:"1000000000"`
	// A range of numbers. Each sample has one of them.
	Gauge *DecimalRange `yaml:"gauge"`
	// How many samples each series has in a request.
	Samples int `yaml:"samples" default:"1" min:"1" max:"10000"`
	// The time between them. The last is as old as the slot's due time.
	Every Duration `yaml:"every" default:"15s" min:"1ms" max:"1d"`
}

// Elements are what a name stands for: a number n for the numbers 0 to n-1, or a list of values.
type Elements struct {
	listed []JSON
	// count is the number n; 0 for a list.
	count int
}

// Len returns the number of elements.
func (e Elements) Len() int { return max(e.count, len(e.listed)) }

// At returns an element as JSON. It must be there.
func (e Elements) At(i int) string {
	if e.count > 0 {
		return strconv.Itoa(i)
	}
	return e.listed[i].Text
}

func (Elements) expectation() string { return "a number of 1 to 100000, or a list of values" }

func (e *Elements) decode(d *decoder, n *yaml.Node, path string, f field) {
	switch n.Kind {
	case yaml.ScalarNode:
		d.value(n, path, field{min: "1", max: strconv.Itoa(maxSeries)}, reflect.ValueOf(&e.count).Elem())
	case yaml.SequenceNode:
		d.list(n, path, field{min: "1", max: strconv.Itoa(maxSeries), format: "literal"}, reflect.ValueOf(&e.listed).Elem())
	default:
		d.mismatch(n, path, f, reflect.ValueOf(e).Elem())
	}
}

func (e Elements) canonical() string {
	if e.count > 0 {
		return strconv.Itoa(e.count)
	}
	return canonical(reflect.ValueOf(e.listed))
}

// count returns how many series there are; more than maxSeries if they are too many.
func (s Series) count() int {
	n := 1
	for _, e := range s.Each {
		if n *= e.Value.Len(); n > maxSeries {
			return n
		}
	}
	return n
}

// templates returns the templates of the series at a path.
func (s Series) templates(path string) []located {
	all := []located{{path: join(path, "name"), t: s.Name.Template}}
	for _, l := range s.Labels {
		all = append(all, located{path: join(join(path, "labels"), l.Name), t: l.Value.Template})
	}
	if s.Value != nil {
		all = append(all, located{path: join(path, "value"), t: s.Value.Template})
	}
	return all
}

// seriesPath returns the path of a series, which is another where the list is all there is.
func (r *report) seriesPath(at string, i int) string {
	if one := element(join(at, "series"), i); r.given(join(at, "series")) {
		return one
	}
	return element(at, i)
}

// remoteWrite checks a remote write, with all names that it uses.
func (t *traffic) remoteWrite(at string, r *Request, sc *scope) {
	w := r.Body.RemoteWrite
	if w == nil || t.bad[at] {
		return
	}
	if method := r.Method; method == "GET" {
		t.fail(at, "found the method GET, expected POST for a remote write")
	}
	series, samples := 0, 0
	for i, s := range w.Series {
		one := t.seriesPath(at, i)
		if t.bad[one] {
			continue
		}
		t.series(one, s, sc)
		series += s.count()
		samples += s.count() * s.Samples
	}
	switch perSlot := (samples + w.Shards - 1) / w.Shards; {
	case series > maxSeries:
		t.fail(at, "found %d series, expected at most %d", series, maxSeries)
	case perSlot > maxSamples:
		t.fail(at, "found %d samples in a request, expected at most %d: write shards", perSlot, maxSamples)
	case w.Shards > series && t.complete(at):
		t.fail(join(at, "shards"), "found more shards than series (%d): some requests would have none", series)
	}
}

func (t *traffic) series(path string, s Series, sc *scope) {
	inner := sc.inner()
	all := s.templates(path)
	for _, e := range s.Each {
		at := join(join(path, "each"), e.Name)
		if other, taken := sc.lookup(e.Name); taken {
			t.fail(at, "found the name %s, which %s already", e.Name, other.what)
			continue
		}
		inner.names[e.Name] = symbol{what: "is a name of each", variable: &Variable{word: "sequence"}}
		uses := func(l located) bool {
			return l.path != join(path, "value") && slices.ContainsFunc(l.t.Refs(), func(ref script.Ref) bool { return ref.Name == e.Name })
		}
		if e.Value.Len() > 1 && t.ok(path) && !slices.ContainsFunc(all, uses) {
			t.fail(at, "found a name that no label uses: its series would all be the same")
		}
	}
	t.templates(all, inner)
	for _, l := range s.Labels {
		if l.Name == "__name__" {
			t.fail(join(join(path, "labels"), l.Name), "found the metric's name among the labels: write name instead")
		}
	}
	if at := join(path, "name"); s.Name.String() == "" && t.given(at) {
		t.fail(at, "found an empty string, expected the name of a metric")
	}
	t.sampleValue(path, s)
}

// sampleValue checks what samples have.
func (t *traffic) sampleValue(path string, s Series) {
	var kinds []string
	for _, key := range []string{"value", "counter", "gauge"} {
		if t.given(join(path, key)) {
			kinds = append(kinds, key)
		}
	}
	switch {
	case len(kinds) > 1:
		t.fail(path, "found %s, expected only one of them", list(kinds, "and"))
	case len(kinds) == 0 && t.complete(path):
		t.fail(path, "found no value, expected one of value, counter or gauge")
	case s.Gauge != nil:
		atMost(t.validator, join(path, "gauge"), s.Gauge.From, s.Gauge.To)
	case s.Value != nil && !s.Value.Varies() && t.ok(join(path, "value")):
		if _, err := strconv.ParseFloat(s.Value.String(), 64); err != nil || strings.ContainsAny(s.Value.String(), "xX_") {
			t.fail(join(path, "value"), "found %s, expected a number or a placeholder", t.found(join(path, "value")))
		}
	}
}
