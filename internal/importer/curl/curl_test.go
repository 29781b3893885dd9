package curl_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/traffic-exporter/traffic_exporter/internal/importer/curl"
)

func options() curl.Options {
	return curl.Options{
		Getenv: func(name string) (string, bool) { return "from-env", name == "TOKEN" },
		ReadFile: func(name string) ([]byte, error) {
			if name == "body.txt" {
				return []byte("line 1\nline 2\n"), nil
			}
			return nil, errors.New("no such file")
		},
	}
}

// requests returns the requests of a script, a line each.
func requests(t *testing.T, script string) string {
	t.Helper()
	all, err := curl.Read(strings.NewReader(script), options())
	if err != nil {
		return "error: " + err.Error()
	}
	var lines []string
	for _, x := range all {
		var headers []string
		for _, h := range x.Request.Header {
			headers = append(headers, h.Name+": "+h.Value)
		}
		slices.Sort(headers)
		line := x.Request.Method + " " + x.Request.URL.String()
		if len(headers) > 0 {
			line += " [" + strings.Join(headers, ", ") + "]"
		}
		if len(x.Request.Body.Data) > 0 {
			line += fmt.Sprintf(" %q", x.Request.Body.Data)
		}
		if x.Request.FollowRedirects {
			line += " follow"
		}
		for _, note := range x.Request.Notes {
			line += " (" + note + ")"
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

const formType = "[Content-Type: application/x-www-form-urlencoded]"

func TestCommandsAreReadAsCurlReadsThem(t *testing.T) {
	for script, want := range map[string]string{
		"curl http://a.example/x":                                       "GET http://a.example/x",
		"curl a.example":                                                "GET http://a.example",
		"curl -XPUT http://a.example":                                   "PUT http://a.example",
		"curl -sSLX DELETE --url http://a.example":                      "DELETE http://a.example follow",
		"curl -I http://a.example":                                      "HEAD http://a.example",
		"curl -d a=1 -d 'b=2 3' http://a.example":                       "POST http://a.example " + formType + ` "a=1&b=2 3"`,
		"curl --data-raw '@x' http://a.example":                         "POST http://a.example " + formType + ` "@x"`,
		"curl -d @body.txt http://a.example":                            "POST http://a.example " + formType + ` "line 1line 2"`,
		"curl --data-binary @body.txt -H 'Content-Type: text/plain' h":  `POST http://h [Content-Type: text/plain] "line 1\nline 2\n"`,
		"curl --data-urlencode 'q=a b' --data-urlencode '=c&d' h":       "POST http://h " + formType + ` "q=a+b&c%26d"`,
		"curl -G -d q=1 --data-urlencode 'r=a b' 'http://h/?p=0'":       "GET http://h/?p=0&q=1&r=a+b",
		`curl --json '{"a":1}' h`:                                       `POST http://h [Accept: application/json, Content-Type: application/json] "{\"a\":1}"`,
		"curl -T body.txt http://h/f":                                   `PUT http://h/f "line 1\nline 2\n"`,
		"curl -u ada:secret h":                                          "GET http://h [Authorization: Basic YWRhOnNlY3JldA==]",
		"curl http://ada:secret@h/":                                     "GET http://h/ [Authorization: Basic YWRhOnNlY3JldA==]",
		"curl --oauth2-bearer abc h":                                    "GET http://h [Authorization: Bearer abc]",
		"curl -b 'a=1; b=2' -A me -e http://r h":                        "GET http://h [Cookie: a=1; b=2, Referer: http://r, User-Agent: me]",
		"curl -b jar.txt h":                                             "GET http://h",
		"curl -H 'X: 1' -H 'Y;' -H 'Content-Type:' -d a h":              `POST http://h [X: 1, Y: ] "a"`,
		"curl $'http://h/\\u00e9\\'x' --compressed":                     "GET http://h/%C3%A9%27x",
		"curl -k h/1 --next --proxy http://p h/2":                       "GET http://h/1 (-k of curl is not taken over: http_config says how the scenario connects.)\nGET http://h/2 (--proxy of curl is not taken over: http_config says how the scenario connects.)",
		"curl -r 0-99 h":                                                "GET http://h [Range: bytes=0-99]",
		"curl \"http://h/$TOKEN\" -o /dev/null -w '%{http_code}' -m 10": "GET http://h/from-env",
		"curl http://h/1 http://h/2":                                    "GET http://h/1\nGET http://h/2",
		"curl h/1 -d a --next h/2":                                      "POST http://h/1 " + formType + " \"a\"\nGET http://h/2",

		"# a comment\ncurl h/1 ;\ncurl \\\n  -X PATCH \\\n  h/2 &\necho x | curl h/3 && ls": "GET http://h/1\nPATCH http://h/2\nGET http://h/3",

		"curl --no-compressed -- h": "GET http://h",
		"curl 'h":                   "error: not the commands of a shell: found a command that does not end",
		"curl ) h":                  "error: not the commands of a shell: 1:6: a command can only contain words and redirects; encountered `)`",
		"curl":                      "error: line 1: found no URL",
		"ls\ncurl --frob h":         `error: line 2: found the option "--frob", which is not known here: leave it out if it does not change the request`,
		"curl -W h":                 `error: line 1: found the option "-W", which is not known here: leave it out if it does not change the request`,
		"curl h -H":                 "error: line 1: found -H without its argument",
		"curl -d @gone h":           "error: line 1: -d: no such file",
		"curl \"h/$NOT_SET\"":       "error: line 1: found $NOT_SET, which is not set",
		"curl \"h/$(date)\"":        "error: line 1: found a command within a command, which is not run",
		"curl 'http://h/%zz'":       "error: line 1: found a URL that cannot be read",
		"wget h":                    "error: found no command curl",
	} {
		if got := requests(t, script); got != want {
			t.Errorf("%s\nis read as\n%s\nwant\n%s", script, got, want)
		}
	}
}

func TestPartsOfAFormAreRead(t *testing.T) {
	got := requests(t, "curl -F name=ada -F 'photo=@body.txt;type=image/png' -F 'note=<body.txt' --form-string 'at=@x' -H 'Content-Type: multipart/form-data' h")
	for _, want := range []string{"POST http://h [Content-Type: multipart/form-data; boundary=", `name=\"name\"\r\n\r\nada`, `filename=\"body.txt\"\r\nContent-Type: image/png\r\n\r\nline 1`, `name=\"note\"\r\n\r\nline 1`, `name=\"at\"\r\n\r\n@x`} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing in %s", want, got)
		}
	}
	if n := strings.Count(got, "boundary="); n != 1 {
		t.Errorf("%d types in %s", n, got)
	}
}

func FuzzCommands(f *testing.F) {
	f.Add("curl -sSd @body.txt --next \"$TOKEN\" $'\\x41' <<E\nx\nE\n")
	f.Fuzz(func(t *testing.T, script string) {
		all, err := curl.Read(strings.NewReader(script), options())
		if err == nil && len(all) == 0 {
			t.Errorf("%q has no requests and is no mistake", script)
		}
		for _, x := range all {
			if x.Request.Method == "" && !strings.Contains(script, "-X") && !strings.Contains(script, "request") || x.Request.URL.Host == "" || x.Request.URL.User != nil {
				t.Errorf("%q has the request %+v", script, x.Request)
			}
		}
	})
}
