package inflate

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"strings"
	"testing"
)

// zipped returns a member of gzip.
func zipped(t *testing.T, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := io.WriteString(w, text)
	if err = errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestWhatComesOfAResponseIsBounded(t *testing.T) {
	const most = 10 << 20
	for _, c := range []struct {
		name  string
		wire  int
		comes int
		most  int64
		want  error
	}{
		{"a small one that is repetitive", 300, Floor, most, nil},
		{"more than the floor, by too much", 300, Floor + 1, most, errRatio},
		{"as much as the ratio", 50_000, MaxRatio * 50_000, most, nil},
		{"more than the ratio", 50_000, MaxRatio*50_000 + 1, most, errRatio},
		{"as long as it may be", 1 << 20, most, most, nil},
		{"longer than it may be", 1 << 20, most + 1, most, errLong},
		{"a bound below the floor", 10, 1001, 1000, errLong},
	} {
		b := NewBudget(c.wire, c.most)
		if got, err := b.Read(strings.NewReader(strings.Repeat("x", c.comes))); !errors.Is(err, c.want) || err == nil && len(got) != c.comes {
			t.Errorf("%s: %d bytes, %v, want %v", c.name, len(got), err, c.want)
		}
		if err := b.Spend(c.comes); !errors.Is(err, c.want) {
			t.Errorf("%s: spent as %v, want %v", c.name, err, c.want)
		}
		if c.want != nil && !errors.Is(c.want, ErrBound) {
			t.Errorf("%s: %v is no bound", c.name, c.want)
		}
	}
}

func TestMembersOfGzipAreReadOneAfterTheOther(t *testing.T) {
	one, empty := zipped(t, "one "), zipped(t, "")
	for _, c := range []struct {
		name string
		body []byte
		want string // or the error
	}{
		{"one", one, "one "},
		{"two", bytes.Repeat(one, 2), "one one "},
		{"as many as there may be", bytes.Repeat(one, maxMembers), strings.Repeat("one ", maxMembers)},
		{"an empty one between others", append(append(bytes.Clone(one), empty...), one...), "one one "},
		{"too many", bytes.Repeat(empty, maxMembers+1), errMembers.Error()},
		{"garbage behind it", append(bytes.Clone(one), "garbage behind it"...), gzip.ErrHeader.Error()},
		{"cut off", one[:len(one)-3], io.ErrUnexpectedEOF.Error()},
	} {
		r, err := Gzip(c.body)
		if err != nil {
			t.Fatal(err)
		}
		all, err := io.ReadAll(r)
		got := string(all)
		if err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
