package protocoltest

import (
	"io"
	"math"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
)

// Suite is what all clients of HTTP have to do alike.
type Suite struct {
	// New makes a client.
	New func(httpreq.Options) (protocol.Client, error)
	// Flavours are what the client speaks: as far as it can, one in the clear and one over TLS.
	Flavours []Flavour
	// MostConns is how many connections may be open where so many are allowed; nil is as
	// many.
	MostConns func(maxConns int) int
	// Succeed responds so that the client takes it for a success; nil is an empty response.
	Succeed http.HandlerFunc
}

// succeed responds with a success.
func (s Suite) succeed(w http.ResponseWriter, r *http.Request) {
	if s.Succeed != nil {
		s.Succeed(w, r)
	}
}

// RunFailures runs the tests of the suite about targets that cannot be reached or trusted, which
// clients of all protocols have to pass.
func (s Suite) RunFailures(t *testing.T) {
	t.Run("reports failures of connecting", s.reportsFailuresOfConnecting)
	t.Run("reports failures of the handshake", s.reportsFailuresOfTheHandshake)
	t.Run("checks certificates", s.checksCertificates)
	t.Run("keeps to the allow list", s.keepsToTheAllowList)
	t.Run("reports servers that break off", s.reportsServersThatBreakOff)
}

// Run runs the tests of the suite.
func (s Suite) Run(t *testing.T) {
	type test struct {
		name string
		run  func(*testing.T)
	}
	tests := []test{
		{"speaks the protocol that is asked for", s.speaksTheProtocolThatIsAskedFor},
		{"sends the entry as configured", s.sendsTheEntryAsConfigured},
		{"adds nothing that nobody asked for", s.addsNothingThatNobodyAskedFor},
		{"sends the slot and the trace", s.sendsTheSlotAndTheTrace},
		{"keeps connections or not", s.keepsConnectionsOrNot},
		{"reads the body and reuses the connection", s.readsTheBodyAndReusesTheConnection},
		{"limits the body", s.limitsTheBody},
		{"needs no body", s.needsNoBody},
		{"judges the status", s.judgesTheStatus},
		{"refuses an entry that is not there", s.refusesAnEntryThatIsNotThere},
		{"reports when a request was written", s.reportsWhenARequestWasWritten},
		{"is safe for concurrent use", s.isSafeForConcurrentUse},
		{"sends credentials", s.sendsCredentials},
		{"sends the token that there is", s.sendsTheTokenThatThereIs},
		{"follows the file of credentials", s.followsTheFileOfCredentials},
		{"needs its files", s.needsItsFiles},
		{"sends certificates and follows their files", s.sendsCertificatesAndFollowsTheirFiles},
		{"follows the file of the CA", s.followsTheFileOfTheCA},
		{"checks certificates", s.checksCertificates},
		{"reports the phases", s.reportsThePhases},
		{"reports failures of connecting", s.reportsFailuresOfConnecting},
		{"keeps to the allow list", s.keepsToTheAllowList},
		{"follows no redirect that is not allowed", s.followsNoRedirectToWhatIsNotAllowed},
		{"reports failures of HTTP/2", s.reportsFailuresOfHTTP2},
		{"uploads to a slow reader", s.uploadsToASlowReader},
		{"takes an early response", s.takesAnEarlyResponse},
		{"generates bodies", s.generatesBodies},
		{"holds nothing of a generated body", s.holdsNothingOfAGeneratedBody},
		{"sends generated bodies again", s.sendsGeneratedBodiesAgain},
		{"shows no generated body", s.showsNoGeneratedBody},
		{"abandons uploads", s.abandonsUploads},
		{"sends a message that is not in the mix", s.sendsAMessage},
		{"keeps a deadline of the call's", s.keepsADeadlineOfTheCalls},
		{"reports to a tap", s.reportsToATap},
		{"writes an exchange down", s.writesAnExchangeDown},
		{"cuts a long body in a transcript", s.cutsALongBodyInATranscript},
		{"shows a late tap what fails", s.showsALateTapWhatFails},
		{"shows a late tap what breaks", s.showsALateTapWhatBreaks},
		{"times failures on kept connections", s.timesFailuresOnKeptConnections},
		{"writes down what failed", s.writesDownWhatFailed},
		{"follows redirects", s.followsRedirects},
		{"resolves locations", s.resolvesLocations},
		{"keeps secrets to their host", s.keepsSecretsToTheirHost},
		{"asks before a redirect", s.asksBeforeARedirect},
		{"sends URLs as they were written", s.sendsURLsAsWritten},
		{"repeats what does no harm", s.repeatsWhatDoesNoHarm},
		{"reads what servers of HTTP/2 send", s.readsWhatServersOfHTTP2Send},
		{"takes responses during uploads of HTTP/2", s.takesResponsesDuringUploadsOfHTTP2},
		{"meets servers of HTTP/2 that refuse", s.meetsServersOfHTTP2ThatRefuse},
		{"waits for streams", s.waitsForStreams},
	}
	if !s.plain().packets() {
		tests = append(tests, []test{
			{"counts what the server counts", s.countsWhatTheServerCounts},
			{"reports connections that the server drops", s.reportsConnectionsThatTheServerDrops},
			{"reports failures of the handshake", s.reportsFailuresOfTheHandshake},
			{"sends once on connections that are gone", s.sendsOnceOnConnectionsThatAreGone},
		}...)
	}
	if s.plain().Major == 1 {
		tests = append(tests, []test{
			{"reports failures of the response", s.reportsFailuresOfTheResponse},
			{"reports a reset", s.reportsAReset},
			{"reports a reset in the body", s.reportsAResetInTheBody},
			{"repeats a GET where a connection died, and no POST", s.repeatsOnAConnectionThatDied},
			{"reports a TLS port", s.reportsATLSPort},
			{"sends the bytes as configured", s.sendsTheBytesAsConfigured},
			{"reads what servers send", s.readsWhatServersSend},
			{"reads the end with the response", s.readsTheEndWithTheResponse},
			{"takes responses during uploads", s.takesResponsesDuringUploads},
		}...)
	}
	for _, test := range tests {
		t.Run(test.name, test.run)
	}
}

