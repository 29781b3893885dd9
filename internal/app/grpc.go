package app

import (
	"sync"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/config"
	"github.com/traffic-exporter/traffic_exporter/internal/engine"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/grpc"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/grpc/spec"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/uri"
	"github.com/traffic-exporter/traffic_exporter/internal/reloading"
	"github.com/traffic-exporter/traffic_exporter/internal/script"
	"github.com/traffic-exporter/traffic_exporter/internal/timeline"
)

// newGRPC makes the client of a scenario's requests that are calls of gRPC.
func newGRPC(sc config.Scenario, p part, in surroundings) (protocol.Client, error) {
	o := grpc.Options{HTTP: httpOptions(sc, p, in), MaxMessage: uint64(sc.GRPCConfig.MaxMessageBytes)}
	for _, s := range p.entries {
		o.Calls = append(o.Calls, s.call)
	}
	o.HTTP.Protocol = httpreq.AnyHTTP2
	if files := sc.GRPCConfig.ProtoFiles; len(files) > 0 {
		var disk reloading.Reader
		o.Files = func() (*grpc.Schema, error) {
			return grpc.ReadFiles(files, sc.GRPCConfig.ImportPaths, disk.ReadFile)
		}
	}
	if in.admit != nil {
		o.Admit = func() bool { return in.admit(sc.Name) }
	}
	c, err := grpc.New(o)
	if err != nil {
		return nil, err
	}
	p.descriptors = &descriptors{Descriptors: c.Descriptors(), entries: p.mix.entries, calls: p.calls, recorder: noDescriptors{}}
	return c, nil
}

// overHTTP returns the URL of gRPC or of a WebSocket as HTTP has it.
func overHTTP(u uri.URI) uri.URI {
	scheme := "http"
	if u.Secure() {
		scheme = "https"
	}
	u.Scheme = scheme
	return u.WithTarget(u.Target)
}

// callFields returns the header of a call that has this metadata.
func (x *mixer) callFields(r *config.Request, metadata []protocol.Field) []protocol.Field {
	timeout := x.sc.Timeout
	if r.Timeout > 0 {
		timeout = r.Timeout
	}
	return grpc.Fields(metadata, time.Duration(timeout), x.compresses())
}

func (x *mixer) compresses() bool { return x.sc.GRPCConfig.Compression == config.CompressionGzip }

// call translates what an entry calls.
func (x *mixer) call(r *config.Request) grpc.Call {
	var expect spec.Codes
	for _, s := range r.Expect.Status {
		code, _ := spec.ParseCode(s.Name) // The configuration has read it.
		expect |= spec.NewCodes(code)
	}
	return grpc.Call{Method: x.method(r), Expect: expect}
}

// method returns the method of a call. Those whose messages vary share it.
func (x *mixer) method(r *config.Request) *grpc.Method {
	path := r.URL.Target
	key := path
	var fixed *string
	if r.Body.Constant() {
		text := string(r.Body.Bytes())
		fixed = &text
		key += " " + text
	}
	m, known := x.methods[key]
	if !known {
		m = grpc.NewMethod(path, x.compresses(), fixed)
		x.methods[key] = m
	}
	return m
}

// message translates the message of a call.
func (x *mixer) message(r *config.Request, b *binder) httpreq.DraftBody {
	if r.Body.Constant() {
		return messageBody{method: x.method(r), fixed: true}
	}
	return messageBody{method: x.method(r), document: b.document(*r.Body.Message)}
}

// messageBody makes the messages of a call.
type messageBody struct {
	method   *grpc.Method
	document script.Document
	// fixed says that they are always the same, and not made by the document.
	fixed bool
}

var _ httpreq.DraftBody = messageBody{}

// Append implements httpreq.DraftBody.
func (m messageBody) Append(dst []byte, v script.Values) ([]byte, error) {
	if m.fixed {
		return m.method.AppendFixed(dst)
	}
	text, err := m.document.Append(nil, v)
	if err != nil {
		return dst, err
	}
	return m.method.Append(dst, text)
}

// descriptors are those of a scenario's calls. They end with the client.
type descriptors struct {
	*grpc.Descriptors

	// entries are the engine's, and calls says which of them make calls.
	entries         []engine.Entry
	calls           []bool
	recorder        grpc.Recorder
	recording, asks sync.Once
}

var _ engine.Needs = (*descriptors)(nil)

// noDescriptors is a recorder that ignores everything.
type noDescriptors struct{}

// DescriptorsLoaded implements grpc.Recorder.
func (noDescriptors) DescriptorsLoaded() {}

// DescriptorsFailed implements grpc.Recorder.
func (noDescriptors) DescriptorsFailed() {}

// begin has the descriptors asked for from now on, if slots are due soon; otherwise when one is.
func (d *descriptors) begin(r grpc.Recorder, line *timeline.Timeline) {
	d.recording.Do(func() { d.recorder = r })
	if dueSoon(line) {
		d.ask()
	}
}

func (d *descriptors) ask() { d.asks.Do(func() { d.Start(d.recorder) }) }

// Lacks implements engine.Needs.
func (d *descriptors) Lacks(slot timeline.Slot, _ time.Time) (engine.DropReason, bool) {
	if d.There() || !d.calls[engine.Choose(d.entries, slot.Hash)] {
		return 0, false
	}
	d.ask()
	return engine.DropNoDescriptors, true
}

// takeOver has descriptors of the same methods go on.
func (d *descriptors) takeOver(old *mix) {
	if old != nil && old.descriptors != nil {
		d.Adopt(old.descriptors.Descriptors)
	}
}

// count returns whether there are descriptors, as a number. The descriptors may be nil.
func (d *descriptors) count() float64 {
	if d != nil && d.There() {
		return 1
	}
	return 0
}

// needs are several things that slots need.
type needs []engine.Needs

// Lacks implements engine.Needs.
func (n *needs) Lacks(slot timeline.Slot, now time.Time) (engine.DropReason, bool) {
	for _, one := range *n {
		if reason, lacks := one.Lacks(slot, now); lacks {
			return reason, true
		}
	}
	return 0, false
}

// allNeeds returns what slots of the mix need; nil for nothing.
func (m *mix) allNeeds() engine.Needs {
	var all needs
	if m.tokens != nil {
		all = append(all, m.tokens)
	}
	if m.descriptors != nil {
		all = append(all, m.descriptors)
	}
	if m.logins != nil {
		all = append(all, m.logins)
	}
	switch len(all) {
	case 0:
		return nil
	case 1:
		return all[0]
	}
	return &all
}
