package config

// Traceparent is whether requests carry W3C trace context, and the share of the slots whose
// requests ask for their trace to be kept: a percentage, sampled, unsampled or none.
type Traceparent struct {
	// Sent says that requests carry it.
	Sent bool
	// Sampled is the share, from 0 to 1.
	Sampled Percent
}

// The shares with a name.
const (
	traceSampled   = "sampled"
	traceUnsampled = "unsampled"
	traceNone      = "none"
)

func (Traceparent) expectation() string {
	return "a percentage from 0% to 100% such as 1%, or sampled, unsampled or none"
}

// UnmarshalText sets the share from its text. An error names the expected syntax.
func (t *Traceparent) UnmarshalText(text []byte) error {
	switch string(text) {
	case traceSampled:
		*t = Traceparent{Sent: true, Sampled: 1}
	case traceUnsampled:
		*t = Traceparent{Sent: true}
	case traceNone:
		*t = Traceparent{}
	default:
		var share Percent
		if err := share.UnmarshalText(text); err != nil || share > 1 {
			return expectedError(t.expectation())
		}
		*t = Traceparent{Sent: true, Sampled: share}
	}
	return nil
}

// String returns the shortest text that UnmarshalText reads as exactly this share.
func (t Traceparent) String() string {
	switch {
	case !t.Sent:
		return traceNone
	case t.Sampled == 1:
		return traceSampled
	case t.Sampled == 0:
		return traceUnsampled
	default:
		return t.Sampled.String()
	}
}

// MarshalText returns the text of String.
func (t Traceparent) MarshalText() ([]byte, error) { return []byte(t.String()), nil }
