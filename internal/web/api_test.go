package web

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// asJSON is the header of a request with a JSON body.
func asJSON() http.Header { return http.Header{"Content-Type": {"application/json"}} }

const override = "/api/v1/scenarios/storefront/override"

// good is the body of a request that is carried out.
const good = `{"rate": "600/s", "for": "30m", "reason": "spike", "by": "ada"}`

func TestTheAPIListsTheScenarios(t *testing.T) {
	code, body := ask(t, "GET", start(t, &stubs{})+"/api/v1/scenarios", nil)
	want := `{"status":"success","data":[{"name":"storefront","file_rate":200,"target_rate":500,"share_rate":250,"back_off_ratio":0.1,"max_rate":500,` +
		`"override":{"rate":600,"from":"2001-09-09T01:46:40Z","until":"2001-09-09T02:46:40Z","active":true,"capped":true,` +
		`"reason":"spike","by":"ada","set_at":"2001-09-09T01:46:38Z","set_on":"a-1"}}]}` + "\n"
	if code != http.StatusOK || body != want {
		t.Errorf("got %d %s, want %s", code, body, want)
	}
}

func TestTheAPIShowsTheFleet(t *testing.T) {
	code, body := ask(t, "GET", start(t, &stubs{})+"/api/v1/fleet", nil)
	for _, want := range []string{`"self":"traffic-exporter-0-3f9a1c"`, `"store_up":true`, `"clock_skew_seconds":-0.0021`, `"state":"taken over"`, `"same_config":false`} {
		if code != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("got %d %s, want %s in it", code, body, want)
		}
	}
}

func TestListsAreNeverNull(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"scenarios": scenariosHandler(func() []ScenarioStatus { return nil }),
		"members":   fleetHandler(func() FleetStatus { return FleetStatus{} }),
	} {
		w := httptest.NewRecorder()
		h(w, httptest.NewRequest("GET", "/", http.NoBody))
		if !strings.Contains(w.Body.String(), "[]") {
			t.Errorf("%s: %s", name, w.Body.String())
		}
	}
}

func TestWhatCannotBeEncodedIsAnError(t *testing.T) {
	w := httptest.NewRecorder()
	succeed(w, math.NaN())
	if w.Code != http.StatusInternalServerError || !strings.Contains(w.Body.String(), `"status":"error"`) {
		t.Errorf("got %d %s", w.Code, w.Body.String())
	}
}

func TestChangesAreCarriedOut(t *testing.T) {
	for name, tc := range map[string]struct {
		method, query, body string
		asked               string
	}{
		"a rate for a time":              {"PUT", "", good, `set storefront: {"rate":"600/s","for":"30m","reason":"spike","by":"ada"}`},
		"a factor until an instant":      {"PUT", "", `{"factor":0,"until":"2026-03-29T12:00:00+02:00","reason":"quiet","by":"ada"}`, `set storefront: {"factor":0,"until":"2026-03-29T12:00:00+02:00","reason":"quiet","by":"ada"}`},
		"by whoever asks":                {"PUT", "", `{"factor":2,"for":"1h","reason":"x"}`, `set storefront: {"factor":2,"for":"1h","reason":"x","by":"somebody at 127.0.0.1"}`},
		"null is as if it was left out":  {"PUT", "", `{"factor":2,"rate":null,"until":null,"for":"1h","reason":"x","by":null}`, `set storefront: {"factor":2,"for":"1h","reason":"x","by":"somebody at 127.0.0.1"}`},
		"a reason of 200 characters":     {"PUT", "", `{"factor":2,"for":"1h","by":"a","reason":"` + strings.Repeat("ä", 200) + `"}`, `set storefront: {"factor":2,"for":"1h","reason":"` + strings.Repeat("ä", 200) + `","by":"a"}`},
		"a clear":                        {"DELETE", "", "", `clear storefront: {"by":"somebody at 127.0.0.1"}`},
		"a clear with a body":            {"DELETE", "", `{"reason":"over","by":"ada"}`, `clear storefront: {"reason":"over","by":"ada"}`},
		"a clear with a query":           {"DELETE", "?reason=all+over&by=ada", "", `clear storefront: {"reason":"all over","by":"ada"}`},
		"a clear with an empty question": {"DELETE", "?", "", `clear storefront: {"by":"somebody at 127.0.0.1"}`},
	} {
		t.Run(name, func(t *testing.T) {
			st := stubs{control: true}
			code, body := askWith(t, tc.method, start(t, &st)+override+tc.query, asJSON(), tc.body)
			if code != http.StatusOK || !strings.HasPrefix(body, `{"status":"success","data":{"name":"storefront",`) {
				t.Errorf("got %d %s", code, body)
			}
			if !slices.Equal(st.asked, []string{tc.asked}) {
				t.Errorf("asked for %q, want %q", st.asked, tc.asked)
			}
		})
	}
}

