package membership

import "maps"

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

// outlook is the views that a second may have: all those in which each incarnation is at one of
// its stages. It does not hold which of them exclude each other. So it may have views that are
// not possible, never too few of them, and its size is that of one view.
type outlook struct {
	// members are those who may be members.
	members map[Key]*peer
	// stages are the stages of those who went out since the last view that was agreed on, and of those
	// for whom it is open. All other members are members, and all others outside.
	stages map[Key]stage
}

// stage returns the stages that an incarnation may be at.
func (o outlook) stage(k Key) stage {
	if s, ok := o.stages[k]; ok {
		return s
	}
	if o.members[k] != nil {
		return inside
	}
	return outside
}

// isOpen reports whether an incarnation may be at more than one stage.
func (o outlook) isOpen(k Key) bool { return o.stages[k].isOpen() }

// isCertain reports whether there is only one view.
func (o outlook) isCertain() bool {
	for _, s := range o.stages {
		if s.isOpen() {
			return false
		}
	}
	return true
}

// equal reports whether two outlooks are of the same views.
func (o outlook) equal(p outlook) bool {
	return maps.Equal(o.members, p.members) && maps.Equal(o.stages, p.stages)
}

// union returns the outlook of all views that some outlooks have.
func union(all []outlook) outlook {
	u := outlook{members: map[Key]*peer{}, stages: map[Key]stage{}}
	for _, o := range all {
		maps.Copy(u.members, o.members)
		maps.Copy(u.stages, o.stages)
	}
	stages := func(k Key) (s stage) {
		for _, o := range all {
			s |= o.stage(k)
		}
		return s
	}
	for k, p := range u.members {
		u.set(k, p, stages(k))
	}
	for k := range u.stages {
		u.set(k, u.members[k], stages(k))
	}
	return u
}

// set sets the stages that an incarnation may be at.
func (o outlook) set(k Key, p *peer, s stage) {
	if s&inside != 0 {
		o.members[k] = p
	} else {
		delete(o.members, k)
	}
	if s == inside || s == outside {
		delete(o.stages, k)
	} else {
		o.stages[k] = s
	}
}

// clone returns a copy to modify.
func (o outlook) clone() outlook {
	c := outlook{members: maps.Clone(o.members), stages: maps.Clone(o.stages)}
	if c.stages == nil {
		c.stages = map[Key]stage{}
	}
	return c
}
