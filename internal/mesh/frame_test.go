package mesh

import (
	"bufio"
	"bytes"
	"reflect"
	"testing"
)

func TestFramesAreReadAsTheyWereWritten(t *testing.T) {
	wantHello := hello{cluster: "staging/traffic", id: "a-1", address: "10.0.0.1:7946"}
	wantValue := Value{Kind: 1, ID: "a-1", Stamp: 1 << 40, Content: []byte("content")}
	missing := []Value{{ID: "b-1", Stamp: 7}, {ID: "c-1"}}
	b := appendAsk(wantValue.append(wantHello.append(nil)), missing)
	r := bufio.NewReader(bytes.NewReader(b))
	next := func() []byte {
		_, content, err := readFrame(r)
		if err != nil {
			t.Fatal(err)
		}
		return content
	}
	if h, err := readHello(next()); err != nil || h != wantHello {
		t.Errorf("got %+v, %v", h, err)
	}
	if v, err := readValue(1, next()); err != nil || !reflect.DeepEqual(v, wantValue) {
		t.Errorf("got %+v, %v", v, err)
	}
	if got, err := readAsk(next()); err != nil || !reflect.DeepEqual(got, missing) {
		t.Errorf("got %+v, %v", got, err)
	}
}

// FuzzFrames reads any bytes, as others may send them.
func FuzzFrames(f *testing.F) {
	f.Add(appendAsk(Value{ID: "a", Content: []byte("b")}.append(hello{cluster: "c"}.append(nil)), []Value{{ID: "d", Stamp: 1}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bufio.NewReaderSize(bytes.NewReader(b), 16)
		for {
			number, content, err := readFrame(r)
			if err != nil {
				return
			}
			if len(content) > len(b) {
				t.Errorf("a frame of %d bytes in %d", len(content), len(b))
			}
			switch number {
			case frameHello:
				_, _ = readHello(content)
			case frameAsk:
				_, _ = readAsk(content)
			default:
				if v, err := readValue(0, content); err == nil {
					if again, err := readValue(0, v.fields()); err != nil || again.ID != v.ID || again.Stamp != v.Stamp || !bytes.Equal(again.Content, v.Content) {
						t.Errorf("%+v is read again as %+v, %v", v, again, err)
					}
				}
			}
		}
	})
}
