package web

import "time"

// ScenarioStatus is a scenario as it runs now. Rates are in requests per second.
type ScenarioStatus struct {
	Name string `json:"name"`
	// FileRate is the rate that the file sets for the whole fleet now, or the one found for a
	// rate that the file follows.
	FileRate float64 `json:"file_rate"`
	// TargetRate is what the fleet should send now, and ShareRate this replica's part.
	TargetRate float64 `json:"target_rate"`
	ShareRate  float64 `json:"share_rate"`
	// BackOffRatio is the share of the rate that is sent now, from 0 to 1: less than 1 while
	// the target is spared.
	BackOffRatio float64 `json:"back_off_ratio"`
	// MaxRate is the ceiling of the file; 0 is none.
	MaxRate float64 `json:"max_rate,omitempty"`
	// Override is in effect or about to be; nil if there is none.
	Override *OverrideStatus `json:"override"`
	// Follow is how the rate is followed; nil if it is not.
	Follow *FollowStatus `json:"follow,omitempty"`
}

// FollowStatus is how the rate of another system is followed. While an override is in effect that
// has the last word.
type FollowStatus struct {
	// Rate is the one that was found last and holds; nil while none does, and the file's otherwise
	// is in effect.
	Rate *float64 `json:"rate"`
	// Found is when it was found, Replica where, and Until when it ceases to hold unless
	// another is found.
	Found   time.Time `json:"found_at,omitzero"`
	Replica string    `json:"found_on,omitempty"`
	Until   time.Time `json:"holds_until,omitzero"`
	// Failure is why this replica has found none the last time that it asked, if it is the one that does.
	Failure string `json:"failure,omitempty"`
}

// OverrideStatus is a change of a scenario's rate. It has a Rate or a Factor, or is a
// Clear that has not taken effect yet.
type OverrideStatus struct {
	Rate   *float64 `json:"rate,omitempty"`
	Factor *float64 `json:"factor,omitempty"`
	Clear  bool     `json:"clear,omitempty"`
	// From and Until bound the effect; Active says that it has begun.
	From   time.Time `json:"from"`
	Until  time.Time `json:"until"`
	Active bool      `json:"active"`
	// Capped says that max_rate holds it back.
	Capped bool `json:"capped"`
	// Reason and By are why, and who asked for it.
	Reason string `json:"reason"`
	By     string `json:"by"`
	// Written and Replica are when and where it was written.
	Written time.Time `json:"set_at"`
	Replica string    `json:"set_on"`
}

// OverrideRequest asks for another rate of a scenario until it expires. Its syntax has
// been checked when SetOverride gets it: there is exactly one of Rate and Factor and
// one of For and Until, a Reason and a By. What the texts mean has not.
type OverrideRequest struct {
	// Rate is such as 600/s or 90/m, Factor multiplies the rate of the file.
	Rate   string   `json:"rate,omitempty"`
	Factor *float64 `json:"factor,omitempty"`
	// For is a duration such as 30m or 1h30m.
	For   string    `json:"for,omitempty"`
	Until time.Time `json:"until,omitzero"`
	// Reason and By are why, and who asks.
	Reason string `json:"reason"`
	By     string `json:"by,omitempty"`
	// Force asks for it even if it is more than ten times the file's peak and there is no
	// max_rate.
	Force bool `json:"force,omitempty"`
}

// OverridePreview is what an override would lead to. Rates are in requests per second.
type OverridePreview struct {
	Scenario string `json:"scenario"`
	// Peak is the highest rate while it is in effect, and FilePeak the file's of today.
	Peak     float64 `json:"peak"`
	FilePeak float64 `json:"file_peak"`
	// MaxRate is the ceiling of the file, which Peak does not exceed; 0 is none.
	MaxRate float64   `json:"max_rate,omitempty"`
	From    time.Time `json:"from"`
	Until   time.Time `json:"until"`
	// Confirm says that people have to type the scenario's name, as Peak is more than three times
	// FilePeak, and Refused that SetOverride refuses it without Force.
	Confirm bool `json:"confirm"`
	Refused bool `json:"refused"`
}

// ClearRequest asks for the rate of the file again. By is filled in, Reason may be
// empty.
type ClearRequest struct {
	Reason string `json:"reason,omitempty"`
	By     string `json:"by,omitempty"`
}

// Refusal is an error that the client is to blame for, with the status of the response.
type Refusal struct { //nolint:errname // It is a refusal, in the response as in the code.
	Status  int
	Message string
}

// Error returns the message.
func (r *Refusal) Error() string { return r.Message }

// FleetStatus is the fleet as this replica sees it.
type FleetStatus struct {
	// Self is this replica's ID.
	Self    string `json:"self"`
	Store   string `json:"store"`
	Cluster string `json:"cluster"`
	// Live says that this replica sends its share; Why says why it does not.
	Live bool   `json:"live"`
	Why  string `json:"why,omitempty"`
	// StoreUp says that the store responds.
	StoreUp bool `json:"store_up"`
	// Second is the whole second that this view is for.
	Second  time.Time      `json:"second"`
	Members []MemberStatus `json:"members"`
	// ClockSkew is this replica's clock minus the median of the others', in seconds.
	ClockSkew float64 `json:"clock_skew_seconds"`
}

// MemberStatus is a member of the fleet as this replica sees it.
type MemberStatus struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Address string `json:"address"`
	Weight  uint32 `json:"weight"`
	// Share is the member's part of all slots, 0 to 1.
	Share float64 `json:"share"`
	// State is joining, live, leaving, lost, taken over or standby, Since when.
	State string    `json:"state"`
	Since time.Time `json:"since"`
	// LastHeartbeat is the member's last sign of life, by its own clock.
	LastHeartbeat time.Time `json:"last_heartbeat"`
	// ClockOffset is the member's clock minus this replica's, in seconds.
	ClockOffset float64 `json:"clock_offset_seconds"`
	// Config is the hash of the member's configuration; SameConfig says that this replica runs
	// the same.
	Config     string `json:"config"`
	SameConfig bool   `json:"same_config"`
}
