package http2

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
)

var epoch = time.Unix(1_700_000_000, 0)

// jobUntil returns a job that has to end so many seconds after the epoch, with a body.
func jobUntil(seconds int, body string) *job {
	return &job{deadline: epoch.Add(time.Duration(seconds) * time.Second), entry: &entry{Prepared: &httpreq.Prepared{}}, upload: httpreq.NewUpload([]byte(body))}
}

// deadlines returns the deadlines of a list's streams, in seconds after the epoch.
func deadlines(l *streamList) (all []int) {
	for s := l.first; s != nil; s = s.links[l.which].next {
		all = append(all, int(s.deadline.Sub(epoch)/time.Second))
	}
	return all
}

func TestStreamsAreInTheOrderOfTheirDeadlines(t *testing.T) {
	set := newStreamSet(1000)
	for _, seconds := range []int{5, 9, 7, 1, 9, 3} {
		set.open(jobUntil(seconds, "body"), firstWindow)
	}
	if got := deadlines(&set.byDeadline); !slices.Equal(got, []int{1, 3, 5, 7, 9, 9}) {
		t.Errorf("streams end after %v s", got)
	}
	if !set.deadline().Equal(epoch.Add(time.Second)) {
		t.Errorf("the next ends %s", set.deadline())
	}
	for s := set.expired(epoch.Add(5 * time.Second)); s != nil; s = set.expired(epoch.Add(5 * time.Second)) {
		set.close(s)
	}
	if got := deadlines(&set.byDeadline); !slices.Equal(got, []int{7, 9, 9}) {
		t.Errorf("streams that are left end after %v s", got)
	}
	if got := deadlines(&set.sending); !slices.Equal(got, []int{7, 9, 9}) {
		t.Errorf("bodies are sent of streams that end after %v s", got)
	}
}

func TestBodiesAreSentToTheirEnd(t *testing.T) {
	set := newStreamSet(1000)
	set.open(jobUntil(1, ""), firstWindow)
	s := set.open(jobUntil(2, "body"), firstWindow)
	if set.sending.first != s || set.sending.last != s {
		t.Error("a request without a body has one to send")
	}
	for _, n := range []int{3, 1} {
		if set.sending.first != s {
			t.Error("a body ends before its last byte")
		}
		s.body.Append(nil, n)
		set.sent(s)
	}
	if set.sending.first != nil {
		t.Error("a body does not end with its last byte")
	}
	set.close(s)
}

func TestRoomIsWhatBothSidesAllow(t *testing.T) {
	set := newStreamSet(3)
	for _, test := range []struct{ limit, want int }{{0, 0}, {2, 2}, {10, 3}} {
		if got := set.room(test.limit); got != test.want {
			t.Errorf("room for %d of %d", got, test.limit)
		}
	}
	first := set.open(jobUntil(1, ""), 0)
	set.open(jobUntil(1, ""), 0)
	if set.room(2) != 0 || set.room(1) != 0 || set.room(10) != 1 {
		t.Error("open streams take no room")
	}
	set.close(first)
	if set.room(2) != 1 || set.room(10) != 1 {
		t.Error("closed streams take room of the server's, or none of ours")
	}
	for id, want := range map[uint32]bool{0: false, 1: true, 2: false, 3: true, 5: false} {
		if set.known(id) != want {
			t.Errorf("stream %d is known: %t", id, !want)
		}
	}
}

func TestWindowsMoveTogether(t *testing.T) {
	set := newStreamSet(10)
	first, second := set.open(jobUntil(1, ""), 10), set.open(jobUntil(1, ""), maxWindow-5)
	if !set.move(-20) || first.window != -10 || second.window != maxWindow-25 {
		t.Errorf("windows of %d and %d", first.window, second.window)
	}
	if set.move(26) {
		t.Error("a window holds more than it may")
	}
}

// TestStreamsAreFoundByTheirIDs opens and closes streams at random, and compares with a map.
func TestStreamsAreFoundByTheirIDs(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	set := newStreamSet(maxStreams)
	open := make(map[uint32]*stream)
	for range 20_000 {
		if len(open) < random.IntN(400) {
			s := set.open(jobUntil(random.IntN(100), ""), 0)
			open[s.id] = s
		} else {
			for id, s := range open {
				delete(open, id)
				set.close(s)
				break
			}
		}
		id := 1 + 2*random.Uint32N(set.nextID)
		if set.get(id) != open[id] || set.count() != len(open) {
			t.Fatalf("stream %d: %p, want %p; %d are open, want %d", id, set.get(id), open[id], set.count(), len(open))
		}
	}
	last := set.nextID - 100
	want := 0
	for id := range open {
		if id > last {
			want++
		}
	}
	if got := set.above(last); len(got) != want || slices.ContainsFunc(got, func(s *stream) bool { return s.id <= last }) {
		t.Errorf("%d streams above %d, want %d", len(got), last, want)
	}
}
