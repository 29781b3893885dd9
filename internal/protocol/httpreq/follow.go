package httpreq

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/uri"
)

// maxRedirects is how many redirects of one request are followed.
const maxRedirects = 10

// The ways in which a chain of redirects ends in a failure.
var (
	errTooManyRedirects = errors.New("too many redirects")
	errRedirectCapped   = errors.New("redirect is beyond max_rate")
)

// Follower is a Client that follows redirects (RFC 9110, section 15.4), over any client that
// sends a Prepared as a call's Message. An exchange is then all of them together: within one
// timeout, from the first request to the last response, whose code it has. A redirect that
// the call does not admit ends it as ReasonDenied. Create it with NewFollower. Safe for
// concurrent use.
type Follower struct {
	protocol.Client

	entries []Prepared
	schemes []string
	timeout time.Duration
	chains  sync.Pool
}

// NewFollower returns a Follower over a client that was made from these options.
func NewFollower(o Options, c protocol.Client) (*Follower, error) {
	f := &Follower{Client: c, schemes: schemesOf(o.Protocol), timeout: o.Timeout}
	for i, e := range o.Entries {
		p, err := e.Prepare(o.UserAgent)
		if err != nil {
			return nil, fmt.Errorf("entry %d: %w", i, err)
		}
		f.entries = append(f.entries, p)
	}
	f.chains.New = func() any {
		x := &chain{follower: f}
		x.call.Done = x.done
		x.late = x.join
		return x
	}
	return f, nil
}

// Start implements protocol.Client.
func (f *Follower) Start(call *protocol.Call) {
	x, _ := f.chains.Get().(*chain)
	x.outer, x.hops, x.location = call, 0, ""
	x.call.Request, x.call.Message, x.call.Admit = call.Request, call.Message, call.Admit
	x.call.Deadline = call.EndsBy(time.Now(), f.timeout)
	x.call.Tap, x.call.Late, x.joined = x, nil, nil
	if call.Late != nil {
		x.call.Late = x.late
	}
	x.at = nil
	if p, ok := call.Message.(*Prepared); ok {
		x.at = p
	} else if i := call.Request.Entry; i >= 0 && i < len(f.entries) {
		x.at = &f.entries[i]
	}
	f.Client.Start(&x.call)
}

// chain is a call with the redirects that it led to. It is its own tap, for their Location.
type chain struct {
	follower *Follower
	outer    *protocol.Call
	call     protocol.Call
	// at is the request that was sent last, hops how many redirects led to it, and location
	// where its response leads.
	at       *Prepared
	hops     int
	location string
	// sent is when the first request was.
	sent time.Time
	// late is join, made once, and joined the late tap if there is one.
	late   func(protocol.Reason, time.Time) protocol.Tap
	joined protocol.Tap
}

// join is the inner call's Late.
func (x *chain) join(r protocol.Reason, now time.Time) protocol.Tap {
	late := x.outer.Late(r, now)
	if late != nil {
		x.joined = late
	}
	return late
}

var _ protocol.Tap = (*chain)(nil)

// Connection implements protocol.Tap.
func (x *chain) Connection(c protocol.Connection) {
	if x.outer.Tap != nil {
		x.outer.Tap.Connection(c)
	}
}

// Request implements protocol.Tap.
func (x *chain) Request(h protocol.Head, body []byte) {
	x.location = ""
	if x.outer.Tap != nil {
		x.outer.Tap.Request(h, body)
	}
}

// Response implements protocol.Tap.
func (x *chain) Response(h protocol.Head) {
	if x.at != nil && x.at.Jar != nil {
		x.at.Jar.SetCookies(x.at.URL, h.Fields)
	}
	if redirects(h.Status) && (x.at == nil || !x.at.KeepsRedirects) {
		for _, f := range h.Fields {
			if strings.EqualFold(f.Name, "Location") {
				x.location = f.Value
				break
			}
		}
	}
	if x.outer.Tap != nil {
		x.outer.Tap.Response(h)
	}
}

// Body implements protocol.Tap.
func (x *chain) Body(p []byte) {
	if x.outer.Tap != nil {
		x.outer.Tap.Body(p)
	}
}