func TestTheNameOfAScenarioMayHaveAnyCharacter(t *testing.T) {
	st := stubs{control: true}
	base := start(t, &st)
	if code, body := ask(t, "DELETE", base+"/api/v1/scenarios/a%2Fb%20c/override", nil); code != http.StatusOK || !strings.HasPrefix(st.asked[0], "clear a/b c:") {
		t.Errorf("got %d %s, asked for %q", code, body, st.asked)
	}
}

func TestEveryRefusal(t *testing.T) {
	crossSite := http.Header{"Content-Type": {"application/json"}, "Sec-Fetch-Site": {"cross-site"}}
	otherOrigin := http.Header{"Content-Type": {"application/json"}, "Origin": {"https://evil.example"}}
	unknown := stubs{control: true, refusal: &Refusal{Status: http.StatusNotFound, Message: "no scenario \"storefront\""}}
	for name, tc := range map[string]struct {
		method, path, body string
		header             http.Header
		stubs              stubs
		code               int
		want               string
	}{
		"set while control is off":   {method: "PUT", body: good, code: 403, want: "control is off: start with --web.enable-control"},
		"clear while control is off": {method: "DELETE", code: 403, want: "control is off: start with --web.enable-control"},
		"from another site":          {method: "PUT", body: good, header: crossSite, stubs: stubs{control: true}, code: 403, want: "cross-origin request detected"},
		"from another origin":        {method: "DELETE", header: otherOrigin, stubs: stubs{control: true}, code: 403, want: "cross-origin request detected"},

		"another content type":   {method: "PUT", body: good, header: http.Header{"Content-Type": {"text/plain"}}, code: 415, want: `found the content type "text/plain", expected application/json`},
		"no content type":        {method: "PUT", body: good, header: http.Header{}, code: 415, want: `found the content type "", expected application/json`},
		"another charset":        {method: "PUT", body: good, header: http.Header{"Content-Type": {"application/json; charset=latin1"}}, code: 415, want: `found the content type "application/json; charset=latin1", expected application/json`},
		"a form":                 {method: "DELETE", body: "reason=x", header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, code: 415, want: `found the content type "application/x-www-form-urlencoded", expected application/json`},
		"a body too large":       {method: "PUT", body: `{"reason": "` + strings.Repeat("x", maxBody) + `"}`, code: 413, want: "found a body of more than 65536 bytes, expected fewer"},
		"no body":                {method: "PUT", code: 400, want: `found the body "", expected a JSON object in UTF-8`},
		"null":                   {method: "PUT", body: "null", code: 400, want: `found the body "null", expected a JSON object in UTF-8`},
		"a list":                 {method: "PUT", body: "[1]", code: 400, want: `found the body "[1]", expected a JSON object in UTF-8`},
		"no JSON":                {method: "PUT", body: "rate: 600/s", code: 400, want: `found the body "rate: 600/s", expected a JSON object in UTF-8`},
		"no UTF-8":               {method: "PUT", body: "{\"reason\": \"\xff\"}", code: 400, want: `found the body "{\"reason\": \"\xff\"}", expected a JSON object in UTF-8`},
		"an object that ends":    {method: "PUT", body: `{"rate": "1/s"`, code: 400, want: "found bad JSON, expected an object: unexpected EOF"},
		"a key that ends":        {method: "PUT", body: `{"ra`, code: 400, want: "found bad JSON, expected an object: unexpected EOF"},
		"a key that is a number": {method: "PUT", body: `{1: 2}`, code: 400, want: "found bad JSON, expected an object: invalid character '1'"},
		"a comma too many":       {method: "PUT", body: `{"by": "a",}`, code: 400, want: "found bad JSON, expected an object: invalid character '}'"},
		"a value without quotes": {method: "PUT", body: `{"rate": fast}`, code: 400, want: "found bad JSON, expected an object: invalid character"},
		"more after the object":  {method: "PUT", body: good + good, code: 400, want: "found more after the JSON object, expected the end"},
		"garbage after it":       {method: "PUT", body: good + "}", code: 400, want: "found more after the JSON object, expected the end"},
		"an unknown key":         {method: "PUT", body: `{"colour": "red"}`, code: 400, want: `found the unknown key "colour", expected rate, factor, for, until, reason, by or force`},
		"a key in capitals":      {method: "PUT", body: `{"Rate": "1/s"}`, code: 400, want: `found the unknown key "Rate", expected rate, factor, for, until, reason, by or force`},
		"a key twice":            {method: "PUT", body: `{"rate": "1/s", "rate": "2/s"}`, code: 400, want: `found "rate" twice, expected it once`},
		"a rate that is a number": {
			method: "PUT", body: `{"rate": 600}`, code: 400, want: `rate: found 600, expected a rate such as "600/s"`,
		},
		"a factor that is a text":   {method: "PUT", body: `{"factor": "x2"}`, code: 400, want: `factor: found "x2", expected a number such as 1.5`},
		"a factor that is infinite": {method: "PUT", body: `{"factor": 1e999}`, code: 400, want: `factor: found 1e999, expected a number such as 1.5`},
		"a time that is none":       {method: "PUT", body: `{"until": "tomorrow"}`, code: 400, want: `until: found "tomorrow", expected a time such as "2026-03-29T12:00:00Z"`},
		"a long value":              {method: "PUT", body: `{"for": [` + strings.Repeat("1,", 50) + `1]}`, code: 400, want: `for: found [` + strings.Repeat("1,", 29) + `1..., expected a duration such as "30m"`},
		"rate and factor":           {method: "PUT", body: `{"rate": "1/s", "factor": 2, "for": "1h", "reason": "x"}`, code: 400, want: "found both rate and factor, expected one of them"},
		"for and until":             {method: "PUT", body: `{"rate": "1/s", "for": "1h", "until": "2026-03-29T12:00:00Z", "reason": "x"}`, code: 400, want: "found both for and until, expected one of them"},
		"an empty object": {
			method: "PUT", body: `{}`, code: 400,
			want: "found neither rate nor factor, expected one of them; found neither for nor until, expected one of them; reason: missing, expected a string of at most 200 characters",
		},
		"a blank reason":         {method: "PUT", body: `{"rate": "1/s", "for": "1h", "reason": " \t"}`, code: 400, want: "reason: missing, expected a string of at most 200 characters"},
		"a long reason":          {method: "PUT", body: `{"rate": "1/s", "for": "1h", "reason": "` + strings.Repeat("ä", 201) + `"}`, code: 400, want: "reason: found 201 characters, expected at most 200"},
		"a reason of two lines":  {method: "PUT", body: `{"rate": "1/s", "for": "1h", "reason": "a\nb"}`, code: 400, want: "reason: found the control character U+000A, expected a line of text"},
		"a reason turned round":  {method: "PUT", body: `{"rate": "1/s", "for": "1h", "reason": "a\u202eb"}`, code: 400, want: "reason: found the control character U+202E, expected a line of text"},
		"a name with an escape":  {method: "PUT", body: `{"rate": "1/s", "for": "1h", "reason": "x", "by": "\u001b[31m"}`, code: 400, want: "by: found the control character U+001B, expected a line of text"},
		"a set with a query":     {method: "PUT", path: override + "?for=30m", body: good, code: 400, want: "found query parameters, expected all in the body"},
		"a clear asked twice":    {method: "DELETE", path: override + "?by=a", body: `{}`, code: 400, want: "found a body and query parameters, expected one of them"},
		"a clear with a rate":    {method: "DELETE", body: `{"rate": "1/s"}`, code: 400, want: `found the unknown key "rate", expected reason or by`},
		"a clear for a time":     {method: "DELETE", path: override + "?for=1h", code: 400, want: `found the unknown query parameter "for", expected reason or by`},
		"a clear by two":         {method: "DELETE", path: override + "?by=a&by=b", code: 400, want: "by: expected one text in UTF-8"},
		"a clear by no UTF-8":    {method: "DELETE", path: override + "?by=%ff", code: 400, want: "by: expected one text in UTF-8"},
		"a clear with a bad %":   {method: "DELETE", path: override + "?by=%zz", code: 400, want: `found a bad query: invalid URL escape "%zz"`},
		"a clear for two lines":  {method: "DELETE", path: override + "?reason=a%0ab", code: 400, want: "reason: found the control character U+000A, expected a line of text"},
		"an unknown scenario":    {method: "PUT", body: good, stubs: unknown, code: 404, want: `no scenario "storefront"`},
		"nothing known to clear": {method: "DELETE", stubs: unknown, code: 404, want: `no scenario "storefront"`},
		"a store that is away":   {method: "PUT", body: good, stubs: stubs{control: true, refusal: errors.New("store is away")}, code: 500, want: "store is away"},

		"an override by POST":  {method: "POST", body: good, code: 405, want: "found method POST, expected PUT, DELETE"},
		"an override by GET":   {method: "GET", code: 405, want: "found method GET, expected PUT, DELETE"},
		"scenarios by POST":    {method: "POST", path: "/api/v1/scenarios", code: 405, want: "found method POST, expected GET, HEAD"},
		"fleet by DELETE":      {method: "DELETE", path: "/api/v1/fleet", code: 405, want: "found method DELETE, expected GET, HEAD"},
		"fleet of one":         {method: "GET", path: "/api/v1/fleet", stubs: stubs{alone: true}, code: 404, want: "this replica runs on its own: its configuration has no fleet section"},
		"an unknown endpoint":  {method: "GET", path: "/api/v1/nothing", code: 404, want: `no endpoint "/api/v1/nothing": there are /api/v1/live, /api/v1/failures, /api/v1/scenarios, /api/v1/scenarios/{name}/override and /api/v1/fleet`},
		"another API":          {method: "PUT", path: "/api/v2/scenarios", code: 404, want: `no endpoint "/api/v2/scenarios": there are /api/v1/live, /api/v1/failures, /api/v1/scenarios, /api/v1/scenarios/{name}/override and /api/v1/fleet`},
		"a scenario by itself": {method: "GET", path: "/api/v1/scenarios/storefront", code: 404, want: `no endpoint "/api/v1/scenarios/storefront": there are /api/v1/live, /api/v1/failures, /api/v1/scenarios, /api/v1/scenarios/{name}/override and /api/v1/fleet`},
	} {
		t.Run(name, func(t *testing.T) {
			st := tc.stubs
			// Control is off only where the case is about it.
			st.control = st.control || !strings.Contains(name, "control is off")
			path, header := tc.path, tc.header
			if path == "" {
				path = override
			}
			if header == nil {
				header = asJSON()
			}
			code, body := askWith(t, tc.method, start(t, &st)+path, header, tc.body)
			if got, want := message(t, body), tc.want; code != tc.code || !strings.HasPrefix(got, want) {
				t.Errorf("got %d %q, want %d %q", code, got, tc.code, want)
			}
			if len(st.asked) > 0 {
				t.Errorf("%q was carried out", st.asked)
			}
		})
	}
}

