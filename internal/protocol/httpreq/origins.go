package httpreq

import (
	"sync"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol/uri"
)

// maxOrigins is how many origins a client keeps. The entries of a mix are at most as many;
// redirects may lead to more, and those that are out of use are let go.
const maxOrigins = 1000

// Origins are what a client has for each origin that it sends to. The zero Origins is
// empty. Safe for concurrent use.
type Origins[T interface{ InUse() bool }] struct {
	mu  sync.Mutex
	all map[string]T
}

// Get returns what there is for the URL's origin; what make makes if there was nothing.
func (o *Origins[T]) Get(u uri.URI, make func() T) T {
	o.mu.Lock()
	defer o.mu.Unlock()
	key := u.Origin()
	if t, ok := o.all[key]; ok {
		return t
	}
	if o.all == nil {
		o.all = map[string]T{}
	}
	if len(o.all) >= maxOrigins {
		for key, t := range o.all {
			if !t.InUse() {
				delete(o.all, key)
			}
		}
	}
	t := make()
	o.all[key] = t
	return t
}

// All returns all that there is.
func (o *Origins[T]) All() []T {
	o.mu.Lock()
	defer o.mu.Unlock()
	all := make([]T, 0, len(o.all))
	for _, t := range o.all {
		all = append(all, t)
	}
	return all
}
