package web

import (
	"context"
	"net/http"
	"runtime/pprof"
	"strings"
	"testing"
	"time"

	"github.com/grafana/dskit/services"

	"github.com/traffic-exporter/traffic_exporter/test/hangfs"
)

func TestAWebConfigurationThatHangsHoldsUpNobody(t *testing.T) {
	dir, file, client := secure(t)
	var logs syncBuffer
	s, err := New(options("127.0.0.1:0", &stubs{webConfig: file, logs: &logs}))
	if err != nil {
		t.Fatal(err)
	}
	if err := services.StartAndAwaitRunning(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	addr := s.Addrs()[0].String()
	before := threads()
	heal := hangfs.Over(t, dir)
	eventually(t, func() bool {
		for _, path := range []string{"/metrics", "/-/healthy", "/-/ready"} {
			if code, _ := get(t, client, addr, path); code != http.StatusOK {
				t.Fatalf("%s: got %d", path, code)
			}
		}
		return strings.Contains(logs.String(), "no response from the file system within 5s")
	}, "the outage is logged")
	if s.ConfigCurrent() {
		t.Error("a configuration that hangs is current")
	}
	// One look hangs, however many requests and handshakes there were.
	if n := threads() - before; n > 20 {
		t.Errorf("%d more threads", n)
	}
	heal()
	eventually(t, func() bool { return strings.Contains(logs.String(), "web configuration read again") }, "the end of the outage is logged")
	eventually(t, s.ConfigCurrent, "the configuration is current again")

	hangfs.Over(t, dir)
	begin := time.Now()
	if err := services.StopAndAwaitTerminated(context.Background(), s); err != nil {
		t.Errorf("stop: %v", err)
	}
	if took := time.Since(begin); took > 2*shutdownTimeout {
		t.Errorf("the stop took %v", took)
	}
}

// threads returns how many threads the process has made.
func threads() int { return pprof.Lookup("threadcreate").Count() }

func TestAStartDoesNotWaitForAWebConfigurationThatHangs(t *testing.T) {
	t.Parallel()
	dir, file, _ := secure(t)
	hangfs.Over(t, dir)
	s, err := New(options("127.0.0.1:0", &stubs{webConfig: file}))
	if err != nil {
		t.Fatal(err)
	}
	err = services.StartAndAwaitRunning(t.Context(), s)
	if err == nil || !strings.Contains(err.Error(), file+", or a file that it names: no response from the file system within 5s") {
		t.Errorf("start: %v", err)
	}
}
