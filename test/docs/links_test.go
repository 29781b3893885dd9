// Package docs tests the documentation: its links, and the commands that it shows.
package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const root = "../.."

// TestLinksLeadSomewhere follows every link within the repository, to a heading too.
func TestLinksLeadSomewhere(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^()\s]+)\)`)
	for _, page := range pages(t) {
		for _, m := range link.FindAllStringSubmatch(prose(t, page), -1) {
			to := m[1]
			if strings.Contains(to, "://") || strings.HasPrefix(to, "mailto:") {
				continue
			}
			path, heading, _ := strings.Cut(to, "#")
			target := page
			if path != "" {
				target = filepath.Join(filepath.Dir(page), path)
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s: %s leads nowhere", page, to)
				continue
			}
			if heading != "" && !slices.Contains(headings(t, target), heading) {
				t.Errorf("%s: %s: there is no such heading", page, to)
			}
		}
	}
}

// pages are the files of the documentation.
func pages(t *testing.T) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch name := d.Name(); {
		case err != nil:
			return err
		case d.IsDir() && (name == "node_modules" || name == "dist" || name == "testdata" || len(name) > 2 && name[0] == '.'):
			return filepath.SkipDir
		case filepath.Ext(name) == ".md":
			found = append(found, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(found) < 10 {
		t.Fatalf("found only %d pages", len(found))
	}
	return found
}

// prose is a page without its blocks of code and the marks of code in lines.
func prose(t *testing.T, page string) string {
	t.Helper()
	return regexp.MustCompile("`[^`\n]*`").ReplaceAllStringFunc(withoutBlocks(t, page), func(code string) string {
		return strings.NewReplacer("`", "", "](", "", "#", "\x00").Replace(code)
	})
}

// withoutBlocks is a page with empty lines in place of its blocks of code.
func withoutBlocks(t *testing.T, page string) string {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	return regexp.MustCompile("(?ms)^ *```.*?^ *```$").ReplaceAllStringFunc(string(text), func(block string) string {
		return strings.Repeat("\n", strings.Count(block, "\n"))
	})
}

// headings are the anchors of a page, as GitHub makes them.
func headings(t *testing.T, page string) []string {
	t.Helper()
	drop := regexp.MustCompile(`[^\p{L}\p{N}\p{M}_ -]`)
	link := regexp.MustCompile(`\[([^]]*)\]\([^)]*\)`)
	seen := map[string]int{}
	var all []string
	for line := range strings.Lines(prose(t, page)) {
		text := strings.TrimLeft(line, "#")
		if text == line || !strings.HasPrefix(text, " ") {
			continue
		}
		text = link.ReplaceAllString(strings.ToLower(strings.TrimSpace(text)), "$1")
		anchor := strings.ReplaceAll(drop.ReplaceAllString(text, ""), " ", "-")
		if n := seen[anchor]; n > 0 {
			all = append(all, anchor+"-"+string(rune('0'+n)))
		} else {
			all = append(all, anchor)
		}
		seen[anchor]++
	}
	return all
}

// TestTheSiteHasAllPages finds pages that the site's navigation leaves out.
func TestTheSiteHasAllPages(t *testing.T) {
	nav := string(read(t, "mkdocs.yml"))
	for _, page := range pages(t) {
		name, ok := strings.CutPrefix(filepath.ToSlash(page), root+"/docs/")
		if ok && !strings.Contains(nav, ": "+name+"\n") {
			t.Errorf("the navigation in mkdocs.yml does not have %s", name)
		}
	}
}