// plain returns a flavour in the clear, and secure one over TLS.
func (s Suite) plain() Flavour  { return s.with(false) }
func (s Suite) secure() Flavour { return s.with(true) }

func (s Suite) with(tls bool) Flavour {
	for _, f := range s.Flavours {
		if f.TLS == tls {
			return f
		}
	}
	return s.Flavours[0] // It speaks only the other one.
}

// options returns options for one GET of an address with a flavour.
func (f Flavour) options(tb testing.TB, addr string) httpreq.Options {
	tb.Helper()
	scheme := "http"
	if f.TLS {
		scheme = "https"
	}
	o := Options(tb, scheme+"://"+addr)
	o.Protocol = f.Protocol
	return o
}

// patient is a client whose caller waits.
type patient struct{ protocol.Client }

// client returns a client that is closed with the test.
func (s Suite) client(tb testing.TB, o httpreq.Options) patient {
	tb.Helper()
	c, err := s.New(o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(c.Close)
	return patient{c}
}

// do makes one exchange.
func (c patient) do(r protocol.Request) protocol.Result {
	done := make(chan struct{})
	call := &protocol.Call{Request: r, Done: func() { close(done) }}
	c.Start(call)
	c.Flush()
	<-done
	return call.Result
}

// mustSucceed makes one exchange of entry 0 that has to go well.
func mustSucceed(tb testing.TB, c patient) protocol.Result {
	tb.Helper()
	r := c.do(protocol.Request{})
	if r.Failed() {
		tb.Fatalf("failed as %q: %v", r.Reason, r.Err)
	}
	return r
}

// wantReason makes one exchange of entry 0 that has to fail for the reason, and have sane
// times.
func wantReason(tb testing.TB, c patient, want protocol.Reason) protocol.Result {
	tb.Helper()
	return CheckReason(tb, c.do(protocol.Request{}), want)
}

// checkClosed closes the client and waits for each connection that was opened to be
// closed, once.
func checkClosed(tb testing.TB, c patient, w *ConnRecorder) {
	tb.Helper()
	c.Close()
	w.CheckClosed(tb)
}

// checkOne checks that all requests shared one connection. In the clear net/http
// finds a new HTTP/2 connection only a moment after its first request, and may make
// a second one, which it closes at once.
func checkOne(t *testing.T, w *ConnRecorder) {
	t.Helper()
	Eventually(t, "one connection is left", func() bool {
		opened, closed := w.Counts()
		return opened == closed+1
	})
	if opened, _ := w.Counts(); opened > 2 {
		t.Errorf("%d connections", opened)
	}
}

func (s Suite) speaksTheProtocolThatIsAskedFor(t *testing.T) {
	for _, f := range s.Flavours {
		t.Run(f.Name, func(t *testing.T) {
			var major atomic.Int64
			o := f.Serve(t, func(_ http.ResponseWriter, r *http.Request) { major.Store(int64(r.ProtoMajor)) })
			r := mustSucceed(t, s.client(t, o))
			if got := int(major.Load()); got != f.Major {
				t.Errorf("the server saw HTTP/%d, want HTTP/%d", got, f.Major)
			}
			if r.Code != "200" || r.Err != nil {
				t.Errorf("code %q, error %v", r.Code, r.Err)
			}
		})
	}
}

func (s Suite) sendsTheEntryAsConfigured(t *testing.T) {
	for _, f := range s.Flavours {
		t.Run(f.Name, func(t *testing.T) {
			var got *http.Request
			var body []byte
			o := f.Serve(t, func(_ http.ResponseWriter, r *http.Request) {
				got = r
				body, _ = io.ReadAll(r.Body)
			})
			o.Entries = append(o.Entries, httpreq.Entry{
				Method: "PUT",
				URL:    At(t, o.Entries[0].URL, "/a%20b/c?q=1&q=2"),
				Fields: []protocol.Field{
					{Name: "X-Two", Value: "1"}, {Name: "x-two", Value: "2"}, {Name: "Accept-Encoding", Value: "br"}, {Name: "host", Value: "other.test:8080"},
				},
				Body:   []byte("hello"),
				Expect: OK(t),
			})
			c := s.client(t, o)
			if r := c.do(protocol.Request{Entry: 1}); r.Failed() {
				t.Fatal(r.Err)
			}
			if got.Method != "PUT" || got.RequestURI != "/a%20b/c?q=1&q=2" || got.Host != "other.test:8080" {
				t.Errorf("got %s %s for %s", got.Method, got.RequestURI, got.Host)
			}
			if string(body) != "hello" || got.ContentLength != 5 {
				t.Errorf("got body %q of %d bytes", body, got.ContentLength)
			}
			if two := got.Header.Values("X-Two"); len(two) != 2 || two[0] != "1" || two[1] != "2" {
				t.Errorf("got %q", two)
			}
			if got.Header.Get("Accept-Encoding") != "br" || got.UserAgent() != "traffic_exporter/test" {
				t.Errorf("got %v", got.Header)
			}
		})
	}
}

func (s Suite) addsNothingThatNobodyAskedFor(t *testing.T) {
	var got *http.Request
	o := s.plain().Serve(t, func(w http.ResponseWriter, r *http.Request) {
		got = r
		http.SetCookie(w, &http.Cookie{Name: "a", Value: "b"})
	})
	o.UserAgent = ""
	c := s.client(t, o)
	mustSucceed(t, c)
	mustSucceed(t, c)
	if len(got.Header) != 0 {
		t.Errorf("got %v", got.Header)
	}
}

func (s Suite) sendsTheSlotAndTheTrace(t *testing.T) {
	r := protocol.Request{Scenario: "shop", Segment: "1700000000-ab12", Seq: 18446744073709551615}
	r.Trace[0], r.Trace[15], r.Span[0], r.Span[7] = 0xab, 1, 0xcd, 2
	const trace = "00-ab000000000000000000000000000001-cd00000000000002-"
	for _, test := range []struct {
		name       string
		slot       bool
		trace      bool
		sampled    bool
		wantSlot   string
		wantParent string
	}{
		{"both, sampled", true, true, true, "shop/1700000000-ab12/18446744073709551615", trace + "01"},
		{"both, unsampled", true, true, false, "shop/1700000000-ab12/18446744073709551615", trace + "00"},
		{"only the slot", true, false, true, "shop/1700000000-ab12/18446744073709551615", ""},
		{"only the trace", false, true, true, "", trace + "01"},
		{"nothing", false, false, true, "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got http.Header
			o := s.plain().Serve(t, func(_ http.ResponseWriter, r *http.Request) { got = r.Header })
			o.SlotHeader, o.Traceparent = test.slot, test.trace
			r.Sampled = test.sampled
			if res := s.client(t, o).do(r); res.Failed() {
				t.Fatal(res.Err)
			}
			if s := got.Get("Traffic-Slot"); s != test.wantSlot {
				t.Errorf("slot %q, want %q", s, test.wantSlot)
			}
			if p := got.Get("traceparent"); p != test.wantParent {
				t.Errorf("traceparent %q, want %q", p, test.wantParent)
			}
		})
	}
}

