package script

import (
	"github.com/tidwall/gjson"
)

// sameJSON reports whether two values of JSON are equal: numbers as numbers, objects whatever
// the order of their keys, and neither by the spaces between.
func sameJSON(a, b gjson.Result) bool {
	if a.Type != b.Type || a.IsArray() != b.IsArray() {
		return false
	}
	switch {
	case a.Type == gjson.String:
		return a.Str == b.Str
	case a.Type == gjson.Number:
		return a.Raw == b.Raw || a.Num == b.Num
	case a.IsArray():
		return sameLists(a.Array(), b.Array())
	case a.IsObject():
		return sameObjects(a.Map(), b.Map())
	default:
		return true // null, true or false; the type says which.
	}
}

func sameLists(a, b []gjson.Result) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !sameJSON(a[i], b[i]) {
			return false
		}
	}
	return true
}

func sameObjects(a, b map[string]gjson.Result) bool {
	if len(a) != len(b) {
		return false
	}
	for key, value := range a {
		other, ok := b[key]
		if !ok || !sameJSON(value, other) {
			return false
		}
	}
	return true
}
