// Package fold finds the requests behind many paths: /items/17 and /items/18 are one, with a
// segment that varies. It takes streams of any length in bounded memory, and knows neither methods nor hosts:
// keep a Tree for each.
package fold

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// Options bound a Tree. A zero field has the default.
type Options struct {
	// Words is how many different words may stand in one place before those with less than a hundredth
	// of all targets are taken for values; 50 by default.
	Words int
	// Siblings is how many words are kept apart in one place until then; 1,000 by default.
	Siblings int
	// Nodes bounds the places that are kept apart; 20,000 by default. Beyond it all that is new varies.
	Nodes int
	// Targets bounds the targets that are kept of one route, AllTargets those of all; 200 and 100,000 by default.
	Targets, AllTargets int
	// Length bounds the targets that are kept, in bytes; 2,048 by default. Longer ones are counted only.
	Length int
	// Parameters has targets with other names in their queries be other routes.
	Parameters bool
}

func (o Options) withDefaults() Options {
	o.Words = cmp.Or(o.Words, 50)
	o.Siblings = max(cmp.Or(o.Siblings, 1000), o.Words)
	o.Nodes = cmp.Or(o.Nodes, 20_000)
	o.Targets, o.AllTargets = cmp.Or(o.Targets, 200), cmp.Or(o.AllTargets, 100_000)
	o.Length = cmp.Or(o.Length, 2048)
	return o
}

const (
	// maxDepth bounds the segments that are distinguished: deeper ones belong to the last one.
	maxDepth = 24
	// maxWord is how long a word may be, in bytes; anything longer is a value.
	maxWord = 100
)

// Tree folds targets, paths with or without a query, into routes. Make it with NewTree. Not safe for
// concurrent use.
type Tree struct {
	o     Options
	root  *node
	nodes int
	// known are the targets that are kept, so that most of a stream takes no more than a look here.
	known map[string]*kept
	names names
}

// kept is a target that is kept, and where.
type kept struct {
	Target
	leaf *leaf
}

// node is what stands at a place of a path. Its children are those that follow: words by name, and
// one for whatever varies.
type node struct {
	words  map[string]*node
	value  *node
	folded bool // All new words are values from here on.
	// leaves are the targets that end here, by the names of their parameters if these matter.
	leaves map[string]*leaf
}

// NewTree returns an empty tree.
func NewTree(o Options) *Tree {
	return &Tree{o: o.withDefaults(), root: &node{}, nodes: 1, known: map[string]*kept{}}
}

// Add counts a target such as /items/17?page=2. A target that is known already allocates nothing.
func (t *Tree) Add(target string) { t.AddN(target, 1) }

// AddN counts a target so many times.
func (t *Tree) AddN(target string, n uint64) { t.add(target, n) }

// AddLabeled counts a target with a label that is counted for its route, such as the status of the response.
func (t *Tree) AddLabeled(target string, label int) { t.add(target, 1).label(label, 1) }

// add counts a target and returns where.
func (t *Tree) add(target string, n uint64) *leaf {
	if known := t.known[target]; known != nil {
		known.Count += n
		return known.leaf
	}
	l := t.leafOf(target)
	if len(target) > t.o.Length || !t.keep(l, &kept{Target: Target{target, n}}) {
		l.others += n
	}
	return l
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
	return at.leaf(t.form(target))
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
	if n.folded || len(segment) > maxWord || IsValue(strings.TrimSuffix(segment, "/")) {
		return t.valueOf(n)
	}
	if len(n.words) >= t.o.Siblings {
		t.foldLight(n)
	}
	if n.folded || t.nodes >= t.o.Nodes {
		n.folded = true
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

// foldLight makes values of the rarer half of the words at a place: those that come often stand
// out from those that are tried once, as by scanners.
func (t *Tree) foldLight(n *node) {
	counts := make([]uint64, 0, len(n.words))
	for _, c := range n.words {
		counts = append(counts, c.count())
	}
	slices.Sort(counts)
	median := counts[len(counts)/2]
	t.fold(n, func(c *node) bool { return c.count() > median })
}

// fold makes values of the words at a place, except for those to keep.
func (t *Tree) fold(n *node, keep func(*node) bool) {
	n.folded = true
	for _, word := range slices.Sorted(maps.Keys(n.words)) {
		if c := n.words[word]; keep == nil || !keep(c) {
			delete(n.words, word)
			t.merge(t.valueOf(n), c)
		}
	}
}

// merge adds the counts of one place to another, always in the same order, as it matters for the
// bounds.
func (t *Tree) merge(into, from *node) {
	t.nodes--
	into.folded = into.folded || from.folded
	for _, word := range slices.Sorted(maps.Keys(from.words)) {
		t.merge(t.child(into, word), from.words[word])
	}
	if from.value != nil {
		t.merge(t.valueOf(into), from.value)
	}
	for _, form := range slices.Sorted(maps.Keys(from.leaves)) {
		t.mergeLeaf(into.leaf([]byte(form)), from.leaves[form])
	}
}

func (t *Tree) mergeLeaf(into, from *leaf) {
	into.others += from.others
	for _, l := range from.labels {
		into.label(l.Value, l.Count)
	}
	for _, target := range from.targets {
		delete(t.known, target.Text)
		if !t.keep(into, target) {
			into.others += target.Count
		}
	}
}

// keep keeps a target by itself if there is room for it.
func (t *Tree) keep(l *leaf, target *kept) bool {
	if len(l.targets) >= t.o.Targets || len(t.known) >= t.o.AllTargets {
		return false
	}
	target.Text, target.leaf = strings.Clone(target.Text), l
	l.targets = append(l.targets, target)
	t.known[target.Text] = target
	return true
}
