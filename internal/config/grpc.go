package config

import (
	"slices"
	"strings"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol/grpc/spec"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/uri"
)

// GRPCConfig is what calls of gRPC have beside http_config, which says how their connections are made and how they authenticate. Their URLs
// are those of methods: grpc://host:port/package.Service/Method, or grpcs:// with TLS. Headers are metadata; the values of those whose names end in -bin are base64.
type GRPCConfig struct {
	// Files that describe the messages: sources, whose names end in .proto, and descriptor sets as protoc and buf write them. They are read again
	// once a minute. Sources and their imports have at most 4 MiB together, a descriptor set 16 MiB. Left out, servers are asked by reflection: ahead, every 10 minutes and when they do not know a method.
	ProtoFiles []string `yaml:"proto_files" min:"1" max:"1000" format:"content"`
	// Folders in which what sources import is looked for, beside their own folders.
	ImportPaths []string `yaml:"import_paths" min:"1" max:"100" format:"folder"`
	// How messages are compressed that are sent. Those of responses may be compressed by gzip in any case.
	Compression Compression `yaml:"compression" default:"none" oneof:"none gzip"`
	// How long a message of a response may be; a longer one fails with reason protocol. Of a compressed one that no check, capture or transcript looks at, the compressed length counts. http_config.max_response_bytes bounds all of a response.
	MaxMessageBytes Bytes `yaml:"max_message_bytes" default:"4MiB" min:"1" max:"1GiB"`
}

// Compression is how messages are compressed.
type Compression string

// The ways to compress messages.
const (
	CompressionNone Compression = "none"
	CompressionGzip Compression = "gzip"
)

// CallsGRPC reports whether requests of the scenario are calls of gRPC.
func (s Scenario) CallsGRPC() bool { return slices.ContainsFunc(s.origins, callsGRPC) }

// IsCall reports whether the request is a call of gRPC.
func (r *Request) IsCall() bool { return callsGRPC(r.target.Origin) }

func callsGRPC(u uri.URI) bool { return u.Scheme == "grpc" || u.Scheme == "grpcs" }

// grpc checks the settings of gRPC, and those of HTTP that it does not have.
func (v validator) grpc(path string, s *Scenario) {
	at := join(path, "grpc_config")
	if !s.CallsGRPC() {
		if v.given(at) && len(s.origins) > 0 {
			v.fail(at, "found settings of gRPC, but no request has a grpc or grpcs URL: write grpc or leave them out")
		}
		return
	}
	if s.GRPCConfig == nil {
		s.GRPCConfig = preset[GRPCConfig]()
	}
	if one := join(at, "import_paths"); v.given(one) && len(s.GRPCConfig.ProtoFiles) == 0 && v.ok(join(at, "proto_files")) {
		v.fail(one, "found without proto_files, whose imports they are for")
	}
	if at := join(path, "headers"); v.given(at) {
		v.metadata(at, s.Headers)
	}
}

// call checks what a call of gRPC cannot have, and what a request of HTTP cannot.
func (t *traffic) call(path string, r *Request) {
	if at := join(path, "url"); !t.given(at) || !t.ok(at) {
		return // Its protocol is not known.
	}
	status := below(path, "expect.status")
	if r.IsWebSocket() {
		return
	}
	t.statuses(status, r.Expect.Status, !r.IsCall(), r.IsCall())
	if !r.IsCall() {
		return
	}
	if !t.given(status) {
		r.Expect.Status = []StatusRange{{Name: "OK"}}
	}
	t.methodURL(join(path, "url"), r)
	for key, there := range map[string]bool{
		"method": r.Method != "GET", "query": len(r.Query) > 0, "follow_redirects": deref(r.FollowRedirects), "cookies": r.Cookies,
	} {
		if at := join(path, key); there && t.given(at) && t.ok(at) {
			t.fail(at, "found together with a grpc URL, which has none: leave it out")
		}
	}
	for _, e := range r.Capture {
		if at := join(join(join(path, "capture"), e.Name), "cookie"); t.given(at) {
			t.fail(at, "found a cookie, which gRPC does not have: write header for metadata")
		}
	}
	if at := below(path, "expect.cookies"); t.given(at) {
		t.fail(at, "found cookies, which gRPC does not have: write headers for metadata")
	}
	t.metadata(join(path, "headers"), r.Headers)
	if at := join(path, "body"); t.given(at) && t.ok(at) && r.Body.text != nil {
		t.fail(at, "found a string, expected {message: ...} for a grpc URL")
	}
}

// methodURL checks that a URL is one of a method.
func (t *traffic) methodURL(at string, r *Request) {
	if !t.ok(at) || !t.given(at) {
		return
	}
	if r.target.Whole != nil || r.target.varies() {
		t.fail(at, "found a placeholder, but the method of a call is fixed")
		return
	}
	service, method, _ := strings.Cut(strings.TrimPrefix(r.URL.Target, "/"), "/")
	if service == "" || method == "" || strings.ContainsAny(service+method, "/?%") {
		t.fail(at, "found %s, expected the URL of a method such as grpc://host:50051/package.Service/Method", quote(r.URL.Target))
	}
}

// metadata checks headers that are the metadata of calls.
func (v validator) metadata(path string, headers Headers) {
	for _, h := range headers {
		at := join(path, h.Name)
		switch {
		case !v.ok(at):
		case spec.Reserved(h.Name):
			v.fail(at, "found the header %s, which belongs to gRPC: leave it out", h.Name)
		case spec.Binary(h.Name) && !h.Varies():
			if _, err := spec.DecodeBinary(h.Value); err != nil {
				v.fail(at, "found invalid base64, expected base64 in a header whose name ends in -bin")
			}
		}
	}
}

// statuses checks that statuses are those of HTTP, of gRPC, or of either.
func (t *traffic) statuses(at string, all []StatusRange, http, grpc bool) {
	if !t.given(at) || t.bad[at] {
		return
	}
	for i, s := range all {
		one := element(at, i)
		switch {
		case !t.ok(one):
		case !http && s.Name == "":
			t.fail(one, "found %s, expected a status of gRPC such as OK or NOT_FOUND", t.found(one))
		case !grpc && s.Name != "":
			t.fail(one, "found %s, which is a status of gRPC, expected one of HTTP such as 200 or 2xx", t.found(one))
		case s.High >= firstCloseCode:
			t.fail(one, "found %s, which is a close code of WebSockets, expected a status of HTTP such as 200 or 2xx", t.found(one))
		}
	}
}

// renewOn checks the statuses that a session is renewed on, once all URLs are known, and fills them
// in for the protocols that the scenario has.
func (t *traffic) renewOn(at string) {
	if t.s.Session == nil || len(t.s.origins) == 0 {
		return
	}
	all := &t.s.Session.RenewOn
	t.statuses(at, *all, !t.s.families().onlyGRPC(), t.s.CallsGRPC())
	if t.given(at) || !t.s.CallsGRPC() {
		return
	}
	if t.s.families().onlyGRPC() {
		*all = nil
	}
	*all = append(*all, StatusRange{Name: "UNAUTHENTICATED"})
}

// kindFits reports a kind of body that the protocol of the request does not have.
func (t *traffic) kindFits(at, url string, r *Request) {
	switch kind := r.Body.Kind(); {
	case !t.given(url) || !t.ok(url):
	case r.IsCall() && kind != "message":
		t.fail(join(at, kind), "found together with a grpc URL, expected message")
	case !r.IsCall() && kind == "message":
		t.fail(join(at, kind), "found a message of gRPC, but the URL is none of it: write grpc://, or json for a body in JSON")
	}
}
