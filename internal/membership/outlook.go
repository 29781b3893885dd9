package membership

import (
	"iter"
	"maps"
)

// stage is where an incarnation stands in its life in the fleet; a set of them is where it may stand.
type stage uint8

// The stages, in their order: nobody comes in twice.
const (
	outside stage = 1 << iota
	inside
	wentOut
)

// isOpen reports whether there is more than one stage in the set.
func (s stage) isOpen() bool { return s&(s-1) != 0 }

// place is the stages that an incarnation may be at.
type place struct {
	stages stage
	peer   *peer
}

// outlook is the views that a second may have: all those in which each incarnation is at one of
// its stages. It does not hold which of them exclude each other. So it may have views that are
// not possible, never too few of them, and its size is that of one view.
type outlook struct {
	// base are the members of the last view that was agreed on. They are not modified: outlooks
	// of the same second share them.
	base map[Key]*peer
	// changed are those who may be elsewhere than in the base: for whom it is open, who came in
	// since, and who went out.
	changed map[Key]place
}

// stage returns the stages that an incarnation may be at.
func (o outlook) stage(k Key) stage {
	if c, ok := o.changed[k]; ok {
		return c.stages
	}
	if o.base[k] != nil {
		return inside
	}
	return outside
}

// member returns an incarnation that may be a member, nil if it cannot be one.
func (o outlook) member(k Key) *peer {
	if c, ok := o.changed[k]; ok {
		if c.stages&inside == 0 {
			return nil
		}
		return c.peer
	}
	return o.base[k]
}

// members yields those who may be members.
func (o outlook) members() iter.Seq2[Key, *peer] {
	return func(yield func(Key, *peer) bool) {
		for k, p := range o.base {
			if c, ok := o.changed[k]; ok && c.stages&inside == 0 {
				continue
			}
			if !yield(k, p) {
				return
			}
		}
		for k, c := range o.changed {
			if c.stages&inside != 0 && o.base[k] == nil && !yield(k, c.peer) {
				return
			}
		}
	}
}

// isOpen reports whether an incarnation may be at more than one stage.
func (o outlook) isOpen(k Key) bool { return o.changed[k].stages.isOpen() }

// isCertain reports whether there is only one view.
func (o outlook) isCertain() bool {
	for _, c := range o.changed {
		if c.stages.isOpen() {
			return false
		}
	}
	return true
}

// view returns the members of an outlook that is certain.
func (o outlook) view() map[Key]*peer {
	if len(o.changed) == 0 {
		return o.base
	}
	return maps.Collect(o.members())
}

// equal reports whether two outlooks of the same base are of the same views.
func (o outlook) equal(p outlook) bool { return maps.Equal(o.changed, p.changed) }

// union returns the outlook of all views that some outlooks of the same base have.
func union(all []outlook) outlook {
	u := outlook{changed: map[Key]place{}}
	for _, o := range all {
		u.base = o.base
		maps.Copy(u.changed, o.changed)
	}
	for k, c := range u.changed {
		c.stages = 0
		for _, o := range all {
			c.stages |= o.stage(k)
		}
		u.set(k, c)
	}
	return u
}

// set sets the stages that an incarnation may be at.
func (o outlook) set(k Key, to place) {
	if isMember := o.base[k] != nil; to.stages == inside && isMember || to.stages == outside && !isMember {
		delete(o.changed, k)
	} else {
		o.changed[k] = to
	}
}

// clone returns a copy to modify.
func (o outlook) clone() outlook {
	c := outlook{base: o.base, changed: make(map[Key]place, len(o.changed)+1)}
	maps.Copy(c.changed, o.changed)
	return c
}
