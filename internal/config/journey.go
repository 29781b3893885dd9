package config

import (
	"cmp"
	"reflect"
	"slices"
	"strconv"

	"gopkg.in/yaml.v3"
)

// TrafficStep is a step of a journey: a request, which has the keys of one but for weight, cookies and steps, or one of these. A list
// within a list of steps is laid flat, so that an anchor can hold several steps.
type TrafficStep struct {
	// How long to wait.
	Pause *Pause `yaml:"pause"`
	// How often to run the steps beside it.
	Repeat *Repeat `yaml:"repeat"`
	// Names that stand for an element of a list each time, beside repeat or parallel.
	Each Named[Each] `yaml:"each" max:"20" format:"names"`
	// The steps to repeat.
	Steps []TrafficStep `yaml:"steps" min:"1" max:"10000"`
	// Lists of steps. One list is run, by weight.
	Choose []Choice `yaml:"choose" min:"1" max:"100"`
	// Requests that are sent at once; the journey goes on when all of them have ended. With each beside it they are sent once with each element.
	Parallel []TrafficStep `yaml:"parallel" min:"1" max:"100"`
	// How many requests of parallel are in flight at a time; the next is sent when one of them has ended. Left out, 100.
	AtOnce int `yaml:"at_once" min:"1" max:"100"`
	// Request is what the step sends; nil if it is one of the others.
	Request *Request `yaml:"-"`

	// path is where it stands.
	path string
}

func (TrafficStep) expectation() string {
	return "a step: a request, pause, repeat, choose or parallel"
}

// Lanes returns how many requests of parallel are in flight at a time.
func (s TrafficStep) Lanes() int { return cmp.Or(s.AtOnce, mostAtOnce) }

// kind returns the key that says what the step is; empty for a request.
func (s TrafficStep) kind() string {
	switch {
	case s.Pause != nil:
		return "pause"
	case s.Repeat != nil:
		return "repeat"
	case s.Choose != nil:
		return "choose"
	case s.Parallel != nil:
		return "parallel"
	default:
		return ""
	}
}

// Path returns where the step stands in the file, such as scenarios[0].requests[1].steps[2].
func (s TrafficStep) Path() string { return s.path }

// Pause is how long a user waits: a duration such as 2s, or a mapping with from and to (evenly) or with mean (exponentially, as a process without
// memory waits).
type Pause struct {
	// The shortest.
	From Duration `yaml:"from" max:"1d"`
	// The longest.
	To Duration `yaml:"to" max:"1d"`
	// The average of pauses that are distributed exponentially.
	Mean Duration `yaml:"mean" min:"1ms" max:"1d"`
}

func (Pause) expectation() string { return "a duration such as 2s, {from: 1s, to: 10s} or {mean: 5s}" }

// UnmarshalText sets a pause that is always the same. An error names the expected syntax.
func (p *Pause) UnmarshalText(text []byte) error {
	var always Duration
	if always.UnmarshalText(text) != nil {
		return expectedError(p.expectation())
	}
	if always > Duration(durationDay) {
		return expectedError("at most 1d")
	}
	*p = Pause{From: always, To: always}
	return nil
}

func (p Pause) canonical() string {
	if p.Mean != 0 {
		return `{"mean": "` + p.Mean.String() + `"}`
	}
	return `{"from": "` + p.From.String() + `", "to": "` + p.To.String() + `"}`
}

// Repeat is how often steps are run: a number, a range, or all for once with each element of the lists of each. The shortest list
// counts.
type Repeat struct {
	// The least.
	From int `yaml:"from" required:"true" min:"0" max:"10000"`
	// The most.
	To int `yaml:"to" required:"true" min:"1" max:"10000"`
	// All says once for each element of the lists of each.
	All bool `yaml:"-"`
}

func (Repeat) expectation() string { return "a number such as 3, {from: 2, to: 4} or all" }

// UnmarshalText sets the number from its text. An error names the expected syntax.
func (r *Repeat) UnmarshalText(text []byte) error {
	if string(text) == "all" {
		*r = Repeat{All: true}
		return nil
	}
	n, err := strconv.Atoi(string(text))
	if err != nil || !digits(string(text)) {
		return expectedError(r.expectation())
	}
	if n < 1 || n > maxRepeats {
		return expectedError("1 to 10000")
	}
	*r = Repeat{From: n, To: n}
	return nil
}

func (r Repeat) canonical() string {
	if r.All {
		return "all"
	}
	return canonicalStruct(reflect.ValueOf(r), fieldsOf(reflect.TypeFor[Repeat]()))
}

// Each is a name that stands for another element each time.
type Each struct {
	// What the elements are of: a captured list, a variable that is one, or data.
	From string `yaml:"from" required:"true"`
	// Which element: in_turn takes one after the other and begins again at the end, random takes any.
	Pick Pick `yaml:"pick" default:"in_turn" oneof:"in_turn random"`
}

