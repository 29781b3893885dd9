package fleet

import (
	"fmt"
	"reflect"
	"testing"
	"time"
)

func TestFiguresAreReadAsTheyWereWritten(t *testing.T) {
	in := &figures{"a-1": {At: 7, Figures: map[string]Figures{"shop": {Sent: 4.5, FailedFor: map[string]float32{"status": 1}, Good: 1e9, Since: 7, Buckets: Buckets{3, 9}}}}}
	b, err := figuresCodec{}.Encode(in)
	if err != nil {
		t.Fatal(err)
	}
	if out, err := (figuresCodec{}).Decode(b); err != nil || !reflect.DeepEqual(out, in) {
		t.Errorf("got %+v, %v", out, err)
	}
	if _, err := (figuresCodec{}).Decode([]byte("no figures")); err == nil {
		t.Error("anything is read")
	}
}

func TestFiguresOfTooManyScenariosAreLeftOut(t *testing.T) {
	many := map[string]Figures{}
	for i := range MaxFigures + 1 {
		many[fmt.Sprint(i)] = Figures{}
	}
	reasons := map[string]float32{}
	for i := range maxFigureReasons + 1 {
		reasons[fmt.Sprint(i)] = 1
	}
	b, err := figuresCodec{}.Encode(&figures{"a-1": {Figures: many}, "b-1": {Figures: map[string]Figures{"shop": {Buckets: make(Buckets, 10_000), FailedFor: reasons}}}})
	if err != nil {
		t.Fatal(err)
	}
	out, err := figuresCodec{}.Decode(b)
	got, _ := out.(*figures)
	if err != nil || len(*got) != 1 {
		t.Fatalf("got %d members, %v", len(*got), err)
	}
	if one := (*got)["b-1"].Figures["shop"]; len(one.Buckets) != 2*MaxFigureBuckets || one.FailedFor != nil {
		t.Errorf("%d buckets and %d reasons are left", len(one.Buckets)/2, len(one.FailedFor))
	}
}

func TestTheNewestFiguresOfEachMemberHold(t *testing.T) {
	now := time.Now()
	at := func(age time.Duration) told { return told{At: now.Add(-age).UnixMilli()} }
	all := &figures{"a": at(5 * time.Second), "b": at(time.Second)}
	changed, err := all.Merge(&figures{"a": at(0), "b": at(2 * time.Second), "c": at(0)}, false)
	if err != nil {
		t.Fatal(err)
	}
	if got := changed.MergeContent(); !reflect.DeepEqual(got, []string{"a", "c"}) {
		t.Errorf("changed are %v", got)
	}
	if again, err := all.Merge(&figures{"a": at(0)}, false); again != nil || err != nil {
		t.Errorf("the same changes %v, %v", again, err)
	}
	(*all)["old"] = at(time.Hour)
	if left, removed := all.RemoveTombstones(now); left != 3 || removed != 1 {
		t.Errorf("%d are left, %d were removed", left, removed)
	}
}
