package app

import (
	"fmt"
	"slices"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/config"
	"github.com/traffic-exporter/traffic_exporter/internal/engine"
	"github.com/traffic-exporter/traffic_exporter/internal/journey"
	"github.com/traffic-exporter/traffic_exporter/internal/jwt"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/grpc"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/grpc/spec"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/uri"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/websocket"
	"github.com/traffic-exporter/traffic_exporter/internal/remotewrite"
	"github.com/traffic-exporter/traffic_exporter/internal/script"
	"github.com/traffic-exporter/traffic_exporter/internal/sigv4"
	"github.com/traffic-exporter/traffic_exporter/internal/telemetry"
)

// mix is what the requests of a scenario become: the entries of its client, in the order in
// which they stand in the file, and those of the engine.
type mix struct {
	// sent are the entries of clients, names those of their series, and checks those of their
	// checks.
	sent   []sent
	names  []string
	checks [][]string
	// entries are the engine's, without their scripts, and scripts what these are made from; nil
	// for a request that is always the same.
	entries []engine.Entry
	scripts []*journey.Options
	// calls says of each entry whether it makes calls of gRPC.
	calls []bool
	// journeys are the names of those entries that have steps; empty for the others.
	journeys []string
	// descriptors are those of the methods that are called; nil if none are.
	descriptors *descriptors
	// tokens are what requests authenticate with; nil if it is not them.
	tokens *tokens
	// needs is what slots need before they can be sent; nil for nothing.
	needs engine.Needs
	// logins are the sessions of users, login how these log in, users who they are, and who
	// decides which of them is a slot's user; nil without them.
	logins *logins
	login  *journey.Options
	users  script.Table
	who    *script.Program
	// data are those that the scenario uses.
	data []telemetry.Dataset
	// candidate is the mix for the target that the scenario's own is compared with; nil without one.
	candidate *mix
}

// sent is an entry of a client.
type sent struct {
	httpreq.Entry

	// to has the scheme that the file names, and path is the URL's with its placeholders.
	to   uri.URI
	path string
	// call is what the entry calls if it is a call of gRPC.
	call grpc.Call
	// closings are the close codes that the entry expects if it is an exchange over a WebSocket.
	closings websocket.Codes
}

// mixer makes a mix.
type mixer struct {
	sc     config.Scenario
	files  *feeds
	tables map[string]script.Table
	m      mix
	// rehearses says that responses are not judged, and that stand-ins are captured.
	rehearses bool
	// loggingIn says that the steps of a login are translated.
	loggingIn bool
	// methods are those of calls whose messages vary, by their paths.
	methods map[string]*grpc.Method
	// signers are those of tokens, by what the configuration says of these.
	signers map[*config.JWT]*jwt.Signer
	// signer signs requests; nil if they are not signed.
	signer *sigv4.Signer
}

// newMix translates the requests of a scenario. It reads the files with data and bodies.
func newMix(sc config.Scenario, in surroundings) (*mix, error) {
	x := &mixer{sc: sc, rehearses: in.sink != nil, files: &feeds{failed: in.observer.FileFailed, logger: in.logger.With("scenario", sc.Name), offline: in.offline}, tables: map[string]script.Table{}, methods: map[string]*grpc.Method{}, signers: map[*config.JWT]*jwt.Signer{}}
	x.signer = newSigner(sc.HTTPConfig.SigV4, x.files)
	for _, d := range sc.Data() {
		table, err := in.tables.get(d.Name, d.Value, in.observer.FileFailed)
		if err != nil {
			return nil, err
		}
		x.tables[d.Name] = table.rows
		x.m.data = append(x.m.data, telemetry.Dataset{Name: d.Name, Rows: func() int { return table.rows().Len() }, Current: table.current})
	}
	for i := range sc.Requests {
		if err := x.entry(&sc.Requests[i]); err != nil {
			return nil, fmt.Errorf("request %q: %w", sc.Requests[i].Name, err)
		}
	}
	if err := x.logIn(); err != nil {
		return nil, err
	}
	return &x.m, x.files.err
}

// entry adds an entry of the mix.
func (x *mixer) entry(r *config.Request) error {
	e := engine.Entry{Weight: uint32(r.Weight), Request: len(x.m.sent)}
	name := ""
	var o *journey.Options
	var err error
	switch {
	case r.Steps != nil:
		name = r.Name
		o, err = x.journey(r)
	case x.isFixed(r):
		err = x.fixed(r)
	default:
		o, err = x.scripted(r, []config.TrafficStep{{Request: r}}, func(step string) string { return step })
	}
	calls := slices.ContainsFunc(x.m.sent[e.Request:], func(s sent) bool { return s.call.Method != nil })
	x.m.entries, x.m.scripts, x.m.journeys, x.m.calls = append(x.m.entries, e), append(x.m.scripts, o), append(x.m.journeys, name), append(x.m.calls, calls)
	return err
}

