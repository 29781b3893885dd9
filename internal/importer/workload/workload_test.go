package workload_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/config"
	"github.com/traffic-exporter/traffic_exporter/internal/importer/accesslog"
	"github.com/traffic-exporter/traffic_exporter/internal/importer/workload"
)

// request is how often a request was logged; its host and agent may be left out.
type request struct {
	times          int
	method, target string
	status         int
	host, agent    string
}

// written returns the configuration for requests, which is checked.
func written(t *testing.T, f workload.Filter, o workload.Options, all ...request) string {
	t.Helper()
	c := workload.NewCounter(f)
	at := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC).Unix()
	for _, r := range all {
		for range r.times {
			c.Add(&accesslog.Record{Time: at, Method: r.method, Target: []byte(r.target), Host: []byte(r.host), Agent: []byte(r.agent), Status: r.status})
			at++
		}
	}
	o.Name, o.BaseURL, o.Zone = "shop", "http://shop.staging.example", time.UTC
	file, _ := c.Document(o)
	text, err := file.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if _, err = config.Parse("written.yaml", text, os.LookupEnv, nil); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return string(text)
}

func contains(t *testing.T, text string, all ...string) {
	t.Helper()
	for _, want := range all {
		if !strings.Contains(text, want) {
			t.Errorf("%s is not in\n%s", want, text)
		}
	}
}

func lacks(t *testing.T, text string, all ...string) {
	t.Helper()
	for _, unwanted := range all {
		if strings.Contains(text, unwanted) {
			t.Errorf("%s is in\n%s", unwanted, text)
		}
	}
}

func TestRequestsAreFolded(t *testing.T) {
	text := written(
		t, workload.Filter{}, workload.Options{},
		request{times: 60, method: "GET", target: "/products/17", status: 200},
		request{times: 20, method: "GET", target: "/products/18", status: 304},
		request{times: 10, method: "GET", target: "/search?q=a%20b&page=1", status: 200},
		request{times: 10, method: "GET", target: "/search?page=2&q=c", status: 200},
		request{times: 100, method: "POST", target: "/cart", status: 201},
	)
	contains(
		t, text,
		"name: post_cart", "weight: 50000", "method: POST", "expect: {status: [201]}", "The log has no bodies",
		`url: "/products/{{ product }}"`, "weight: 40000", `product: {one_of: {"17": 60, "18": 20}}`,
		`query: {page: "{{ row.page }}", q: "{{ row.q }}"}`, `{page: "1", q: a b, weight: 10}`, "weight: 10000",
	)
}

func TestSecretsAndPersonalDataAreNotWritten(t *testing.T) {
	const (
		token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJl"
		key   = "xf7Gq2LmZ9sT4vBn8KpR3wYc"
	)
	var all []request
	for i, target := range []string{
		"/reset/" + token, "/users/ada@example.org/orders", "/users/grace%40example.org/orders", "/pay?card=4111111111111111", "/me?token=hunter22&x=1",
		"/sign?password=correcthorse", "/only/" + key, "/find?q=ada%40example.org", "/find?q=shoes", "/call?phone=%2B4915112345678", "/ada@example.org",
		"/q?ada@example.org=1",
	} {
		all = append(all, request{times: i + 1, method: "GET", target: target, status: 200})
	}
	text := written(t, workload.Filter{}, workload.Options{}, all...)
	lacks(t, text, token, "eyJ", "ada@", "ada%40", "grace", "4111", "hunter22", "correcthorse", key, strings.ToLower(key), "4915112345678")
	contains(
		t, text,
		"token is secret: random text stands for it.", "password: {random_text: {length: 12, of: alphanumeric}}", "card: {random_text: {length: 16, of: digits}}",
		`url: "/users/{{ user }}@example.com/orders"`, "user is personal data",
	)
	text = written(t, workload.Filter{}, workload.Options{Secrets: true, Personal: true}, all...)
	contains(t, text, token, "ada@example.org", "4111111111111111", "hunter22")
}

func TestWhatBrowsersAndRobotsAddIsLeftOut(t *testing.T) {
	all := []request{
		{times: 80, method: "GET", target: "/", status: 200, agent: "Mozilla/5.0"},
		{times: 10, method: "GET", target: "/logo.PNG?v=2", status: 200, agent: "Mozilla/5.0"},
		{times: 5, method: "GET", target: "/app.js", status: 200},
		{times: 4, method: "GET", target: "/robots", status: 200, agent: "Googlebot/2.1"},
		{times: 1, method: "GET", target: "/healthz", status: 200, agent: "kube-probe/1.31"},
		{times: 3, target: "/"},
	}
	text := written(t, workload.Filter{}, workload.Options{}, all...)
	contains(
		t, text, "# 80 requests from", "requests for images, scripts, styles, fonts and the like: 15 (15.8 %). --static keeps them.", "requests of robots and health checks: 5 (5.9 %). --bots keeps them.",
		"lines without a request of HTTP: 3 (3.6 %).",
	)
	lacks(t, text, "logo", "app.js", "url: /robots", "healthz")
	text = written(t, workload.Filter{Static: true, Bots: true}, workload.Options{}, all...)
	contains(t, text, "url: /logo.PNG", "url: /app.js", "url: /robots", "url: /healthz")
}

