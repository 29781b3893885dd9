// Package compare sends slots to two targets, the scenario's own and a candidate for its place, and says how the
// responses differ. Which slots it are, and which target is first, follows from the slot alone. It decides nothing
// about when requests are sent: the engine runs a pair as it runs a journey, and the candidate's half is a script
// of its own with its own client.
package compare

import (
	"crypto/sha256"
	"strings"
	"sync/atomic"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/engine"
	"github.com/traffic-exporter/traffic_exporter/internal/journey"
	"github.com/traffic-exporter/traffic_exporter/internal/timeline"
)

const (
	// maxBody is how long a body may be that is held until that of the other target has come, in bytes, and maxHeld
	// bounds all of a Pairing together. Of others a hash is held, which shows that bodies differ and not where.
	maxBody = 1 << 20
	maxHeld = 64 << 20
	// maxRequests bounds how many requests of a half are held.
	maxRequests = 10000
)

// Result is how the two requests of a pair compare: a closed set.
type Result uint8

// The results, in the order in which they are looked for.
const (
	// Same: nothing that is compared differs.
	Same Result = iota
	// BaseFailed: the request to the scenario's own target failed, which says nothing about the candidate.
	BaseFailed
	// Failed: the candidate did not respond as its protocol asks: it refused, timed out, broke off.
	Failed
	// Status: both responded, with different codes.
	Status
	// Check: the candidate's response fails the checks that the other one's passes.
	Check
	// Headers: a header that is compared differs.
	Headers
	// Body: the bodies differ.
	Body
	// Missing: only one of the targets was sent the request, since its journey took another way, and the scenario's
	// own target had not failed before.
	Missing

	// NumResults is the size of an array indexed by Result.
	NumResults = int(iota)
)

// String returns the result as it stands in labels.
func (r Result) String() string {
	switch r {
	case Same:
		return "same"
	case BaseFailed:
		return "base_failed"
	case Failed:
		return "failed"
	case Status:
		return "status"
	case Check:
		return "check"
	case Headers:
		return "headers"
	case Body:
		return "body"
	case Missing:
		return "missing"
	default:
		return "unknown"
	}
}

// IsMismatch reports whether the candidate did something else than the scenario's own target.
func (r Result) IsMismatch() bool { return r != Same && r != BaseFailed }

// Rules say what of responses is compared, beside their codes and the checks. They are immutable.
type Rules struct {
	// Headers are the names of the header fields that are compared.
	Headers []string
	// Body is how bodies are compared.
	Body BodyRule
	// Ignore are the places in bodies of JSON that may differ, and Unordered the lists whose order does not matter.
	Ignore, Unordered []Path
}

// BodyRule is how bodies are compared.
type BodyRule uint8

// The ways to compare bodies.
const (
	// BodyIgnored compares none.
	BodyIgnored BodyRule = iota
	// BodyJSON compares JSON by value. Bodies that are no JSON are compared as BodyExact does.
	BodyJSON
	// BodyExact compares them byte by byte, without their content coding.
	BodyExact
)

// Verdict is what came of one request of a pair.
type Verdict struct {
	// Request is the request's index among the scenario's.
	Request int
	Result  Result
	// Base and Candidate are how long the requests took from their sends to their last bytes. They are 0 unless
	// both succeeded.
	Base, Candidate time.Duration
	// Slot is that of the pair, and At when that was known.
	Slot timeline.Slot
	At   time.Time
	// Detail says for people how the two differ, without any value of the responses; empty if they do not.
	Detail string
}

// Recorder counts what comes of pairs. Implementations are safe for concurrent use, quick, and do not block.
type Recorder interface {
	// Compared counts a request that was sent to one target or to both.
	Compared(v Verdict)
	// Skipped counts a sampled slot that was sent to its own target alone.
	Skipped(why Skip)
}

// Skip is why a slot was not compared: a closed set.
type Skip uint8

// The reasons for not comparing a slot.
const (
	// SkipRateCap: another request would have been beyond max_rate.
	SkipRateCap Skip = iota
	// SkipBackOff: the candidate is being spared.
	SkipBackOff
	// SkipLacks: the candidate lacks what its requests need, such as a token or the session of a user.
	SkipLacks

	// NumSkips is the size of an array indexed by Skip.
	NumSkips = int(iota)
)