// done goes on with the redirect that the response asks for, or ends the exchange.
func (x *chain) done() {
	r := x.call.Result
	if x.hops == 0 {
		x.sent = r.Sent
	}
	r.Sent = x.sent
	complete := r.Reason == protocol.ReasonNone || r.Reason == protocol.ReasonStatus
	if x.location == "" || !complete {
		x.finish(r)
		return
	}
	next, err := x.next(r.Code)
	switch {
	case err != nil:
		r.Reason, r.Err = protocol.ReasonProtocol, err
		x.finish(r)
	case !x.outer.Admits(protocol.Redirect):
		r.Reason, r.Err = protocol.ReasonDenied, errRedirectCapped
		x.finish(r)
	default:
		x.at, x.location = next, ""
		x.hops++
		x.call.Tap = x
		if x.joined != nil {
			x.call.Tap = protocol.Both{x, x.joined}
		}
		x.call.Message = next
		x.follower.Client.Start(&x.call)
		x.follower.Flush()
	}
}

// finish ends the exchange.
func (x *chain) finish(r protocol.Result) {
	outer := x.outer
	x.outer, x.at, x.location = nil, nil, ""
	x.call.Message, x.call.Result = nil, protocol.Result{}
	x.follower.chains.Put(x)
	outer.Finish(r)
}

// next returns the request that the response with this code asks for.
func (x *chain) next(code string) (*Prepared, error) {
	if x.hops >= maxRedirects {
		return nil, errTooManyRedirects
	}
	to, err := x.at.URL.Resolve(x.location)
	if err != nil {
		return nil, fmt.Errorf("redirect to %q: %w", x.location, err)
	}
	if !slices.Contains(x.follower.schemes, to.Scheme) {
		return nil, fmt.Errorf("redirect to %q: scheme is not one of %q", x.location, x.follower.schemes)
	}
	p := *x.at
	p.URL = to
	if becomesGet(code, p.Method) {
		p.Method, p.Body, p.Source = http.MethodGet, nil, nil
		p.Fields = without(p.Fields, describesBody)
	}
	if !mayCarrySecrets(x.at.URL, to) {
		p.Fields = without(p.Fields, func(f protocol.Field) bool { return f.Secret || protocol.SecretName(f.Name) })
		p.Authorized = true
	}
	if x.at.URL.Origin() != to.Origin() {
		p.Authority = to.Authority()
	}
	if p.Jar != nil {
		p.Fields = withCookies(without(p.Fields, isCookie), p.Jar.Cookies(to))
	}
	p.Idempotent = idempotent(p.Method, p.Fields)
	return &p, nil
}

func isCookie(f protocol.Field) bool { return strings.EqualFold(f.Name, "Cookie") }

// withCookies returns the fields with the cookies of a jar. It may change them: there is one
// Cookie field at most (RFC 6265, section 5.4).
func withCookies(fields []protocol.Field, cookies string) []protocol.Field {
	if cookies == "" {
		return fields
	}
	if i := slices.IndexFunc(fields, isCookie); i >= 0 {
		fields[i].Value += "; " + cookies
		return fields
	}
	return append(fields, protocol.Field{Name: "Cookie", Value: cookies, Secret: true})
}

// redirects reports whether a status leads elsewhere.
func redirects(status int) bool {
	switch status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true
	}
	return false
}

// becomesGet reports whether a redirected request is a GET, without a body: after 303 each
// but a HEAD (RFC 9110, section 15.4.4), after 301 and 302 a POST, as all clients have it
// (sections 15.4.2 and 15.4.3).
func becomesGet(code, method string) bool {
	switch code {
	case "303":
		return method != http.MethodHead && method != http.MethodGet
	case "301", "302":
		return method == http.MethodPost
	}
	return false
}

// describesBody reports whether a field is about the body.
func describesBody(f protocol.Field) bool {
	name := strings.ToLower(f.Name)
	return strings.HasPrefix(name, "content-") || name == "digest" || name == "last-modified"
}

// mayCarrySecrets reports whether a redirect stays with whom the secrets are for: within the
// origin, or from a host to the same one with TLS, at the schemes' own ports.
func mayCarrySecrets(from, to uri.URI) bool {
	if from.Origin() == to.Origin() {
		return true
	}
	upgrade := uri.URI{Scheme: "https", Host: from.Host}
	return from.Addr() == (uri.URI{Scheme: "http", Host: from.Host}).Addr() && from.Scheme == "http" && to.Origin() == upgrade.Origin()
}

// without returns the fields that are not to go.
func without(fields []protocol.Field, goes func(protocol.Field) bool) []protocol.Field {
	return slices.DeleteFunc(slices.Clone(fields), goes)
}
