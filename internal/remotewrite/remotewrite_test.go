package remotewrite_test

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/golang/snappy"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/traffic-exporter/traffic_exporter/internal/remotewrite"
	"github.com/traffic-exporter/traffic_exporter/internal/script"
)

// slot is the values of a slot, whose only name is user.
type slot script.Slot

func (s slot) Value(int) (script.Value, error) {
	return script.String("user-" + strconv.FormatUint(s.Seq, 10)), nil
}
func (s slot) Slot() script.Slot { return script.Slot(s) }

func names(name string) (int, bool) { return 0, name == "user" }

// at returns the slot of a number, due as many seconds after an instant.
func at(seq uint64) slot {
	return slot{Hash: 0x9E3779B97F4A7C15 * (seq + 1), Seq: seq, Due: time.UnixMilli(1_800_000_000_250).Add(time.Duration(seq) * time.Second)}
}

func template(tb testing.TB, text string) script.Template {
	tb.Helper()
	t, err := script.ParseTemplate(text)
	if err != nil {
		tb.Fatal(err)
	}
	return t
}

// labels returns labels of pairs.
func labels(tb testing.TB, pairs ...string) []remotewrite.Label {
	tb.Helper()
	var all []remotewrite.Label
	for i := 0; i < len(pairs); i += 2 {
		all = append(all, remotewrite.Label{Name: pairs[i], Value: template(tb, pairs[i+1])})
	}
	return all
}

// upTo returns a dimension of the numbers below n.
func upTo(name string, n int64) remotewrite.Dimension {
	d := remotewrite.Dimension{Name: name}
	for i := range n {
		d.Elements = append(d.Elements, script.Int(i))
	}
	return d
}

func body(tb testing.TB, o remotewrite.Options) *remotewrite.Body {
	tb.Helper()
	b, err := remotewrite.New(o, names)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// lines returns the samples that a slot sends, a line for each series.
func lines(t *testing.T, b *remotewrite.Body, v2 bool, s slot) []string {
	t.Helper()
	const before = "what stands before"
	dst, err := b.Append([]byte(before), s)
	if err != nil || string(dst[:len(before)]) != before {
		t.Fatalf("%v after %q", err, dst[:min(len(dst), len(before))])
	}
	raw, err := snappy.Decode(nil, dst[len(before):])
	if err != nil {
		t.Fatal(err)
	}
	var symbols, all []string
	each(t, raw, func(field protowire.Number, part []byte, _ uint64) {
		switch {
		case v2 && field == 4:
			symbols = append(symbols, string(part))
		case v2 && field == 5, !v2 && field == 1:
			all = append(all, line(t, part, symbols))
		default:
			t.Fatalf("field %d of the request", field)
		}
	})
	if v2 && (len(symbols) == 0 || symbols[0] != "" || len(slices.Compact(slices.Sorted(slices.Values(symbols)))) != len(symbols)) {
		t.Errorf("symbols %q", symbols)
	}
	return all
}

// each calls f with each field of a message.
func each(t *testing.T, message []byte, f func(field protowire.Number, part []byte, number uint64)) {
	t.Helper()
	for len(message) > 0 {
		field, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			t.Fatal(protowire.ParseError(n))
		}
		message = message[n:]
		var part []byte
		var number uint64
		switch kind {
		case protowire.BytesType:
			part, n = protowire.ConsumeBytes(message)
		case protowire.VarintType:
			number, n = protowire.ConsumeVarint(message)
		case protowire.Fixed64Type:
			number, n = protowire.ConsumeFixed64(message)
		default:
			t.Fatalf("kind %d of field %d", kind, field)
		}
		if n < 0 {
			t.Fatal(protowire.ParseError(n))
		}
		message = message[n:]
		f(field, part, number)
	}
}

// line returns a series as text; symbols are those of version 2.
func line(t *testing.T, series []byte, symbols []string) string {
	t.Helper()
	var texts []string
	out := ""
	each(t, series, func(field protowire.Number, part []byte, _ uint64) {
		switch {
		case field == 1 && symbols == nil:
			each(t, part, func(_ protowire.Number, text []byte, _ uint64) { texts = append(texts, string(text)) })
		case field == 1:
			for len(part) > 0 {
				ref, n := protowire.ConsumeVarint(part)
				texts, part = append(texts, symbols[ref]), part[n:]
			}
		case field == 2:
			each(t, part, func(field protowire.Number, _ []byte, n uint64) {
				if field == 1 {
					out += fmt.Sprintf(" %v", math.Float64frombits(n))
				} else {
					out += fmt.Sprintf("@%d", int64(n)-1_800_000_000_000)
				}
			})
		case field == 5:
			each(t, part, func(_ protowire.Number, _ []byte, n uint64) { out += fmt.Sprintf(" type %d", n) })
		}
	})
	return strings.Join(texts, ",") + out
}

