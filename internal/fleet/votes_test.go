package fleet

import (
	"testing"
	"time"

	"github.com/grafana/dskit/ring"
)

func TestAFleetAgreesByMoreThanHalfOfItsWeight(t *testing.T) {
	for _, test := range []struct {
		name string
		all  []opinion
		want int64
	}{
		{"nobody", nil, 0},
		{"none has voted", []opinion{{0, 1}, {0, 1}}, 0},
		{"alone", []opinion{{5, 1}}, 5},
		{"one of two", []opinion{{5, 1}, {0, 1}}, 0},
		{"two of two: when the second did", []opinion{{5, 1}, {7, 1}}, 5},
		{"one of three", []opinion{{5, 1}, {0, 1}, {0, 1}}, 0},
		{"two of three", []opinion{{5, 1}, {0, 1}, {7, 1}}, 5},
		{"three of three: the later two", []opinion{{5, 1}, {6, 1}, {7, 1}}, 6},
		{"a heavy one", []opinion{{5, 3}, {0, 1}, {0, 1}}, 5},
		{"the light ones", []opinion{{0, 3}, {5, 1}, {6, 1}}, 0},
		{"an old vote and new ones", []opinion{{1, 1}, {900, 1}, {901, 1}, {0, 1}}, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := agreed(test.all)
			if (test.want == 0) != got.IsZero() || test.want != 0 && got.UnixMilli() != test.want {
				t.Errorf("got %v, want %d", got, test.want)
			}
		})
	}
}

func TestVotesTravelInHeartbeatsUntilTheyAreOld(t *testing.T) {
	now := time.UnixMilli(1_700_000_000_000)
	own := votes{
		voteKey("new"): now.Add(-time.Minute).UnixMilli(),
		voteKey("old"): now.Add(-voteKept - time.Second).UnixMilli(),
	}
	fields := ring.InstanceVersions{fieldWeight: 1, fieldConfig: 1<<63 + 5}
	own.put(fields, now)
	got := (&Fleet{}).profileOf("other-1", wordsOf(ring.InstanceDesc{Versions: fields})).votes
	if len(got) != 1 || got[voteKey("new")] != now.Add(-time.Minute).UnixMilli() {
		t.Errorf("said %v, heard %v", fields, got)
	}
	if len(own) != 1 {
		t.Errorf("kept %v", own)
	}
}
