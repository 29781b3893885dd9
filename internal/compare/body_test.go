package compare

import (
	"encoding/json"
	"math/big"
	"strings"
	"testing"
)

func parsed(t *testing.T, all ...string) []Path {
	t.Helper()
	var out []Path
	for _, text := range all {
		p, err := ParsePath(text)
		if err != nil {
			t.Fatalf("path %q: %v", text, err)
		}
		out = append(out, p)
	}
	return out
}

func TestBodiesDifferWhereTheirValuesDo(t *testing.T) {
	for name, tc := range map[string]struct {
		a, b              string
		ignore, unordered []string
		// differ says that they do, and at is where.
		differ bool
		at     string
	}{
		"order of keys and spaces":            {a: `{"a":1,"b":[true,null]}`, b: ` { "b" : [ true , null ] , "a" : 1 } `},
		"numbers by value":                    {a: `[1, 10, 0.5, -0, 1e3, 12.50]`, b: `[1.0, 1e1, 5e-1, 0.0, 1000, 1250E-2]`},
		"numbers beyond a float":              {a: `{"id": 9007199254740993}`, b: `{"id": 9007199254740992}`, differ: true, at: "id"},
		"a number and a string":               {a: `{"id": 1}`, b: `{"id": "1"}`, differ: true, at: "id"},
		"null and nothing":                    {a: `{"id": null}`, b: `{}`, differ: true, at: "id"},
		"escapes":                             {a: `["\u00e9\/"]`, b: `["é/"]`},
		"deep within":                         {a: `{"items":[{"id":1},{"id":2,"price":3}]}`, b: `{"items":[{"id":1},{"id":2,"price":4}]}`, differ: true, at: "items.1.price"},
		"lists by order":                      {a: `[1,2]`, b: `[2,1]`, differ: true, at: "0"},
		"the length of a list":                {a: `{"l":[1,2]}`, b: `{"l":[1,2,3]}`, differ: true, at: "l.#"},
		"a list and an object":                {a: `{"l":[]}`, b: `{"l":{}}`, differ: true, at: "l"},
		"a key with a dot":                    {a: `{"a.b":1}`, b: `{"a.b":2}`, differ: true, at: `a\.b`},
		"a whole body":                        {a: `1`, b: `2`, differ: true},
		"ignored key":                         {a: `{"id":1,"at":"x"}`, b: `{"id":1,"at":"y"}`, ignore: []string{"at"}},
		"ignored key that one has":            {a: `{"id":1,"at":"x"}`, b: `{"id":1}`, ignore: []string{"at"}},
		"ignored in each element":             {a: `{"l":[{"at":1,"v":1},{"at":2,"v":2}]}`, b: `{"l":[{"at":3,"v":1},{"v":2}]}`, ignore: []string{"l.#.at"}},
		"ignored in one element":              {a: `[{"at":1},{"at":1}]`, b: `[{"at":2},{"at":2}]`, ignore: []string{"0.at"}, differ: true, at: "1.at"},
		"ignored element":                     {a: `[1,2]`, b: `[9,2]`, ignore: []string{"0"}},
		"ignored by a pattern":                {a: `{"x_at":1,"y_at":2,"z":3}`, b: `{"x_at":3,"z":3}`, ignore: []string{"*_at"}},
		"ignored star that is text":           {a: `{"*":1,"b":1}`, b: `{"*":2,"b":2}`, ignore: []string{`\*`}, differ: true, at: "b"},
		"ignored key with a dot":              {a: `{"a.b":1}`, b: `{"a.b":2}`, ignore: []string{`a\.b`}},
		"ignored whole":                       {a: `{"a":1}`, b: `[]`, ignore: []string{"@this"}},
		"unordered list":                      {a: `{"l":[3,1,2]}`, b: `{"l":[1,2,3]}`, unordered: []string{"l"}},
		"unordered list with other elements":  {a: `{"l":[3,1,1]}`, b: `{"l":[1,3,3]}`, unordered: []string{"l"}, differ: true, at: "l.1"},
		"unordered lists of objects":          {a: `[{"id":2,"t":9},{"id":1,"t":8}]`, b: `[{"t":7,"id":1},{"id":2}]`, unordered: []string{"@this"}, ignore: []string{"#.t"}},
		"unordered lists within ordered ones": {a: `[{"l":[2,1]},{"l":[3,4]}]`, b: `[{"l":[1,2]},{"l":[4,3]}]`, unordered: []string{"#.l"}},
	} {
		t.Run(name, func(t *testing.T) {
			p := New(Options{Rules: Rules{Body: BodyJSON, Ignore: parsed(t, tc.ignore...), Unordered: parsed(t, tc.unordered...)}})
			a, b := p.hold(tc.a), p.hold(tc.b)
			detail, differ := a.differs(b)
			want := ""
			if tc.differ {
				want = "the body differs"
			}
			if tc.at != "" {
				want += " at " + tc.at
			}
			if differ != tc.differ || detail != want {
				t.Errorf("differ %t in %q, want %t in %q", differ, detail, tc.differ, want)
			}
			if p.release(a); p.held.Load() != int64(len(b.text)) {
				t.Errorf("%d bytes are held, want %d", p.held.Load(), len(b.text))
			}
		})
	}
}

