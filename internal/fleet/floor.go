package fleet

// SetMinReplicas changes the least number of members that the rate is divided among.
func (f *Fleet) SetMinReplicas(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.o.MinReplicas = n
	f.tracker.SetMinReplicas(n)
}
