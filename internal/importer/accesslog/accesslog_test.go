package accesslog_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/importer/accesslog"
)

const nginxCustom = `$remote_addr [$time_iso8601] $request_method $scheme://$host$request_uri $status $request_time "$http_user_agent"`

// describe returns an entry as a line.
func describe(e accesslog.Record) string {
	return strings.TrimSpace(fmt.Sprintf("%s %s %s%s %d %s", time.Unix(e.Time, 0).UTC().Format("2006-01-02T15:04:05"), e.Method, e.Host, e.Target, e.Status, e.Agent))
}

func TestLinesOfEachFormatAreRead(t *testing.T) {
	const browser = "Mozilla/5.0 (X11; Linux x86_64)"
	for name, c := range map[string]struct{ format, line, want string }{
		"nginx combined": {
			"combined", `192.0.2.7 - ada [02/Mar/2026:15:04:05 +0100] "GET /items/17?page=2 HTTP/1.1" 200 512 "https://shop.example/" "Mozilla/5.0 (X11; Linux x86_64)"`,
			"2026-03-02T14:04:05 GET /items/17?page=2 200 " + browser,
		},
		"common": {
			"common", `192.0.2.7 - - [02/Mar/2026:15:04:05 +0000] "POST /cart HTTP/2.0" 302 -`,
			"2026-03-02T15:04:05 POST /cart 302",
		},
		"an IPv6 client": {
			"combined", `2001:db8::7 - - [02/Mar/2026:15:04:05 -0330] "GET / HTTP/1.1" 200 5 "-" "-"`,
			"2026-03-02T18:34:05 GET / 200",
		},
		"Apache's vhost_combined": {
			"vhost", `shop.example:443 192.0.2.7 - - [29/Feb/2024:23:59:60 +0000] "HEAD / HTTP/1.1" 304 0 "-" "x \"quoted\" agent"`,
			`2024-03-01T00:00:00 HEAD shop.example/ 304 x \"quoted\" agent`,
		},
		"a vhost that is an IPv6 address": {
			"vhost", `[2001:db8::1]:80 192.0.2.7 - - [02/Mar/2026:15:04:05 +0000] "GET /a HTTP/1.1" 200 0 "-" "x"`,
			"2026-03-02T15:04:05 GET [2001:db8::1]/a 200 x",
		},
		"Envoy's text": {
			"envoy", `[2026-03-02T15:04:05.310Z] "POST /api/v1/locations HTTP/2" 204 - 154 0 226 100 "10.0.35.28" "nsq2http" "cc21d9b0-cf5c-432b-8c7e-98aeb7988cd2" "locations:8080" "tcp://10.0.2.1:80"`,
			"2026-03-02T15:04:05 POST locations/api/v1/locations 204 nsq2http",
		},
		"Istio's text": {
			"istio", `[2026-03-02T15:04:05.310Z] "GET /status/418 HTTP/1.1" 418 - via_upstream - "-" 0 135 5 4 "-" "curl/8.5.0" "84961386-6d84" "httpbin:8000" "10.0.0.9:80" outbound|8000||httpbin 10.0.0.8:1 10.0.0.9:2 10.0.0.8:3 - default`,
			"2026-03-02T15:04:05 GET httpbin/status/418 418 curl/8.5.0",
		},
		"Traefik's CLF goes on behind combined": {
			"combined", `192.0.2.7 - - [02/Mar/2026:15:04:05 +0000] "GET /whoami HTTP/1.1" 200 430 "-" "curl/8.5.0" 12 "whoami@docker" "http://172.19.0.2:80" 1ms`,
			"2026-03-02T15:04:05 GET /whoami 200 curl/8.5.0",
		},
		"AWS' application load balancers": {
			"alb", `https 2026-03-02T15:04:05.945958Z app/my-lb/50dc6c495c0c9188 192.0.2.7:2817 10.0.0.1:80 0.086 0.048 0.037 200 200 0 57 "GET https://www.example.com:443/a?b=c HTTP/1.1" "curl/7.46.0" ECDHE-RSA TLSv1.2 arn "Root=1" "-"`,
			"2026-03-02T15:04:05 GET www.example.com/a?b=c 200 curl/7.46.0",
		},
		"a log_format of nginx": {
			nginxCustom, `192.0.2.7 [2026-03-02T15:04:05+01:00] GET https://shop.example/items?q=a 200 0.012 "curl"`,
			"2026-03-02T14:04:05 GET shop.example/items?q=a 200 curl",
		},
		"a path and its query by themselves": {
			`${msec}|$request_method|$uri|$args|$status`, `1772460245.123|GET|/a|b=c|200`,
			"2026-03-02T14:04:05 GET /a?b=c 200",
		},
		"a path and its query together": {
			`$msec $request_method $uri$is_args$args $status`, `1772460245.123 GET /a?b=c 200`,
			"2026-03-02T14:04:05 GET /a?b=c 200",
		},
		"a log_format that is JSON": {
			`{"t":"$time_iso8601","r":"$request","s":$status}`, `{"t":"2026-03-02T15:04:05+00:00","r":"GET /a HTTP/1.1","s":200}`,
			"2026-03-02T15:04:05 GET /a 200",
		},
		"a LogFormat of Apache": {
			`%v %h %l %u %t \"%r\" %>s %b %D \"%{User-Agent}i\"`, `shop.example 192.0.2.7 - - [02/Mar/2026:15:04:05 +0000] "GET /a HTTP/1.1" 200 7 1234 "curl"`,
			"2026-03-02T15:04:05 GET shop.example/a 200 curl",
		},
		"a text_format of Envoy": {
			`%START_TIME(%s.%3f)% %REQ(:METHOD)% %REQ(:PATH)% %RESPONSE_CODE%`, `1772460245.123 GET /a?b 0`,
			"2026-03-02T14:04:05 GET /a?b 0",
		},
		"Envoy's JSON": {
			"json", `{"start_time":"2026-03-02T15:04:05.310Z","method":"GET","path":"/a?b=c","protocol":"HTTP/2","response_code":200,"user_agent":"curl","authority":"shop.example","duration":7}`,
			"2026-03-02T15:04:05 GET shop.example/a?b=c 200 curl",
		},
		"Caddy's JSON": {
			"json", `{"level":"info","ts":1772460245.9,"logger":"http.log.access","msg":"handled request","request":{"remote_ip":"192.0.2.7","proto":"HTTP/2.0","method":"GET","host":"shop.example:8443","uri":"/a?b=\u0063","headers":{"User-Agent":["curl"]}},"duration":0.01,"size":7,"status":200}`,
			"2026-03-02T14:04:05 GET shop.example/a?b=c 200 curl",
		},
		"Traefik's JSON": {
			"json", `{"ClientHost":"192.0.2.7","DownstreamStatus":404,"Duration":53000,"RequestHost":"shop.example","RequestMethod":"GET","RequestPath":"/a","StartUTC":"2026-03-02T15:04:05.31Z","request_User-Agent":"curl","level":"info","time":"2026-03-02T16:04:05+01:00"}`,
			"2026-03-02T15:04:05 GET shop.example/a 404 curl",
		},
		"a JSON log_format of nginx": {
			"json", `{"time_local":"02/Mar/2026:15:04:05 +0000","request":"GET /a HTTP/1.1","status":"200","http_user_agent":"curl","args":""}`,
			"2026-03-02T15:04:05 GET /a 200 curl",
		},
		"Google's load balancers": {
			"json", `{"httpRequest":{"requestMethod":"GET","requestUrl":"https://shop.example/a","status":200,"userAgent":"curl"},"timestamp":"2026-03-02T15:04:05.123456Z"}`,
			"2026-03-02T15:04:05 GET shop.example/a 200 curl",
		},
		"the Elastic Common Schema": {
			"json", `{"@timestamp":"2026-03-02T15:04:05Z","http":{"request":{"method":"GET"},"response":{"status_code":200}},"url":{"path":"/a","query":"b=c","domain":"shop.example"},"user_agent":{"original":"curl"}}`,
			"2026-03-02T15:04:05 GET shop.example/a?b=c 200 curl",
		},
		"quotes by nginx": {
			"combined", `192.0.2.7 - - [02/Mar/2026:15:04:05 +0000] "GET /?q=\x22a\x22 HTTP/1.1" 200 5 "-" "x"`,
			`2026-03-02T15:04:05 GET /?q="a" 200 x`,
		},
		"quotes by Apache": {
			"combined", `192.0.2.7 - - [02/Mar/2026:15:04:05 +0000] "GET /?q=\"a\" HTTP/1.1" 200 5 "-" "x"`,
			`2026-03-02T15:04:05 GET /?q="a" 200 x`,
		},
		"no request": {
			"combined", `192.0.2.7 - - [02/Mar/2026:15:04:05 +0000] "-" 408 0 "-" "-"`, "2026-03-02T15:04:05   408",
		},
		"a TLS handshake to a plain port": {
			"combined", `192.0.2.7 - - [02/Mar/2026:15:04:05 +0000] "\x16\x03\x01\x02\x00\x01 a \xfc" 400 157 "-" "-"`, "2026-03-02T15:04:05   400",
		},
		"HTTP/0.9": {
			"combined", `192.0.2.7 - - [02/Mar/2026:15:04:05 +0000] "GET /" 400 157 "-" "-"`, "2026-03-02T15:04:05   400",
		},
		"an unknown method": {
			"combined", `192.0.2.7 - - [02/Mar/2026:15:04:05 +0000] "PROPFIND / HTTP/1.1" 405 157 "-" "-"`, "2026-03-02T15:04:05   405",
		},
		"a whole URL": {
			"combined", `192.0.2.7 - - [02/Mar/2026:15:04:05 +0000] "GET http://shop.example HTTP/1.1" 200 5 "-" "-"`, "2026-03-02T15:04:05 GET shop.example/ 200",
		},
		"no path": {
			"combined", `192.0.2.7 - - [02/Mar/2026:15:04:05 +0000] "OPTIONS * HTTP/1.1" 200 5 "-" "-"`, "2026-03-02T15:04:05   200",
		},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := accesslog.New(c.format)
			if err != nil {
				t.Fatal(err)
			}
			var e accesslog.Record
			if err = p.Parse([]byte(c.line), &e); err != nil {
				t.Fatal(err)
			}
			if got := describe(e); got != c.want {
				t.Errorf("found  %s\nwanted %s", got, c.want)
			}
			if strings.Contains(c.format, "$") || strings.Contains(c.format, "%") {
				return
			}
			found, err := accesslog.Detect([][]byte{[]byte("# a comment"), []byte(c.line)})
			if err != nil {
				t.Fatal(err)
			}
			if err := found.Parse([]byte(c.line), &e); err != nil || describe(e) != c.want {
				t.Errorf("as %s: found %s, %v", found, describe(e), err)
			}
		})
	}
}

