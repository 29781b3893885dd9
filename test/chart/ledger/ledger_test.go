package ledger

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"testing"
)

func TestAnAuditFindsWhatIsWrong(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		from, to Slot
		sent     []int // Before midnight; after it 0 and 1.
		due      int
		want     []string
	}{
		"nothing":         {Slot{"a", 0}, Slot{"a", 3}, []int{0, 1, 2, 3}, 3, nil},
		"a missing slot":  {Slot{"a", 0}, Slot{"a", 3}, []int{0, 1, 3}, 3, []string{"slot a/2 was not sent"}},
		"the last":        {Slot{"a", 0}, Slot{"a", 3}, []int{0, 1, 2}, 3, []string{"slot a/3 was not sent"}},
		"a doubled slot":  {Slot{"a", 0}, Slot{"a", 3}, []int{0, 1, 1, 2, 3}, 3, []string{"slot a/1 was sent more than once"}},
		"before and past": {Slot{"a", 1}, Slot{"a", 2}, []int{0, 0, 2, 5, 5}, 1, nil},
		"over midnight":   {Slot{"a", 0}, Slot{"b", 2}, []int{0, 2}, 5, []string{"slot a/1 was not sent", "slot b/2 was not sent"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := New("demo", nil)
			for _, sequence := range tc.sent {
				l.Enter("demo/a/" + strconv.Itoa(sequence))
			}
			l.Enter("demo/b/0")
			l.Enter("demo/b/1")
			if a := l.Audit(tc.from, tc.to); a.Due != tc.due || !slices.Equal(a.Problems(), tc.want) {
				t.Errorf("of %d slots: %q, want of %d: %q", a.Due, a.Problems(), tc.due, tc.want)
			}
		})
	}
}

func TestRequestsAreCountedAndPassedOn(t *testing.T) {
	t.Parallel()
	passed := 0
	l := New("demo", http.HandlerFunc(func(http.ResponseWriter, *http.Request) { passed++ }))
	if last, found := l.Last(); found {
		t.Errorf("before the first request the last slot is %v", last)
	}
	for _, header := range []string{"demo/a/1", "demo/a/0", "other/a/7", "", "demo/a/x"} {
		r := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
		r.Header.Set("Traffic-Slot", header)
		l.ServeHTTP(httptest.NewRecorder(), r)
	}
	if last, found := l.Last(); !found || last != (Slot{"a", 1}) {
		t.Errorf("the last slot is %v, want a/1", last)
	}
	if passed != 5 {
		t.Errorf("%d of 5 requests were passed on", passed)
	}
	want := []string{`a request is for the slot "other/a/7"`, `a request is for the slot ""`, `a request is for the slot "demo/a/x"`}
	if got := l.Audit(Slot{"a", 0}, Slot{"a", 1}).Problems(); !slices.Equal(got, want) {
		t.Errorf("problems %q, want %q", got, want)
	}
}

func TestAtAnotherRateTheSegmentIsAnother(t *testing.T) {
	t.Parallel()
	l := New("demo", nil)
	for _, slot := range []string{"20261128T000000Z-b/7", "20261128T000000Z-a/3", "20261128T000000Z-a/4", "20261128T000000Z-b/7"} {
		l.Enter("demo/" + slot)
	}
	l.Enter("demo/20261128T000000Z-a/5")
	if last, _ := l.Last(); last != (Slot{"20261128T000000Z-a", 5}) {
		t.Errorf("the last slot is %v, want that of the rate that was sent last", last)
	}
	if got, want := l.Twice(), []Slot{{"20261128T000000Z-b", 7}}; !slices.Equal(got, want) {
		t.Errorf("the slots %v were sent twice, want %v", got, want)
	}
}
