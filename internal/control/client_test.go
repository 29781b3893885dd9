package control

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/web"
)

// server responds to every request in the same way and remembers the last one.
type server struct {
	code     int
	response string
	asked    string
	header   http.Header
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	s.asked = strings.TrimSpace(r.Method + " " + r.RequestURI + " " + string(body))
	s.header = r.Header
	w.WriteHeader(s.code)
	_, _ = io.WriteString(w, s.response)
}

// dial returns a client of the server, which is served under a path.
func dial(t *testing.T, s *server, path string) *Client {
	t.Helper()
	ts := httptest.NewServer(s)
	t.Cleanup(ts.Close)
	c, err := New(Options{URL: ts.URL + path, Timeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// success wraps data as the API does.
func success(t *testing.T, data any) string {
	t.Helper()
	b, err := json.Marshal(map[string]any{"status": "success", "data": data})
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestRequestsAreAsTheAPIWantsThem(t *testing.T) {
	factor := 0.5
	for name, tc := range map[string]struct {
		path string
		do   func(context.Context, *Client) error
		data any
		want string
	}{
		"list": {"", func(ctx context.Context, c *Client) error {
			all, err := c.Scenarios(ctx)
			if len(all) != 1 || all[0].Name != "s" {
				t.Errorf("listed %v", all)
			}
			return err
		}, []web.ScenarioStatus{{Name: "s"}}, "GET /api/v1/scenarios"},
		"list under a path": {"/a/", func(ctx context.Context, c *Client) error {
			_, err := c.Scenarios(ctx)
			return err
		}, []web.ScenarioStatus{}, "GET /a/api/v1/scenarios"},
		"set a rate": {"", func(ctx context.Context, c *Client) error {
			s, err := c.Set(ctx, "s", web.OverrideRequest{Rate: "600/s", For: "30m", Reason: "r", By: "b"})
			if s.TargetRate != 600 {
				t.Errorf("it is %v", s)
			}
			return err
		}, web.ScenarioStatus{Name: "s", TargetRate: 600}, `PUT /api/v1/scenarios/s/override {"rate":"600/s","for":"30m","reason":"r","by":"b"}`},
		"set a factor": {"", func(ctx context.Context, c *Client) error {
			_, err := c.Set(ctx, "a/b %", web.OverrideRequest{Factor: &factor, Until: time.Unix(1e9, 0).UTC(), Reason: "r"})
			return err
		}, web.ScenarioStatus{}, `PUT /api/v1/scenarios/a%2Fb%20%25/override {"factor":0.5,"until":"2001-09-09T01:46:40Z","reason":"r"}`},
		"clear": {"", func(ctx context.Context, c *Client) error {
			_, err := c.Clear(ctx, "s", web.ClearRequest{})
			return err
		}, web.ScenarioStatus{}, "DELETE /api/v1/scenarios/s/override"},
		"clear with a reason": {"", func(ctx context.Context, c *Client) error {
			_, err := c.Clear(ctx, "s", web.ClearRequest{Reason: "all over", By: "b&c"})
			return err
		}, web.ScenarioStatus{}, "DELETE /api/v1/scenarios/s/override?by=b%26c&reason=all+over"},
	} {
		t.Run(name, func(t *testing.T) {
			s := &server{code: http.StatusOK, response: success(t, tc.data)}
			if err := tc.do(t.Context(), dial(t, s, tc.path)); err != nil {
				t.Fatal(err)
			}
			if s.asked != tc.want {
				t.Errorf("asked %s, want %s", s.asked, tc.want)
			}
			if kind := s.header.Get("Content-Type"); (kind == "application/json") != strings.Contains(s.asked, "{") {
				t.Errorf("the content type is %q", kind)
			}
			if !strings.HasPrefix(s.header.Get("User-Agent"), "traffic_exporter/") {
				t.Errorf("the user agent is %q", s.header.Get("User-Agent"))
			}
		})
	}
}

func TestResponsesOtherThanSuccessAreErrors(t *testing.T) {
	for name, tc := range map[string]struct {
		code     int
		response string
		want     string // the error, with URL in place of the URL
	}{
		"the API's":        {403, `{"status":"error","error":"control is off"}`, "control is off"},
		"no password":      {401, "Unauthorized\n", `GET URL: 401 Unauthorized: found the response "Unauthorized", expected that of the API`},
		"a proxy's page":   {502, "<html>\n<h1>Bad</h1> " + strings.Repeat("x", 300), `GET URL: 502 Bad Gateway: found the response "<html> <h1>Bad</h1> ` + strings.Repeat("x", 180) + `...", expected that of the API`},
		"other JSON":       {200, `{"status":"UP"}`, `GET URL: 200 OK: found the response "{\"status\":\"UP\"}", expected that of the API`},
		"other data":       {200, `{"status":"success","data":{"groups":[]}}`, "GET URL: 200 OK: json: cannot unmarshal object into Go value of type []web.ScenarioStatus"},
		"no data":          {200, `{"status":"success"}`, "GET URL: 200 OK: unexpected end of JSON input"},
		"success and 500":  {500, `{"status":"success","data":[]}`, `GET URL: 500 Internal Server Error: found the response "{\"status\":\"success\",\"data\":[]}", expected that of the API`},
		"an unnamed error": {500, `{"status":"error"}`, `GET URL: 500 Internal Server Error: found the response "{\"status\":\"error\"}", expected that of the API`},
	} {
		t.Run(name, func(t *testing.T) {
			c := dial(t, &server{code: tc.code, response: tc.response}, "")
			_, err := c.Scenarios(t.Context())
			want := strings.ReplaceAll(tc.want, "URL", c.endpoint("scenarios").String())
			if err == nil || err.Error() != want {
				t.Errorf("error %v, want %s", err, want)
			}
		})
	}
}

func TestBadOptionsAreRefused(t *testing.T) {
	bad := filepath.Join(t.TempDir(), "bad.yaml")
	if err := os.WriteFile(bad, []byte("colour: red\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, o := range map[string]Options{
		`found the URL "localhost:9870", expected one such as http://localhost:9870`:  {URL: "localhost:9870"},
		`found the URL "http:///x", expected one such as http://localhost:9870`:       {URL: "http:///x"},
		`found the URL "ftp://localhost", expected one such as http://localhost:9870`: {URL: "ftp://localhost"},
		`found the URL ":", expected one such as http://localhost:9870`:               {URL: ":"},
		`none.yaml`:                  {URL: "http://a", HTTPConfigFile: "none.yaml"},
		`field colour not found`:     {URL: "http://a", HTTPConfigFile: bad},
		`HTTP configuration "` + bad: {URL: "http://a", HTTPConfigFile: bad},
	} {
		if _, err := New(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

func TestCredentialsOfTheConfigurationAreSent(t *testing.T) {
	file := filepath.Join(t.TempDir(), "http.yaml")
	if err := os.WriteFile(file, []byte("basic_auth: {username: grace, password: test}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var user, password string
	ts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ = r.BasicAuth()
		_, _ = io.WriteString(w, `{"status":"success","data":[]}`)
	}))
	defer ts.Close()
	c, err := New(Options{URL: ts.URL, HTTPConfigFile: file, Timeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Scenarios(t.Context()); err != nil || user != "grace" || password != "test" {
		t.Errorf("error %v, sent %q and %q", err, user, password)
	}
}

func TestAServerThatIsNotThereIsAnError(t *testing.T) {
	ts := httptest.NewServer(http.NotFoundHandler())
	ts.Close()
	c, err := New(Options{URL: ts.URL, Timeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Scenarios(t.Context())
	if want := "no replica is reached at " + ts.URL + ": name another one by --url"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want %s", err, want)
	}
}

func TestAServerThatDoesNotRespondIsAnError(t *testing.T) {
	release := make(chan struct{})
	ts := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer ts.Close()
	defer close(release)
	c, err := New(Options{URL: ts.URL, Timeout: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Scenarios(t.Context()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v, want a timeout", err)
	}
}
