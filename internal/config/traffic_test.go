package config_test

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/config"
)

// examples are whole configurations, made after the load generators of public projects.
func examples(t *testing.T) []string {
	t.Helper()
	names, err := filepath.Glob("../../examples/*/config.yaml")
	if err != nil || len(names) < 8 {
		t.Fatalf("examples %v, %v", names, err)
	}
	return names
}

// columnsOf reads the columns of a file with data.
func columnsOf(t *testing.T, name string) []string {
	t.Helper()
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if strings.HasSuffix(name, ".csv") {
		rows, err := csv.NewReader(strings.NewReader(string(content))).ReadAll()
		if err != nil || len(rows) < 2 {
			t.Fatalf("%s: %d rows, %v", name, len(rows), err)
		}
		return rows[0]
	}
	var rows []map[string]any
	if err := json.Unmarshal(content, &rows); err != nil || len(rows) == 0 {
		t.Fatalf("%s: %d rows, %v", name, len(rows), err)
	}
	var columns []string
	for column := range rows[0] {
		columns = append(columns, column)
	}
	return columns
}

func TestTheExamplesLoadAndHaveTheirData(t *testing.T) {
	for _, name := range examples(t) {
		c, err := config.Parse(name, contentOf(t, name), nil, nil)
		if err != nil {
			t.Error(err)
			continue
		}
		sameAgain(t, c)
		columns := map[string][]string{}
		for _, f := range c.Files() {
			columns[f.Data] = columnsOf(t, f.Path)
		}
		for _, column := range c.Columns() {
			if !slices.Contains(columns[column.Data], column.Name) {
				t.Error(column.Missing(columns[column.Data]))
			}
		}
		if err := judge(t, schema(t), name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// request returns a request of a scenario by its name, or a step.
func request(t *testing.T, s config.Scenario, name string) *config.Request {
	t.Helper()
	for i := range s.Requests {
		if s.Requests[i].Name == name {
			return &s.Requests[i]
		}
	}
	t.Fatalf("no request %q", name)
	return nil
}

func TestTargetsAreJoinedAndCut(t *testing.T) {
	c := load(t, "testdata/good-targets.yaml")
	for _, test := range []struct {
		scenario                       int
		name, origin, path, query, all string
		whole, fixed                   string
	}{
		{0, "root", "https://xn--bcher-kva.example:8443", "/{{ realm }}/v1/", "", "", "", ""},
		{0, "relative", "https://xn--bcher-kva.example:8443", "/{{ realm }}/v1/a%20b/{{ id }}/%C3%BC", "", "", "", ""},
		{0, "query", "https://xn--bcher-kva.example:8443", "/{{ realm }}/v1/", "a={{ id }}&b", "a={{ id }}&b&c=d%20e&f%26g={{ id }}&f%26g=x%20y{{ id }}%26&f%26g=7&f%26g=true", "", ""},
		{0, "absolute", "http://a.example:80", "/x%7Cy", "q={{ id | raw }}%7B", "q={{ id | raw }}%7B", "", ""},
		{0, "whole", "", "", "", "a=b", "{{ link }}", ""},
		{0, "fixed", "http://127.0.0.1:9871", "/x", "a=b", "a=b&c=d%20e", "", "/x?a=b&c=d%20e"},
		{1, "fixed", "http://127.0.0.1:9871", "/api/x", "", "", "", "/api/x"},
		{1, "and_query", "http://127.0.0.1:9871", "/api/x", "a", "a&b=c&b=d%26", "", "/api/x?a&b=c&b=d%26"},
		{1, "only_query", "http://127.0.0.1:9871", "/api", "a=b", "a=b", "", "/api?a=b"},
		{1, "at", "http://127.0.0.1:9871", "/api/users/@me", "to=a@b", "to=a@b", "", "/api/users/@me?to=a@b"},
		{1, "braces", "http://127.0.0.1:9871", "/api/%7B%7B", "", "", "", "/api/%7B%7B"},
	} {
		r := request(t, c.Scenarios[test.scenario], test.name)
		to := r.Target()
		if to.Whole != nil != (test.whole != "") || to.Whole != nil && to.Whole.String() != test.whole {
			t.Errorf("%s: whole %v", test.name, to.Whole)
		}
		if to.Whole == nil && to.Origin.Origin() != test.origin {
			t.Errorf("%s: origin %s", test.name, to.Origin.Origin())
		}
		if got := []string{to.Path.String(), to.Query.String(), to.WholeQuery.String()}; !slices.Equal(got, []string{test.path, test.query, test.all}) {
			t.Errorf("%s: got %q", test.name, got)
		}
		if fixed := test.fixed != ""; r.Fixed() != (fixed && test.scenario == 1) || fixed && r.URL.Target != test.fixed {
			t.Errorf("%s: fixed %v, %q", test.name, r.Fixed(), r.URL.Target)
		}
	}
	var origins []string
	for _, o := range c.Scenarios[0].Origins() {
		origins = append(origins, o.Origin())
	}
	if want := []string{"https://xn--bcher-kva.example:8443", "http://a.example:80", "http://127.0.0.1:9871", "https://other.example:443", "http://127.0.0.1:8080"}; !slices.Equal(origins, want) {
		t.Errorf("origins %v", origins)
	}
}

func TestHeadersOfTheScenarioYieldToTheRequests(t *testing.T) {
	s := load(t, "testdata/good-targets.yaml").Scenarios[0]
	if got := s.HeadersOf(request(t, s, "absolute")); len(got) != 2 || got[0].Name != "X-Realm" || got[1].Name != "accept" || got.Get("Accept") != "text/html" {
		t.Errorf("headers %v", got)
	}
	if got := s.HeadersOf(request(t, s, "root")); len(got) != 2 || got.Get("Accept") != "*/*" || !got[1].Varies() {
		t.Errorf("headers %v", got)
	}
}

func TestBodiesAreWrittenByTheirKinds(t *testing.T) {
	s := load(t, "testdata/good-bodies.yaml").Scenarios[0]
	for _, test := range []struct{ name, kind, typ, constant string }{
		{"none", "", "", ""},
		{"text", "text", "", "-"},
		{"fixed", "text", "", "fixed"},
		{"number", "text", "", "7"},
		{"verbatim", "verbatim", "", "{{ id }}"},
		{"json", "json", "application/json", "-"},
		{"scalar", "json", "application/json", "-"},
		{"null_value", "json", "application/json", "null"},
		{"constant", "json", "application/json", `{"a":[1,"b"],"c":null}`},
		{"changed", "json", "application/json", "-"},
		{"form", "form", "application/x-www-form-urlencoded", "-"},
		{"form_constant", "form", "application/x-www-form-urlencoded", "a=b+c&d=%C3%A9&d=*%7E&e=%5B1%5D"},
		{"form_empty", "form", "application/x-www-form-urlencoded", ""},
		{"multipart", "multipart", "multipart/form-data; boundary=" + config.Boundary, "-"},
		{"file", "file", "", "-"},
		{"random", "random", "application/octet-stream", "-"},
		{"graphql", "graphql", "application/json", "-"},
		{"graphql_constant", "graphql", "application/json", `{"query":"{ a }"}`},
		{"own_type", "json", "application/json", "{}"},
		{"environment", "json", "application/json", `{"a":"hunter2 from the environment"}`},
	} {
		r := request(t, s, test.name)
		constant := test.constant != "-"
		if r.Body.Kind() != test.kind || r.Body.ContentType() != test.typ || r.Body.Constant() != constant || r.Fixed() != constant {
			t.Errorf("%s: %q, %q, constant %v, fixed %v", test.name, r.Body.Kind(), r.Body.ContentType(), r.Body.Constant(), r.Fixed())
		}
		if got := string(r.Body.Bytes()); constant && got != test.constant {
			t.Errorf("%s: %q", test.name, got)
		}
	}
	if got, want := request(t, s, "json").Body.JSON.Text, `{"a":"{{ n }}","b":[1,1.50,-0,1e3,31,0.5,5,1000,true,null,"x{{ id }}","2006-01-02","yes"],"c d":{"e":{}},"f":[],"${x":"7"}`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got, want := request(t, s, "graphql").Body.GraphQL.Document(), `{"query":"query Q($id: ID!) { a(id: $id) { b } }","operationName":"Q","variables":{"id":"{{ id }}","n":7,"deep":{"x":["{{ n }}"]}}}`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := request(t, s, "changed").Body.Set.Names(); !slices.Equal(got, []string{"a", "b.c", "list.-1"}) {
		t.Errorf("set %v", got)
	}
}

func TestListsOfStepsAreLaidFlat(t *testing.T) {
	r := load(t, "testdata/good-journeys.yaml").Scenarios[0].Requests[0]
	var got []string
	for _, step := range r.Steps {
		switch {
		case step.Request != nil:
			got = append(got, step.Request.Name)
		case step.Pause != nil:
			got = append(got, "pause")
		case step.Repeat != nil:
			got = append(got, "repeat")
		case step.Choose != nil:
			got = append(got, "choose")
		default:
			got = append(got, fmt.Sprintf("parallel of %d, %d at once", len(step.Parallel), step.Lanes()))
		}
	}
	want := "login pause pause pause pause one two repeat repeat repeat repeat choose nine login parallel of 3, 100 at once parallel of 2, 1 at once repeat"
	if strings.Join(got, " ") != want || !r.Cookies || r.Fixed() {
		t.Errorf("steps %v", got)
	}
	if p := r.Steps[6].Path(); p != "scenarios[0].requests[0].steps[5][1][0]" {
		t.Errorf("path %s", p)
	}
	if s := r.Steps[7]; s.Repeat.From != 3 || s.Repeat.To != 3 || len(s.Steps) != 2 {
		t.Errorf("repeat %+v", s)
	}
	if s := r.Steps[9]; !s.Repeat.All || s.Each[0].Value.Pick != config.PickInTurn || s.Each[1].Value.Pick != config.PickRandom {
		t.Errorf("repeat %+v", s)
	}
	if p := r.Steps[3].Pause; p.Mean.String() != "5s" || p.From != 0 {
		t.Errorf("pause %+v", p)
	}
}

func TestVariablesKnowWhatTheyAre(t *testing.T) {
	s := load(t, "testdata/good-variables.yaml").Scenarios[0]
	for name, want := range map[string]string{"id": "uuid", "n": "sequence", "even": "one_of", "number": "int", "text": "text", "token": "file", "list": "many", "proof": "jwt"} {
		if v, ok := s.Variables.Get(name); !ok || v.Kind() != want || v.Secret() != (name == "token" || name == "proof") {
			t.Errorf("%s: %v, kind %q, secret %v", name, ok, v.Kind(), v.Secret())
		}
	}
	v, _ := s.Variables.Get("weighted")
	var values []string
	for _, value := range v.OneOf.Values {
		values = append(values, value.Text)
	}
	if got := strings.Join(values, " "); got != `"1m" 5 "{{ id }}" "7" true "${TEST_NUMBER}"` || !slices.Equal(v.OneOf.Weights, []int{70, 20, 9, 1, 0, 3}) {
		t.Errorf("values %s, weights %v", got, v.OneOf.Weights)
	}
	if v, _ = s.Variables.Get("even"); v.OneOf.Weights != nil || v.OneOf.Values[7].Text != `"08-15"` || !slices.Contains(s.Variables.Names(), "joined") {
		t.Errorf("even %+v", v.OneOf)
	}
	if v, _ = s.Variables.Get("decimal"); v.Decimal.Digits != 2 || v.Decimal.To != 1000 {
		t.Errorf("decimal %+v", v.Decimal)
	}
}

func TestATokenIsItsHeaderItsClaimsAndAKeyWithItsPlace(t *testing.T) {
	c := load(t, "testdata/good-variables.yaml")
	proof, _ := c.Scenarios[0].Variables.Get("proof")
	if got, want := proof.JWT.HeaderJSON(), `{"alg":"RS256","kid":"2027-{{","typ":"at+jwt"}`; got != want {
		t.Errorf("header %s, want %s", got, want)
	}
	if got, want := proof.JWT.ClaimsJSON().Text, `{"sub":"{{ id }}","jti":"{{ n }}","aud":["a","b"],"admin":true,"exp":5}`; got != want || !proof.JWT.ClaimsJSON().Varies() {
		t.Errorf("claims %s, want %s", got, want)
	}
	least, _ := c.Scenarios[0].Variables.Get("least")
	if got, want := least.JWT.HeaderJSON()+least.JWT.ClaimsJSON().Text, `{"alg":"HS512","typ":"JWT"}{}`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	keys := c.SigningKeys()
	if len(keys) != 2 || keys[0].Algorithm != "RS256" || keys[0].File != "token" || keys[1].Key != "hunter2 from the environment" {
		t.Fatalf("keys %+v", keys)
	}
	if e := keys[0].Problem("no"); e.Line != 27 || e.Path != "scenarios[0].variables.proof.jwt.key_file" {
		t.Errorf("a problem is at %+v", e)
	}
}

func TestARemoteWriteHasItsHeadersUnlessTheyAreGiven(t *testing.T) {
	s := load(t, "testdata/good-remote-write.yaml").Scenarios[0]
	for i, want := range []string{
		"[Content-Type: application/x-protobuf Content-Encoding: snappy X-Prometheus-Remote-Write-Version: 0.1.0]",
		"[content-encoding: identity Content-Type: application/x-protobuf;proto=io.prometheus.write.v2.Request X-Prometheus-Remote-Write-Version: 2.0.0]",
	} {
		if got := fmt.Sprint(s.HeadersOf(&s.Requests[i])); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	short, whole := s.Requests[0].Body.RemoteWrite, s.Requests[1].Body.RemoteWrite
	if short.Shards != 1 || short.Version != 1 || len(short.Series) != 3 || short.Series[0].Samples != 1 {
		t.Errorf("the short form is %+v", short)
	}
	if each := whole.Series[0].Each; each[0].Value.Len() != 100 || each[0].Value.At(99) != "99" || each[1].Value.At(2) != "true" {
		t.Errorf("each is %+v", each)
	}
}

func TestColumnsAndFilesHaveTheirPlaces(t *testing.T) {
	c, err := config.Parse("conf/x.yaml", contentOf(t, "testdata/good-data.yaml"), environment, nil)
	if err != nil {
		t.Fatal(err)
	}
	var columns, names []string
	for _, column := range c.Columns() {
		columns = append(columns, column.Data+"."+column.Name)
	}
	if got, want := strings.Join(columns, " "), "people.share people.name logs.request people.city logs.items more.id"; got != want {
		t.Errorf("columns %s, want %s", got, want)
	}
	if got, want := c.Columns()[1].Missing([]string{"nane", "city"}).Error(), `conf/x.yaml:25:24: scenarios[0].requests[0].url: found the column "name", which people does not have: did you mean nane?`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	for _, f := range c.Files() {
		names = append(names, f.Data+"="+f.Path)
	}
	if got, want := strings.Join(names, " "), "people=conf/people.csv logs=/var/lib/logs.ndjson more=conf/more.jsonl list=conf/hunter2.json"; got != want {
		t.Errorf("files %s, want %s", got, want)
	}
	if got, want := c.Files()[0].Problem("found nothing").Error(), "conf/x.yaml:2:18: data.people.file: found nothing"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := c.Scenarios[0].Data().Names(); !slices.Equal(got, []string{"people", "logs", "more", "list", "words", "sizes"}) {
		t.Errorf("data %v", got)
	}
}

func TestSecretsOfRequestsAreNotShown(t *testing.T) {
	c := load(t, "testdata/good-requests.yaml")
	shown, err := c.Redacted()
	if err != nil {
		t.Fatal(err)
	}
	s := c.Scenarios[0]
	basic, bearer := request(t, s, "basic_fixed").BasicAuth, request(t, s, "bearer").Authorization
	for _, text := range []string{
		string(shown), fmt.Sprintf("%v %+v %#v %s %q %d", basic.Password, basic.Password, basic.Password, basic.Password, basic.Password, basic.Password),
		fmt.Sprintf("%+v %+v", *basic, *bearer), fmt.Sprint(request(t, s, "header").Headers), basic.Password.String(),
	} {
		if strings.Contains(text, "hunter2") {
			t.Errorf("shows a secret:\n%s", text)
		}
	}
	if basic.Password.Template.String() != "hunter2" || !bearer.Credentials.Varies() {
		t.Errorf("password %q", basic.Password.Template.String())
	}
}

func TestFingerprintsKnowWhatTheRequestsUse(t *testing.T) {
	of := func(old, replaced string) (whole, client string) {
		text := `data:
  people: {rows: [{name: ada}]}
  unused: {rows: [x]}
scenarios:
  - name: a
    rate: 1/s
    base_url: http://a/
    headers: {X-A: b}
    variables: {person: {row: people}}
    allow: ["http://b"]
    shutdown_grace: 1s
    requests:
      - {name: r, url: "/{{ person.name }}", basic_auth: {username: u, password: p}, body: {json: {a: b}}}
`
		if !strings.Contains(text, old) {
			t.Fatalf("no %q", old)
		}
		s := parse(t, strings.Replace(text, old, replaced, 1)).Scenarios[0]
		return s.Fingerprint(), s.ClientFingerprint()
	}
	whole, client := of("", "")
	for old, replaced := range map[string]string{
		"{name: ada}": "{name: grace}", "http://a/": "http://c/", "X-A: b": "X-A: c", "person: {row: people}": "person: {one_of: [{name: x}]}",
		`["http://b"]`: `["http://c"]`, "password: p": "password: q", "{a: b}": "{a: c}", "/{{ person.name }}": "/{{person.name}}",
	} {
		if w, c := of(old, replaced); w == whole || c == client {
			t.Errorf("%s for %s: the fingerprints are the same", replaced, old)
		}
	}
	if w, c := of("rows: [x]", "rows: [y]"); w != whole || c != client {
		t.Error("data that nothing uses change the fingerprint")
	}
	if w, c := of("shutdown_grace: 1s", "shutdown_grace: 2s"); w == whole || c != client {
		t.Error("shutdown_grace belongs to the scenario and not to its client")
	}
}

func TestRequestsHaveTheLongestTimeoutToo(t *testing.T) {
	c := parse(t, with("requests: [{name: r, steps: [{repeat: 2, steps: [{name: s, url: \"http://a/\", timeout: 3m}]}]}]"))
	if got := c.LongestTimeout(); got != 3*time.Minute {
		t.Errorf("got %v", got)
	}
}
