// Package fold finds the requests behind many paths: /items/17 and /items/18 are one, of which a
// segment varies. It takes streams of any length in bounded memory, and knows neither methods nor hosts:
// keep a Tree for each.
package fold

import (
	"cmp"
	"slices"
	"strings"
)

// Options bound a Tree. A zero field has the default.
type Options struct {
	// Words is how many different words may stand in one place before the place is taken for one that
	// varies; 50 by default.
	Words int
	// Nodes bounds the places that are kept apart; 20,000 by default. Beyond it all that is new varies.
	Nodes int
	// Targets bounds the targets that are kept of one route, AllTargets those of all; 200 and 100,000 by default.
	Targets, AllTargets int
	// Length bounds the targets that are kept, in bytes; 2,048 by default. Longer ones are counted only.
	Length int
}

func (o Options) withDefaults() Options {
	return Options{
		Words: cmp.Or(o.Words, 50), Nodes: cmp.Or(o.Nodes, 20_000), Targets: cmp.Or(o.Targets, 200),
		AllTargets: cmp.Or(o.AllTargets, 100_000), Length: cmp.Or(o.Length, 2048),
	}
}

// maxDepth bounds the segments that are told apart: what is deeper belongs to the last one.
const maxDepth = 24

// Tree folds targets, paths with or without a query, into routes. Make it with NewTree. Not safe for
// concurrent use.
type Tree struct {
	o     Options
	root  *node
	nodes int
	// known are the targets that are kept, so that most of a stream takes no more than a look here.
	known map[string]*Target
}

// node is what stands at a place of a path. Its children are those that follow: words by name, and
// one for whatever varies.
type node struct {
	words  map[string]*node
	value  *node
	folded bool // All words are values from here on.
	leaf   *leaf
}

// leaf is what is known of the targets that end at a place.
type leaf struct {
	targets []*Target
	// others counts those that are not among them.
	others uint64
}

// NewTree returns an empty tree.
func NewTree(o Options) *Tree {
	return &Tree{o: o.withDefaults(), root: &node{}, nodes: 1, known: map[string]*Target{}}
}

// Add counts a target such as /items/17?page=2. A target that is known already allocates nothing.
func (t *Tree) Add(target string) { t.AddN(target, 1) }

// AddN counts a target so many times.
func (t *Tree) AddN(target string, n uint64) {
	if known := t.known[target]; known != nil {
		known.Count += n
		return
	}
	l := t.leafOf(target)
	if len(target) > t.o.Length || !t.keep(l, &Target{target, n}) {
		l.others += n
	}
}

// leafOf returns the leaf of a target, and makes it if it is new.
func (t *Tree) leafOf(target string) *leaf {
	at := t.root
	path := pathOf(target)
	for depth := 1; path != ""; depth++ {
		var segment string
		segment, path = next(path)
		if depth == maxDepth {
			segment, path = segment+path, ""
		}
		at = t.child(at, segment)
	}
	if at.leaf == nil {
		at.leaf = &leaf{}
	}
	return at.leaf
}

// pathOf returns the path of a target without its leading slash.
func pathOf(target string) string {
	if end := strings.IndexByte(target, '?'); end >= 0 {
		target = target[:end]
	}
	return strings.TrimPrefix(target, "/")
}

// next cuts the first segment off a path, with the slash that ends it: /items and /items/ are not
// the same.
func next(path string) (segment, rest string) {
	if end := strings.IndexByte(path, '/'); end >= 0 {
		return path[:end+1], path[end+1:]
	}
	return path, ""
}

// child returns the place behind a segment, and makes it if it is new.
func (t *Tree) child(n *node, segment string) *node {
	if c := n.words[segment]; c != nil {
		return c
	}
	if n.folded || IsValue(strings.TrimSuffix(segment, "/")) {
		return t.valueOf(n)
	}
	if len(n.words) >= t.o.Words || t.nodes >= t.o.Nodes {
		t.fold(n)
		return t.valueOf(n)
	}
	if n.words == nil {
		n.words = map[string]*node{}
	}
	c := &node{}
	t.nodes++
	n.words[strings.Clone(segment)] = c
	return c
}

func (t *Tree) valueOf(n *node) *node {
	if n.value == nil {
		n.value = &node{}
		t.nodes++
	}
	return n.value
}

// fold makes values of all words at a place.
func (t *Tree) fold(n *node) {
	n.folded = true
	for _, c := range n.words {
		t.merge(t.valueOf(n), c)
	}
	n.words = nil
}

// merge adds what is known of one place to another.
func (t *Tree) merge(into, from *node) {
	t.nodes--
	if from.folded && !into.folded {
		t.fold(into)
	}
	for word, c := range from.words {
		t.merge(t.child(into, word), c)
	}
	if from.value != nil {
		t.merge(t.valueOf(into), from.value)
	}
	if from.leaf == nil {
		return
	}
	if into.leaf == nil {
		into.leaf = &leaf{}
	}
	into.leaf.others += from.leaf.others
	for _, target := range from.leaf.targets {
		delete(t.known, target.Text)
		if !t.keep(into.leaf, target) {
			into.leaf.others += target.Count
		}
	}
}

// keep keeps a target by itself if there is room for it.
func (t *Tree) keep(l *leaf, target *Target) bool {
	if len(l.targets) >= t.o.Targets || len(t.known) >= t.o.AllTargets {
		return false
	}
	target.Text = strings.Clone(target.Text)
	l.targets = append(l.targets, target)
	t.known[target.Text] = target
	return true
}

// Route is a path of which some segments may vary.
type Route struct {
	// Segments are the parts of the path between slashes; Varies says of each whether it varies, its
	// text is empty then. The last one is empty if the path ends with a slash.
	Segments []string
	Varies   []bool
	// Count is how many targets had this route, and Others how many of them are not in Targets.
	Count, Others uint64
	// Targets are those that were seen, the most frequent first.
	Targets []Target
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
	var all []Route
	t.root.routes(nil, nil, &all)
	slices.SortFunc(all, func(a, b Route) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Pattern(), b.Pattern()))
	})
	return all
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
			t.fold(n)
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
	if n.leaf != nil {
		*all = append(*all, newRoute(segments, varies, n.leaf))
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
	r := Route{Count: l.others, Others: l.others}
	for _, target := range l.targets {
		r.Count += target.Count
		r.Targets = append(r.Targets, *target)
	}
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
	// The targets know whether the path ends with a slash, and what is the same in all of them.
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
