package config_test

import (
	"errors"
	"math/rand/v2"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/traffic-exporter/traffic_exporter/internal/config"
)

// TestFilesWithOtherWordsAreRefusedOrMeanTheSame puts words of all good files in the place of
// others: what comes of it is refused with errors that have a place, or means the same as its
// canonical form.
func TestFilesWithOtherWordsAreRefusedOrMeanTheSame(t *testing.T) {
	const rounds = 150
	word := regexp.MustCompile(`"[^"\n]*"|'[^'\n]*'|[\w$./-]+|[{}\[\],]`)
	var words []string
	var texts []string
	for _, name := range append(append(files(t, "good-*.yaml"), examples(t)...), exampleFile) {
		text := string(contentOf(t, name))
		texts = append(texts, text)
		words = append(words, word.FindAllString(text, -1)...)
	}
	r := rand.New(rand.NewPCG(1, 2))
	good := 0
	for range rounds {
		text := texts[r.IntN(len(texts))]
		places := word.FindAllStringIndex(text, -1)
		at := places[r.IntN(len(places))]
		text = text[:at[0]] + words[r.IntN(len(words))] + text[at[1]:]
		c, err := config.Parse(filepath.Join("conf", "x.yaml"), []byte(text), environment, nil)
		if err == nil {
			good++
			sameAgain(t, c)
			if t.Failed() {
				t.Fatal(text)
			}
			continue
		}
		all, ok := errors.AsType[config.Errors](err)
		if !ok || c != nil {
			t.Fatalf("error %v, config %v", err, c)
		}
		for _, one := range all {
			if one.Line < 1 || one.Problem == "" || strings.Contains(one.Error(), "hunter2 from the environment") {
				t.Fatalf("error %+v of\n%s", one, text)
			}
		}
	}
	if good < rounds/10 {
		t.Errorf("only %d of %d are good", good, rounds)
	}
}