func TestSeriesHaveTheirLabelsValuesAndTimes(t *testing.T) {
	one, user := template(t, "1"), template(t, "{{ pod }}.5")
	sets := []remotewrite.Set{
		{Labels: labels(t, "__name__", "up", "job", "a\"ü", "empty", ""), Value: &one, Samples: 1},
		{
			Labels:  labels(t, "__name__", "requests_total", "code", "{{ code }}", "Pod", "pod-{{ pod }}"),
			Each:    []remotewrite.Dimension{upTo("pod", 2), {Name: "code", Elements: []script.Value{script.Int(200), script.String("5xx")}}},
			Counter: &remotewrite.Counter{PerSecond: 2}, Samples: 2, Every: 15 * time.Second,
		},
		{Labels: labels(t, "__name__", "of_{{ user }}", "pod", "{{ pod }}"), Each: []remotewrite.Dimension{upTo("pod", 2)}, Value: &user, Samples: 1},
		{Labels: labels(t, "__name__", "heap"), Gauge: &script.Decimal{From: 7, To: 7}, Samples: 1},
	}
	const counter = " 3.5999999705e+09@-14750 3.6000000005e+09@250"
	want := []string{
		`__name__,up,job,a"ü 1@250`,
		"Pod,pod-0,__name__,requests_total,code,200" + counter,
		"Pod,pod-0,__name__,requests_total,code,5xx" + counter,
		"Pod,pod-1,__name__,requests_total,code,200" + counter,
		"Pod,pod-1,__name__,requests_total,code,5xx" + counter,
		"__name__,of_user-0,pod,0 0.5@250",
		"__name__,of_user-0,pod,1 1.5@250",
		"__name__,heap 7@250",
	}
	if got := lines(t, body(t, remotewrite.Options{Sets: sets}), false, at(0)); !slices.Equal(got, want) {
		t.Errorf("version 1:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for i := range want {
		switch {
		case strings.Contains(want[i], "total"):
			want[i] += " type 1"
		case strings.Contains(want[i], "heap"):
			want[i] += " type 2"
		}
	}
	b := body(t, remotewrite.Options{Sets: sets, V2: true})
	for range 2 { // The buffer is used again.
		if got := lines(t, b, true, at(0)); !slices.Equal(got, want) {
			t.Errorf("version 2:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}

func TestShardsSendEachSeriesInTurn(t *testing.T) {
	value := template(t, "1")
	for _, counts := range [][]int64{{10}, {3, 4, 1, 9}, {1, 1, 1}, {7, 100}} {
		for shards := 1; shards <= 3; shards++ {
			o := remotewrite.Options{Shards: shards}
			total := int64(0)
			for i, n := range counts {
				total += n
				o.Sets = append(o.Sets, remotewrite.Set{
					Labels: labels(t, "__name__", "set-"+strconv.Itoa(i), "i", "{{ i }}"), Each: []remotewrite.Dimension{upTo("i", n)}, Value: &value, Samples: 1,
				})
			}
			b := body(t, o)
			seen := map[string]int{}
			for seq := range uint64(shards) {
				sent := lines(t, b, false, at(seq))
				if len(sent) < int(total)/shards {
					t.Errorf("%v in %d shards: slot %d sends %d", counts, shards, seq, len(sent))
				}
				for _, s := range sent {
					name, _, _ := strings.Cut(s, " ")
					seen[name]++
				}
			}
			for name, n := range seen {
				if n != 1 {
					t.Errorf("%v in %d shards: %s was sent %d times", counts, shards, name, n)
				}
			}
			if len(seen) != int(total) {
				t.Errorf("%v in %d shards: %d series were sent", counts, shards, len(seen))
			}
		}
	}
}

func TestGaugesFollowFromTheSlotAndDifferBySeriesAndSample(t *testing.T) {
	b := body(t, remotewrite.Options{Sets: []remotewrite.Set{{
		Labels: labels(t, "__name__", "heap", "i", "{{ i }}"), Each: []remotewrite.Dimension{upTo("i", 100)},
		Gauge: &script.Decimal{From: -1, To: 1, Digits: 3}, Samples: 10, Every: time.Second,
	}}})
	first := lines(t, b, false, at(0))
	if again := lines(t, b, false, at(0)); !slices.Equal(again, first) {
		t.Error("the same slot has other values")
	}
	counts := map[string]int{}
	for _, l := range append(lines(t, b, false, at(1)), first...) {
		for _, s := range strings.Fields(l)[1:] {
			text, _, _ := strings.Cut(s, "@")
			value, err := strconv.ParseFloat(text, 64)
			if err != nil || value < -1 || value > 1 {
				t.Fatalf("value %s, %v", text, err)
			}
			counts[text]++
		}
	}
	// 2,000 of 2,001 values: equal ones are chance.
	if len(counts) < 1000 {
		t.Errorf("there are only %d different values", len(counts))
	}
}

func TestWhatCannotBeSentIsAnError(t *testing.T) {
	value := template(t, "{{ user }}")
	b := body(t, remotewrite.Options{Sets: []remotewrite.Set{{Labels: labels(t, "__name__", "up"), Value: &value, Samples: 1}}})
	if _, err := b.Append(nil, at(3)); err == nil || err.Error() != `value: "user-3" is no number` {
		t.Errorf("a value that is no number: %v", err)
	}
	_, err := remotewrite.New(remotewrite.Options{Sets: []remotewrite.Set{{Labels: labels(t, "__name__", "{{ nobody }}")}}}, names)
	if err == nil || !strings.Contains(err.Error(), "nobody") {
		t.Errorf("an unknown name: %v", err)
	}
}

func BenchmarkBody(b *testing.B) {
	for _, v2 := range []bool{false, true} {
		for _, varies := range []string{"", "{{ user }}"} {
			b.Run(fmt.Sprintf("v2=%t/varies=%t", v2, varies != ""), func(b *testing.B) {
				body := body(b, remotewrite.Options{V2: v2, Sets: []remotewrite.Set{{
					Labels: labels(b, "__name__", "http_requests_total", "job", "api"+varies, "pod", "api-{{ pod }}", "code", "{{ code }}", "zone", "west"),
					Each:   []remotewrite.Dimension{upTo("pod", 200), upTo("code", 5)}, Counter: &remotewrite.Counter{PerSecond: 12.5}, Samples: 1,
				}}})
				var dst []byte
				b.ReportAllocs()
				for seq := uint64(0); b.Loop(); seq++ {
					var err error
					if dst, err = body.Append(dst[:0], at(seq)); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(len(dst)), "bytes")
			})
		}
	}
}
