// Package config is the configuration file: its types, defaults, validation and the
// positions of its errors. It compiles rate shapes to timelines.
//
// It does no I/O: it is handed the content of the file, a way to look up
// environment variables and one to read recordings. It knows nothing of how requests are sent or counted; the app translates.
//
// The doc comments of the types' fields are the documentation of the keys: the
// JSON schema and docs/configuration.md are generated from them and the tags.
//
// Tags: yaml is the key, required means that it must be there, default the value
// of an absent key, oneof the allowed words, min and max the allowed range (of a list:
// its length), format the syntax of a string or of a list's strings.
package config

import (
	"crypto/sha256"
	"encoding/hex"
	"reflect"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol/allow"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/uri"
	"github.com/traffic-exporter/traffic_exporter/internal/timeline"
)

//go:generate go run ./gen

// Config is a valid configuration file. It is immutable and safe for concurrent use.
type Config struct {
	// The other replicas, which share the work. Left out, this replica is on its own and
	// sends all of it.
	Fleet *Fleet `yaml:"fleet"`
	// Where connections may go: hosts such as shop.example or *.staging.example, addresses and networks such as 10.0.0.0/8, each with a port if
	// need be, as in 10.0.0.0/8:8080 or *:443. Left out, anywhere. What it does not allow fails with reason denied.
	Allow []Allowed `yaml:"allow" min:"1" max:"1000"`
	// Traces and metrics to push over OTLP, the protocol of OpenTelemetry. allow does not hold for it, and in a dry run nothing is pushed.
	OTLP *OTLP `yaml:"otlp"`
	// Rows of data by name, which variables and each refer to.
	Data Named[Dataset] `yaml:"data" max:"1000" format:"names"`
	// The scenarios. Their names must differ.
	Scenarios []Scenario `yaml:"scenarios" required:"true" min:"1" max:"1000"`

	// Hash is the SHA-256 of the file's content, in hex: what the environment put
	// into it does not count.
	Hash string `yaml:"-"`

	root    *yaml.Node
	secrets map[*yaml.Node]bool
	columns []Column
	files   []File
	keys    []SigningKey
}

// Allowed returns where connections may go.
func (c *Config) Allowed() allow.List {
	var l allow.List
	for _, a := range c.Allow {
		l = append(l, a.Rule)
	}
	return l
}

// Scenario is a stream of requests at a rate over time, with limits and metrics of its own.
type Scenario struct {
	// The name of the scenario, a label of all its metrics and the seed of its arrivals.
	Name string `yaml:"name" required:"true" format:"name"`
	// How many requests are due over time, for the whole fleet.
	Rate RateShape `yaml:"rate" required:"true"`
	// How requests are spread: evenly, or at random as independent users would send them.
	Arrivals Arrivals `yaml:"arrivals" default:"uniform" oneof:"uniform poisson"`
	// How precisely requests are sent when they are due: auto is up to some 0.1 ms late and, above
	// a thousand a second in each replica, rounds due times up to whole milliseconds; exact
	// is a few microseconds late and takes up to a whole core; coarse rounds them up to whole
	// hundredths of a second above a hundred a second, and takes the least.
	Pacing Pacing `yaml:"pacing" default:"auto" oneof:"auto exact coarse"`
	// The time zone in which days begin and in which daily and weekly rates are read, by
	// its IANA name such as Europe/Berlin.
	TimeZone string `yaml:"time_zone" default:"UTC"`
	// How long a request may take, from its send to the last byte of the response.
	Timeout Duration `yaml:"timeout" default:"10s" min:"1ms" max:"10m"`
	// What counts as good. Without it nothing is judged.
	SLO *SLO `yaml:"slo"`
	// What the scenario never exceeds.
	Limits Limits `yaml:"limits"`
	// How the target is spared when it fails. Without it all is sent, whatever fails.
	BackOff *BackOff `yaml:"back_off"`
	// How requests are sent over HTTP; calls of gRPC are, as well.
	HTTPConfig HTTPConfig `yaml:"http_config"`
	// What calls of gRPC have beside that.
	GRPCConfig *GRPCConfig `yaml:"grpc_config"`
	// What WebSockets have beside that.
	WebSocketConfig *WebSocketConfig `yaml:"websocket_config"`
	// What URLs that begin with / or ? follow, such as http://example.org/api. Placeholders may stand in its path.
	BaseURL Template `yaml:"base_url"`
	// Headers of all requests. A request's own of the same name wins.
	Headers Headers `yaml:"headers"`
	// Values by name, drawn once for each slot, for placeholders such as {{ name }}.
	Variables Named[Variable] `yaml:"variables" max:"1000" format:"names"`
	// Origins beside those of the URLs in this scenario to which URLs may lead that come from a response, such as https://other.example.
	Allow []Origin `yaml:"allow" min:"1" max:"100"`
	// How users log in before their slots are sent.
	Session *Session `yaml:"session"`
	// A second target that slots are sent to as well, to compare the responses.
	Compare *Compare `yaml:"compare"`
	// How long a replica that stops waits for journeys to end; then they count as canceled.
	ShutdownGrace Duration `yaml:"shutdown_grace" default:"15s" min:"0s" max:"10m"`
	// The mix: each slot sends one of these, chosen by weight. Their names must differ.
	Requests []Request `yaml:"requests" required:"true" min:"1" max:"100"`

	timeline *timeline.Timeline
	// data are those that the scenario uses.
	data Named[Dataset]
	// origins are those that its URLs name.
	origins []uri.URI
	// kept are the names of the values captured when users log in.
	kept []string
	// candidate is the scenario as it is sent to the target that it is compared with; nil without one.
	candidate *Scenario
}

