package script

import (
	"fmt"
	"math"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/share"
)

// draw returns the value of a variable in a slot.
func draw(tb testing.TB, source Source, s Slot) Value {
	tb.Helper()
	p := compile(tb, []Variable{{"v", source}}, Request{})
	v, err := begin(p, s).Value(0)
	if err != nil {
		tb.Fatal(err)
	}
	return v
}

func TestVariablesAreOfTheirKind(t *testing.T) {
	letters := "abc"
	for _, tc := range []struct {
		name   string
		source Source
		want   string
	}{
		{"one of", OneOf{Options: []Document{document(t, `"a"`), document(t, `2`)}}, `^(a|2)$`},
		{"int", IntRange{From: -3, To: 12}, `^(-[1-3]|[0-9]|1[0-2])$`},
		{"decimal", Decimal{From: 0.5, To: 1.25, Digits: 3}, `^(0\.[5-9]\d\d|1\.[01]\d\d|1\.2[0-4]\d|1\.250)$`},
		{"random text", RandomText{Length: 8, Alphabet: letters}, `^[abc]{8}$`},
		{"uuid", UUID{}, `^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`},
		{"many joined", Many{From: 2, To: 3, Each: RandomText{Length: 1, Alphabet: letters}, Join: "+", Joined: true}, `^[abc](\+[abc]){1,2}$`},
		{"many", Many{From: 0, To: 2, Each: IntRange{From: 5, To: 5}}, `^\[(5(,5)?)?\]$`},
	} {
		want := regexp.MustCompile(tc.want)
		for seq := range uint64(500) {
			if got := draw(t, tc.source, slot(seq)); !want.MatchString(got.Text) {
				t.Errorf("%s: %q does not match %s", tc.name, got.Text, want)
				break
			}
		}
	}
	if got := draw(t, Sequence{}, slot(41)).Text; got != "41" {
		t.Errorf("sequence of slot 41: %s", got)
	}
}

func TestTheDueTimeIsMovedRoundedAndWritten(t *testing.T) {
	due := time.Date(2027, 3, 4, 5, 6, 7, 890_000_000, time.FixedZone("", 3600))
	for _, tc := range []struct {
		source DueTime
		want   string
	}{
		{DueTime{Format: FormatUnix}, "1804133167"},
		{DueTime{Format: FormatUnixMilli}, "1804133167890"},
		{DueTime{Format: FormatRFC3339}, "2027-03-04T05:06:07+01:00"},
		{DueTime{Format: "2006-01-02"}, "2027-03-04"},
		{DueTime{Shift: -time.Hour, Floor: 15 * time.Second, Format: FormatUnix}, "1804129560"},
		{DueTime{Floor: 500 * time.Millisecond, Format: FormatUnixMilli}, "1804133167500"},
	} {
		if got := draw(t, tc.source, Slot{Due: due}).Text; got != tc.want {
			t.Errorf("%+v: %s, want %s", tc.source, got, tc.want)
		}
	}
}

func TestASlotDrawsTheSameWhateverIsAskedFirst(t *testing.T) {
	variables := []Variable{
		{"all", Made{parse(t, "{{ a }}-{{ b }}-{{ c }}")}},
		{"a", UUID{}},
		{"b", IntRange{From: 0, To: math.MaxInt64}},
		{"c", Many{From: 1, To: 4, Each: Made{parse(t, "{{ x }}")}, Variables: []Variable{{"x", RandomText{Length: 3, Alphabet: "01"}}}, Join: ",", Joined: true}},
	}
	p := compile(t, variables, Request{})
	for seq := range uint64(200) {
		orders := [][]int{{0, 1, 2, 3}, {3, 2, 1, 0}, {2, 0, 3, 1}}
		var first []Value
		for _, order := range orders {
			j := begin(p, slot(seq))
			values := make([]Value, len(variables))
			for _, i := range order {
				var err error
				if values[i], err = j.Value(i); err != nil {
					t.Fatal(err)
				}
			}
			if first == nil {
				first = values
			}
			for i := range values {
				if values[i] != first[i] {
					t.Fatalf("slot %d: %v, and in another order %v", seq, first, values)
				}
			}
		}
	}
}

func TestATextIsAStringEvenOfOneNumber(t *testing.T) {
	p := compile(t, []Variable{{"house", Made{parse(t, "{{ n }}")}}, {"n", IntRange{From: 7, To: 7}}}, Request{})
	v, err := begin(p, slot(1)).Value(0)
	if got := string(v.AppendJSON(nil)); err != nil || got != `"7"` {
		t.Errorf("in JSON it is %s, %v", got, err)
	}
}

// TestDrawsNeverChange pins values: slots of former versions are reproduced by them.
func TestDrawsNeverChange(t *testing.T) {
	var got []string
	for _, source := range []Source{UUID{}, IntRange{From: 1, To: 1000}, RandomText{Length: 6, Alphabet: "abcdefghijklmnopqrstuvwxyz"}} {
		got = append(got, draw(t, source, slot(1)).Text)
	}
	const want = "a87be01b-15c6-4638-b8c0-dbd52127fc57 220 fikjas"
	if all := strings.Join(got, " "); all != want {
		t.Errorf("slot 1 draws %s, want %s", all, want)
	}
}

