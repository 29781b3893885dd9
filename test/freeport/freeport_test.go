package freeport

import (
	"net"
	"testing"
)

func TestEachPortIsHandedOutOnce(t *testing.T) {
	seen := map[int]bool{}
	for range 2 * blockSize {
		port := Get(t)
		if seen[port] {
			t.Fatalf("port %d is handed out twice", port)
		}
		if port < lowest || port > highest {
			t.Fatalf("port %d is not in %d..%d", port, lowest, highest)
		}
		seen[port] = true
	}
}

func TestAPortInUseIsLeftOut(t *testing.T) {
	port := Get(t)
	l, err := listen(port + 1)
	if err != nil {
		t.Skip("the next port is in use anyway")
	}
	defer func() { _ = l.Close() }()
	if got := Address(t); got == l.Addr().(*net.TCPAddr).String() {
		t.Fatalf("%s is handed out while something listens on it", got)
	}
}
