package app_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/app"
	"github.com/traffic-exporter/traffic_exporter/internal/importer/exchange"
	"github.com/traffic-exporter/traffic_exporter/internal/importer/har"
	"github.com/traffic-exporter/traffic_exporter/internal/importer/plan"
	"github.com/traffic-exporter/traffic_exporter/test/freeport"
)

// archived returns the archive beside a file, once it has so many exchanges.
func archived(t *testing.T, output string, want int) (string, []exchange.Exchange) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(time.Millisecond) {
		names, err := filepath.Glob(output + ".*.har")
		if err != nil {
			t.Fatal(err)
		}
		if len(names) == 1 {
			text, err := os.ReadFile(names[0])
			if err != nil {
				t.Fatal(err)
			}
			if all, err := har.Read(bytes.NewReader(text)); err == nil && len(all) == want {
				return names[0], all
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d exchanges are not in %v", want, names)
		}
	}
}

// ask sends a request through a recorder, once it listens.
func ask(t *testing.T, url string) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(time.Millisecond) {
		resp, err := http.Get(url)
		if err == nil {
			_ = resp.Body.Close()
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

// A recording that nobody could end is not lost, and one that has become a configuration is not left there.
func TestARecordingIsInAFileUntilItIsAConfiguration(t *testing.T) {
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") }))
	t.Cleanup(target.Close)
	for _, fails := range []bool{false, true} {
		t.Run(fmt.Sprintf("fails %v", fails), func(t *testing.T) {
			output, addr := filepath.Join(t.TempDir(), "shop.yaml"), freeport.Address(t)
			o := app.RecordOptions{Target: target.URL, Listen: addr, Logger: slog.New(slog.DiscardHandler)}
			o.Output, o.Options = output, plan.Options{By: "record", Rate: "1/m"}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			done := make(chan error, 1)
			go func() { done <- app.Record(ctx, io.Discard, o) }()
			ask(t, "http://"+addr+"/one")
			ask(t, "http://"+addr+"/two")
			archive, all := archived(t, output, 2)
			if got := string(all[0].Response.Body.Data); got != "hello" {
				t.Errorf("the response is %q", got)
			}
			if info, err := os.Stat(archive); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("the archive is %v, %v", info, err)
			}
			if fails {
				if err := os.WriteFile(output, nil, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			cancel()
			err := <-done
			_, left := os.Stat(archive)
			if (err != nil) != fails || os.IsNotExist(left) == fails || fails && !strings.Contains(err.Error(), archive) {
				t.Errorf("ended with %v, and of the archive with %v", err, left)
			}
		})
	}
}