func (s Suite) keepsConnectionsOrNot(t *testing.T) {
	for _, f := range s.Flavours {
		t.Run(f.Name, func(t *testing.T) {
			for _, keep := range []bool{true, false} {
				o := f.Serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "x") })
				w := new(ConnRecorder)
				o.KeepAlive, o.Observer = keep, w
				c := s.client(t, o)
				for range 5 {
					mustSucceed(t, c)
				}
				if keep {
					checkOne(t, w)
				} else if opened, _ := w.Counts(); opened != 5 {
					t.Errorf("%d connections for 5 requests", opened)
				}
			}
		})
	}
}

func (s Suite) readsTheBodyAndReusesTheConnection(t *testing.T) {
	for _, f := range s.Flavours {
		t.Run(f.Name, func(t *testing.T) {
			o := f.Serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 700_000)) })
			w := new(ConnRecorder)
			o.Observer = w
			c := s.client(t, o)
			for range 3 {
				mustSucceed(t, c)
			}
			checkOne(t, w)
			if _, received := w.Bytes(); received < 3*700_000 || received > 3*f.most(720_000) {
				t.Errorf("received %d bytes", received)
			}
		})
	}
}

// most returns what so many bytes over TCP are at most. Packets of UDP are smaller, and are sent again
// as a whole.
func (f Flavour) most(n int) int {
	if f.packets() {
		return 2 * n
	}
	return n
}

