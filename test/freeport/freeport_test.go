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
	var l *net.TCPListener
	for port := Get(t) + 1; l == nil && port <= highest; port++ {
		l, _ = listen(port)
	}
	if l == nil {
		t.Fatal("no port can be listened on")
	}
	defer func() { _ = l.Close() }()
	for range blockSize {
		if got := Address(t); got == l.Addr().(*net.TCPAddr).String() {
			t.Fatalf("%s is handed out while something listens on it", got)
		}
	}
}
