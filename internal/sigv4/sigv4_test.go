package sigv4_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/uri"
	"github.com/traffic-exporter/traffic_exporter/internal/script"
	"github.com/traffic-exporter/traffic_exporter/internal/sigv4"
)

func constant(text string) func() string { return func() string { return text } }

// prepared returns a request with fields, names before values.
func prepared(t *testing.T, method, url, body string, fields ...string) *httpreq.Prepared {
	t.Helper()
	u, err := uri.Parse(url)
	if err != nil {
		t.Fatal(err)
	}
	e := httpreq.Entry{Method: method, URL: u, Body: []byte(body)}
	for i := 0; i < len(fields); i += 2 {
		e.Fields = append(e.Fields, protocol.Field{Name: fields[i], Value: fields[i+1]})
	}
	p, err := e.Prepare("test")
	if err != nil {
		t.Fatal(err)
	}
	return &p
}

// TestSignaturesAreThoseOfAWS signs requests of the test suite that AWS has published, aws-sig-v4-test-suite, named after its cases,
// and of the examples in the documentation of S3.
func TestSignaturesAreThoseOfAWS(t *testing.T) {
	const host = "https://example.amazonaws.com"
	suite := sigv4.Options{Region: "us-east-1", Service: "service", AccessKey: "AKIDEXAMPLE", SecretKey: constant("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")}
	at := time.Date(2015, 8, 30, 12, 36, 0, 0, time.UTC)
	s3 := sigv4.Options{Region: "us-east-1", Service: "s3", AccessKey: "AKIAIOSFODNN7EXAMPLE", SecretKey: constant("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")}
	s3At := time.Date(2013, 5, 24, 0, 0, 0, 0, time.UTC)
	for _, tc := range []struct {
		name    string
		options sigv4.Options
		at      time.Time
		request *httpreq.Prepared
		signed  string
		want    string
	}{
		{"get-vanilla", suite, at, prepared(t, "GET", host+"/", ""), "host;x-amz-date", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
		{"get-vanilla-query-order-key-case", suite, at, prepared(t, "GET", host+"/?Param2=value2&Param1=value1", ""), "host;x-amz-date", "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
		{"get-vanilla-query-unreserved", suite, at, prepared(t, "GET", host+"/?-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz=-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", ""), "host;x-amz-date", "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197"},
		{"get-unreserved", suite, at, prepared(t, "GET", host+"/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", ""), "host;x-amz-date", "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f"},
		{"post-vanilla", suite, at, prepared(t, "POST", host+"/", ""), "host;x-amz-date", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
		{"post-vanilla-query", suite, at, prepared(t, "POST", host+"/?Param1=value1", ""), "host;x-amz-date", "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11"},
		{"post-x-www-form-urlencoded", suite, at, prepared(t, "POST", host+"/", "Param1=value1", "content-type", "application/x-www-form-urlencoded"), "content-type;host;x-amz-date", "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"},
		{"a bucket's lifecycle", s3, s3At, prepared(t, "GET", "https://examplebucket.s3.amazonaws.com/?lifecycle", ""), "host;x-amz-content-sha256;x-amz-date", "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"},
		{"a list of objects", s3, s3At, prepared(t, "GET", "https://examplebucket.s3.amazonaws.com/?max-keys=2&prefix=J", ""), "host;x-amz-content-sha256;x-amz-date", "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"},
	} {
		fields, err := sigv4.New(tc.options).Sign(tc.request, tc.at)
		if err != nil {
			t.Fatalf("%s: %v", tc.name, err)
		}
		date := tc.at.Format("20060102")
		want := "AWS4-HMAC-SHA256 Credential=" + tc.options.AccessKey + "/" + date + "/us-east-1/" + tc.options.Service + "/aws4_request, SignedHeaders=" + tc.signed + ", Signature=" + tc.want
		if got := fields[0]; got.Name != "Authorization" || got.Value != want || !got.Secret {
			t.Errorf("%s: %s: %s\nwant %s", tc.name, got.Name, got.Value, want)
		}
		if got := fields[1]; got.Name != "X-Amz-Date" || got.Value != tc.at.Format("20060102T150405Z") {
			t.Errorf("%s: %s: %s", tc.name, got.Name, got.Value)
		}
	}
}

func TestHeadersOfAWSAreSignedAndNoOthers(t *testing.T) {
	o := sigv4.Options{Region: "eu-central-1", Service: "aps", AccessKey: "AKID", SecretKey: constant("secret")}
	p := prepared(t, http.MethodGet, "http://a.example/a%20b/c?d=e", "", "x-amz-meta", "1", "X-Other", "2")
	fields, err := sigv4.New(o).Sign(p, time.Unix(1_800_000_000, 0))
	if err != nil || len(fields) != 2 {
		t.Fatalf("%v, %v", fields, err)
	}
	if !strings.Contains(fields[0].Value, "SignedHeaders=host;x-amz-date;x-amz-meta,") {
		t.Error(fields[0].Value)
	}
}

func TestABodyThatNobodyHoldsIsNotSigned(t *testing.T) {
	p := prepared(t, http.MethodPut, "http://a.example/", "")
	p.Source = script.NewRandom(nobody{}, 10)
	if _, err := sigv4.New(sigv4.Options{SecretKey: constant("")}).Sign(p, time.Now()); err == nil {
		t.Error("it was signed")
	}
}

// nobody are the values of a slot without any.
type nobody struct{}

func (nobody) Value(int) (script.Value, error) { return script.Value{}, nil }
func (nobody) Slot() script.Slot               { return script.Slot{} }

func BenchmarkSign(b *testing.B) {
	u, err := uri.Parse("https://aps.example/workspaces/ws-1/api/v1/remote_write")
	if err != nil {
		b.Fatal(err)
	}
	p, err := httpreq.Entry{Method: http.MethodPost, URL: u, Body: make([]byte, 9000)}.Prepare("")
	if err != nil {
		b.Fatal(err)
	}
	s := sigv4.New(sigv4.Options{Region: "us-east-1", Service: "aps", AccessKey: "AKID", SecretKey: constant("secret")})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Sign(&p, time.Now()); err != nil {
			b.Fatal(err)
		}
	}
}