func (s Suite) limitsTheBody(t *testing.T) {
	for _, f := range s.Flavours {
		t.Run(f.Name, func(t *testing.T) {
			for _, test := range []struct {
				name string
				size int
				want protocol.Reason
			}{
				{"exactly as long as allowed", 50_000, protocol.ReasonNone},
				{"one byte longer", 50_001, protocol.ReasonProtocol},
				{"without end", 1 << 30, protocol.ReasonProtocol},
			} {
				t.Run(test.name, func(t *testing.T) {
					o := f.Serve(t, func(w http.ResponseWriter, _ *http.Request) {
						for left := test.size; left > 0; left -= 10_000 {
							if _, err := w.Write(make([]byte, min(left, 10_000))); err != nil {
								return
							}
						}
					})
					o.MaxResponseBytes = 50_000
					r := s.client(t, o).do(protocol.Request{})
					if r.Reason != test.want || r.Code != "200" {
						t.Errorf("code %q, reason %q: %v", r.Code, r.Reason, r.Err)
					}
				})
			}
		})
	}
}

func (s Suite) needsNoBody(t *testing.T) {
	for _, f := range s.Flavours {
		t.Run(f.Name, func(t *testing.T) {
			o := f.Serve(t, func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodHead {
					w.Header().Set("Content-Length", "2000000")
					return
				}
				w.WriteHeader(http.StatusNoContent)
			})
			w := new(ConnRecorder)
			o.Observer = w
			o.Entries = append(o.Entries, httpreq.Entry{Method: "HEAD", URL: o.Entries[0].URL, Expect: OK(t)})
			c := s.client(t, o)
			for i := range 4 {
				if r := c.do(protocol.Request{Entry: i % 2}); r.Failed() {
					t.Error(r.Err)
				}
			}
			checkOne(t, w)
		})
	}
}

