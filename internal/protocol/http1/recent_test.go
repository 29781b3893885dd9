package http1

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
)

// feeder reads a response.
type feeder func(r *response, p []byte) (int, error)

// through reads a response in pieces, and returns what it says and how many bytes were used.
func through(feed feeder, text string, m method, cuts func() int) (r response, used int, err error) {
	r.reset(m, 1000)
	var have []byte
	for rest := text; len(rest) > 0 && err == nil && !r.done(); {
		n := min(len(rest), cuts())
		have = append(have, rest[:n]...)
		rest = rest[n:]
		n, err = feed(&r, have)
		have = have[n:]
		used += n
	}
	return r, used, err
}

func TestAHeadThatComesAgainSaysTheSame(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	var h recentHead
	all := responseCases()
	for range 5000 {
		a := all[rng.IntN(len(all))]
		m := method(rng.IntN(3))
		cuts := func() func() int { return whole }
		if seed := rng.Uint64(); seed%4 == 0 {
			cuts = func() func() int {
				same := rand.New(rand.NewPCG(seed, 5))
				return func() int { return 1 + same.IntN(1+len(a.text)/3) }
			}
		}
		for range 1 + rng.IntN(3) {
			want, wantUsed, wantErr := through((*response).feed, a.text, m, cuts())
			got, used, err := through(h.feed, a.text, m, cuts())
			if got != want || used != wantUsed || (err == nil) != (wantErr == nil) {
				t.Fatalf("%s, method %d: %d bytes, %+v, %v\nwant %d bytes, %+v, %v", a.name, m, used, got, err, wantUsed, want, wantErr)
			}
		}
	}
}

func TestOnlyAHeadThatIsTheSameIsTakenAsRead(t *testing.T) {
	const other = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
	long := strings.Replace(typical, "nginx", strings.Repeat("n", maxRecent), 1)
	for name, tc := range map[string]struct {
		before []string
		text   string
		m      method
		recall bool
	}{
		"the first":                       {nil, typical, methodAny, false},
		"the same again":                  {[]string{typical}, typical, methodAny, true},
		"the same again, another body":    {[]string{typical}, strings.Replace(typical, "0123", "abcd", 1), methodAny, true},
		"another date":                    {[]string{typical}, strings.Replace(typical, "07:00:00", "07:00:01", 1), methodAny, false},
		"the one before the last":         {[]string{typical, other}, typical, methodAny, false},
		"to another method":               {[]string{typical}, typical, methodHead, false},
		"a part of it":                    {[]string{typical}, typical[:100], methodAny, false},
		"behind an interim response":      {[]string{"HTTP/1.1 100 Continue\r\n\r\n" + other}, other, methodAny, false},
		"after one that was refused":      {[]string{other, "HTTP/1.1 200 OK\r\n: x\r\n\r\n"}, other, methodAny, true},
		"one that is longer than is kept": {[]string{long}, long, methodAny, false},
	} {
		t.Run(name, func(t *testing.T) {
			var h recentHead
			for _, text := range tc.before {
				_, _, _ = through(h.feed, text, methodAny, whole)
			}
			var r response
			r.reset(tc.m, 1000)
			if n := h.recall(&r, []byte(tc.text)); (n > 0) != tc.recall {
				t.Errorf("%d bytes were taken as read", n)
			}
		})
	}
}

// lateTap is a watcher that has the response shown to a tap, once.
type lateTap struct {
	r     *response
	to    *heads
	asked int
}

// came implements watcher.
func (l *lateTap) came(int) {
	l.asked++
	l.r.tap = &headTap{to: l.to}
}

// heads is a tap that keeps heads.
type heads struct{ all []protocol.Head }

// Connection implements protocol.Tap.
func (*heads) Connection(protocol.Connection) {}

// Request implements protocol.Tap.
func (*heads) Request(protocol.Head, []byte) {}

// Response implements protocol.Tap.
func (h *heads) Response(head protocol.Head) { h.all = append(h.all, head) }

// Body implements protocol.Tap.
func (*heads) Body([]byte) {}

func TestATapIsShownAHeadThatComesAgain(t *testing.T) {
	var h recentHead
	var r response
	for i := range 3 {
		var to heads
		r.reset(methodAny, 1000)
		late := &lateTap{r: &r, to: &to}
		r.watched = late
		if _, err := h.feed(&r, []byte(typical)); err != nil || !r.done() {
			t.Fatal(err)
		}
		if len(to.all) != 1 || to.all[0].Status != 200 || len(to.all[0].Fields) != 8 || late.asked != 1 {
			t.Errorf("response %d: asked %d times, shown %+v", i, late.asked, to.all)
		}
	}
}

func TestRememberingHeadsAllocatesNothing(t *testing.T) {
	texts := [][]byte{[]byte(typical), []byte(strings.Replace(typical, "07:00:00", "07:00:01", 1))}
	var r response
	var h recentHead
	i := 0
	if n := testing.AllocsPerRun(100, func() {
		r.reset(methodAny, 1<<20)
		if _, err := h.feed(&r, texts[i/2%2]); err != nil || !r.done() {
			t.Fatal("not taken")
		}
		i++
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkResponseAgain(b *testing.B) {
	text := []byte(typical)
	var r response
	var h recentHead
	b.ReportAllocs()
	for b.Loop() {
		r.reset(methodAny, 1<<20)
		if _, err := h.feed(&r, text); err != nil || !r.done() {
			b.Fatal(err)
		}
	}
}
