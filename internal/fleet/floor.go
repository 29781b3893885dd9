package fleet

// SetMinReplicas changes the least number of members that the rate is divided among, and
// that while this replica is alone.
func (f *Fleet) SetMinReplicas(n, alone int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.o.MinReplicas, f.o.MinReplicasAlone = n, alone
	f.tracker.SetMinReplicas(n, alone)
}
