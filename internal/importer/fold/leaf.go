package fold

import (
	"slices"
	"strings"
)

// leaf counts the targets that end at a place.
type leaf struct {
	targets []*kept
	// others counts those that are not among them.
	others uint64
	labels []Label
}

// Label is a label and how often targets had it.
type Label struct {
	Value int
	Count uint64
}

const (
	// maxLabels bounds the labels that are distinguished for one route.
	maxLabels = 32
	// maxForms bounds the sets of parameters that are distinguished at one place.
	maxForms = 16
	// maxNames bounds the parameters of a query that are looked at, and maxName their names in bytes.
	maxNames, maxName = 32, 64
	// otherForm is where targets are counted that have yet another set of parameters. No query has it.
	otherForm = "?"
)

// label counts a label; those beyond the bound are not counted.
func (l *leaf) label(value int, n uint64) {
	for i := range l.labels {
		if l.labels[i].Value == value {
			l.labels[i].Count += n
			return
		}
	}
	if len(l.labels) < maxLabels {
		l.labels = append(l.labels, Label{value, n})
	}
}

// leaf returns the leaf for a set of parameters, and makes it if it is new.
func (n *node) leaf(form []byte) *leaf {
	if l := n.leaves[string(form)]; l != nil {
		return l
	}
	if l := n.leaves[otherForm]; l != nil {
		return l
	}
	if n.leaves == nil {
		n.leaves = map[string]*leaf{}
	}
	l := &leaf{}
	if len(n.leaves) == maxForms {
		form = []byte(otherForm)
	}
	n.leaves[string(form)] = l
	return l
}

// count returns how many targets end at a place or behind it.
func (n *node) count() uint64 {
	var sum uint64
	for _, l := range n.leaves {
		sum += l.count()
	}
	for _, c := range n.words {
		sum += c.count()
	}
	if n.value != nil {
		sum += n.value.count()
	}
	return sum
}

func (l *leaf) count() uint64 {
	sum := l.others
	for _, target := range l.targets {
		sum += target.Count
	}
	return sum
}

// names are the names of a query's parameters, in memory that is used again.
type names struct {
	all  []string
	form []byte
}

// form returns the names of a target's parameters, each once and in ascending order, with & between them.
// Numbers are no names: a query such as ?1772460245 keeps responses out of caches. The result is good until
// the next call.
func (t *Tree) form(target string) []byte {
	at := strings.IndexByte(target, '?')
	if at < 0 || !t.o.Parameters {
		return nil
	}
	t.names.all = t.names.all[:0]
	for query := target[at+1:]; query != "" && len(t.names.all) < maxNames; {
		var parameter string
		parameter, query, _ = strings.Cut(query, "&")
		name, _, _ := strings.Cut(parameter, "=")
		if name != "" && len(name) <= maxName && classOf(name[0]) != 'd' {
			t.names.all = append(t.names.all, name)
		}
	}
	slices.Sort(t.names.all)
	t.names.form = t.names.form[:0]
	for i, name := range t.names.all {
		if i > 0 && name == t.names.all[i-1] {
			continue
		}
		if i > 0 {
			t.names.form = append(t.names.form, '&')
		}
		t.names.form = append(t.names.form, name...)
	}
	return t.names.form
}
