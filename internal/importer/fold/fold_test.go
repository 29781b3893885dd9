package fold_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/traffic-exporter/traffic_exporter/internal/importer/fold"
)

func routes(t *testing.T, o fold.Options, targets ...string) string {
	t.Helper()
	tree := fold.NewTree(o)
	for _, target := range targets {
		tree.Add(target)
	}
	var lines []string
	for _, r := range tree.Routes() {
		lines = append(lines, fmt.Sprintf("%s %d", r.Pattern(), r.Count))
	}
	return strings.Join(lines, "\n")
}

func TestPathsAreFolded(t *testing.T) {
	for name, c := range map[string]struct{ targets, want string }{
		"numbers":                {"/orders/1 /orders/2 /orders/3/lines /orders/4/lines", "/orders/{} 2\n/orders/{}/lines 2"},
		"one value stays":        {"/orders/17 /orders/17", "/orders/17 2"},
		"identifiers":            {"/p/0PUK6V6EV0 /p/1YMWWN1N4O", "/p/{} 2"},
		"words behind a plural":  {"/items/mug /items/tent", "/items/{} 2"},
		"words elsewhere":        {"/shop/cart /shop/checkout /shop/catalogue", "/shop/cart 1\n/shop/catalogue 1\n/shop/checkout 1"},
		"words with more behind": {"/users/me /users/search/all", "/users/me 1\n/users/search/all 1"},
		"versions are words":     {"/api/v1/x /api/v2/x", "/api/v1/x 1\n/api/v2/x 1"},
		"slashes at the end":     {"/a /a/ / /", "/ 2\n/a 1\n/a/ 1"},
		"queries":                {"/search?q=a /search?q=b", "/search 2"},
		"only what differs":      {"/u/1/o/7 /u/2/o/7", "/u/{}/o/7 2"},
		"longer than a word":     {"/a/" + strings.Repeat("ab", 60) + " /a/" + strings.Repeat("cd", 60), "/a/{} 2"},
		"nothing":                {"", "/ 1"},
	} {
		if got := routes(t, fold.Options{}, strings.Split(c.targets, " ")...); got != c.want {
			t.Errorf("%s: the routes are\n%s\nwant\n%s", name, got, c.want)
		}
	}
}

func TestManyWordsInAPlaceAreValues(t *testing.T) {
	var targets []string
	for _, a := range "abcdefgh" {
		targets = append(targets, "/say/word"+string(a)+"/loud", "/say/word"+string(a))
	}
	if got, want := routes(t, fold.Options{Words: 4}, targets...), "/say/{} 8\n/say/{}/loud 8"; got != want {
		t.Errorf("the routes are\n%s\nwant\n%s", got, want)
	}
}

func TestTargetsAreCountedWithinTheirBounds(t *testing.T) {
	tree := fold.NewTree(fold.Options{Targets: 2, Length: 12})
	for target, n := range map[string]uint64{"/items/1": 5, "/items/2?a=b": 3} {
		tree.AddN(target, n)
	}
	tree.Add("/items/3")
	tree.Add("/items/4" + strings.Repeat("0", 20))
	all := tree.Routes()
	if len(all) != 1 || all[0].Count != 10 || all[0].Others != 2 {
		t.Fatalf("the routes are %+v", all)
	}
	if got := all[0].Targets; len(got) != 2 || got[0] != (fold.Target{Text: "/items/1", Count: 5}) || got[1].Text != "/items/2?a=b" {
		t.Errorf("the targets are %+v", got)
	}
}

// A word that comes often stays by itself, however many others are tried.
func TestFrequentWordsStandOutAmongMany(t *testing.T) {
	tree := fold.NewTree(fold.Options{Siblings: 100})
	for i := range 10_000 {
		tree.Add("/api/users")
		if i%50 == 0 {
			tree.Add("/login")
		}
		if i%5 == 0 {
			word := []byte("/aaaa.php")
			for j, n := 1, i; n > 0; j, n = j+1, n/26 {
				word[j] += byte(n % 26)
			}
			tree.Add(string(word))
		}
	}
	var got []string
	for _, r := range tree.Routes() {
		got = append(got, fmt.Sprint(r.Pattern(), " ", r.Count))
	}
	if want := []string{"/api/users 10000", "/{} 2000", "/login 200"}; !slices.Equal(got, want) {
		t.Errorf("the routes are %q, want %q", got, want)
	}
}