// message returns the error of a response.
func message(t *testing.T, body string) string {
	t.Helper()
	var a response
	if err := json.Unmarshal([]byte(body), &a); err != nil || a.Status != "error" || a.Data != nil {
		t.Fatalf("the answer is %q", body)
	}
	return a.Error
}

func TestEveryChangeAndRefusalIsLoggedWithWhoAsked(t *testing.T) {
	for name, tc := range map[string]struct {
		method, body string
		refusal      error
		want         []string
	}{
		"a change":  {"PUT", good, nil, []string{`level=INFO msg="rate changed" action=set scenario=storefront by=ada reason=spike user="" remote_address=127.0.0.1:`, "rate=600"}},
		"a clear":   {"DELETE", "", nil, []string{`level=INFO msg="rate changed" action=clear scenario=storefront by="somebody at 127.0.0.1" `}},
		"a refusal": {"PUT", "{}", nil, []string{`level=INFO msg="change of the rate refused" action=set scenario=storefront by="somebody at 127.0.0.1" `, "remote_address=127.0.0.1:", "found neither rate nor factor"}},
		"a failure": {"PUT", good, errors.New("store is away"), []string{`level=ERROR msg="change of the rate failed"`, `err="store is away"`}},
	} {
		t.Run(name, func(t *testing.T) {
			var logs bytes.Buffer
			o := options("127.0.0.1:0", &stubs{control: true, refusal: tc.refusal, logs: &logs})
			h, err := newHandler(o)
			if err != nil {
				t.Fatal(err)
			}
			r := httptest.NewRequestWithContext(context.Background(), tc.method, override, strings.NewReader(tc.body))
			r.Header, r.RemoteAddr, r.Host = asJSON(), "127.0.0.1:4711", "localhost:9870"
			h.ServeHTTP(httptest.NewRecorder(), r)
			for _, want := range tc.want {
				if !strings.Contains(logs.String(), want) {
					t.Errorf("logged %q, want %q in it", logs.String(), want)
				}
			}
		})
	}
}

