//go:build !unix

package dial

// raiseFileLimit returns nothing where there is no such bound.
func raiseFileLimit() (n int, ok bool) { return 0, false }
