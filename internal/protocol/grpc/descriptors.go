package grpc

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
)

const (
	// reflectEvery and readEvery are after how long descriptors are asked for again, and files
	// read.
	reflectEvery = 10 * time.Minute
	readEvery    = time.Minute
	// firstRetry and lastRetry bound the pauses after attempts that fail, and staleAfter is how old
	// descriptors are at least before they are asked for early.
	firstRetry = time.Second
	lastRetry  = time.Minute
	staleAfter = 10 * time.Second
	// admittedWithin bounds how long a question to a server waits to be within max_rate: until a
	// scenario runs it is not.
	admittedWithin = 10 * time.Second
)

// Recorder receives attempts to have descriptors. It is safe for concurrent use and does not block.
type Recorder interface {
	// DescriptorsLoaded counts an attempt that succeeded, and DescriptorsFailed one that failed.
	DescriptorsLoaded()
	DescriptorsFailed()
}

// Descriptors are those of a client's methods, as current as files and servers are: asked for ahead
// and again from time to time, beside the calls. Known descriptors hold until they are replaced.
// Safe for concurrent use.
type Descriptors struct {
	client *Client
	files  func() (*Schema, error)
	admit  func() bool
	logger *slog.Logger
	// origins are the methods, by where they are.
	origins []*methodsAt
	there   atomic.Bool
	stale   chan struct{}

	ctx     context.Context //nolint:containedctx // It ends the loop, which outlives the call that begins it.
	cancel  context.CancelFunc
	running sync.WaitGroup
	mu      sync.Mutex
	closed  bool
	// loading is held by who loads.
	loading sync.Mutex
	failure string
}

// methodsAt are the methods at one origin.
type methodsAt struct {
	origin string
	// entry is the index of an entry that goes there.
	entry    int
	services []string
	methods  []*Method
	schema   atomic.Pointer[Schema]
}

func newDescriptors(c *Client, o Options) *Descriptors {
	d := &Descriptors{client: c, files: o.Files, admit: o.Admit, logger: o.HTTP.WithDefaults().Logger, stale: make(chan struct{}, 1)}
	d.ctx, d.cancel = context.WithCancel(context.Background())
	for i, call := range o.Calls {
		origin := c.entries[i].URL.Origin()
		at := slices.IndexFunc(d.origins, func(m *methodsAt) bool { return m.origin == origin })
		if at < 0 {
			at = len(d.origins)
			d.origins = append(d.origins, &methodsAt{origin: origin, entry: i})
		}
		m := d.origins[at]
		m.methods = append(m.methods, call.Method)
		if service := call.Method.service(); !slices.Contains(m.services, service) {
			m.services = append(m.services, service)
		}
	}
	return d
}

// There reports whether the descriptors of all methods are known.
func (d *Descriptors) There() bool { return d.there.Load() }

// Obtain loads the descriptors once, in place of Start.
func (d *Descriptors) Obtain(ctx context.Context) error { return d.load(ctx) }

// Start has the descriptors loaded from now on, until the client is closed.
func (d *Descriptors) Start(r Recorder) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.closed {
		d.running.Go(func() { d.run(r) })
	}
}

// Stale says that a server does not know a method, so that descriptors are asked for soon.
func (d *Descriptors) Stale() {
	select {
	case d.stale <- struct{}{}:
	default:
	}
}

// Adopt takes over what another has at the same origins, if the methods fit it. It comes before Start.
// What files hold has been read already, and stays.
func (d *Descriptors) Adopt(old *Descriptors) {
	if d.There() {
		return
	}
	var schemas []*Schema
	for _, m := range d.origins {
		at := slices.IndexFunc(old.origins, func(o *methodsAt) bool { return o.origin == m.origin && o.schema.Load() != nil })
		if at < 0 {
			return
		}
		schemas = append(schemas, old.origins[at].schema.Load())
	}
	_ = d.use(schemas) // They are asked for anew otherwise.
}

// run keeps the descriptors current.
func (d *Descriptors) run(r Recorder) {
	retry := firstRetry
	if d.files != nil && !d.pause(readEvery) {
		return
	}
	for {
		wait := readEvery
		if d.files == nil {
			wait = reflectEvery
		}
		if err := d.load(d.ctx); d.ctx.Err() != nil {
			return
		} else if err != nil {
			r.DescriptorsFailed()
			d.report(err)
			wait = retry + time.Duration(rand.Float64()*float64(retry))
			retry = min(2*retry, lastRetry)
		} else {
			r.DescriptorsLoaded()
			d.failure, retry = "", firstRetry
		}
		if !d.pause(wait) {
			return
		}
	}
}

// pause waits until it is time to load descriptors. It reports false when the client is
// closed.
func (d *Descriptors) pause(wait time.Duration) bool {
	began := time.Now()
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		select {
		case <-d.ctx.Done():
			return false
		case <-timer.C:
			return true
		case <-d.stale:
			if left := staleAfter - time.Since(began); left < wait {
				timer.Reset(max(0, left))
			}
		}
	}
}

// report logs a failure, unless it is the same as before.
func (d *Descriptors) report(err error) {
	if text := err.Error(); text != d.failure {
		d.failure = text
		d.logger.Warn("descriptors of gRPC cannot be had, the known ones stay in use", "err", err, "known", d.There())
	}
}

// load loads the descriptors of all methods.
func (d *Descriptors) load(ctx context.Context) error {
	d.loading.Lock()
	defer d.loading.Unlock()
	var schemas []*Schema
	for _, m := range d.origins {
		s, err := d.schemaOf(ctx, m)
		if err != nil {
			return err
		}
		schemas = append(schemas, s)
	}
	return d.use(schemas)
}

func (d *Descriptors) schemaOf(ctx context.Context, m *methodsAt) (*Schema, error) {
	if d.files != nil {
		return d.files()
	}
	waiting, cancel := context.WithTimeout(ctx, admittedWithin)
	defer cancel()
	if err := protocol.WaitAdmitted(waiting, d.admit); err != nil {
		return nil, err
	}
	return d.client.reflect(ctx, m.entry, m.services)
}

// use makes the methods those of the schemas, one for each origin: all of them, or none.
func (d *Descriptors) use(schemas []*Schema) error {
	var all []*resolved
	for i, at := range d.origins {
		for _, m := range at.methods {
			r, err := m.resolve(schemas[i])
			if err != nil {
				return err
			}
			all = append(all, r)
		}
	}
	for i, at := range d.origins {
		at.schema.Store(schemas[i])
		for _, m := range at.methods {
			m.now.Store(all[0])
			all = all[1:]
		}
	}
	d.there.Store(true)
	return nil
}

// close has the loop end, and wait waits for that.
func (d *Descriptors) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	d.cancel()
}

func (d *Descriptors) wait() { d.running.Wait() }
