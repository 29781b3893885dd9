package compare

import (
	"errors"
	"strconv"
	"strings"

	"github.com/tidwall/match"
)

// Path names places in a body of JSON: the keys that lead there, separated by dots, as in gjson. A number or #
// stands for elements of a list: the one with that index, or each. In a key * stands for any text and ? for any
// character; a backslash takes the meaning from what follows it. The path @this is the whole body.
type Path struct{ keys []string }

// whole is the path of the whole body.
const whole = "@this"

// maxSteps bounds how long a key is matched: it comes from a target.
const maxSteps = 10000

// errPath is a path with an empty key.
var errPath = errors.New("expected keys separated by dots, such as items.#.id")

// ParsePath reads a path.
func ParsePath(text string) (Path, error) {
	if text == whole {
		return Path{}, nil
	}
	var p Path
	var key strings.Builder
	end := func() bool {
		p.keys = append(p.keys, key.String())
		key.Reset()
		return p.keys[len(p.keys)-1] != ""
	}
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '.':
			if !end() {
				return Path{}, errPath
			}
		case c == '\\' && i+1 < len(text):
			i++
			if text[i] != '.' {
				key.WriteByte('\\') // It is for the pattern.
			}
			key.WriteByte(text[i])
		default:
			key.WriteByte(c)
		}
	}
	if !end() {
		return Path{}, errPath
	}
	return p, nil
}

// paths are the rests of several paths at a place on the way through a body.
type paths []Path

// here reports whether one of them leads to this place.
func (p paths) here() bool {
	for _, one := range p {
		if len(one.keys) == 0 {
			return true
		}
	}
	return false
}

// key returns those that lead on by a key of an object.
func (p paths) key(name string) paths {
	return p.on(func(key string) bool {
		matches, _ := match.MatchLimit(name, key, maxSteps)
		return matches
	})
}

// element returns those that lead on by an element of a list.
func (p paths) element(i int) paths {
	return p.on(func(key string) bool { return key == "#" || key == strconv.Itoa(i) })
}

func (p paths) on(leads func(key string) bool) paths {
	var all paths
	for _, one := range p {
		if len(one.keys) > 0 && leads(one.keys[0]) {
			all = append(all, Path{one.keys[1:]})
		}
	}
	return all
}
