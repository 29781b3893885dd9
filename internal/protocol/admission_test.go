package protocol_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
)

func TestARequestWaitsUntilItIsAdmitted(t *testing.T) {
	for _, test := range []struct {
		name string
		// at is the number of the question that gets a yes; 0 for none.
		at     int
		nobody bool
		asked  int
		err    error
	}{
		{"nobody to ask", 0, true, 0, nil},
		{"at once", 1, false, 1, nil},
		{"at the third question", 3, false, 3, nil},
		{"never", 0, false, 20, context.DeadlineExceeded},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 990*time.Millisecond)
				defer cancel()
				asked := 0
				admit := func() bool { asked++; return asked == test.at }
				if test.nobody {
					admit = nil
				}
				err := protocol.WaitAdmitted(ctx, admit)
				if !errors.Is(err, test.err) || asked != test.asked {
					t.Errorf("asked %d times, error %v, want %d times, %v", asked, err, test.asked, test.err)
				}
			})
		})
	}
}
