package fold

import (
	"cmp"
	"slices"
	"strings"
)

// Route is a path with segments that may vary.
type Route struct {
	// Segments are the parts of the path between slashes; Varies says of each whether it varies, its
	// text is empty then. The last one is empty if the path ends with a slash.
	Segments []string
	Varies   []bool
	// Count is how many targets had this route, and Others how many of them are not in Targets.
	Count, Others uint64
	// Targets are those that were seen, the most frequent first.
	Targets []Target
	// Parameters are the names of the query's parameters in ascending order, if they matter. Mixed says that
	// the targets have other ones, too many to distinguish.
	Parameters []string
	Mixed      bool
	// Labels are those that targets were counted with, the most frequent first.
	Labels []Label
}

// Target is a path, with its query if it had one, and how often it was there.
type Target struct {
	Text  string
	Count uint64
}

// Pattern returns the path with {} in the place of what varies.
func (r Route) Pattern() string {
	var b strings.Builder
	for i, s := range r.Segments {
		b.WriteByte('/')
		if r.Varies[i] {
			s = "{}"
		}
		b.WriteString(s)
	}
	return b.String()
}

// Routes returns the routes, the most frequent first.
func (t *Tree) Routes() []Route {
	t.foldLists(t.root, "")
	t.foldMany(t.root, t.root.count())
	var all []Route
	t.root.routes(nil, nil, &all)
	slices.SortFunc(all, func(a, b Route) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Pattern(), b.Pattern()), slices.Compare(a.Parameters, b.Parameters))
	})
	return all
}

// foldMany makes values of the words at a place if there are many, unless a word has a hundredth of
// all targets. If most of them have, they are alike: then all are values.
func (t *Tree) foldMany(n *node, all uint64) {
	if len(n.words) > t.o.Words {
		heavy := 0
		isHeavy := func(c *node) bool { return c.count()*100 >= all }
		for _, c := range n.words {
			heavy += btoi(isHeavy(c))
		}
		if heavy > t.o.Words/2 {
			isHeavy = nil
		}
		t.fold(n, isHeavy)
	}
	for _, c := range n.words {
		t.foldMany(c, all)
	}
	if n.value != nil {
		t.foldMany(n.value, all)
	}
}

// foldLists folds the words behind a plural, such as those in /items/mug and /items/tent, if nothing
// follows any of them.
func (t *Tree) foldLists(n *node, name string) {
	bare := func(c *node) bool { return len(c.words) == 0 && c.value == nil }
	if plural(name) && len(n.words) > 0 && len(n.words)+btoi(n.value != nil) > 1 {
		bares := n.value == nil || bare(n.value)
		for word, c := range n.words {
			bares = bares && bare(c) && !strings.HasSuffix(word, "/")
		}
		if bares {
			t.fold(n, nil)
		}
	}
	for word, c := range n.words {
		t.foldLists(c, strings.TrimSuffix(word, "/"))
	}
	if n.value != nil {
		t.foldLists(n.value, "")
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// plural reports whether a word names several things in English.
func plural(word string) bool {
	word = strings.ToLower(word)
	return len(word) > 3 && strings.HasSuffix(word, "s") && !strings.HasSuffix(word, "ss") && !strings.HasSuffix(word, "us") && !strings.HasSuffix(word, "is")
}

// routes appends the routes at and behind a place. Where nothing but one value was seen, it is taken
// as it is.
func (n *node) routes(segments []string, varies []bool, all *[]Route) {
	for form, l := range n.leaves {
		r := newRoute(segments, varies, l)
		switch form {
		case "":
		case otherForm:
			r.Mixed = true
		default:
			r.Parameters = strings.Split(form, "&")
		}
		*all = append(*all, r)
	}
	for word, c := range n.words {
		c.routes(append(slices.Clip(segments), word), append(slices.Clip(varies), false), all)
	}
	if n.value != nil {
		n.value.routes(append(slices.Clip(segments), ""), append(slices.Clip(varies), true), all)
	}
}

// newRoute returns the route of a leaf. segments are with the slashes that end them.
func newRoute(segments []string, varies []bool, l *leaf) Route {
	r := Route{Count: l.count(), Others: l.others, Labels: slices.Clone(l.labels)}
	for _, target := range l.targets {
		r.Targets = append(r.Targets, target.Target)
	}
	slices.SortFunc(r.Labels, func(a, b Label) int { return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Value, b.Value)) })
	slices.SortFunc(r.Targets, func(a, b Target) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Text, b.Text))
	})
	for i, s := range segments {
		r.Segments = append(r.Segments, strings.TrimSuffix(s, "/"))
		r.Varies = append(r.Varies, varies[i])
	}
	if len(r.Targets) == 0 {
		return r
	}
	// The targets know whether the path ends with a slash, and the parts that are the same in all of them.
	paths := make([][]string, 0, len(r.Targets))
	for _, target := range r.Targets {
		paths = append(paths, strings.Split(pathOf(target.Text), "/"))
	}
	r.Segments, r.Varies = paths[0], make([]bool, len(paths[0]))
	for _, column := range Varying(paths) {
		r.Varies[column] = true
	}
	r.Segments = slices.Clone(r.Segments)
	for i, v := range r.Varies {
		if v || r.Others > 0 && i < len(varies) && varies[i] {
			r.Segments[i], r.Varies[i] = "", true
		}
	}
	return r
}

// Varying returns the columns in which rows of the same length differ. Rows of other lengths than
// the first are not looked at.
func Varying(rows [][]string) []int {
	var columns []int
	for i := range rows[0] {
		if slices.ContainsFunc(rows, func(r []string) bool { return len(r) == len(rows[0]) && r[i] != rows[0][i] }) {
			columns = append(columns, i)
		}
	}
	return columns
}