// Kept returns the names of the values captured when users log in. All requests may use them.
func (s Scenario) Kept() []string { return s.kept }

// Origins returns the origins that requests may go to: those of the scenario's URLs, each once,
// in the order of the file, and then those of allow.
func (s Scenario) Origins() []uri.URI { return s.origins }

// Data returns the data that the scenario uses.
func (s Scenario) Data() Named[Dataset] { return s.data }

// HeadersOf returns the headers of a request: those of the scenario that it does not have, its own,
// and the Content-Type that follows from its body unless there is one.
func (s Scenario) HeadersOf(r *Request) Headers {
	var all Headers
	for _, h := range s.Headers {
		if !r.Headers.has(h.Name) {
			all = append(all, h)
		}
	}
	all = append(all, r.Headers...)
	for _, h := range r.Body.Headers() {
		if !all.has(h.Name) {
			all = append(all, h)
		}
	}
	return all
}

// Timeline returns when the scenario's requests are due. It was built by Parse.
func (s Scenario) Timeline() *timeline.Timeline { return s.timeline }

// Arrivals is how slots are spread.
type Arrivals string

// The kinds of arrivals.
const (
	ArrivalsUniform Arrivals = "uniform"
	ArrivalsPoisson Arrivals = "poisson"
)

// Pacing is how precisely requests are sent when they are due.
type Pacing string

// The ways to pace.
const (
	PacingAuto   Pacing = "auto"
	PacingExact  Pacing = "exact"
	PacingCoarse Pacing = "coarse"
)

// SLO is a service level objective.
type SLO struct {
	// The part of the requests that should be good, between 0% and 100%.
	Objective Percent `yaml:"objective" required:"true"`
	// How long a good request takes at most, from its due time to the last byte. Not longer than timeout.
	Latency Duration `yaml:"latency" required:"true" min:"1ms"`
}

// Limits are what a scenario never exceeds, whatever its target does.
type Limits struct {
	// How many requests may be unanswered at a time in each replica; slots beyond it are
	// dropped and counted. It is also the limit of connections.
	MaxInFlight int `yaml:"max_in_flight" default:"500" min:"1" max:"100000"`
	// How many journeys may have begun and not ended at a time in each replica; slots beyond it
	// are dropped and counted.
	MaxJourneys int `yaml:"max_journeys" default:"100000" min:"1" max:"10000000"`
	// The most requests a second that the whole fleet puts on the wire: it clamps rate, and holds
	// back repeats and redirects beyond it. Left out, there is no limit.
	MaxRate Rate `yaml:"max_rate"`
	// How many slots of a day the whole fleet sends, from midnight to midnight in time_zone; slots beyond it are dropped and counted. Of
	// journeys a slot is one, however many its requests. Not beside a rate that follows. Left out, there is no limit.
	MaxSlotsPerDay int `yaml:"max_slots_per_day" min:"1"`
	// How late a slot may be sent. Slots that are overdue by more, after a stall or a step
	// of the clock, are dropped and counted: there is no catch-up burst.
	LateAfter Duration `yaml:"late_after" default:"1s" min:"10ms" max:"1m"`
}

