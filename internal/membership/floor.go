package membership

// SetMinReplicas changes MinReplicas and MinReplicasAlone, from the next decision on. Who
// owns a slot does not depend on them, only whether it is sent: while some replicas have
// the old numbers and some the new ones, none is sent twice.
func (t *Tracker) SetMinReplicas(n, alone int) { t.o.MinReplicas, t.o.MinReplicasAlone = n, alone }
