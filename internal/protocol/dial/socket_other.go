//go:build !unix

package dial

// socket is nothing where there are no system calls to be made: there the package net
// reads, and writes run in the background.
type socket struct{}

func (c *Conn) open() error { return nil }

// direct reports whether there are system calls to be made.
func (c *Conn) direct() bool { return false }

// read waits for something to come.
func (c *Conn) read(p []byte) (int, error) { return c.readPlain(p) }

// write writes the bytes that the socket takes at once.
func (c *Conn) write(p []byte) (int, error) { return c.writePlain(p) }
