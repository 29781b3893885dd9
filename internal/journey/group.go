package journey

import (
	"net/http"
	"slices"

	"github.com/traffic-exporter/traffic_exporter/internal/engine"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/uri"
	"github.com/traffic-exporter/traffic_exporter/internal/script"
)

// group is the requests of a journey that are sent at once.
type group struct {
	// open is how many calls still may get another request.
	open int
	// members are the requests in flight, one for each call, and last is the one that was taken
	// last, until another is asked for.
	members []*member
	last    *member
	// asked is how many requests there were, cookies what their responses set, and size how long
	// that is, in bytes.
	asked   int
	cookies []settings
	size    int
}

// member is a request that is sent at once with others. It is that of a call, which may have several,
// one after the other.
type member struct {
	exchange

	call   *protocol.Call
	branch script.Branch
	jar    overlay
	// nth is its number in the group.
	nth int
}

// settings are the cookies that the responses to a request have set.
type settings struct {
	nth int
	all []setting
}

// setting are the cookies that a response has set.
type setting struct {
	url    uri.URI
	fields []protocol.Field
}

// of returns the member of a call.
func (g *group) of(c *protocol.Call) *member {
	i := slices.IndexFunc(g.members, func(m *member) bool { return m.call == c })
	if i < 0 {
		i = len(g.members)
		g.members = append(g.members, &member{call: c})
	}
	return g.members[i]
}

// together begins a group.
func (r *run) together(lanes int) engine.Move {
	r.group = &group{open: lanes}
	return engine.Move{Kind: engine.MoveTogether, Lanes: lanes}
}

// member puts the next request of the group into its call.
func (r *run) member(c *protocol.Call, at int) engine.Move {
	g := r.group
	m := g.of(c)
	m.nth = g.asked
	g.asked++
	g.last = nil
	jar := r.cookies()
	if jar != nil && r.script.o.Cookies {
		m.jar = overlay{base: jar}
		jar = &m.jar
	}
	move := r.request(c, &m.exchange, at, jar)
	r.journey.Branch(&m.branch)
	return move
}

// memberEnded takes the end of a request of the group.
func (r *run) memberEnded(c *protocol.Call) {
	g := r.group
	m := g.of(c)
	r.journey.Within(&m.branch, func() { r.requestEnded(c, &m.exchange) })
	g.keep(m)
	g.last = m
}

// keep keeps the cookies that the responses to a request have set until the group has ended, as many
// as a jar would.
func (g *group) keep(m *member) {
	if len(m.jar.set) > 0 && g.size+m.jar.own.size <= maxCookies {
		g.size += m.jar.own.size
		g.cookies = append(g.cookies, settings{m.nth, m.jar.set})
	}
	m.jar = overlay{}
}

// join notes that nothing is left for a call. With the last one the group has ended: then its cookies
// are the journey's, set in the order in which the requests stand, whichever response came first.
func (r *run) join() engine.Move {
	g := r.group
	if g.open--; g.open == 0 {
		slices.SortFunc(g.cookies, func(a, b settings) int { return a.nth - b.nth })
		for _, s := range g.cookies {
			for _, set := range s.all {
				r.jar.SetCookies(set.url, set.fields)
			}
		}
		r.group = nil
	}
	return engine.Move{Kind: engine.MoveJoin}
}

// within calls f with the journey as it is for the request that was taken last.
func (r *run) within(f func()) {
	if g := r.group; g != nil && g.last != nil {
		r.journey.Within(&g.last.branch, f)
	} else {
		f()
	}
}

// overlay is the cookies of a request that is sent at once with others: those that its journey had
// before, and over them those that responses to it set, which a redirect takes along.
type overlay struct {
	base cookies
	own  jar
	set  []setting
}

var _ cookies = (*overlay)(nil)

// SetCookies implements httpreq.Jar.
func (o *overlay) SetCookies(u uri.URI, response []protocol.Field) {
	before := o.own.size
	o.own.SetCookies(u, response)
	if o.own.size > before {
		o.set = append(o.set, setting{u, slices.DeleteFunc(slices.Clone(response), func(f protocol.Field) bool { return !isSetCookie(f) })})
	}
}

// Cookies implements httpreq.Jar.
func (o *overlay) Cookies(u uri.URI) string { return fieldOf(o.of(u)) }

func (o *overlay) of(u uri.URI) []*http.Cookie {
	base := slices.DeleteFunc(o.base.of(u), func(c *http.Cookie) bool { return o.sets(u, c.Name) })
	return append(base, o.own.of(u)...)
}

// sets reports whether a response of the same host has set a cookie, or has deleted it.
func (o *overlay) sets(u uri.URI, name string) bool {
	for _, s := range o.set {
		for _, f := range s.fields {
			if c, err := http.ParseSetCookie(f.Value); err == nil && c.Name == name && s.url.Host == u.Host {
				return true
			}
		}
	}
	return false
}
