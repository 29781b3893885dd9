package share

import "testing"

func BenchmarkArcOwns(b *testing.B) {
	arc := view(10, equal).Arc("replica-0003")
	var seq, owned uint64
	for b.Loop() {
		if arc.Owns(seq) {
			owned++
		}
		seq++
	}
	b.ReportMetric(float64(owned)/float64(seq), "share")
}

func BenchmarkViewOwner1000(b *testing.B) {
	v := view(1000, equal)
	var seq uint64
	for b.Loop() {
		v.Owner(seq)
		seq++
	}
}

func BenchmarkArcCount(b *testing.B) {
	arc := view(1000, equal).Arc("replica-0003")
	for b.Loop() {
		arc.Count(1, 1<<50)
	}
}
