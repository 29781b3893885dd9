package kubelet

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// Network is a bridge in the network namespace of this process that pods are plugged into.
type Network struct {
	bridge string
	host   netip.Prefix

	mu   sync.Mutex
	last netip.Addr
	plug int
}

// NewNetwork makes the bridge, with an address of this machine such as 10.244.0.1/16; pods
// get those after it. The process must be in a network namespace of its own, which the
// bridge is gone with.
func NewNetwork(ctx context.Context, host netip.Prefix) (*Network, error) {
	n := &Network{bridge: "pods", host: host, last: host.Addr()}
	return n, ip(ctx, nil, "link set lo up", "link add pods type bridge", fmt.Sprintf("addr add %s dev pods", host), "link set pods up")
}

// Host is the address of this machine that pods reach.
func (n *Network) Host() string { return n.host.Addr().String() }

// sandbox is the network namespace of a pod, held by a process that does nothing.
type sandbox struct {
	pause *exec.Cmd
	fd    int
	ip    string
}

// newSandbox returns one with an address of the network. It lasts until it is closed.
func (n *Network) newSandbox(ctx context.Context) (*sandbox, error) {
	n.mu.Lock()
	n.last = n.last.Next()
	n.plug++
	address, socket := netip.PrefixFrom(n.last, n.host.Bits()), fmt.Sprintf("pod%d", n.plug)
	n.mu.Unlock()

	s := &sandbox{pause: exec.CommandContext(context.WithoutCancel(ctx), "sleep", "infinity"), fd: -1, ip: address.Addr().String()}
	s.pause.SysProcAttr = &unix.SysProcAttr{Cloneflags: unix.CLONE_NEWNET}
	if err := s.pause.Start(); err != nil {
		return nil, err
	}
	var err error
	if s.fd, err = unix.Open(fmt.Sprintf("/proc/%d/ns/net", s.pause.Process.Pid), unix.O_RDONLY|unix.O_CLOEXEC, 0); err == nil {
		err = ip(ctx, nil, fmt.Sprintf("link add %s type veth peer name eth0 netns %d", socket, s.pause.Process.Pid), fmt.Sprintf("link set %s master %s up", socket, n.bridge))
	}
	if err == nil {
		err = ip(ctx, s, "link set lo up", fmt.Sprintf("addr add %s dev eth0", address), "link set eth0 up", "route add default via "+n.Host())
	}
	if err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// start starts a command in the sandbox, or in the namespace of this process where it is
// nil.
func (s *sandbox) start(cmd *exec.Cmd) error {
	if s == nil {
		return cmd.Start()
	}
	result := make(chan error)
	go func() {
		// The thread is never unlocked, so that it ends with the goroutine, and no other
		// one runs in the sandbox.
		runtime.LockOSThread()
		if err := unix.Setns(s.fd, unix.CLONE_NEWNET); err != nil {
			result <- fmt.Errorf("setns: %w", err)
			return
		}
		result <- cmd.Start()
	}()
	return <-result
}

// close ends the sandbox and its network.
func (s *sandbox) close() {
	_ = s.pause.Process.Kill()
	_ = s.pause.Wait()
	_ = unix.Close(s.fd)
}

// ip runs commands of ip(8) in a sandbox.
func ip(ctx context.Context, s *sandbox, commands ...string) error {
	cmd := exec.CommandContext(ctx, "ip", "-batch", "-")
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	cmd.Stdin = strings.NewReader(strings.Join(commands, "\n") + "\n")
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := s.start(cmd); err != nil {
		return err
	}
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("ip %q: %w: %s", commands, err, &output)
	}
	return nil
}