// BackOff is how the target is spared when it fails: most slots are left out for a time, then fewer and fewer, on all replicas.
type BackOff struct {
	// The part of the requests that must fail, of those that ended within over: errors, timeouts and statuses that are not expected.
	WhenErrorsExceed Percent `yaml:"when_errors_exceed" default:"50%"`
	// The time over which failures are counted, in whole seconds, and for which the target is spared at least.
	Over Duration `yaml:"over" default:"30s" min:"1s" max:"1h"`
	// The share of the rate that is sent then.
	To Percent `yaml:"to" default:"10%"`
	// How long it takes from there to the whole rate, evenly, if no more fails.
	RecoverOver Duration `yaml:"recover_over" default:"2m" min:"1s" max:"1d"`
}

// HTTPConfig is how requests are sent. Names and meanings are those of Prometheus' http_config where it has them.
type HTTPConfig struct {
	// The version of HTTP: auto negotiates HTTP/2 or HTTP/1.1 over TLS and takes HTTP/1.1
	// without it, http1 is HTTP/1.1, http2 is HTTP/2 over TLS, h2c is HTTP/2 without TLS, http3 is
	// HTTP/3, over QUIC: for https URLs, and through no proxy.
	Protocol Protocol `yaml:"protocol" default:"auto" oneof:"auto http1 http2 h2c http3"`
	// How long making a connection may take; timeout ends it as well.
	ConnectTimeout Duration `yaml:"connect_timeout" default:"5s" min:"1ms" max:"10m"`
	// Whether connections are used again. Otherwise each request makes its own.
	KeepAlive bool `yaml:"keep_alive" default:"true"`
	// How long a connection is used, give or take a tenth, so that a target's new instances get their part; a request in flight is never cut off.
	MaxConnAge Duration `yaml:"max_conn_age" default:"5m" min:"1s" max:"1y"`
	// For how many requests a connection is used; 0 is no bound.
	MaxConnRequests int `yaml:"max_conn_requests" default:"0" min:"0"`
	// How long the addresses of a host are used before its name is resolved again. New connections go to all addresses in turn.
	DNSTTL Duration `yaml:"dns_ttl" default:"30s" min:"1s" max:"1d"`
	// How long beyond dns_ttl new connections may go to the old addresses while the name cannot be resolved; each is counted. Then they fail
	// with reason dns. As long as dns_ttl when left out; 0 is not at all.
	DNSGrace *Duration `yaml:"dns_grace" min:"0s" max:"1d"`
	// Whether redirects are followed, up to 10, all within one timeout. Otherwise a redirect is the response. Each counts against max_rate,
	// and the keys about connections hold for all. Credentials, cookies and all other headers that are secrets go to no other origin.
	FollowRedirects bool `yaml:"follow_redirects" default:"false"`
	// How long a response may be; a larger one fails with reason protocol.
	MaxResponseBytes Bytes `yaml:"max_response_bytes" default:"10MiB" min:"1" max:"64GiB"`
	// The User-Agent header. When empty, it is traffic_exporter and its version.
	UserAgent string `yaml:"user_agent" format:"header"`
	// Whether requests carry the identity of their slot in a Traffic-Slot header.
	SlotHeader bool `yaml:"slot_header" default:"true"`
	// The share of the slots whose requests ask for their trace to be kept, by the sampled flag of W3C trace context: sampled is 100%, unsampled is
	// 0%, and none sends no traceparent header. All requests of a slot have the same flag.
	Traceparent Traceparent `yaml:"traceparent" default:"1%"`
	// Whether a TLS session is resumed where the server offers that, as browsers do. Otherwise each handshake is a full one.
	TLSSessionResumption bool `yaml:"tls_session_resumption" default:"true"`
	// Whether requests of safe methods (GET, HEAD, OPTIONS, TRACE) without a body go with the handshake of a resumed session (0-RTT), where the
	// server allows that. An attacker who records them can send them again. Only with protocol http3.
	EarlyData bool `yaml:"early_data" default:"false"`
	// The proxy to go through: http, https, socks5 or socks5h. Its URL may have user info.
	ProxyURL ProxyURL `yaml:"proxy_url"`
	// Hosts to reach without it: names, domains, addresses and ranges of addresses, separated by commas.
	NoProxy string `yaml:"no_proxy"`
	// Whether HTTP_PROXY, HTTPS_PROXY and NO_PROXY of the environment say which proxy to go through. Otherwise they are ignored.
	ProxyFromEnvironment bool `yaml:"proxy_from_environment" default:"false"`
	// Headers of the CONNECT that asks a proxy for a connection.
	ProxyConnectHeader Headers `yaml:"proxy_connect_header" format:"secrets"`
	// TLS for https URLs. Left out, certificates are verified against the system's roots.
	TLSConfig *TLSConfig `yaml:"tls_config"`
	// HTTP basic authentication. Not together with authorization and oauth2.
	BasicAuth *BasicAuth `yaml:"basic_auth"`
	// The Authorization header. Not together with oauth2.
	Authorization *Authorization `yaml:"authorization"`
	// A token of an authorization server, as the Authorization header. While there is none, slots are dropped and counted.
	OAuth2 *OAuth2 `yaml:"oauth2"`
	// Signatures for AWS, as the Authorization header. Not together with the others.
	SigV4 *SigV4 `yaml:"sigv4"`
}

