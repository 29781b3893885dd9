package config

// OTLP says where to push traces and metrics: to OpenTelemetry's collector, or whatever else receives OTLP over HTTP. A signal that is
// left out is not pushed, and costs nothing.
type OTLP struct {
	// Spans of the slots that traceparent samples: one for each request, whose ids are those of its traceparent, and one for each journey, as the
	// parent of its requests. They are dropped and counted while the receiver cannot keep up.
	Traces *OTLPTraces `yaml:"traces"`
	// The metrics of /metrics, native histograms as exponential ones.
	Metrics *OTLPMetrics `yaml:"metrics"`
}

// OTLPTraces is where spans are pushed.
type OTLPTraces struct {
	// The whole URL, such as http://collector.example:4318/v1/traces.
	URL Endpoint `yaml:"url" required:"true"`
	// How it is reached.
	HTTPConfig QueryHTTPConfig `yaml:"http_config"`
}

// OTLPMetrics is where metrics are pushed.
type OTLPMetrics struct {
	// The whole URL, such as http://collector.example:4318/v1/metrics, or http://prometheus.example:9090/api/v1/otlp/v1/metrics.
	URL Endpoint `yaml:"url" required:"true"`
	// How it is reached.
	HTTPConfig QueryHTTPConfig `yaml:"http_config"`
	// How often.
	Every Duration `yaml:"every" default:"1m" min:"1s" max:"1h"`
}

// Fingerprint returns a hash of all that it says, in the form of Scenario.Fingerprint. It may be nil.
func (o *OTLP) Fingerprint() string {
	if o == nil {
		return ""
	}
	return fingerprint(*o)
}

// otlp checks where traces and metrics are pushed.
func (v validator) otlp(o *OTLP) {
	if o == nil || v.bad["otlp"] {
		return
	}
	if o.Traces == nil && o.Metrics == nil {
		v.fail("otlp", "found neither traces nor metrics, expected at least one of them")
	}
	if o.Traces != nil {
		v.pushed("otlp.traces", o.Traces.URL, o.Traces.HTTPConfig, "/v1/traces")
	}
	if o.Metrics != nil {
		v.pushed("otlp.metrics", o.Metrics.URL, o.Metrics.HTTPConfig, "/v1/metrics")
	}
}

// pushed checks where one of them is pushed.
func (v validator) pushed(at string, to Endpoint, h QueryHTTPConfig, path string) {
	if v.bad[at] {
		return
	}
	if url := join(at, "url"); v.ok(url) && to.Target == "/" {
		v.fail(url, "found %s, expected a URL with a path, such as %s%s", v.found(url), to.Origin(), path)
	}
	v.queryHTTP(at, to, h)
}
