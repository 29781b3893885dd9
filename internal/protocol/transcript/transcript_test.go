package transcript

import "testing"

func TestPrintableDisarmsControlCharacters(t *testing.T) {
	for in, want := range map[string]string{
		"plain\ttext\n":  "plain\ttext\n",
		"\x1b]0;x\x07":   ".]0;x.",
		"a\rb\x00c\x7f":  "a.b.c.",
		"\u009b31m":      ".31m",
		"über ✓":         "über ✓",
		"a\u202egpj.exe": "a.gpj.exe",
		"שלום":           "שלום",
		"\xff":           "\uFFFD",
	} {
		if got := printable(in); got != want {
			t.Errorf("%q came out as %q, want %q", in, got, want)
		}
	}
}
