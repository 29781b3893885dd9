//go:build linux

package main

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/config"
)

// sample returns what a tool has really printed or written, at some time.
func sample(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestOutputOfTools(t *testing.T) {
	const us = time.Microsecond
	tests := map[string]struct {
		told func() (reported, error)
		want reported
	}{
		"wrk": {
			func() (reported, error) { return (&wrk{}).Reported(t.Context(), job{}, sample(t, "wrk.txt")) },
			reported{P50: 643 * us, P99: 2480 * us},
		},
		"wrk2": {
			func() (reported, error) {
				return (&wrk{paced: true}).Reported(t.Context(), job{}, sample(t, "wrk2.txt"))
			},
			reported{P50: 1250 * us, P99: 8100 * us},
		},
		"wrk with failures": {
			func() (reported, error) {
				return (&wrk{}).Reported(t.Context(), job{}, append(sample(t, "wrk.txt"),
					"  Socket errors: connect 1, read 2, write 3, timeout 4\n  Non-2xx or 3xx responses: 500\n"...))
			},
			reported{P50: 643 * us, P99: 2480 * us, Failed: 510},
		},
		"vegeta": {
			func() (reported, error) { return parseVegeta(sample(t, "vegeta.json")) },
			reported{P50: 243794, P99: 1271044},
		},
		"hey": {
			func() (reported, error) { return (&hey{}).Reported(t.Context(), job{}, sample(t, "hey.txt")) },
			reported{P50: 2100 * us, P99: 15100 * us},
		},
		"hey with failures": {
			func() (reported, error) {
				return (&hey{}).Reported(t.Context(), job{}, append(sample(t, "hey.txt"),
					"  [503]\t7 responses\n\nError distribution:\n  [10]\tGet \"http://127.0.0.1:1/\": connection refused\n"...))
			},
			reported{P50: 2100 * us, P99: 15100 * us, Failed: 17},
		},
		"fortio": {
			func() (reported, error) { return parseFortio(sample(t, "fortio.json")) },
			reported{P50: 615820, P99: 1954022},
		},
		"k6": {
			func() (reported, error) { return parseK6(sample(t, "k6.json")) },
			reported{P50: 236717, P99: 12601685},
		},
		"h2load": {
			func() (reported, error) { return (&h2load{}).Reported(t.Context(), job{}, sample(t, "h2load.txt")) },
			reported{},
		},
		"h2load with failures": {
			func() (reported, error) {
				return (&h2load{}).Reported(t.Context(), job{}, []byte(
					"requests: 100 total, 100 started, 100 done, 90 succeeded, 10 failed, 1 errored, 2 timeout\nstatus codes: 85 2xx, 0 3xx, 4 4xx, 1 5xx\n"))
			},
			reported{Failed: 15},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := tt.told()
			if err != nil || got != tt.want {
				t.Errorf("found %+v, %v, want %+v", got, err, tt.want)
			}
		})
	}
}

func TestLogOfH2load(t *testing.T) {
	p50, p99, err := parseH2loadLog([]byte("1795415855369804\t200\t1000\n1795415855369812\t200\t3000\n1795415855369818\t200\t2000\n"))
	if err != nil || p50 != 2*time.Millisecond || p99 < 2900*time.Microsecond {
		t.Errorf("found %v, %v, %v", p50, p99, err)
	}
	if _, _, err := parseH2loadLog(sample(t, "h2load.log")); err != nil {
		t.Error(err)
	}
}

func TestUnknownOutputIsAnError(t *testing.T) {
	for name, told := range map[string]func() (reported, error){
		"wrk":    func() (reported, error) { return (&wrk{}).Reported(t.Context(), job{}, []byte("hello")) },
		"vegeta": func() (reported, error) { return parseVegeta([]byte("hello")) },
		"hey":    func() (reported, error) { return (&hey{}).Reported(t.Context(), job{}, []byte("hello")) },
		"fortio": func() (reported, error) { return parseFortio([]byte("{}")) },
		"k6":     func() (reported, error) { return parseK6([]byte("hello")) },
	} {
		if got, err := told(); err == nil {
			t.Errorf("%s: found %+v, want an error", name, got)
		}
	}
}

func TestVersions(t *testing.T) {
	for said, want := range map[string]string{
		"wrk debian/4.1.0-3+b2 [epoll] Copyright (C) 2012 Will Glozer": "4.1.0-3+b2",
		"wrk 4.0.0 [epoll] Copyright (C) 2012 Will Glozer":             "4.0.0",
		"nginx version: nginx/1.22.1":                                  "1.22.1",
		"h2load nghttp2/1.52.0":                                        "1.52.0",
		"traffic_exporter, version 0.1.0 (branch: main, revision: 1)":  "0.1.0",
		"": "unknown",
	} {
		if got := shortVersion(said + "\nmore\n"); got != want {
			t.Errorf("%q: found %q, want %q", said, got, want)
		}
	}
}

func TestToolsThatCannotSayWhy(t *testing.T) {
	var reasons []string
	for _, tool := range tools(map[string]string{}) {
		for _, p := range protocols() {
			for _, at := range []rate{flatOut, 1000} {
				_, err := tool.Command(job{Protocol: p, Rate: at, Dir: t.TempDir(), Seconds: 1, URL: p.url("127.0.0.1:1")})
				if why, ok := errors.AsType[unsupported](err); ok {
					reasons = append(reasons, tool.Name()+" "+string(p)+" "+at.String()+": "+string(why))
				} else if err != nil {
					t.Errorf("%s: %v", tool.Name(), err)
				}
			}
		}
	}
	if len(reasons) == 0 || !slices.Contains(reasons, "hey h2c flat out: knows HTTP/2 over TLS only") {
		t.Errorf("found %q", reasons)
	}
}

func TestConfigurationsOfTheExporterAreValid(t *testing.T) {
	for _, e := range []*exporter{{}, {bare: true}, {pacing: "exact"}, {pacing: "coarse"}, {inFlight: 64}} {
		for _, p := range protocols() {
			for _, at := range []rate{flatOut, 100, 20000} {
				text := e.config(job{Protocol: p, Rate: at, URL: p.url("127.0.0.1:8080")})
				if _, err := config.Parse("config.yaml", []byte(text), os.LookupEnv, nil); err != nil {
					t.Errorf("%v\n%s", err, text)
				}
			}
		}
	}
}

func TestStatusOfNginx(t *testing.T) {
	page := "Active connections: 1 \nserver accepts handled requests\n 472 472 154252 \nReading: 0 Writing: 1 Waiting: 0 \n"
	if n, err := parseStatus([]byte(page)); err != nil || n != 154252 {
		t.Errorf("found %d, %v, want 154252", n, err)
	}
	if _, err := parseStatus([]byte("404")); err == nil {
		t.Error("found no error")
	}
}

func TestConfigurationOfNginx(t *testing.T) {
	for version, want := range map[string]string{"1.22.1": "listen 127.0.0.1:3 http2;", "1.25.1": "http2 on;", "2.0.0": "http2 on;"} {
		dir := t.TempDir()
		c := nginxConfig{
			Dir: dir, Body: "x", Status: 5, Directive: hasHTTP2Directive(version),
			Ports: map[string]int{"http1": 1, "https1": 2, "h2c": 3, "h2": 4, "grpc": 6},
		}
		if err := c.write(); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(filepath.Join(dir, "nginx.conf"))
		if err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%s: found %v\n%s\nwant %q in it", version, err, text, want)
		}
	}
}