func TestBrokenLinesSayWhatTheyLack(t *testing.T) {
	for _, c := range []struct{ format, line, want string }{
		{"combined", ``, "shape"},
		{"combined", `192.0.2.7 - - [02/Mar/2026:15:04:05 +0000] "GET / HTTP/1.1`, "shape"},
		{"combined", `192.0.2.7 - - [02/Foo/2026:15:04:05 +0000] "GET / HTTP/1.1" 200 5 "-" "-"`, "time"},
		{"combined", `192.0.2.7 - - [32/Mar/2026:15:04:05 +0000] "GET / HTTP/1.1" 200 5 "-" "-"`, "time"},
		{"combined", `192.0.2.7 - - [02/Mar/2026:15:04:05] "GET / HTTP/1.1" 200 5 "-" "-"`, "time"},
		{"combined", `192.0.2.7 - - [02/Mar/2026:15:04:05 +2500] "GET / HTTP/1.1" 200 5 "-" "-"`, "time"},
		{"combined", `192.0.2.7 - - [02/Mar/2026:15:04:05 +0000] "GET / HTTP/1.1" OK 5 "-" "-"`, "status"},
		{"envoy", `2026-03-02T15:04:05.310Z "GET / HTTP/1.1" 200`, "shape"},
		{"json", `{"ts":1772460245.9,"status":200`, "JSON"},
		{"json", `[1]`, "JSON"},
		{"json", `{"status":200,"path":"/"}`, "time"},
		{"json", `{"ts":17,"path":"/"}`, "time"},
		{"json", `{"ts":12345678901234567890,"path":"/"}`, "time"},
	} {
		p, err := accesslog.New(c.format)
		if err != nil {
			t.Fatal(err)
		}
		var e accesslog.Record
		if err := p.Parse([]byte(c.line), &e); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %s: found the error %v, expected one about %s", c.format, c.line, err, c.want)
		}
	}
}

