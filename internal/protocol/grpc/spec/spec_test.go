package spec_test

import (
	"testing"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol/grpc/spec"
)

func TestCodesHaveTheirNames(t *testing.T) {
	names := spec.Names()
	if len(names) != 17 {
		t.Errorf("%d codes", len(names))
	}
	for i, name := range names {
		code, err := spec.ParseCode(name)
		if err != nil || int(code) != i || code.String() != name {
			t.Errorf("%s is %d, %s (%v)", name, code, code, err)
		}
	}
	if _, err := spec.ParseCode("Ok"); err == nil {
		t.Error("another spelling is taken")
	}
	if got := spec.Code(99).String(); got != "UNKNOWN" {
		t.Errorf("a code that there is not is %s", got)
	}
}

func TestStatusesAreNumbers(t *testing.T) {
	for text, want := range map[string]spec.Code{"0": spec.OK, "16": spec.Unauthenticated, "17": spec.Unknown, "4294967295": spec.Unknown} {
		if got, ok := spec.ParseStatus([]byte(text)); got != want || !ok {
			t.Errorf("%s is %s, %t", text, got, ok)
		}
	}
	for _, text := range []string{"", "OK", "-1", "0x1", "4294967296"} {
		if got, ok := spec.ParseStatus([]byte(text)); got != spec.Unknown || ok {
			t.Errorf("%q is %s, %t", text, got, ok)
		}
	}
}

// The tables are those of http-grpc-status-mapping.md and of PROTOCOL-HTTP2.md, Errors.
func TestErrorsOfHTTPMeanCodes(t *testing.T) {
	for status, want := range map[int]string{
		400: "INTERNAL", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "UNIMPLEMENTED", 429: "UNAVAILABLE",
		502: "UNAVAILABLE", 503: "UNAVAILABLE", 504: "UNAVAILABLE", 200: "UNKNOWN", 302: "UNKNOWN", 500: "UNKNOWN",
	} {
		if got := spec.FromHTTP(status).String(); got != want {
			t.Errorf("status %d is %s, want %s", status, got, want)
		}
	}
	for code, want := range map[uint32]string{
		0x0: "INTERNAL", 0x1: "INTERNAL", 0x2: "INTERNAL", 0x3: "INTERNAL", 0x4: "INTERNAL", 0x5: "UNKNOWN", 0x6: "INTERNAL",
		0x7: "UNAVAILABLE", 0x8: "CANCELLED", 0x9: "INTERNAL", 0xa: "INTERNAL", 0xb: "RESOURCE_EXHAUSTED", 0xc: "PERMISSION_DENIED",
	} {
		if got := spec.FromReset(code).String(); got != want {
			t.Errorf("error code %#x is %s, want %s", code, got, want)
		}
	}
}

func TestSetsHaveTheirCodes(t *testing.T) {
	set := spec.NewCodes(spec.OK, spec.Unauthenticated)
	for code := range spec.Code(len(spec.Names())) {
		if want := code == spec.OK || code == spec.Unauthenticated; set.Contains(code) != want {
			t.Errorf("%s: %t", code, !want)
		}
	}
}

func TestMetadata(t *testing.T) {
	for name, want := range map[string]bool{"grpc-timeout": true, "Grpc-Encoding": true, "Content-Type": true, "x-grpc": false, "authorization": false} {
		if spec.Reserved(name) != want {
			t.Errorf("%s is reserved: %t", name, !want)
		}
	}
	if !spec.Binary("X-Id-Bin") || spec.Binary("bin") {
		t.Error("names of bytes end in -bin")
	}
	for value, want := range map[string]string{"AAEC/w": "\x00\x01\x02\xff", "AAEC/w==": "\x00\x01\x02\xff", "": ""} {
		if got, err := spec.DecodeBinary(value); err != nil || string(got) != want {
			t.Errorf("%q is %q (%v)", value, got, err)
		}
	}
	if _, err := spec.DecodeBinary("not base64"); err == nil {
		t.Error("what is no base64 is taken")
	}
}