// isFixed reports whether a request is always the same, so that it is prepared once.
func (x *mixer) isFixed(r *config.Request) bool {
	return x.sc.Session == nil && x.signer == nil && r.Fixed() && r.Timeout == 0 && r.BasicAuth == nil && r.Authorization == nil
}

// fixed adds a request that is always the same.
func (x *mixer) fixed(r *config.Request) error {
	e, err := x.prepared(r)
	if err != nil {
		return err
	}
	if r.IsCall() {
		e.URL, e.Fields = overHTTP(r.URL.URI), x.callFields(r, fields(x.sc.HeadersOf(r)))
		x.add(e, r, r.Name, nil)
		return nil
	}
	e.URL, e.Body = r.URL.URI, r.Body.Bytes()
	e.Fields = fields(x.sc.HeadersOf(r))
	x.add(e, r, r.Name, nil)
	return nil
}

// prepared returns what all requests have that are made from one of the file.
func (x *mixer) prepared(r *config.Request) (httpreq.Entry, error) {
	if r.IsCall() {
		return grpc.Entry(httpreq.Entry{}), nil
	}
	if r.IsWebSocket() {
		return handshake()
	}
	expected := r.Expect.Status
	if x.rehearses {
		expected = []config.StatusRange{{Low: 100, High: 599}}
	}
	expect, err := statuses(expected)
	return httpreq.Entry{Method: r.Method, Expect: expect, KeepsRedirects: !x.follows(r)}, err
}

// follows reports whether redirects of a request are followed.
func (x *mixer) follows(r *config.Request) bool {
	if r.FollowRedirects != nil {
		return *r.FollowRedirects
	}
	return x.sc.HTTPConfig.FollowRedirects
}

// add adds an entry of the client, which a request of the file is.
func (x *mixer) add(e httpreq.Entry, r *config.Request, name string, checks []string) int {
	one := sent{Entry: e, to: e.URL, path: r.Target().Path.String()}
	if r.IsCall() {
		one.to, one.call = r.Target().Origin, x.call(r)
	}
	if r.IsWebSocket() {
		one.to, one.closings = r.Target().Origin, closeCodes(r)
	}
	x.m.sent = append(x.m.sent, one)
	x.m.names = append(x.m.names, name)
	x.m.checks = append(x.m.checks, checks)
	if x.rehearses {
		last := &x.m.sent[len(x.m.sent)-1]
		last.call.Expect, last.closings = spec.NewCodes(spec.OK), websocket.Codes{{First: 1000, Last: 4999}}
	}
	return len(x.m.sent) - 1
}

// journey adds the steps of an entry.
func (x *mixer) journey(r *config.Request) (*journey.Options, error) {
	return x.scripted(r, r.Steps, func(step string) string { return r.Name + "/" + step })
}

// scripted adds the requests of an entry that are not always the same.
func (x *mixer) scripted(r *config.Request, steps []config.TrafficStep, name func(step string) string) (*journey.Options, error) {
	c := &stepCompiler{mixer: x, entry: r}
	program, err := c.compile(steps)
	if err != nil {
		return nil, err
	}
	o := &journey.Options{
		Program: program, Location: time.UTC, Cookies: r.Cookies, MaxBody: int64(x.sc.HTTPConfig.MaxResponseBytes),
	}
	// Steps of one name are the same request at several places, and have one series.
	entries := map[string]int{}
	for i, step := range c.requests {
		d, err := x.draft(step, program.Scope(i))
		if err != nil {
			return nil, fmt.Errorf("step %q: %w", step.Name, err)
		}
		entry, known := entries[step.Name]
		if !known {
			entry = x.add(d.Entry, step, name(step.Name), program.Checks(i))
			entries[step.Name] = entry
		}
		o.Steps = append(o.Steps, journey.Step{Entry: entry, Draft: d, Timeout: time.Duration(step.Timeout)})
	}
	return o, nil
}

// stepCompiler makes a program of steps.
type stepCompiler struct {
	*mixer

	entry *config.Request
	// requests are those of the program, in its order.
	requests []*config.Request
}

func (c *stepCompiler) compile(steps []config.TrafficStep) (*script.Program, error) {
	variables := c.variables(c.sc.Variables)
	if c.sc.Session != nil && !c.loggingIn {
		for _, name := range c.sc.Kept() {
			variables = append(variables, script.Variable{Name: name, Source: script.Given{}})
		}
	}
	if c.entry.Steps != nil {
		variables = append(variables, c.variables(c.entry.Variables)...)
	}
	return script.Compile(variables, c.steps(steps))
}

