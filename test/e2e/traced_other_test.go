//go:build e2e && !(linux && amd64)

package e2e

import (
	"errors"
	"testing"
	"time"
)

const controlVariable = "TRAFFIC_E2E_CONTROL"

type tracer struct{}

// mayTrace reports whether programs may be traced here.
func mayTrace(*testing.T) bool { return false }

func newTracer(t *testing.T) tracer {
	t.Helper()
	t.Skip("programs are traced on Linux on amd64")
	return tracer{}
}

func (tracer) enter() []string                 { return nil }
func (tracer) clock(*testing.T, time.Duration) {}
func (tracer) hang(*testing.T)                 {}

func trace(string, []string) (int, error) { return 0, errors.ErrUnsupported }
