//go:build linux

package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// The method that is called, whose messages are in bench.proto, and a request and a response of it as
// they are on the wire: a prefix of five bytes, and 200 bytes of text in the response.
const (
	callMethod = "bench.Bench/Call"
	callPath   = "/" + callMethod
	callName   = "hello"
)

//go:embed testdata/bench.proto
var benchProto []byte

// callMessage returns a message with a string in its first field, which is shorter than 16 KiB.
func callMessage(text string) []byte {
	field := append([]byte{1<<3 | 2}, lengthOf(len(text))...)
	n := len(field) + len(text)
	return append(append([]byte{0, 0, 0, byte(n >> 8), byte(n)}, field...), text...)
}

// lengthOf returns a length as protobuf has it.
func lengthOf(n int) []byte {
	if n < 0x80 {
		return []byte{byte(n)}
	}
	return []byte{byte(n) | 0x80, byte(n >> 7)}
}

// inDir writes a file into the job's folder and returns its name.
func (j job) inDir(name string, content []byte) (string, error) {
	path := filepath.Join(j.Dir, name)
	return path, os.WriteFile(path, content, 0o600)
}

// ghz is github.com/bojand/ghz, which makes calls of gRPC and nothing else.
type ghz struct {
	path string
}

var _ tool = (*ghz)(nil)

// Name implements tool.
func (g *ghz) Name() string { return "ghz" }

// Command implements tool. Of its connections it makes one, as the others do.
func (g *ghz) Command(j job) ([]string, error) {
	if j.Protocol != calls {
		return nil, unsupported("makes calls of gRPC only")
	}
	proto, err := j.inDir("bench.proto", benchProto)
	if err != nil {
		return nil, err
	}
	u, err := url.Parse(j.URL)
	if err != nil {
		return nil, err
	}
	command := []string{
		g.path, "--insecure", "--proto", proto, "--call", callMethod, "-d", `{"text": "` + callName + `"}`, "-z", j.duration().String(),
		"-c", strconv.Itoa(j.connections()), "--connections", "1", "-O", "json",
	}
	if j.Rate != flatOut {
		command = append(command, "--rps", strconv.FormatFloat(float64(j.Rate), 'f', -1, 64))
	}
	return append(command, u.Host), nil
}

// Reported implements tool.
func (g *ghz) Reported(_ context.Context, _ job, output []byte) (reported, error) {
	return parseGHZ(output)
}

// parseGHZ reads the report of ghz. Calls that it cuts off at the end are no failures.
func parseGHZ(output []byte) (reported, error) {
	var r struct {
		LatencyDistribution []struct {
			Percentage int
			Latency    time.Duration
		}
		StatusCodeDistribution map[string]int
	}
	if err := json.Unmarshal(output, &r); err != nil {
		return reported{}, fmt.Errorf("report of ghz: %w", err)
	}
	var t reported
	for _, p := range r.LatencyDistribution {
		switch p.Percentage {
		case 50:
			t.P50 = p.Latency
		case 99:
			t.P99 = p.Latency
		}
	}
	if t.P50 == 0 {
		return t, missingOutput("ghz", "its percentiles")
	}
	for code, n := range r.StatusCodeDistribution {
		if code != "OK" && code != "Unavailable" && code != "Canceled" {
			t.Failed += n
		}
	}
	return t, nil
}
