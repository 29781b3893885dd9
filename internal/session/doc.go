// Package session gets and renews what requests need before they can be sent: the token of a
// service account, or the sessions of users. It does so beside the sending path, in goroutines
// of its own that Close ends, and never more often than its back-off allows: whatever a server
// responds, and however it fails, the load that renewals put on it is bounded.
//
// It does not know the configuration and the metrics, and it decides nothing about slots: the
// engine asks whether what a slot needs is there.
package session

import (
	"math/rand/v2"
	"time"
)

const (
	// firstRetry is how long the first failure is waited after, and lastRetry the longest wait.
	firstRetry = time.Second
	lastRetry  = time.Minute
	// patience bounds one attempt.
	patience = 10 * time.Second
)

// Recorder counts attempts. Implementations are safe for concurrent use and do not block.
type Recorder interface {
	// SessionRenewed counts a token or session that was obtained, the first one included.
	SessionRenewed()
	// SessionFailed counts an attempt that has failed.
	SessionFailed()
}

// Nobody is a Recorder that counts nothing.
type Nobody struct{}

var _ Recorder = Nobody{}

// SessionRenewed implements Recorder.
func (Nobody) SessionRenewed() {}

// SessionFailed implements Recorder.
func (Nobody) SessionFailed() {}

// backOff returns how long to wait after so many attempts that failed one after the other:
// twice as long each time, up to lastRetry, less up to a half by chance.
func backOff(failures int) time.Duration {
	wait := lastRetry
	if failures < 7 {
		wait = min(lastRetry, firstRetry<<max(0, failures-1))
	}
	return wait/2 + rand.N(wait/2)
}

// around returns a duration give or take a twentieth, by chance, so that tokens obtained
// together are not renewed together.
func around(d time.Duration) time.Duration {
	twentieth := d / 20
	if twentieth <= 0 {
		return d
	}
	return d - twentieth + rand.N(2*twentieth)
}