func TestHostsAndMethodsAreChosen(t *testing.T) {
	all := []request{
		{times: 3, method: "GET", target: "/a", status: 200, host: "Shop.example"},
		{times: 1, method: "GET", target: "/b", status: 200, host: "api.example"},
		{times: 1, method: "DELETE", target: "/c", status: 204, host: "shop.example"},
	}
	contains(t, written(t, workload.Filter{}, workload.Options{}, all...), "Requests for 3 hosts are together here; --host keeps some: Shop.example 60.0 %")
	text := written(t, workload.Filter{Hosts: []string{"shop.example"}, Methods: []string{"GET"}}, workload.Options{}, all...)
	contains(t, text, "url: /a", "requests for other hosts: 1 (25.0 %).", "requests with other methods: 1 (25.0 %).")
	lacks(t, text, "url: /b", "url: /c")
}

func TestStatusesAreExpectedIfTheyAreNearlyAlwaysOne(t *testing.T) {
	text := written(
		t, workload.Filter{}, workload.Options{},
		request{times: 96, method: "GET", target: "/a", status: 401}, request{times: 4, method: "GET", target: "/a", status: 200},
		request{times: 50, method: "GET", target: "/b", status: 200}, request{times: 40, method: "GET", target: "/b", status: 302}, request{times: 10, method: "GET", target: "/b", status: 503},
		request{times: 90, method: "GET", target: "/c", status: 503}, request{times: 9, method: "GET", target: "/c", status: 204}, request{times: 1, method: "GET", target: "/c", status: 499},
		request{times: 9, method: "GET", target: "/d", status: 502},
	)
	contains(
		t, text, "url: /a, expect: {status: [401]}", "# Statuses: 200 50.0 %, 302 40.0 %, 503 10.0 %.", "url: /c, expect: {status: [204]}", "# Statuses: 502 100.0 %.",
	)
}

func TestRareRequestsAreLeftOutOrCountForOthersOfTheirPath(t *testing.T) {
	all := []request{
		{times: 9800, method: "GET", target: "/a?q=1", status: 200},
		{times: 100, method: "GET", target: "/a?q=1&debug=1", status: 200},
		{times: 60, method: "GET", target: "/b", status: 200},
		{times: 40, method: "GET", target: "/c", status: 200},
	}
	text := written(t, workload.Filter{}, workload.Options{MinShare: 2}, all...)
	contains(t, text, "The mix has 99.0 % of the requests.", "weight: 100000")
	lacks(t, text, "debug", "url: /b")
	all = nil
	for i := range 130 {
		all = append(all, request{times: 200 - i, method: "GET", target: fmt.Sprintf("/%c%c/x", 'a'+i/26, 'a'+i%26), status: 200})
	}
	if n := strings.Count(written(t, workload.Filter{}, workload.Options{}, all...), "weight: "); n > 101 {
		t.Errorf("%d entries are written", n)
	}
}

func TestWhateverIsAskedForCanBeWritten(t *testing.T) {
	var all []request
	for _, target := range []string{
		"/{id}", `/a"b`, "/a b", "/?q={{x}}", "/?q=${HOME}", "/${HOME}", "/{{x}}", "/%zz", "/%00", "/%ff", "//", "/a//b", "/?", "/?=", "/?a", "/?%22=1", "/?a[]=1&a[]=2",
		"/?<<=1", "/?{{x}}=1", "/é", "/?" + strings.Repeat("a=1&", 100), "/" + strings.Repeat("x/", 50), "/" + strings.Repeat("y", 300), "/-/~/!$&'()*+,;=:@",
	} {
		all = append(all, request{times: 3, method: "GET", target: target, status: 200})
	}
	contains(t, written(t, workload.Filter{}, workload.Options{}, all...), "url: /%7Bid%7D")
}

func FuzzTargets(f *testing.F) {
	f.Add("/a/17?b=c /{{x}}?${y} /%7B%7B?%24%7B")
	f.Fuzz(func(t *testing.T, text string) {
		all := []request{{times: 1, method: "GET", target: "/"}}
		for target := range strings.SplitSeq(text, " ") {
			all = append(all, request{times: 1, method: "PUT", target: "/" + target, status: len(target)})
		}
		written(t, workload.Filter{}, workload.Options{}, all...)
	})
}
