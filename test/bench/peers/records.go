//go:build linux

package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
)

// record is what the receiver knows of one request. Instants are in nanoseconds of Unix
// time.
type record struct {
	// Conn numbers the connections.
	Conn uint32
	// Stamped reports whether the kernel said when the request arrived, and not the
	// receiver when it read it.
	Stamped   bool
	Arrived   int64
	Responded int64
}

// writeRecords writes records to a file that it creates.
func writeRecords(path string, records []record) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := bufio.NewWriter(f)
	if err := binary.Write(w, binary.LittleEndian, records); err != nil {
		return fmt.Errorf("write records %q: %w", path, err)
	}
	return w.Flush()
}

// readRecords reads the file that writeRecords has written.
func readRecords(path string) ([]record, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var all []record
	for rest := raw; len(rest) > 0; {
		var r record
		n, err := binary.Decode(rest, binary.LittleEndian, &r)
		if err != nil {
			return nil, fmt.Errorf("read records %q: %w", path, errors.Join(err, io.ErrUnexpectedEOF))
		}
		all, rest = append(all, r), rest[n:]
	}
	return all, nil
}
