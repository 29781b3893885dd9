package membership

// SetMinReplicas changes the least number of members that the rate is divided among, from
// the next decision on. It makes no difference to who sends what while there are as many
// members as both ask for.
func (t *Tracker) SetMinReplicas(n int) { t.o.MinReplicas = n }
