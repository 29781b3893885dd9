//go:build linux

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// sleeper is the least that can send at a rate: one thread that sleeps until a request is
// due, by clock_nanosleep, and writes it, on one connection after the other. It reads no
// response. How late it is shows how late the machine wakes up a process that sleeps.
type sleeper struct {
	// self is the suite's own binary.
	self string
}

var _ tool = (*sleeper)(nil)

// Name implements tool.
func (s *sleeper) Name() string { return "clock_nanosleep" }

// Command implements tool.
func (s *sleeper) Command(j job) ([]string, error) {
	if j.Protocol != http1 || j.Rate == flatOut {
		return nil, unsupported("sleeps between requests of HTTP/1.1")
	}
	return []string{
		s.self, "sleeper", "-seconds", strconv.Itoa(j.Seconds), "-rate", strconv.FormatFloat(float64(j.Rate), 'f', -1, 64),
		"-connections", strconv.Itoa(j.connections()), j.URL,
	}, nil
}

// Reported implements tool: it reports nothing.
func (s *sleeper) Reported(context.Context, job, []byte) (reported, error) { return reported{}, nil }

// sleeperCommand is the process that the suite starts.
func sleeperCommand(args []string) error {
	flags := flag.NewFlagSet("sleeper", flag.ContinueOnError)
	seconds := flags.Int("seconds", 1, "how long to send")
	rate := flags.Float64("rate", 1, "requests a second")
	connections := flags.Int("connections", 1, "how many to send on")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() != 1 || *seconds < 1 || *rate <= 0 || *connections < 1 {
		return errors.New("expected a URL, and seconds, a rate and connections above 0")
	}
	host := strings.Trim(strings.TrimPrefix(flags.Arg(0), "http://"), "/")
	fds, err := connectAll(host, *connections)
	if err != nil {
		return err
	}
	err = sleepAndWrite(fds, []byte("GET / HTTP/1.1\r\nHost: "+host+"\r\n\r\n"), time.Duration(float64(time.Second) / *rate), time.Duration(*seconds)*time.Second)
	for _, fd := range fds {
		err = errors.Join(err, syscall.Close(fd))
	}
	return err
}

// connectAll returns file descriptors, which do not block.
func connectAll(address string, n int) ([]int, error) {
	at, err := net.ResolveTCPAddr("tcp4", address)
	if err != nil {
		return nil, err
	}
	to := &syscall.SockaddrInet4{Port: at.Port, Addr: at.AddrPort().Addr().As4()}
	fds := make([]int, n)
	for i := range fds {
		if fds[i], err = syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0); err != nil {
			return nil, err
		}
		if err := syscall.Connect(fds[i], to); err != nil {
			return nil, fmt.Errorf("connect to %s: %w", address, err)
		}
		if err := syscall.SetNonblock(fds[i], true); err != nil {
			return nil, err
		}
		if err := syscall.SetsockoptInt(fds[i], syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1); err != nil {
			return nil, err
		}
	}
	return fds, nil
}

// sleepAndWrite writes the request at every multiple of a period.
func sleepAndWrite(fds []int, request []byte, period, lasting time.Duration) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		return err
	}
	answers := make([]byte, 4096)
	begin := now.Nano()
	for i := range int(lasting / period) {
		due := unix.NsecToTimespec(begin + int64(i)*int64(period))
		for {
			err := unix.ClockNanosleep(unix.CLOCK_MONOTONIC, unix.TIMER_ABSTIME, &due, nil)
			if err == nil {
				break
			}
			if !errors.Is(err, unix.EINTR) {
				return err
			}
		}
		fd := fds[i%len(fds)]
		if _, err := syscall.Write(fd, request); err != nil {
			return err
		}
		// Responses on the next one are thrown away after the write, as only the write counts.
		if _, err := syscall.Read(fds[(i+1)%len(fds)], answers); err != nil && !errors.Is(err, syscall.EAGAIN) {
			return err
		}
	}
	return nil
}
