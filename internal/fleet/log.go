package fleet

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-kit/log"
	"github.com/go-kit/log/level"
)

// quiet is for how long a message of dskit's is not repeated: what fails in the
// background fails several times a second.
const quiet = time.Minute

// strangers are what memberlist logs when it refuses a packet or a connection of another
// cluster. It counts them nowhere.
var strangers = []string{"discarding packet with unacceptable label", "discarding stream with unacceptable label"} //nolint:gochecknoglobals // A constant, which Go has none of for lists.

// kitLogger passes on the logs of dskit, one level lower: its Info is about every attempt
// to join, its warnings about faults that heal by themselves.
type kitLogger struct {
	logger  *slog.Logger
	refused *atomic.Uint64

	mu   sync.Mutex
	said map[string]time.Time
}

func newKitLogger(logger *slog.Logger, refused *atomic.Uint64) log.Logger {
	return &kitLogger{logger: logger, refused: refused, said: map[string]time.Time{}}
}

// Log implements log.Logger.
func (l *kitLogger) Log(pairs ...any) error {
	severity, message := slog.LevelDebug, "dskit"
	var attributes []slog.Attr
	for i := 0; i+1 < len(pairs); i += 2 {
		switch key := fmt.Sprint(pairs[i]); {
		case pairs[i] == level.Key():
			severity = severityOf(pairs[i+1])
		case key == "msg":
			message = fmt.Sprint(pairs[i+1])
		case key != "ts" && key != "caller":
			attributes = append(attributes, slog.Any(strings.ReplaceAll(key, "-", "_"), value(pairs[i+1])))
		}
	}
	for _, s := range strangers {
		if strings.Contains(message, s) {
			l.refused.Add(1)
		}
	}
	ctx := context.Background()
	if l.logger.Enabled(ctx, severity) && (severity < slog.LevelInfo || l.isNews(message)) {
		l.logger.LogAttrs(ctx, severity, message, attributes...)
	}
	return nil
}

// severityOf returns how severe a message is to us.
func severityOf(v any) slog.Level {
	switch v {
	case level.ErrorValue():
		return slog.LevelWarn
	case level.WarnValue():
		return slog.LevelInfo
	default:
		return slog.LevelDebug
	}
}

// value returns what a log.Valuer stands for.
func value(v any) any {
	if f, ok := v.(log.Valuer); ok {
		return f()
	}
	return v
}

// isNews reports whether a message has not been logged for a while. Addresses differ, so
// that what counts is its beginning.
func (l *kitLogger) isNews(message string) bool {
	key := message[:min(len(message), 24)]
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.Sub(l.said[key]) < quiet {
		return false
	}
	l.said[key] = now
	return true
}
