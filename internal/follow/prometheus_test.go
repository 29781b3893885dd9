package follow_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	promconfig "github.com/prometheus/common/config"

	"github.com/traffic-exporter/traffic_exporter/internal/follow"
)

func answer(kind, result string) string {
	return fmt.Sprintf(`{"status":"success","data":{"resultType":%q,"result":%s}}`, kind, result)
}

// server responds with a body, and checks how it is asked.
func server(t *testing.T, status int, body string) follow.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		if r.URL.Path != "/prefix/api/v1/query" || r.FormValue("query") != "up" || r.Header.Get("X-Scope-Orgid") != "tenant" || user+password != "up" || r.UserAgent() != "us" {
			t.Errorf("asked %s %v", r.URL, r.Header)
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}))
	t.Cleanup(s.Close)
	return follow.Server{
		URL: s.URL + "/prefix", Header: http.Header{"X-Scope-Orgid": {"tenant"}}, UserAgent: "us", Logger: slog.New(slog.DiscardHandler),
		HTTP: promconfig.HTTPClientConfig{BasicAuth: &promconfig.BasicAuth{Username: "u", Password: "p"}},
	}
}

func TestPrometheusIsAskedForOneNumber(t *testing.T) {
	for name, tc := range map[string]struct {
		status int
		body   string
		want   string
	}{
		"an element":          {200, answer("vector", `[{"metric":{"a":"b"},"value":[1772409600,"12.5"]}]`), "12.5"},
		"a scalar":            {200, answer("scalar", `[1772409600,"7"]`), "7"},
		"with a warning":      {200, strings.Replace(answer("scalar", `[1,"7"]`), `{"status"`, `{"warnings":["odd"],"status"`, 1), "7"},
		"not a number":        {200, answer("vector", `[{"metric":{},"value":[1772409600,"NaN"]}]`), "NaN"},
		"nothing":             {200, answer("vector", `[]`), "found nothing: the query has an empty result"},
		"several":             {200, answer("vector", `[{"metric":{"a":"1"},"value":[1,"1"]},{"metric":{"a":"2"},"value":[1,"1"]}]`), "found 2 elements, expected one: write sum(...)"},
		"a histogram":         {200, answer("vector", `[{"metric":{},"histogram":[1,{"count":"1","sum":"1","buckets":[]}]}]`), "found a native histogram"},
		"a range":             {200, answer("matrix", `[{"metric":{},"values":[[1,"1"]]}]`), "found a result of type matrix"},
		"a text":              {200, answer("string", `[1,"x"]`), `unexpected value type "string"`},
		"a mistake":           {400, `{"status":"error","errorType":"bad_data","error":"parse error"}`, "bad_data: parse error"},
		"no Prometheus":       {200, "<html>", "invalid character"},
		"a gateway":           {502, "bad gateway", "server_error"},
		"a response too long": {200, strings.Repeat(" ", 2<<20) + answer("scalar", `[1,"7"]`), "found a response of more than 1048576 bytes"},
	} {
		ask, err := server(t, tc.status, tc.body).Query("up")
		if err != nil {
			t.Fatal(err)
		}
		rate, err := ask(t.Context())
		got := fmt.Sprint(rate)
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, tc.want) || err == nil && got != tc.want {
			t.Errorf("%s: %s, want %s", name, got, tc.want)
		}
	}
}

func TestAPrometheusThatIsAwayIsAnError(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	s.Close()
	ask, err := follow.Server{URL: s.URL, Logger: slog.New(slog.DiscardHandler)}.Query("up")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if _, err := ask(ctx); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("error %v", err)
	}
}

func TestWhatCannotBeAskedIsRefused(t *testing.T) {
	s := follow.Server{URL: "http://127.0.0.1:1", HTTP: promconfig.HTTPClientConfig{TLSConfig: promconfig.TLSConfig{CAFile: "/does/not/exist"}}}
	if _, err := s.Query("up"); err == nil {
		t.Error("a file that does not exist is no error")
	}
}