func TestBodiesThatAreNoJSONAreComparedByteByByte(t *testing.T) {
	p := New(Options{Rules: Rules{Body: BodyJSON}})
	for name, tc := range map[string]struct {
		a, b string
		want string
	}{
		"same text":       {a: "<p>", b: "<p>"},
		"empty":           {},
		"other text":      {a: "<p>", b: "<p >", want: "the body differs"},
		"JSON and text":   {a: `{"a":1}`, b: "oops", want: "the body differs: only one of the two is JSON"},
		"two values":      {a: `1 2`, b: `1  2`, want: "the body differs"},
		"broken":          {a: `{"a":`, b: `{"a":`},
		"JSON as it came": {a: `{"a":1}`, b: `{"a":1}`},
	} {
		if detail, differ := p.hold(tc.a).differs(p.hold(tc.b)); detail != tc.want || differ != (tc.want != "") {
			t.Errorf("%s: %q, want %q", name, detail, tc.want)
		}
	}
}

func TestOfLongBodiesAHashIsHeld(t *testing.T) {
	p := New(Options{Rules: Rules{Body: BodyExact}})
	long := strings.Repeat("x", maxBody+1)
	a, b := p.hold(long), p.hold(long[1:]+"y")
	if detail, differ := a.differs(b); !differ || detail != "the body differs" {
		t.Errorf("%q, %t, want a difference", detail, differ)
	}
	if _, differ := a.differs(p.hold(long)); differ {
		t.Error("the same long body differs")
	}
	if p.held.Load() != 0 {
		t.Errorf("%d bytes are held", p.held.Load())
	}
	var held []body
	for range 2 * maxHeld / maxBody {
		held = append(held, p.hold(long[1:]))
	}
	if p.held.Load() > maxHeld {
		t.Errorf("%d bytes are held, want at most %d", p.held.Load(), maxHeld)
	}
	for _, b := range held {
		p.release(b)
	}
	if p.held.Load() != 0 {
		t.Errorf("%d bytes are held at the end", p.held.Load())
	}
}

// A hostile body takes no time beyond its length.
func TestTheWayToADifferenceIsFollowedSoFar(t *testing.T) {
	deep := func(v string) string { return strings.Repeat("[", 9000) + v + strings.Repeat("]", 9000) }
	p := New(Options{Rules: Rules{Body: BodyJSON}})
	detail, differ := p.hold(deep("1")).differs(p.hold(deep("2")))
	if !differ || strings.Count(detail, "0") != maxWay {
		t.Errorf("%q, %t, want a way of %d", detail, differ, maxWay)
	}
}

func TestAPathNeedsKeys(t *testing.T) {
	for _, text := range []string{"", ".", "a.", ".a", "a..b"} {
		if _, err := ParsePath(text); err == nil {
			t.Errorf("%q is a path", text)
		}
	}
}

// Numbers are written alike if and only if they have one value.
func FuzzNumber(f *testing.F) {
	for _, seed := range []string{"0", "-0", "1", "1.0", "10e-1", "-12.50", "1e400", "0.001", "1e-7", "123456789012345678901234567890"} {
		f.Add(seed, "1")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		if !isNumber(a) || !isNumber(b) {
			return
		}
		x, okX := new(big.Rat).SetString(a)
		y, okY := new(big.Rat).SetString(b)
		if !okX || !okY {
			return
		}
		if same := number(a) == number(b); same != (x.Cmp(y) == 0) {
			t.Errorf("%s and %s are written as %s and %s", a, b, number(a), number(b))
		}
		if !json.Valid([]byte(number(a))) {
			t.Errorf("%s is written as %s", a, number(a))
		}
	})
}

// isNumber reports whether a string is a number of JSON of a size that can be reckoned with.
func isNumber(text string) bool {
	var n json.Number
	return len(text) < 40 && !strings.ContainsAny(text, "\" \t\r\n") && json.Unmarshal([]byte(text), &n) == nil && !hugeExponent(text)
}

func hugeExponent(text string) bool {
	_, exponent, _ := strings.Cut(strings.ToLower(text), "e")
	return len(exponent) > 4
}

func FuzzCanonical(f *testing.F) {
	f.Add(`{"a":[1,{"b":2}]}`, `{"a":[1,{"b":3}]}`)
	r := Rules{Body: BodyJSON, Ignore: []Path{{[]string{"i"}}}, Unordered: []Path{{[]string{"u"}}}}
	f.Fuzz(func(t *testing.T, a, b string) {
		x, errX := r.canonical(a)
		y, errY := r.canonical(b)
		if errX != nil || errY != nil {
			return
		}
		if again, err := r.canonical(string(x)); err != nil || string(again) != string(x) {
			t.Errorf("%s becomes %s, and that %s, %v", a, x, again, err)
		}
		if string(x) == string(y) && difference(x, y) == "" {
			return
		}
		_ = difference(x, y) // It does not panic.
	})
}
