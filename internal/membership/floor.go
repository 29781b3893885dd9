package membership

// SetMinReplicas changes MinReplicas and MinReplicasAlone, from the next decision on. It
// makes no difference to who sends what while there are as many members as both ask for.
func (t *Tracker) SetMinReplicas(n, alone int) { t.o.MinReplicas, t.o.MinReplicasAlone = n, alone }