// Protocol is a choice of HTTP versions.
type Protocol string

// The protocols.
const (
	ProtocolAuto  Protocol = "auto"
	ProtocolHTTP1 Protocol = "http1"
	ProtocolHTTP2 Protocol = "http2"
	ProtocolH2C   Protocol = "h2c"
	ProtocolHTTP3 Protocol = "http3"
)

// TLSConfig is how TLS connections are made. Of a key and the same key with _file only one may be there.
type TLSConfig struct {
	// The certificates, PEM, of the authorities to trust instead of the system's.
	CA string `yaml:"ca"`
	// A file with these certificates; it is read again when it changes.
	CAFile string `yaml:"ca_file" format:"file"`
	// The client's own certificate, PEM. Needs a key.
	Cert string `yaml:"cert"`
	// A file with this certificate; it is read again when it changes.
	CertFile string `yaml:"cert_file" format:"file"`
	// The private key of the client's certificate, PEM.
	Key Secret `yaml:"key"`
	// A file with this key; it is read again when it changes.
	KeyFile string `yaml:"key_file" format:"file"`
	// The name to ask for and to verify, instead of the URL's host.
	ServerName string `yaml:"server_name"`
	// Whether to accept any certificate.
	InsecureSkipVerify bool `yaml:"insecure_skip_verify" default:"false"`
	// The lowest acceptable version of TLS.
	MinVersion TLSVersion `yaml:"min_version" default:"TLS12" oneof:"TLS10 TLS11 TLS12 TLS13"`
	// The highest acceptable version of TLS; the highest that there is when left out.
	MaxVersion TLSVersion `yaml:"max_version" oneof:"TLS10 TLS11 TLS12 TLS13"`
}

// TLSVersion is a version of TLS, such as TLS12; empty for no choice.
type TLSVersion string

// BasicAuth is a user name and a password. Of a key and the same key with _file only one may be there.
type BasicAuth struct {
	// The user name.
	Username string `yaml:"username"`
	// A file with the user name; it is read again when it changes.
	UsernameFile string `yaml:"username_file" format:"file"`
	// The password.
	Password Secret `yaml:"password"`
	// A file with the password; it is read again when it changes.
	PasswordFile string `yaml:"password_file" format:"file"`
}

// Authorization is an Authorization header. Exactly one of credentials and credentials_file has to be there.
type Authorization struct {
	// The type of authentication.
	Type string `yaml:"type" default:"Bearer" format:"token"`
	// What follows the type.
	Credentials Secret `yaml:"credentials"`
	// A file with the credentials; it is read again when it changes.
	CredentialsFile string `yaml:"credentials_file" format:"file"`
}

// OAuth2 is the account of a service at an authorization server, which grants it tokens for its credentials (RFC 6749, section 4.4). A token is
// renewed at about 80 % of its lifetime, and once early when the target responds with status 401. Of a key and the same key with _file only
// one may be there.
type OAuth2 struct {
	// Who the client is.
	ClientID string `yaml:"client_id" required:"true"`
	// Its secret.
	ClientSecret Secret `yaml:"client_secret"`
	// A file with the secret; it is read again when it changes.
	ClientSecretFile string `yaml:"client_secret_file" format:"file"`
	// Where tokens are granted. Redirects are not followed.
	TokenURL Endpoint `yaml:"token_url" required:"true"`
	// The scopes that the token is requested for.
	Scopes []string `yaml:"scopes" max:"100"`
	// Further parameters of the request for a token, such as audience. They are hidden as secrets are.
	EndpointParams Named[Secret] `yaml:"endpoint_params" max:"100"`
	// The proxy to go through: http, https, socks5 or socks5h. Its URL may have user info.
	ProxyURL ProxyURL `yaml:"proxy_url"`
	// Hosts to reach without it: names, domains, addresses and ranges of addresses, separated by commas.
	NoProxy string `yaml:"no_proxy"`
	// Whether HTTP_PROXY, HTTPS_PROXY and NO_PROXY of the environment say which proxy to go through.
	ProxyFromEnvironment bool `yaml:"proxy_from_environment" default:"false"`
	// Headers of the CONNECT that asks a proxy for a connection.
	ProxyConnectHeader Headers `yaml:"proxy_connect_header" format:"secrets"`
	// TLS for an https token_url. Left out, certificates are verified against the system's roots.
	TLSConfig *TLSConfig `yaml:"tls_config"`
}

