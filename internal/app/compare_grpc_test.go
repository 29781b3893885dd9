package app

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
)

func TestCallsOfGRPCAreComparedByStatusAndMessage(t *testing.T) {
	own, candidate := newEcho(t), newEcho(t)
	for name, tc := range map[string]struct {
		headers, want string
		differs       bool
	}{
		"alike":      {want: "* fixed: the same for both"},
		"the status": {headers: ", headers: {authorization: none}", want: "* fixed: the status differs: OK, and UNAUTHENTICATED of the candidate", differs: true},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "config.yaml")
			more := "    compare: {with: {base_url: \"grpc://" + candidate + "/test.Echo\"" + tc.headers + "}, sample: 100%, body: json}\n"
			writeConfig(t, file, callsText(own, protoFiles(t)+more, "{text: hello, number: 7}"))
			var out bytes.Buffer
			err := Send(t.Context(), &out, SendOptions{File: file, Scenario: "s", Request: "fixed"})
			if (err != nil) != tc.differs || !strings.Contains(out.String(), tc.want) {
				t.Errorf("send: %v, want %q\n%s", err, tc.want, out.String())
			}
			if n := strings.Count(out.String(), `"kind":"KIND_UNSPECIFIED"`); !tc.differs && n != 2 {
				t.Errorf("%d responses are shown, want one of each side", n)
			}
		})
	}
}