func (s Suite) judgesTheStatus(t *testing.T) {
	o := s.plain().Serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/missing" {
			w.WriteHeader(http.StatusNotFound)
		}
	})
	w := new(ConnRecorder)
	o.Observer = w
	missing := httpreq.Entry{URL: At(t, o.Entries[0].URL, "/missing"), Expect: OK(t)}
	expected := missing
	expected.Expect, _ = httpreq.NewStatuses(httpreq.StatusRange{First: 404, Last: 404})
	o.Entries = append(o.Entries, missing, expected)
	c := s.client(t, o)
	for i, want := range []protocol.Reason{protocol.ReasonNone, protocol.ReasonStatus, protocol.ReasonNone} {
		r := c.do(protocol.Request{Entry: i})
		if r.Reason != want {
			t.Errorf("entry %d: reason %q, want %q", i, r.Reason, want)
		}
		if i > 0 && r.Code != "404" {
			t.Errorf("entry %d: code %q", i, r.Code)
		}
	}
	if opened, _ := w.Counts(); opened != 1 {
		t.Errorf("an unexpected status cost the connection: %d", opened)
	}
}

func (s Suite) refusesAnEntryThatIsNotThere(t *testing.T) {
	c := s.client(t, s.plain().options(t, "127.0.0.1:1"))
	for _, i := range []int{-1, 1, math.MaxInt} {
		CheckReason(t, c.do(protocol.Request{Entry: i}), protocol.ReasonProtocol)
	}
}

func (s Suite) reportsWhenARequestWasWritten(t *testing.T) {
	for _, f := range s.Flavours {
		t.Run(f.Name, func(t *testing.T) {
			c := s.client(t, f.Serve(t, func(http.ResponseWriter, *http.Request) {}))
			before := time.Now()
			first := mustSucceed(t, c)
			between := time.Now()
			second := mustSucceed(t, c)
			if first.Sent.Before(before) || !first.Sent.Before(first.Done) || second.Sent.Before(between) || !second.Sent.Before(second.Done) {
				t.Error("times are out of order")
			}
		})
	}
}

func (s Suite) isSafeForConcurrentUse(t *testing.T) {
	for _, f := range s.Flavours {
		t.Run(f.Name, func(t *testing.T) {
			var seen sync.Map
			o := f.Serve(t, func(w http.ResponseWriter, r *http.Request) {
				if _, twice := seen.LoadOrStore(r.Header.Get("Traffic-Slot"), true); twice {
					w.WriteHeader(http.StatusConflict)
				}
				_, _ = io.Copy(io.Discard, r.Body)
			})
			w := new(ConnRecorder)
			o.SlotHeader, o.Traceparent, o.MaxConns, o.Observer = true, true, 16, w
			o.BasicAuth = &httpreq.BasicAuth{Username: "u", Password: "p"}
			o.Entries[0].Method, o.Entries[0].Body = "POST", []byte(strings.Repeat("x", 5000))
			c := s.client(t, o)
			var running sync.WaitGroup
			for worker := range 16 {
				running.Go(func() {
					for i := range 20 {
						r := protocol.Request{Scenario: "s", Segment: "g", Seq: uint64(20*worker + i), Trace: [16]byte{1}}
						if res := c.do(r); res.Failed() {
							t.Errorf("failed as %q: %v", res.Reason, res.Err)
						}
					}
				})
			}
			running.Wait()
			most := 16
			if s.MostConns != nil {
				most = s.MostConns(most)
			}
			if opened, _ := w.Counts(); opened > most {
				t.Errorf("%d connections", opened)
			}
			checkClosed(t, c, w)
		})
	}
}