// Request is one entry of a scenario's mix: a request with a url, or a journey with steps, which then has only name, weight, variables
// and cookies beside them. It is also a request in such a list of steps.
type Request struct {
	// The name of the request, a label of its metrics. A step's stands behind its entry's, as in visit/login.
	Name string `yaml:"name" required:"true" format:"name"`
	// How often the entry is chosen, relative to the weights of the others.
	Weight int `yaml:"weight" default:"1" min:"1" max:"1000000"`
	// The method.
	Method string `yaml:"method" default:"GET" format:"token"`
	// Where to. The host is fixed: placeholders may stand in the path and the query, or be all of the URL.
	URL URL `yaml:"url"`
	// What to add to the URL's query: keys with a value or a list of values.
	Query Named[[]Template] `yaml:"query" max:"1000"`
	// Headers by name, with a value or a list of values; Host may be among them. HTTP/1.1 sends them in this order and with this
	// spelling. A secret is hidden in transcripts, and no redirect carries it to another origin: a value written as {secret: ...}, one from the
	// environment, and one with a name such as Authorization, Cookie or X-Api-Key. Refused are those that are sent anyway or that belong to the connection, such as Content-Length and Connection.
	Headers Headers `yaml:"headers"`
	// The body.
	Body Body `yaml:"body"`
	// Values by name: an entry's are drawn once for each slot, a step's each time that it runs.
	Variables Named[Variable] `yaml:"variables" max:"1000" format:"names"`
	// How long this request may take. As the scenario says when left out.
	Timeout Duration `yaml:"timeout" min:"1ms" max:"10m"`
	// Whether redirects of this request are followed. As http_config says when left out.
	FollowRedirects *bool `yaml:"follow_redirects"`
	// HTTP basic authentication, instead of what http_config says. Not together with authorization.
	BasicAuth *RequestBasicAuth `yaml:"basic_auth"`
	// The Authorization header, instead of what http_config says.
	Authorization *RequestAuthorization `yaml:"authorization"`
	// Whether each slot keeps the cookies that it is sent, as a browser does.
	Cookies bool `yaml:"cookies" default:"false"`
	// Which responses are a success.
	Expect Expect `yaml:"expect"`
	// The messages sent and received on a WebSocket before it is closed, one turn after the other, all within one timeout.
	Exchange []Turn `yaml:"exchange" min:"1" max:"1000"`
	// Values of the response by name, for the steps that follow. A later one of the same name replaces the former.
	Capture Named[Capture] `yaml:"capture" max:"100" format:"names"`
	// What happens to the journey when the request fails.
	OnFailure OnFailure `yaml:"on_failure" default:"end" oneof:"end continue"`
	// The steps of a journey, instead of url.
	Steps []TrafficStep `yaml:"steps" min:"1" max:"10000"`

	target Target
	fixed  bool
}

// Target returns where the request goes.
func (r Request) Target() Target { return r.target }

// Fixed reports whether all slots send the same and nothing of the response is looked at but its
// status: there are no placeholders, cookies, captures and other checks, and the body is
// constant. URL and Body.Bytes then hold all of it, with what the scenario adds in
// Scenario.HeadersOf and Body.ContentType. timeout, follow_redirects, basic_auth and
// authorization may still be there.
func (r Request) Fixed() bool { return r.fixed }

// OnFailure is what happens to a journey when a request fails.
type OnFailure string

// What may happen.
const (
	OnFailureEnd      OnFailure = "end"
	OnFailureContinue OnFailure = "continue"
)

// RequestBasicAuth is a user name and a password, which may have placeholders. Of a key and the same key with _file only one may be
// there.
type RequestBasicAuth struct {
	// The user name.
	Username Template `yaml:"username"`
	// A file with the user name; it is read again when it changes.
	UsernameFile string `yaml:"username_file" format:"file"`
	// The password.
	Password SecretTemplate `yaml:"password"`
	// A file with the password; it is read again when it changes.
	PasswordFile string `yaml:"password_file" format:"file"`
}

