package fleet

// resuming is for how many seconds after it stood still a replica may not have heard even
// itself, which is no fault of the store's.
const resuming = 5

// storeNews decides when a line of the log is worth writing: the store is away or back.
type storeNews struct {
	// seen says that the store was there before, and away that its absence was reported.
	seen, away bool
	// resumed is the second in which this replica went on after it stood still.
	resumed int64
}

// about returns whether the store was found to be away, or to be back, in a second.
func (n *storeNews) about(up bool, second int64) (away, back bool) {
	switch {
	case up:
		back = n.away
		n.seen, n.away = true, false
	case n.seen && !n.away && second > n.resumed+resuming:
		n.away, away = true, true
	}
	return away, back
}
