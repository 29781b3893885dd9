//go:build linux

package main

import (
	"context"
	"fmt"
	"strconv"
	"time"
)

// protocol is the protocol spoken with the target.
type protocol string

const (
	http1  protocol = "http1"
	https1 protocol = "https1"
	h2c    protocol = "h2c"
	h2     protocol = "h2"
	// calls are unary calls of gRPC without TLS.
	calls protocol = "grpc"
)

// protocols returns all protocols, in the order of the report.
func protocols() []protocol { return []protocol{http1, https1, h2c, h2, calls} }

// String returns the protocol's name for people.
func (p protocol) String() string {
	switch p {
	case http1:
		return "HTTP/1.1"
	case https1:
		return "HTTP/1.1 over TLS"
	case h2c:
		return "HTTP/2 without TLS"
	case h2:
		return "HTTP/2 over TLS"
	case calls:
		return "gRPC"
	}
	return string(p)
}

func (p protocol) tls() bool   { return p == https1 || p == h2 }
func (p protocol) http2() bool { return p == h2c || p == h2 || p == calls }

func (p protocol) url(host string) string {
	if p == calls {
		return "http://" + host + callPath
	}
	if p.tls() {
		return "https://" + host + "/"
	}
	return "http://" + host + "/"
}

// rate is requests a second; flatOut is as many as there can be.
type rate float64

const flatOut rate = 0

func (r rate) String() string {
	switch {
	case r == flatOut:
		return "flat out"
	case r >= 1000:
		return strconv.FormatFloat(float64(r)/1000, 'f', -1, 64) + "k/s"
	}
	return strconv.FormatFloat(float64(r), 'f', -1, 64) + "/s"
}

// maxInFlight is how many requests of an open-loop tool may be unanswered at a rate.
const maxInFlight = 512

// job is what a tool is to do.
type job struct {
	Protocol protocol
	Rate     rate
	URL      string
	// Seconds is for how long.
	Seconds int
	// Dir is a folder for the files of this job alone.
	Dir string
	// Processors is how many of them the tool has; threads are for those that do not look.
	Processors int
	// Latencies is that each request's latency is wanted, whatever it takes.
	Latencies bool
	// Stall is that the target stands still for a while.
	Stall bool
}

// connections returns how many connections, or requests at once, a tool is given that
// needs a number. They are enough for the receiver's script at the rate.
func (j job) connections() int {
	switch {
	case j.Rate > 1000:
		return 100
	case j.Rate > 200 || j.Rate == flatOut:
		return 50
	}
	return 10
}

func (j job) threads() string {
	return strconv.Itoa(max(1, min(j.Processors, j.connections())))
}

func (j job) duration() time.Duration { return time.Duration(j.Seconds) * time.Second }

// perConnection returns the rate of each connection, as an argument.
func (j job) perConnection(connections int) string {
	return strconv.FormatFloat(float64(j.Rate)/float64(connections), 'f', -1, 64)
}

// reported holds the figures that a tool itself reports of a job.
type reported struct {
	P50 time.Duration `json:"p50"`
	P99 time.Duration `json:"p99"`
	// Failed counts requests without a good response.
	Failed int `json:"failed"`
}

// unsupported is why a tool cannot do a job.
type unsupported string

func (u unsupported) Error() string { return string(u) }

// tool is a load generator.
type tool interface {
	// Name returns the name in the report.
	Name() string
	// Command returns the command line for a job, or unsupported. It may write files to
	// the job's folder.
	Command(j job) ([]string, error)
	// Reported returns the tool's own figures of a job that has ended, from its output and from
	// the files in the job's folder.
	Reported(ctx context.Context, j job, output []byte) (reported, error)
}

// divider is a tool that divides a rate among connections, each with a
// schedule of its own.
type divider interface {
	// Divides returns among how many it does so for a job, and 0 if not.
	Divides(j job) int
}

// tools returns all tools, in the order of the report.
func tools(paths map[string]string) []tool {
	return []tool{
		&exporter{path: paths["traffic_exporter"]},
		&exporter{path: paths["traffic_exporter"], bare: true},
		&exporter{path: paths["traffic_exporter"], pacing: "exact"},
		&exporter{path: paths["traffic_exporter"], pacing: "coarse"},
		&wrk{path: paths["wrk2"], paced: true},
		&wrk{path: paths["wrk"]},
		&vegeta{path: paths["vegeta"]},
		&hey{path: paths["hey"]},
		&fortio{path: paths["fortio"]},
		&k6{path: paths["k6"]},
		&h2load{path: paths["h2load"]},
		&ghz{path: paths["ghz"]},
		&sleeper{self: paths["self"]},
	}
}

// seconds returns a number of seconds as a duration.
func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// missingOutput is the error of a tool whose usual output is missing.
func missingOutput(tool, what string) error {
	return fmt.Errorf("the output of %s does not state %s", tool, what)
}