// Choice is a list of steps that may be chosen.
type Choice struct {
	// How often, relative to the weights of the others.
	Weight int `yaml:"weight" default:"1" min:"1" max:"1000000"`
	// The steps; none means that nothing is done.
	Steps []TrafficStep `yaml:"steps" required:"true" max:"10000"`
}

// Pick is which of several to take.
type Pick string

// The ways to pick: of matches (first, last, random, all), and of the elements of a list
// (in_turn, random).
const (
	PickFirst  Pick = "first"
	PickLast   Pick = "last"
	PickRandom Pick = "random"
	PickAll    Pick = "all"
	PickInTurn Pick = "in_turn"
)

const (
	// maxRepeats bounds how often steps are repeated.
	maxRepeats = 10_000
	// maxSteps bounds the requests of a journey, each as often as the file has it.
	maxSteps = 1000
	// mostAtOnce bounds how many requests of a journey are in flight at a time.
	mostAtOnce = 100
	// maxNesting bounds how deep steps may be within steps.
	maxNesting = 20
)

// steps sets a list of steps, in which lists are laid flat.
func (d *decoder) steps(n *yaml.Node, path string, f field, v reflect.Value) {
	all := []TrafficStep{}
	if d.depth++; d.depth > maxNesting {
		d.at(position(n), path, "found steps within steps more than %d deep, expected fewer", maxNesting)
	} else {
		d.flatten(n, path, 0, &all)
	}
	d.depth--
	if size := reflect.ValueOf(all); d.ok(path) && !f.within(size) {
		d.at(position(n), path, "found %d elements, expected %s", len(all), f.bounds())
	}
	v.Set(reflect.ValueOf(all))
}

func (d *decoder) flatten(n *yaml.Node, path string, depth int, all *[]TrafficStep) {
	for i, one := range n.Content {
		if d.stopped {
			return
		}
		at := element(path, i)
		target, done := d.follow(one, at)
		if target == nil {
			done()
			return
		}
		if target.Kind == yaml.SequenceNode && depth < maxNesting {
			d.locations[at] = position(target)
			d.flatten(target, at, depth+1, all)
		} else {
			s := TrafficStep{path: at}
			d.step(target, at, &s)
			*all = append(*all, s)
		}
		done()
	}
}

// step sets a step: the keys say what it is.
func (d *decoder) step(n *yaml.Node, path string, s *TrafficStep) {
	v := reflect.ValueOf(s).Elem()
	d.locations[path] = position(n)
	switch {
	case !plainTag(n):
		d.at(position(n), path, "found the tag %s, expected none", quote(n.Tag))
		return
	case n.Kind != yaml.MappingNode:
		d.mismatch(n, path, field{}, v)
		return
	}
	pairs := d.pairs(n, path)
	keys := map[string]bool{}
	for _, p := range pairs {
		keys[p.key.Value] = true
	}
	fields := d.fieldsOf(v.Type())
	switch {
	case keys["pause"]:
		d.fill(n, pairs, path, v, "TrafficStep", only(fields, "pause"))
	case keys["repeat"]:
		d.fill(n, pairs, path, v, "TrafficStep", only(fields, "repeat", "each", "steps"))
	case keys["choose"]:
		d.fill(n, pairs, path, v, "TrafficStep", only(fields, "choose"))
	case keys["parallel"]:
		d.fill(n, pairs, path, v, "TrafficStep", only(fields, "parallel", "each", "at_once"))
	case len(keys) == 1 && instead("TrafficStep", pairs[0].key.Value) != "":
		// A step of another version or tool.
		key := pairs[0].key.Value
		d.at(position(n), path, "unknown key %s: %s", quote(key), instead("TrafficStep", key))
	case (keys["each"] || keys["steps"]) && !keys["url"] && !keys["name"]:
		d.at(position(n), path, "found steps without repeat, expected repeat: 3 or repeat: all beside them, or the list of steps itself, which is laid flat")
	default:
		s.Request = &Request{}
		d.fill(n, pairs, path, reflect.ValueOf(s.Request).Elem(), "TrafficStep", stepFields(d.fieldsOf(reflect.TypeFor[Request]())))
	}
}

// stepFields returns those fields of a request that a step may have.
func stepFields(fields []field) []field {
	return slices.DeleteFunc(slices.Clone(fields), func(f field) bool {
		return f.key == "weight" || f.key == "cookies" || f.key == "steps"
	})
}

// only returns the fields of these keys.
func only(fields []field, keys ...string) []field {
	return slices.DeleteFunc(slices.Clone(fields), func(f field) bool { return !slices.Contains(keys, f.key) })
}

func (s TrafficStep) canonical() string {
	if s.Request != nil {
		return canonicalStruct(reflect.ValueOf(*s.Request), stepFields(fieldsOf(reflect.TypeFor[Request]())))
	}
	return canonicalStruct(reflect.ValueOf(s), fieldsOf(reflect.TypeFor[TrafficStep]()))
}