func TestTheAPINeedsTheAuthenticationOfTheWebConfiguration(t *testing.T) {
	file := filepath.Join(t.TempDir(), "web.yaml")
	// The hash of the password "test", at the lowest cost.
	users := "basic_auth_users:\n  grace: $2a$04$1818VB/ElkEehO1GGOJ4VeZoQraQB0nFT5MHVwe0VCG7J2sDJIKu.\n"
	if err := os.WriteFile(file, []byte(users), 0o600); err != nil {
		t.Fatal(err)
	}
	st := stubs{control: true, webConfig: file}
	base := start(t, &st)
	for _, path := range []string{"/fleet", "/memberlist", "/api/v1/scenarios", "/api/v1/fleet"} {
		if code, body := ask(t, "GET", base+path, nil); code != http.StatusUnauthorized {
			t.Errorf("%s: got %d %s without a password", path, code, body)
		}
	}
	if code, body := ask(t, "DELETE", base+override, nil); code != http.StatusUnauthorized || len(st.asked) > 0 {
		t.Errorf("got %d %s without a password", code, body)
	}
	header := asJSON()
	header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte("grace:test")))
	if code, body := ask(t, "DELETE", base+override, header); code != http.StatusOK || !slices.Equal(st.asked, []string{`clear storefront: {"by":"grace"}`}) {
		t.Errorf("got %d %s with it, asked for %q", code, body, st.asked)
	}
}