func TestFormatsThatCannotBeReadAreRefused(t *testing.T) {
	for format, want := range map[string]string{
		"combinde":                      "expected one of json",
		"$time_local $status":           "it has no request",
		"$request $status":              "it has no time",
		"$time_local$request":           "value 2 begins where the one before it ends",
		`%h "%r" %>s`:                   "it has no time",
		"[%START_TIME%] %REQ(:METHOD)%": "it has no request",
	} {
		if _, err := accesslog.New(format); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: found the error %v, expected %s", format, err, want)
		}
	}
	if _, err := accesslog.Detect([][]byte{[]byte("hello")}); err == nil || !strings.Contains(err.Error(), "--format") {
		t.Errorf("found the error %v", err)
	}
}

// Every instant is read as the standard library reads it.
func TestTimesAreThoseOfTheStandardLibrary(t *testing.T) {
	p, err := accesslog.New("$time_local $request")
	if err != nil {
		t.Fatal(err)
	}
	zone := time.FixedZone("", -(3*3600 + 30*60))
	for at := time.Date(1971, 1, 1, 0, 0, 0, 0, time.UTC); at.Year() < 2101; at = at.Add(37*time.Hour + 61*time.Second) {
		var e accesslog.Record
		if err := p.Parse([]byte(at.In(zone).Format("02/Jan/2006:15:04:05 -0700")+" GET / HTTP/1.1"), &e); err != nil || e.Time != at.Unix() {
			t.Fatalf("%s: found %d, %v", at, e.Time, err)
		}
	}
}

