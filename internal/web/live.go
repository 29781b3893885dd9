package web

import (
	"math"
	"strconv"
	"time"
)

// LiveQuery says what of Live is wanted.
type LiveQuery struct {
	// Match is what the names of the scenarios have to contain, and Limit how many are wanted at
	// most: those that need looking at come first.
	Match string
	Limit int
	// Scenario is the one whose history is wanted, from Since on; empty for none.
	Scenario string
	Since    time.Time
}

// Live is what the live page shows at one time.
type Live struct {
	Now time.Time `json:"now"`
	// Version is the program's, and Started when this process began to count.
	Version string    `json:"version"`
	Started time.Time `json:"started"`
	Replica string    `json:"replica"`
	// Ready says why this replica is not ready; empty if it is.
	Ready string `json:"ready"`
	// DryRun says that nothing is sent to the targets of the file.
	DryRun bool `json:"dry_run"`
	// Control says that rates may be changed from here.
	Control bool       `json:"control"`
	Reload  LiveReload `json:"reload"`
	// Fleet is nil for a replica on its own.
	Fleet *LiveFleet `json:"fleet"`
	// Sums are over all scenarios, and Count is their number.
	Count     int            `json:"count"`
	Troubled  int            `json:"troubled"`
	Sums      LiveFigures    `json:"sums"`
	Scenarios []LiveScenario `json:"scenarios"`
	// Detail is the history that was asked for; nil if there is none.
	Detail *LiveDetail `json:"detail,omitempty"`
}

// LiveReload is the last attempt to load the configuration.
type LiveReload struct {
	At time.Time `json:"at"`
	// Hash identifies the configuration that runs, and Applied is since when.
	Hash    string    `json:"hash"`
	Applied time.Time `json:"applied"`
	// Errors are its mistakes; empty if it was applied.
	Errors []string `json:"errors"`
}

// LiveFleet is the fleet on the live page.
type LiveFleet struct {
	Self string `json:"self"`
	Live bool   `json:"live"`
	Why  string `json:"why,omitempty"`
	// Summed says that the figures are the sum over all live members; otherwise Note says whose
	// are missing.
	Summed  bool         `json:"summed"`
	Note    string       `json:"note,omitempty"`
	Members []LiveMember `json:"members"`
}

// LiveMember is a member of the fleet on the live page.
type LiveMember struct {
	ID    string  `json:"id"`
	Name  string  `json:"name"`
	State string  `json:"state"`
	Share float64 `json:"share"`
	// Sent is what it sends of all scenarios; nil if that is not known.
	Sent *Number `json:"sent"`
	// SameConfig says that it runs the same configuration as this replica.
	SameConfig bool `json:"same_config"`
}

// Number is a figure that may be missing: NaN is null in JSON, and others have six digits.
type Number float64

// MarshalJSON implements json.Marshaler.
func (n Number) MarshalJSON() ([]byte, error) { return appendNumber(nil, float64(n), 6), nil }

func appendNumber(b []byte, v float64, digits int) []byte {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return append(b, "null"...)
	}
	return strconv.AppendFloat(b, v, 'g', digits, 64)
}

// Column is a column of figures with four digits. Some of them may be missing.
type Column []float32

// MarshalJSON implements json.Marshaler.
func (c Column) MarshalJSON() ([]byte, error) {
	b := append(make([]byte, 0, 2+6*len(c)), '[')
	for i, v := range c {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendNumber(b, float64(v), 4)
	}
	return append(b, ']'), nil
}

// LiveFigures are figures of the last seconds, of the whole fleet where it is summed. Rates are
// per second, durations in seconds.
type LiveFigures struct {
	Target Number `json:"target"`
	Sent   Number `json:"sent"`
	// Ended are requests, and Failed those of them that failed; Dropped are slots.
	Ended   Number `json:"ended"`
	Failed  Number `json:"failed"`
	Dropped Number `json:"dropped"`
	// DayLimited are those of the dropped that max_slots_per_day does not let through.
	DayLimited Number `json:"day_limited"`

	P50 Number `json:"p50"`
	P99 Number `json:"p99"`
}