func TestParametersDistinguishRoutes(t *testing.T) {
	tree := fold.NewTree(fold.Options{Parameters: true})
	for _, target := range []string{"/s?q=a", "/s?q=b&page=2", "/s?page=3&q=c", "/s", "/s?", "/s?1772460245", "/i/1?a=b", "/i/2?a", "/i/3?a&a"} {
		tree.Add(target)
	}
	for i := range 40 {
		tree.Add(fmt.Sprintf("/s?x%c%d", 'a'+i, i))
	}
	got := map[string]uint64{}
	for _, r := range tree.Routes() {
		got[fmt.Sprint(r.Pattern(), " ", r.Parameters, r.Mixed)] = r.Count
	}
	for want, n := range map[string]uint64{"/s [q] false": 1, "/s [page q] false": 2, "/s [] false": 3, "/i/{} [a] false": 3, "/s [] true": 27} {
		if got[want] != n {
			t.Errorf("%s: found %d targets, expected %d; all are %v", want, got[want], n, got)
		}
	}
}

func TestLabelsAreCountedOfEachRoute(t *testing.T) {
	tree := fold.NewTree(fold.Options{Targets: 3})
	for i := range 10 {
		tree.AddLabeled(fmt.Sprint("/items/", i), 200+4*(i%2))
		tree.AddLabeled("/items/1", 404)
	}
	all := tree.Routes()
	want := []fold.Label{{Value: 404, Count: 10}, {Value: 200, Count: 5}, {Value: 204, Count: 5}}
	if len(all) != 1 || !slices.Equal(all[0].Labels, want) {
		t.Errorf("the routes are %+v", all)
	}
}

// Whatever comes, nothing is lost and the bounds hold.
func TestCountsAddUp(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	o := fold.Options{Words: 5, Siblings: 8, Nodes: 60, Targets: 7, AllTargets: 50}
	for range 50 {
		tree := fold.NewTree(o)
		const n = 2000
		for range n {
			var target strings.Builder
			for range rng.IntN(5) {
				fmt.Fprintf(&target, "/%c%d", 'a'+rune(rng.IntN(26)), rng.IntN(3))
			}
			tree.Add(target.String())
		}
		var sum, kept uint64
		targets := 0
		all := tree.Routes()
		for _, r := range all {
			sum += r.Count
			kept += r.Others
			targets += len(r.Targets)
			for _, target := range r.Targets {
				kept += target.Count
			}
			if len(r.Targets) > o.Targets {
				t.Fatalf("%s has %d targets", r.Pattern(), len(r.Targets))
			}
		}
		if sum != n || kept != n || targets > o.AllTargets || len(all) > 3*o.Nodes {
			t.Fatalf("%d requests, %d by target, %d targets, %d routes", sum, kept, targets, len(all))
		}
	}
}

func TestAKnownTargetAllocatesNothing(t *testing.T) {
	tree := fold.NewTree(fold.Options{})
	targets := []string{"/items/mug", "/orders/17?page=2", "/"}
	for _, target := range targets {
		tree.Add(target)
	}
	if n := testing.AllocsPerRun(100, func() {
		for _, target := range targets {
			tree.Add(target)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzTargets(f *testing.F) {
	f.Add("/items/1 /items/2?x /a//b / ? /%zz/é", uint8(2))
	f.Fuzz(func(t *testing.T, text string, words uint8) {
		tree := fold.NewTree(fold.Options{Words: int(words), Siblings: 5, Nodes: 40, Targets: 3, Parameters: words%2 == 0})
		targets := strings.Split(text, " ")
		for _, target := range targets {
			tree.Add(target)
		}
		var sum uint64
		for _, r := range tree.Routes() {
			sum += r.Count
			if len(r.Segments) != len(r.Varies) {
				t.Fatalf("%q has the route %+v", text, r)
			}
		}
		if sum != uint64(len(targets)) {
			t.Errorf("%d of %d targets are counted", sum, len(targets))
		}
	})
}

func BenchmarkAdd(b *testing.B) {
	tree := fold.NewTree(fold.Options{})
	targets := make([]string, 4096)
	for i := range targets {
		targets[i] = fmt.Sprintf("/api/v1/products/%d/reviews?page=%d", i%300, i%7)
	}
	for i := 0; b.Loop(); i++ {
		tree.Add(targets[i%len(targets)])
	}
}