func (c *stepCompiler) steps(steps []config.TrafficStep) []script.Step {
	var all []script.Step
	for _, s := range steps {
		switch {
		case s.Pause != nil:
			all = append(all, pause(*s.Pause))
		case s.Repeat != nil:
			all = append(all, script.Repeat{
				From: s.Repeat.From, To: s.Repeat.To, All: s.Repeat.All, Each: c.each(s.Each), Steps: c.steps(s.Steps),
			})
		case s.Choose != nil:
			var choose script.Choose
			for _, o := range s.Choose {
				choose.Options = append(choose.Options, script.Option{Weight: o.Weight, Steps: c.steps(o.Steps)})
			}
			all = append(all, choose)
		case s.Parallel != nil:
			all = append(all, c.parallel(s))
		case s.Request != nil:
			all = append(all, c.request(s.Request))
		}
	}
	return all
}

func (c *stepCompiler) parallel(s config.TrafficStep) script.Step {
	p := script.Parallel{Each: c.each(s.Each), AtOnce: s.Lanes()}
	for _, one := range s.Parallel {
		p.Requests = append(p.Requests, c.request(one.Request))
	}
	return p
}

func pause(p config.Pause) script.Pause {
	return script.Pause{From: time.Duration(p.From), To: time.Duration(p.To), Mean: time.Duration(p.Mean)}
}

func (c *stepCompiler) request(r *config.Request) script.Request {
	c.requests = append(c.requests, r)
	return script.Request{
		Variables: c.variables(r.Variables),
		Captures:  c.captures(r.Capture),
		Checks:    c.checks(r.Expect),
		Exchange:  c.turns(r),
		GoesOn:    r.OnFailure == config.OnFailureContinue,
	}
}

func (c *stepCompiler) each(each config.Named[config.Each]) []script.Each {
	var all []script.Each
	for _, e := range each {
		one := script.Each{Name: e.Name, Random: e.Value.Pick == config.PickRandom}
		// What a journey captures hides data of the same name.
		if table, ok := c.tables[e.Value.From]; ok {
			one.Table = table
		} else {
			one.List = e.Value.From
		}
		all = append(all, one)
	}
	return all
}

// newTraffic translates the requests of a scenario and makes the client that sends them, to the candidate as well if
// there is one.
func newTraffic(sc config.Scenario, in surroundings) (*mix, protocol.Client, error) {
	m, c, err := newTrafficFrom(sc, 0, in)
	if err != nil {
		return nil, nil, err
	}
	if candidate, ok := sc.Candidate(); ok {
		c, err = m.addCandidate(candidate, c, in)
	}
	return m, c, err
}

// newTrafficFrom is newTraffic to one target. The entries of the client begin at an index.
func newTrafficFrom(sc config.Scenario, from int, in surroundings) (*mix, protocol.Client, error) {
	m, err := newMix(sc, in)
	if err != nil {
		return nil, nil, fmt.Errorf("scenario %q: %w", sc.Name, err)
	}
	m.shift(from)
	if m.tokens, err = newTokens(sc, in); err != nil {
		return nil, nil, err
	}
	if m.logins, err = newLogins(sc, m, in); err != nil {
		return nil, nil, err
	}
	c, err := newClient(sc, m, in)
	if err != nil {
		return nil, nil, err
	}
	if m.logins != nil {
		m.logins.client = c
	}
	m.needs = m.allNeeds()
	if m.tokens != nil || m.logins != nil {
		c = &renewing{Client: c, tokens: m.tokens, logins: m.logins}
	}
	return m, c, nil
}

// takesLong reports whether to make a request of a journey may take far longer than to send one: it signs, or sends
// thousands of series.
func takesLong(o *journey.Options) bool {
	return o.Program.Signs() || slices.ContainsFunc(o.Steps, func(s journey.Step) bool {
		if s.Draft == nil {
			return false
		}
		_, ok := s.Draft.Body.(*remotewrite.Body)
		return ok || s.Draft.Sign != nil
	})
}

// engineEntries returns the entries of the engine, whose steps r counts; nil counts none.
func (m *mix) engineEntries(r journey.Recorder) []engine.Entry {
	entries := slices.Clone(m.entries)
	for i, o := range m.scripts {
		if o != nil {
			with := *o
			with.Recorder = r
			entries[i].Script, entries[i].Aside = journey.New(with), takesLong(o)
		}
	}
	return entries
}
