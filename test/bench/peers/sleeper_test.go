//go:build linux

package main

import (
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

func TestSleeperSendsAtItsRate(t *testing.T) {
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	const connections = 3
	texts := make(chan string, connections)
	go func() {
		for range connections {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				b, _ := io.ReadAll(c) // Until the other end is closed.
				texts <- string(b)
				_ = c.Close()
			}()
		}
	}()
	begin := time.Now()
	if err := sleeperCommand([]string{"-seconds", "1", "-rate", "50", "-connections", "3", "http://" + l.Addr().String() + "/"}); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begin); took < 980*time.Millisecond {
		t.Errorf("50 requests at 50/s took %v", took)
	}
	sent := 0
	for range connections {
		sent += strings.Count(<-texts, "GET / HTTP/1.1\r\nHost: "+l.Addr().String()+"\r\n\r\n")
	}
	if sent != 50 {
		t.Errorf("%d requests were sent, want 50", sent)
	}
}

func TestSleeperFollowsItsFlags(t *testing.T) {
	for _, args := range [][]string{{}, {"-rate", "0", "http://127.0.0.1:1/"}, {"http://127.0.0.1:1/"}, {"-x"}} {
		if err := sleeperCommand(args); err == nil {
			t.Errorf("%q: found no error", args)
		}
	}
}
