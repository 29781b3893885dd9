package rules

import (
	"fmt"
	"math"
	"regexp"
	"strings"
	"time"

	"github.com/prometheus/common/model"
)

// scaler divides times.
type scaler float64

// shortest is what no time gets shorter than by scaling.
const shortest = 100 * time.Millisecond

// divide returns a time divided and rounded: to whole seconds from 10 s on, to tenths
// below.
func (s scaler) divide(d time.Duration) time.Duration {
	if d == 0 || s == 1 {
		return d
	}
	scaled := time.Duration(math.Round(float64(d) / float64(s)))
	if scaled >= 10*time.Second {
		return scaled.Round(time.Second)
	}
	return max(scaled.Round(shortest), shortest)
}

// format writes a time as Prometheus does, and none as nothing.
func (s scaler) format(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return model.Duration(s.divide(d)).String()
}

// expr divides the windows, the offsets and the factors of an expression that are times.
func (s scaler) expr(expr string) (string, error) {
	var failed error
	// In an expression of PromQL a bracket can hold nothing but a window, with the step of
	// a subquery.
	out := regexp.MustCompile(`(\[|offset |\* |:)([0-9]+[a-z][0-9a-z]*)`).ReplaceAllStringFunc(expr, func(match string) string {
		i := len(match)
		for !strings.ContainsRune("[ :", rune(match[i-1])) {
			i--
		}
		d, err := model.ParseDuration(match[i:])
		if err != nil {
			failed = fmt.Errorf("%q in %s: %w", match, expr, err)
		}
		return match[:i] + s.format(time.Duration(d))
	})
	return out, failed
}
