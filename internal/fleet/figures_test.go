package fleet

import (
	"fmt"
	"log/slog"
	"reflect"
	"testing"
	"time"

	"github.com/golang/snappy"
)

func TestFiguresAreReadAsTheyWereWritten(t *testing.T) {
	want := map[string]Figures{"shop": {Sent: 4.5, FailedFor: map[string]float32{"status": 1}, Good: 1e9, Since: 7, Buckets: Buckets{3, 9}}}
	content, err := encodeFigures(want)
	if err != nil {
		t.Fatal(err)
	}
	in := &figures{"a-1": {at: 7, content: content}, "b-1": {at: 8, content: content}}
	b, err := figuresCodec{}.Encode(in)
	if err != nil {
		t.Fatal(err)
	}
	out, err := figuresCodec{}.Decode(b)
	if err != nil || !reflect.DeepEqual(out, in) {
		t.Fatalf("got %+v, %v", out, err)
	}
	if got, err := decodeFigures((*out.(*figures))["b-1"].content); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestWhatIsNoMessageOfFiguresIsAnError(t *testing.T) {
	for _, b := range [][]byte{[]byte("no figures"), snappy.Encode(nil, []byte("no figures")), snappy.Encode(nil, []byte{0x0a, 9, 1})} {
		if out, err := (figuresCodec{}).Decode(b); err == nil {
			t.Errorf("%q is read as %v", b, out)
		}
	}
	if all, err := decodeFigures([]byte("no figures")); err == nil || all != nil {
		t.Errorf("got %v, %v", all, err)
	}
}

func TestFiguresBeyondTheBoundsAreLeftOut(t *testing.T) {
	many := map[string]Figures{}
	for i := range MaxFigures + 1 {
		many[fmt.Sprint(i)] = Figures{}
	}
	reasons := map[string]float32{}
	for i := range maxFigureReasons + 1 {
		reasons[fmt.Sprint(i)] = 1
	}
	encoded := func(all map[string]Figures) []byte {
		b, err := encodeFigures(all)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	if all, err := decodeFigures(encoded(many)); err == nil {
		t.Errorf("the figures of %d scenarios are taken in", len(all))
	}
	all, err := decodeFigures(encoded(map[string]Figures{"shop": {Buckets: make(Buckets, 10_000), FailedFor: reasons}}))
	if err != nil {
		t.Fatal(err)
	}
	if one := all["shop"]; len(one.Buckets) != 2*MaxFigureBuckets || one.FailedFor != nil {
		t.Errorf("%d buckets and %d reasons are left", len(one.Buckets)/2, len(one.FailedFor))
	}
}

func TestFiguresOfMoreMembersThanThereMayBeAreLeftOut(t *testing.T) {
	now := time.Now()
	totals := newTotals(&Fleet{logger: slog.New(slog.DiscardHandler)})
	for i := range maxFigureMembers + 10 {
		totals.hear(figures{fmt.Sprint(i): {at: now.UnixMilli(), content: []byte("{}")}})
	}
	if got := len(totals.known); got != maxFigureMembers {
		t.Errorf("figures of %d members are known, want %d", got, maxFigureMembers)
	}
	totals.hear(figures{"0": {at: now.UnixMilli() + 5, content: []byte(`{"shop": {"Sent": 7}}`)}})
	if got := totals.of("0", now)["shop"].Sent; got != 7 {
		t.Errorf("newer figures of a member that is known are left out: %v", got)
	}
}

func TestFiguresThatCannotBeReadAreNotKnown(t *testing.T) {
	now := time.Now()
	totals := newTotals(&Fleet{logger: slog.New(slog.DiscardHandler)})
	good, err := encodeFigures(map[string]Figures{"shop": {Sent: 1}})
	if err != nil {
		t.Fatal(err)
	}
	totals.hear(figures{"a": {at: now.UnixMilli(), content: good}, "b": {at: now.UnixMilli(), content: []byte("?")}, "c": {at: now.Add(-time.Hour).UnixMilli(), content: good}})
	if a, b, c := totals.of("a", now), totals.of("b", now), totals.of("c", now); a["shop"].Sent != 1 || b != nil || c != nil {
		t.Errorf("known are %v, %v and %v", a, b, c)
	}
	totals.hear(figures{"a": {at: now.UnixMilli() - 1, content: []byte("older")}})
	if got := totals.of("a", now)["shop"].Sent; got != 1 {
		t.Errorf("older figures replace newer ones: %v", got)
	}
}
