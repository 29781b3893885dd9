package httpreq_test

import (
	"strings"
	"testing"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/protocoltest"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/uri"
)

func TestOptionsThatCannotWorkAreRefused(t *testing.T) {
	to := func(target string) uri.URI { return protocoltest.Options(t, target).Entries[0].URL }
	field := func(name, value string) func(o *httpreq.Options) {
		return func(o *httpreq.Options) { o.Entries[0].Fields = []protocol.Field{{Name: name, Value: value}} }
	}
	for _, test := range []struct {
		name  string
		spoil func(*httpreq.Options)
		want  string
	}{
		{"no entries", func(o *httpreq.Options) { o.Entries = nil }, "no entries"},
		{"no connect timeout", func(o *httpreq.Options) { o.ConnectTimeout = 0 }, "connect timeout 0s is not positive"},
		{"no timeout", func(o *httpreq.Options) { o.Timeout = -1 }, "timeout -1ns is not positive"},
		{"no response", func(o *httpreq.Options) { o.MaxResponseBytes = 0 }, "longest response of 0 bytes is not positive"},
		{"no connections", func(o *httpreq.Options) { o.MaxConns = 0 }, "0 connections are not enough"},
		{"unknown protocol", func(o *httpreq.Options) { o.Protocol = 9 }, "unknown protocol 9"},
		{"two credentials", func(o *httpreq.Options) {
			o.BasicAuth, o.Authorization = &httpreq.BasicAuth{}, &httpreq.Authorization{}
		}, "basic auth and authorization exclude each other"},
		{"no URL", func(o *httpreq.Options) { o.Entries[0].URL = uri.URI{} }, "entry 0: no URL"},
		{"another scheme", func(o *httpreq.Options) { o.Entries[0].URL = to("ws://a/") }, `entry 0: URL "ws://a/": scheme is not one of ["http" "https"]`},
		{"h2 in the clear", func(o *httpreq.Options) { o.Protocol = httpreq.HTTP2 }, `entry 0: URL "http://127.0.0.1:1": scheme is not one of ["https"]`},
		{"h2c with TLS", func(o *httpreq.Options) { o.Protocol, o.Entries[0].URL = httpreq.H2C, to("https://a") }, `entry 0: URL "https://a": scheme is not one of ["http"]`},
		{"no status", func(o *httpreq.Options) { o.Entries[0].Expect = httpreq.Statuses{} }, "entry 0: expects no status at all"},
		{"bad method", func(o *httpreq.Options) { o.Entries[0].Method = "A B" }, `entry 0: invalid method "A B"`},
		{"CONNECT", func(o *httpreq.Options) { o.Entries[0].Method = "CONNECT" }, `entry 0: invalid method "CONNECT"`},
		{"bad header", field("A b", "c"), `entry 0: invalid header name "A b"`},
		{"bad value", field("A", "b\n"), `entry 0: header "A": control characters in its value`},
		{"a length", field("content-length", "5"), `entry 0: header "content-length": belongs to the connection or follows from the body`},
		{"a goodbye", field("Connection", "close"), `entry 0: header "Connection": belongs to the connection or follows from the body`},
		{"bad host", field("host", "a b"), `entry 0: header "host": host "a b": no host`},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := protocoltest.Options(t, "http://127.0.0.1:1")
			test.spoil(&o)
			if err := o.Validate(); err == nil || err.Error() != test.want {
				t.Errorf("got  %v\nwant %s", err, test.want)
			}
		})
	}
	t.Run("all at once", func(t *testing.T) {
		err := httpreq.Options{Entries: []httpreq.Entry{{}}}.Validate()
		if err == nil || strings.Count(err.Error(), "\n") != 4 {
			t.Errorf("got %v", err)
		}
	})
}

func TestWhatMayBeSentTwice(t *testing.T) {
	for _, test := range []struct {
		method string
		field  protocol.Field
		want   bool
	}{
		{method: "GET", want: true},
		{method: "HEAD", want: true},
		{method: "OPTIONS", want: true},
		{method: "TRACE", want: true},
		{method: "PUT", want: true},
		{method: "DELETE", want: true},
		{method: "POST"},
		{method: "PATCH"},
		{method: "STRANGE"},
		{method: "POST", field: protocol.Field{Name: "idempotency-key", Value: "1"}, want: true},
		{method: "PATCH", field: protocol.Field{Name: "X-Idempotency-Key", Value: "1"}, want: true},
		{method: "POST", field: protocol.Field{Name: "Idempotency-Key"}},
	} {
		e := protocoltest.Options(t, "http://a").Entries[0]
		e.Method = test.method
		if test.field.Name != "" {
			e.Fields = []protocol.Field{test.field}
		}
		p, err := e.Prepare("")
		if err != nil {
			t.Fatal(err)
		}
		if p.Idempotent != test.want {
			t.Errorf("%s with %v: %v", test.method, test.field, p.Idempotent)
		}
	}
}