// String returns the reason as it stands in labels.
func (s Skip) String() string {
	switch s {
	case SkipRateCap:
		return "rate_cap"
	case SkipBackOff:
		return "back_off"
	case SkipLacks:
		return "not_ready"
	default:
		return "unknown"
	}
}

// Options are what a Pairing is made from.
type Options struct {
	// Share is the share of the slots that are compared, from 0 to 1.
	Share float64
	Rules Rules
	// Own and Candidate make the halves. They have the same steps.
	Own, Candidate *journey.Script
	// Requests are the indexes of the scenario's requests, by step.
	Requests []int
	// Sparing, if not nil, spares the candidate, and Needs, if not nil, is what its requests need.
	Sparing engine.Sparing
	Needs   engine.Needs
	// Recorder counts what comes of pairs.
	Recorder Recorder
}

// Pairing sends slots of one entry of a mix to two targets. Create it with New. Safe for concurrent use.
type Pairing struct {
	o Options
	// held is how many bytes of bodies are held.
	held atomic.Int64
}

var _ engine.Pairing = (*Pairing)(nil)

// New returns a Pairing.
func New(o Options) *Pairing { return &Pairing{o: o} }

// Wants implements engine.Pairing.
func (p *Pairing) Wants(slot timeline.Slot, now time.Time) bool {
	if !Sampled(slot.Hash, p.o.Share) {
		return false
	}
	if p.o.Sparing != nil && p.o.Sparing.Spares(slot) {
		p.o.Recorder.Skipped(SkipBackOff)
		return false
	}
	if p.o.Needs != nil {
		if _, lacks := p.o.Needs.Lacks(slot, now); lacks {
			p.o.Recorder.Skipped(SkipLacks)
			return false
		}
	}
	return true
}

// Alone implements engine.Pairing.
func (p *Pairing) Alone() { p.o.Recorder.Skipped(SkipRateCap) }

// Begin implements engine.Pairing.
func (p *Pairing) Begin(slot timeline.Slot) engine.Pair {
	q := &pair{p: p, slot: slot}
	return engine.Pair{
		Own:            p.o.Own.BeginWatched(slot, &half{pair: q, base: true}),
		Candidate:      p.o.Candidate.BeginWatched(slot, &half{pair: q}),
		CandidateFirst: CandidateFirst(slot.Hash),
	}
}

// The seeds of the numbers drawn from a slot here.
const (
	seedSample = 0x9d1f0c5b7a3e6281
	seedOrder  = 0x37c2e8d4f61b095a
)

// Sampled reports whether a slot is compared, by its hash: so many of all slots are, the same on every replica.
func Sampled(hash uint64, share float64) bool {
	return timeline.Draw(hash, seedSample) < share
}

// CandidateFirst reports whether a slot is sent to the candidate first, by its hash: every other one is.
func CandidateFirst(hash uint64) bool { return timeline.Draw(hash, seedOrder) >= 0.5 }

// body is a body, or its hash.
type body struct {
	// text is nil where there is only a hash.
	text []byte
	hash [sha256.Size]byte
	json bool
}

// hold returns a body, or its hash, to keep until the other one has come. release gives it back.
func (p *Pairing) hold(text string) body {
	b := body{}
	if p.o.Rules.Body == BodyIgnored {
		return b
	}
	if p.o.Rules.Body == BodyJSON {
		canonical, err := p.o.Rules.canonical(text)
		b.text, b.json = canonical, err == nil
	}
	if !b.json {
		b.text = []byte(text)
	}
	b.hash = sha256.Sum256(b.text)
	if n := int64(len(b.text)); n > maxBody || p.held.Add(n) > maxHeld {
		if n <= maxBody {
			p.held.Add(-n)
		}
		b.text = nil
	}
	return b
}

func (p *Pairing) release(b body) { p.held.Add(-int64(len(b.text))) }

// differs reports whether two bodies differ, and where if that is known.
func (b body) differs(o body) (detail string, differ bool) {
	switch {
	case b.hash == o.hash && b.json == o.json:
		return "", false
	case b.json != o.json:
		return "the body differs: only one of the two is JSON", true
	case !b.json:
		return "the body differs", true
	case b.text == nil || o.text == nil:
		return "the body differs, and is too long to say where", true
	}
	if at := difference(b.text, o.text); at != "" {
		return "the body differs at " + clip(at), true
	}
	return "the body differs", true
}

// clip bounds a string that comes from a target.
func clip(text string) string {
	const most = 200
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "..."
	}
	return text
}