func TestParsingAllocatesNothing(t *testing.T) {
	for _, c := range []struct{ format, line string }{
		{"combined", `192.0.2.7 - ada [02/Mar/2026:15:04:05 +0100] "GET /items/17?q=\x22a\x22 HTTP/1.1" 200 512 "-" "Mozilla/5.0"`},
		{nginxCustom, `192.0.2.7 [2026-03-02T15:04:05+01:00] GET https://shop.example/items?q=a 200 0.012 "curl"`},
	} {
		p, err := accesslog.New(c.format)
		if err != nil {
			t.Fatal(err)
		}
		line := []byte(c.line)
		var e accesslog.Record
		if n := testing.AllocsPerRun(100, func() {
			if err := p.Parse(line, &e); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations", c.format, n)
		}
	}
}

func FuzzLines(f *testing.F) {
	f.Add("combined", `192.0.2.7 - - [02/Mar/2026:15:04:05 +0000] "GET /?q=\x2 HTTP/1.1" 200 5 "-" "x\"`)
	f.Add("json", `{"ts":1772460245.9,"request":{"method":"GET","uri":"http://a","headers":{"User-Agent":[]}},"status":200}`)
	f.Add(nginxCustom, `a [2026-03-02T15:04:05,1+01:00] GET https://[::1]/items?q=a 200 0.012 "curl"`)
	f.Add(`%t%U%q %m`, `[02/Mar/2026:15:04:05 +0000]/a?b GET`)
	f.Add(`%START_TIME(% %REQ(:PATH)`, ``)
	f.Fuzz(func(t *testing.T, format, line string) {
		p, err := accesslog.New(format)
		if err != nil {
			return
		}
		var e accesslog.Record
		if p.Parse([]byte(line), &e) != nil {
			return
		}
		if (e.Method == "") != (len(e.Target) == 0) || e.Method != "" && e.Target[0] != '/' {
			t.Errorf("%q by %q: the method is %q, the target %q", line, format, e.Method, e.Target)
		}
		if e.Status < 0 || e.Status > 999 || e.Time == 0 {
			t.Errorf("%q by %q: the status is %d, the time %d", line, format, e.Status, e.Time)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	for _, c := range []struct{ format, line string }{
		{"combined", `192.0.2.7 - - [02/Mar/2026:15:04:05 +0100] "GET /items/17?page=2 HTTP/1.1" 200 512 "https://shop.example/items" "Mozilla/5.0 (X11; Linux x86_64; rv:137.0) Gecko/20100101 Firefox/137.0"`},
		{"json", `{"level":"info","ts":1772460245.9,"logger":"http.log.access","msg":"handled request","request":{"remote_ip":"192.0.2.7","proto":"HTTP/2.0","method":"GET","host":"shop.example:8443","uri":"/a?b=c","headers":{"User-Agent":["curl"]}},"duration":0.01,"size":7,"status":200}`},
	} {
		b.Run(c.format, func(b *testing.B) {
			p, err := accesslog.New(c.format)
			if err != nil {
				b.Fatal(err)
			}
			line := []byte(c.line)
			b.SetBytes(int64(len(line)))
			var e accesslog.Record
			for b.Loop() {
				if err := p.Parse(line, &e); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
