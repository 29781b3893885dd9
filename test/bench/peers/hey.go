//go:build linux

package main

import (
	"context"
	"regexp"
	"strconv"
	"time"
)

// hey is github.com/rakyll/hey.
type hey struct {
	path string
}

var _ tool = (*hey)(nil)

// Name implements tool.
func (h *hey) Name() string { return "hey" }

// Command implements tool.
func (h *hey) Command(j job) ([]string, error) {
	c := j.connections()
	command := []string{h.path, "-z", j.duration().String(), "-c", strconv.Itoa(c)}
	if j.Rate != flatOut {
		command = append(command, "-q", j.perConnection(c))
	}
	switch j.Protocol {
	case h2c:
		return nil, unsupported("knows HTTP/2 over TLS only")
	case h2:
		command = append(command, "-h2")
	case calls:
		return nil, unsupported("makes no calls of gRPC")
	case http1, https1:
	}
	return append(command, j.URL), nil
}

// Reported implements tool.
func (h *hey) Reported(_ context.Context, _ job, output []byte) (reported, error) {
	var t reported
	for percent, into := range map[string]*time.Duration{"50": &t.P50, "99": &t.P99} {
		// Some versions print two percent signs.
		m := regexp.MustCompile(`(?m)^ +` + percent + `%+ in ([0-9.]+) secs`).FindSubmatch(output)
		if m == nil {
			return t, missingOutput("hey", "its "+percent+"th percentile")
		}
		s, err := strconv.ParseFloat(string(m[1]), 64)
		if err != nil {
			return t, err
		}
		*into = seconds(s)
	}
	for _, m := range regexp.MustCompile(`(?m)^ +\[(\d+)\]\t(.*)$`).FindAllSubmatch(output, -1) {
		// Under the codes it is [code] and the number of responses, under the errors
		// [number] and the error.
		if responses := sumOf(m[2], `^(\d+) responses$`); responses == 0 {
			t.Failed += sumOf(m[1], `(\d+)`)
		} else if m[1][0] != '2' {
			t.Failed += responses
		}
	}
	return t, nil
}
