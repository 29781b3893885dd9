// Package freeport hands out TCP ports for the programs that tests and benchmarks run and that take the port to
// listen on as an argument.
//
// To listen on port 0, close, and hand that port on is not safe: the kernel may give it
// out again at once, to the next caller or as the source port of any connection. These
// ports lie below the range that Linux takes source ports from, and below the one that replicas
// under test take ports of their own from. Each is handed out once, and test processes that run
// at the same time take them from different blocks.
package freeport

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"testing"
)

const (
	lowest    = 10000
	highest   = 19999 // Replicas look for ports from 20000 to 23999, and Linux' ip_local_port_range begins at 32768.
	blockSize = 256   // the first port of a block is its lock
)

// block is this process's share of the ports.
//
//nolint:gochecknoglobals // the ports of a machine are shared by all tests of a process
var block struct {
	sync.Mutex

	locks []*net.TCPListener // of all blocks so far, held until the process ends
	next  int
	end   int
}

// Get returns a port as Next does, and ends the test if there is none.
func Get(tb testing.TB) int {
	tb.Helper()
	port, err := Next()
	if err != nil {
		tb.Fatal(err)
	}
	return port
}

// Next returns a loopback port that nothing listens on and that no other caller is given. It
// fails if other processes have all ports. It may be called concurrently.
func Next() (int, error) {
	block.Lock()
	defer block.Unlock()
	for {
		if block.next == block.end {
			if err := claim(); err != nil {
				return 0, err
			}
		}
		port := block.next
		block.next++
		if l, err := listen(port); err == nil {
			_ = l.Close()
			return port, nil
		}
	}
}

// Address returns a loopback address with a port as Get returns it.
func Address(tb testing.TB) string {
	tb.Helper()
	return address(Get(tb))
}

// claim takes a block that no other process has. A block that has been used up stays
// claimed: its ports may still be in use.
func claim() error {
	blocks := (highest + 1 - lowest) / blockSize
	for _, i := range rand.Perm(blocks) {
		first := lowest + i*blockSize
		l, err := listen(first)
		if err != nil {
			continue
		}
		block.locks = append(block.locks, l)
		block.next, block.end = first+1, first+blockSize
		return nil
	}
	return fmt.Errorf("no block of %d ports is free on loopback", blockSize)
}

func listen(port int) (*net.TCPListener, error) {
	return net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port})
}

func address(port int) string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
}
