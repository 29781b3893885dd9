package override

import (
	"maps"
	"slices"
	"time"
)

// Book is the histories of all scenarios, by their names.
type Book map[string]History

// Merge takes over the changes of o and returns those histories that have changed.
func (b Book) Merge(o Book) Book {
	changed := Book{}
	for name, theirs := range o {
		ours := b[name]
		if merged := ours.merge(theirs); !merged.Equal(ours) {
			b[name], changed[name] = merged, merged
		}
	}
	return changed
}

// Clone returns a copy that can be modified without touching b.
func (b Book) Clone() Book {
	c := make(Book, len(b))
	for name, h := range b {
		c[name] = slices.Clone(h)
	}
	return c
}

// Names returns the names of the scenarios that have a history, sorted.
func (b Book) Names() []string { return slices.Sorted(maps.Keys(b)) }

// Forget drops the histories without an effect at t or later.
func (b Book) Forget(t time.Time) {
	maps.DeleteFunc(b, func(_ string, h History) bool {
		return !slices.ContainsFunc(h, func(c Change) bool { return c.Forget.After(t) || c.From.After(t) })
	})
}