// LiveScenario is a scenario on the live page.
type LiveScenario struct {
	ScenarioStatus
	LiveFigures

	// Zone is its time zone, and Peak the highest rate of the file today.
	Zone string `json:"time_zone"`
	Peak Number `json:"peak"`
	// Trouble describes the worst problem; empty if there is none.
	Trouble string `json:"trouble,omitempty"`
	// Delay is the 99th percentile of how late this replica sent; where the fleet is summed, of
	// the member that is latest.
	Delay Number `json:"delay"`
	// Users are the journeys in progress, of the whole fleet where it is summed; nil without
	// journeys.
	Users  *Number    `json:"users"`
	Budget *LiveSLO   `json:"slo"`
	Totals LiveTotals `json:"totals"`
	// Day is today in half hours: the planned slots and those sent.
	Day LiveDay `json:"day"`
}

// LiveDay are means of a day's parts, of requests per second.
type LiveDay struct {
	Target Column `json:"target"`
	Sent   Column `json:"sent"`
}

// LiveSLO is an objective with its remaining error budget, of the whole fleet's requests where
// it is summed.
type LiveSLO struct {
	Objective float64 `json:"objective"`
	Latency   float64 `json:"latency"`
	// Left is the remaining budget since Since, from 1 down; less than 0 if it is overdrawn.
	Left Number  `json:"left"`
	Good float64 `json:"good"`
	Bad  float64 `json:"bad"`
	// Since is when the first member that is summed began to count, and Whole when the last one
	// did.
	Since time.Time `json:"since"`
	Whole time.Time `json:"whole"`
}

// LiveTotals are counts of this replica since it started, as in its metrics.
type LiveTotals struct {
	Due      uint64            `json:"due"`
	Finished uint64            `json:"finished"`
	InFlight int64             `json:"in_flight"`
	Dropped  map[string]uint64 `json:"dropped"`
	Failed   map[string]uint64 `json:"failed"`
}

// LiveDetail is the history of one scenario.
type LiveDetail struct {
	Name string `json:"name"`
	// From, Until and End are when today begins and ends in the scenario's time zone, and when
	// tomorrow ends.
	From  int64 `json:"from"`
	Until int64 `json:"until"`
	End   int64 `json:"end"`
	// Step is the time between points of Target, from From to End, in seconds. It is empty in
	// responses that go on from an earlier one in which it was the same.
	Step   int64  `json:"step"`
	Target Column `json:"target,omitempty"`
	// Shape identifies Target.
	Shape   string       `json:"shape"`
	Seconds LiveSeries   `json:"seconds"`
	Minutes LiveSeries   `json:"minutes"`
	Steps   []LiveStep   `json:"steps"`
	Members []LiveShared `json:"members"`
}

// LiveSeries are points at regular times. They are of the whole fleet where the column "fleet" is
// 1, and of this replica elsewhere.
type LiveSeries struct {
	From    int64             `json:"from"`
	Step    int64             `json:"step"`
	Len     int               `json:"len"`
	Columns map[string]Column `json:"columns"`
}

// LiveStep are figures of one request over the last 15 minutes.
type LiveStep struct {
	Name   string `json:"name"`
	Ended  uint64 `json:"ended"`
	Failed uint64 `json:"failed"`
}

// LiveShared is a member's part in a scenario.
type LiveShared struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	LiveFigures

	Users Number `json:"users"`
	// Delay is the 99th percentile of its send delay, and Left the remaining error budget by its
	// own requests; null without an SLO.
	Delay Number `json:"delay"`
	Left  Number `json:"left"`
}

// FailureStatus is a request that failed, or was one of the slowest.
type FailureStatus struct {
	Scenario string `json:"scenario"`
	Request  string `json:"request"`
	// Reason is slow for one that did not fail.
	Reason  string    `json:"reason"`
	Slot    string    `json:"slot"`
	TraceID string    `json:"trace_id"`
	Due     time.Time `json:"due"`
	Ended   time.Time `json:"ended"`
	// Delay and Latency are in seconds.
	Delay   float64 `json:"delay"`
	Latency float64 `json:"latency"`
	Code    string  `json:"code,omitempty"`
	Error   string  `json:"error,omitempty"`
	// Exchange is the transcript, with secrets hidden; empty where nothing was seen.
	Exchange string `json:"exchange,omitempty"`
	// Command sends the slot again.
	Command string `json:"command"`
}