func TestDrawsAreUniform(t *testing.T) {
	const n, options = 200_000, 10
	weights := []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}
	documents := make([]Document, options)
	for i := range documents {
		documents[i] = document(t, fmt.Sprint(i))
	}
	even := make([]float64, options)
	weighted := make([]float64, options)
	for i := range even {
		even[i], weighted[i] = n/options, float64(n*weights[i])/55
	}
	for _, tc := range []struct {
		name   string
		source Source
		want   []float64
	}{
		{"one of, evenly", OneOf{Options: documents}, even},
		{"one of, by weight", OneOf{Options: documents, Weights: weights}, weighted},
		{"int", IntRange{From: 0, To: 9}, even},
		{"random row", Row{Table: tableOf(t, options), Random: true}, even},
	} {
		p := compile(t, []Variable{{"v", tc.source}}, Request{})
		counts := make([]float64, options)
		j := new(Journey)
		for seq := range uint64(n) {
			p.Begin(j, slot(seq))
			v, err := j.Value(0)
			if err != nil {
				t.Fatal(err)
			}
			counts[v.Text[0]-'0']++
		}
		chi := 0.0
		for i := range counts {
			chi += (counts[i] - tc.want[i]) * (counts[i] - tc.want[i]) / tc.want[i]
		}
		if chi > 27.9 { // One in a thousand, with nine degrees of freedom.
			t.Errorf("%s: chi-squared %.1f: %v", tc.name, chi, counts)
		}
	}
}

func TestDrawsOfDifferentNamesAreIndependent(t *testing.T) {
	const n = 100_000
	p := compile(t, []Variable{{"a", IntRange{From: 0, To: 9}}, {"b", IntRange{From: 0, To: 9}}}, Request{})
	var pairs [10][10]float64
	j := new(Journey)
	for seq := range uint64(n) {
		p.Begin(j, slot(seq))
		a, _ := j.Value(0)
		b, _ := j.Value(1)
		pairs[a.Text[0]-'0'][b.Text[0]-'0']++
	}
	chi := 0.0
	for _, row := range pairs {
		for _, count := range row {
			chi += (count - n/100) * (count - n/100) / (n / 100)
		}
	}
	if chi > 148.2 { // One in a thousand, with 99 degrees of freedom.
		t.Errorf("chi-squared %.1f", chi)
	}
}

// tableOf returns a table with the rows 0 to n-1.
func tableOf(tb testing.TB, n int) Table {
	tb.Helper()
	values := make([]Value, n)
	for i := range values {
		values[i] = Int(int64(i))
	}
	rows, err := NewRows(values, nil, "")
	if err != nil {
		tb.Fatal(err)
	}
	return func() *Rows { return rows }
}

func TestEachRowIsUsedOnceAPassByAFleetThatChanges(t *testing.T) {
	const rows, passes = 97, 40
	p := compile(t, []Variable{{"v", Row{Table: tableOf(t, rows)}}}, Request{})
	for _, members := range []int{1, 2, 3, 10, 100} {
		var used [passes][rows]int
		arcs := map[[2]int]share.Arc{}
		for member := range members {
			for _, n := range []int{members, max(1, members-1)} {
				arcs[[2]int{member, n}] = arcOf(member, n)
			}
			for seq := range uint64(rows * passes) {
				// The fleet shrinks and grows in the middle of passes.
				n := members
				if seq/50%3 == 1 {
					n = max(1, members-1)
				}
				if member >= n || !arcs[[2]int{member, n}].Owns(seq) {
					continue
				}
				v, err := begin(p, slot(seq)).Value(0)
				if err != nil {
					t.Fatal(err)
				}
				var row int
				_, _ = fmt.Sscan(v.Text, &row)
				used[seq/rows][row]++
			}
		}
		for pass := range used {
			for row, n := range used[pass] {
				if n != 1 {
					t.Fatalf("%d members: row %d is used %d times in pass %d", members, row, n, pass)
				}
			}
		}
	}
}

// arcOf returns what a member of a fleet of n owns.
func arcOf(member, n int) share.Arc {
	weights := make([]share.Member, n)
	for i := range weights {
		weights[i] = share.Member{ID: fmt.Sprintf("%03d", i), Weight: 1}
	}
	return share.NewView(weights).Arc(fmt.Sprintf("%03d", member))
}

func TestRowsAreChecked(t *testing.T) {
	object := func(text string) Value { return FromJSON(text) }
	for _, tc := range []struct {
		name    string
		values  []Value
		columns []string
		weight  string
		want    string
	}{
		{"none", nil, nil, "", "the data has no rows"},
		{"a column is missing", []Value{object(`{"a":1}`), object(`{"b":1}`)}, []string{"a"}, "", `row 2 has no "a"`},
		{"a scalar has no columns", []Value{String("x")}, []string{"a"}, "", `row 1 has no "a"`},
		{"no weight", []Value{object(`{"w":1}`), object(`{"w":"many"}`)}, nil, "w", `row 2: "many" is no weight: expected a whole number`},
		{"negative weight", []Value{object(`{"w":-1}`)}, nil, "w", `row 1: "-1" is no weight: expected a whole number`},
		{"weights of 0", []Value{object(`{"w":0}`)}, nil, "w", `all weights in "w" are 0`},
		{"good", []Value{object(`{"a":1,"w":"3"}`)}, []string{"a"}, "w", ""},
	} {
		_, err := NewRows(tc.values, tc.columns, tc.weight)
		if got := fmt.Sprint(err); err == nil && tc.want != "" || err != nil && got != tc.want {
			t.Errorf("%s: %v, want %q", tc.name, err, tc.want)
		}
	}
}

func TestARowThatWasDrawnIsKeptWhenTheTableChanges(t *testing.T) {
	table := tableOf(t, 3)
	p := compile(t, []Variable{{"v", Row{Table: func() *Rows { return table() }}}}, Request{})
	j := begin(p, slot(1))
	before, _ := j.Value(0)
	rows, _ := NewRows([]Value{String("new")}, nil, "")
	table = func() *Rows { return rows }
	after, _ := j.Value(0)
	next, _ := begin(p, slot(1)).Value(0)
	if before != after || next.Text != "new" {
		t.Errorf("before %v, after %v, in the next journey %v", before, after, next)
	}
}
