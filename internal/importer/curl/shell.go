package curl

import (
	"fmt"
	"io"
	"strings"

	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/syntax"
)

// command is a command line, split into words as a shell does it.
type command struct {
	line  uint
	words []string
}

// commands returns those of the commands of a script that run curl.
func commands(r io.Reader, getenv func(string) (string, bool)) ([]command, error) {
	file, err := syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(r, "")
	if err != nil {
		if syntax.IsIncomplete(err) {
			return nil, fmt.Errorf("%w: found a command that does not end", errSyntax)
		}
		return nil, fmt.Errorf("%w: %w", errSyntax, err)
	}
	var all []command
	syntax.Walk(file, func(n syntax.Node) bool {
		call, ok := n.(*syntax.CallExpr)
		if !ok || err != nil || len(call.Args) == 0 || !isCurl(call.Args[0]) {
			return err == nil
		}
		c := command{line: call.Pos().Line()}
		for _, w := range call.Args {
			var word string
			if word, err = literal(w, getenv); err != nil {
				err = fmt.Errorf("line %d: %w", w.Pos().Line(), err)
				return false
			}
			c.words = append(c.words, word)
		}
		all = append(all, c)
		return true
	})
	return all, err
}

// isCurl reports whether a word is the name of curl.
func isCurl(w *syntax.Word) bool {
	name := w.Lit()
	return name == "curl" || name == "curl.exe" || strings.HasSuffix(name, "/curl")
}

// literal returns what a word stands for. Variables are taken from the environment; commands within
// it are not run.
func literal(w *syntax.Word, getenv func(string) (string, bool)) (string, error) {
	var missing string
	syntax.Walk(w, func(n syntax.Node) bool {
		switch n := n.(type) {
		case *syntax.ParamExp:
			if _, ok := getenv(n.Param.Value); !ok {
				missing = "$" + n.Param.Value + ", which is not set"
			}
		case *syntax.CmdSubst, *syntax.ProcSubst:
			missing = "a command within a command, which is not run"
		}
		return missing == ""
	})
	if missing != "" {
		return "", fmt.Errorf("found %s", missing)
	}
	return expand.Literal(&expand.Config{Env: expand.FuncEnviron(func(name string) string {
		value, _ := getenv(name)
		return value
	})}, w)
}