// RequestAuthorization is an Authorization header. Exactly one of credentials, which may have placeholders, and credentials_file has to be
// there.
type RequestAuthorization struct {
	// The type of authentication.
	Type string `yaml:"type" default:"Bearer" format:"token"`
	// What follows the type.
	Credentials SecretTemplate `yaml:"credentials"`
	// A file with the credentials; it is read again when it changes.
	CredentialsFile string `yaml:"credentials_file" format:"file"`
}

// Expect is the choice of the responses that are a success.
type Expect struct {
	// Status codes such as 200, ranges such as 200-204, classes such as 2xx. Of gRPC names such as OK or NOT_FOUND, and OK when left out.
	// Of WebSockets the codes with which the connection is closed, 1000 and 1005 when left out, and statuses such as 401 with which the handshake
	// may be refused.
	Status []StatusRange `yaml:"status" default:"2xx 3xx" min:"1" max:"100"`
	// What headers have to be, by name.
	Headers Named[Check] `yaml:"headers" max:"100" format:"tokens"`
	// What cookies have to be that the response sets, by name.
	Cookies Named[Check] `yaml:"cookies" max:"100" format:"tokens"`
	// What a body in JSON has to hold, by paths such as data.items.# (gjson's).
	JSON Named[Check] `yaml:"json" max:"100"`
	// What the body has to be, as text.
	Body *Check `yaml:"body"`
	// How long the body has to be.
	Size *SizeCheck `yaml:"size"`
}

// beyondStatus reports whether more than the status is looked at.
func (e Expect) beyondStatus() bool {
	return len(e.Headers) > 0 || len(e.Cookies) > 0 || len(e.JSON) > 0 || e.Body != nil || e.Size != nil
}

// Disk is where the files are that the configuration names.
type Disk interface {
	// Look returns why a file cannot be read, or nil if it can.
	Look(path string) error
	// Read returns the content of a file with a recording, of at most limit bytes.
	Read(path string, limit int) ([]byte, error)
}

// Parse reads a configuration. Errors name the file, and relative names of files in it
// are taken from its folder. getenv returns the value of an environment variable and
// whether it is set. disk is asked about each file that is named; nil takes them as they
// are, and recordings for rates of 0. The error is an Errors with everything that is wrong with the file, up to a hundred
// mistakes, and Config is then nil. What a file costs is bounded: its size by MaxSize, and
// what aliases and variables make of it.
func Parse(filename string, content []byte, getenv func(string) (string, bool), disk Disk) (*Config, error) {
	r := newReport(filename)
	root := r.readDocument(content)
	if root == nil {
		return nil, r.sorted()
	}
	c, d := decode(root, newDecoder(r, getenv, disk))
	c.secrets, c.files = d.secrets, d.files
	for i, f := range c.files {
		if name, ok := strings.CutPrefix(f.path, "data."); ok {
			c.files[i].Data = strings.TrimSuffix(name, ".file")
		}
	}
	v := validator{report: r, c: c, knots: new(int), disk: disk}
	if !r.stopped {
		v.fleet(c.Fleet)
		v.otlp(c.OTLP)
		v.datasets()
		v.scenarios(c.Scenarios)
	}
	if len(r.errs) == 0 {
		c.candidates(r, func(second *report) *Config {
			other, _ := decode(root, newDecoder(second, getenv, nil))
			return other
		})
	}
	if err := r.sorted(); err != nil {
		return nil, err
	}
	sum := sha256.Sum256(content)
	c.Hash = hex.EncodeToString(sum[:])
	return c, nil
}

// decode reads what stands at the root of a document.
func decode(root *yaml.Node, d *decoder) (*Config, *decoder) {
	c := &Config{root: root}
	d.value(root, "", field{}, reflect.ValueOf(c).Elem())
	d.markHeaders()
	return c, d
}

// LongestTimeout returns the longest timeout of all scenarios and their requests.
func (c *Config) LongestTimeout() time.Duration {
	var longest time.Duration
	for _, s := range c.Scenarios {
		longest = max(longest, time.Duration(s.Timeout))
		for _, r := range s.Requests {
			longest = max(longest, time.Duration(r.Timeout))
			eachStep(r.Steps, func(step *TrafficStep) {
				if step.Request != nil {
					longest = max(longest, time.Duration(step.Request.Timeout))
				}
			})
		}
	}
	return longest
}
