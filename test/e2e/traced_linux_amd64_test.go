//go:build e2e

package e2e

import (
	"encoding/binary"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// trace is what a tracer does: it runs a program, does to it what the file says, and returns its exit code.
func trace(control string, command []string) (int, error) {
	runtime.LockOSThread() // A program is traced by a thread.
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Ptrace: true}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	p := &traced{pid: cmd.Process.Pid, known: map[int]bool{}, held: map[int]bool{}}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM)
	go func() {
		for s := range signals {
			_ = cmd.Process.Signal(s)
		}
	}()
	go p.follow(control)
	return p.run()
}

// traced is a program that is traced.
type traced struct {
	pid int
	// ahead is the lead of its clock, in nanoseconds.
	ahead atomic.Int64
	hangs atomic.Bool
	// known are the threads that have begun, and held those whose call hangs.
	known, held map[int]bool
}

// follow does what the file says.
func (p *traced) follow(control string) {
	for ; ; time.Sleep(20 * time.Millisecond) {
		content, err := os.ReadFile(control)
		if err != nil {
			continue
		}
		says := strings.TrimSpace(string(content))
		p.hangs.Store(says == hanging)
		ahead, _ := time.ParseDuration(says)
		p.ahead.Store(int64(ahead))
	}
}

// What syscall does not have of ptrace's interface.
const (
	traceEndKills = 0x100000 // PTRACE_O_EXITKILL
	traceCall     = syscall.SIGTRAP | 0x80
	vectorEnd     = 0
	vectorIgnore  = 1
	vectorVDSO    = 33 // AT_SYSINFO_EHDR
)

// run passes on the program's signals and looks at its system calls until it ends.
func (p *traced) run() (int, error) {
	var status syscall.WaitStatus
	if _, err := syscall.Wait4(p.pid, &status, 0, nil); err != nil {
		return 0, err
	}
	p.known[p.pid] = true
	options := syscall.PTRACE_O_TRACECLONE | syscall.PTRACE_O_TRACEEXEC | syscall.PTRACE_O_TRACESYSGOOD | traceEndKills
	if err := syscall.PtraceSetOptions(p.pid, options); err != nil {
		return 0, err
	}
	if err := p.started(); err != nil {
		return 0, err
	}
	for pid := p.pid; ; {
		resume, s := true, syscall.Signal(0)
		switch {
		case status.Exited() && pid == p.pid:
			return status.ExitStatus(), nil
		case status.Signaled() && pid == p.pid:
			return 128 + int(status.Signal()), nil
		case !status.Stopped():
			delete(p.known, pid)
			resume = false
		case status.StopSignal() == traceCall:
			resume = p.call(pid)
		case status.StopSignal() == syscall.SIGTRAP:
			if status.TrapCause() == syscall.PTRACE_EVENT_EXEC {
				if err := p.started(); err != nil {
					return 0, err
				}
			}
		case status.StopSignal() == syscall.SIGSTOP && !p.known[pid]: // Each thread begins with one.
		default:
			s = status.StopSignal()
		}
		if status.Stopped() {
			p.known[pid] = true
		}
		if resume {
			_ = syscall.PtraceSyscall(pid, int(s)) // It may have been killed meanwhile.
		}
		if !p.hangs.Load() {
			for held := range p.held {
				_ = syscall.PtraceSyscall(held, 0)
			}
			clear(p.held)
		}
		var err error
		if pid, err = syscall.Wait4(-1, &status, syscall.WALL, nil); err != nil {
			return 0, err
		}
	}
}

// started takes the clock that needs no system call from a program that has just been started
// (getauxval(3), vdso(7)).
func (p *traced) started() error {
	var regs syscall.PtraceRegs
	if err := syscall.PtraceGetRegs(p.pid, &regs); err != nil {
		return err
	}
	word := func(at uint64) uint64 { return p.word(p.pid, at) }
	at := regs.Rsp + 8*(1+word(regs.Rsp)+1) // The number of arguments, they, and a zero.
	for word(at) != 0 {                     // The environment.
		at += 8
	}
	for at += 8; word(at) != vectorEnd; at += 16 {
		if word(at) == vectorVDSO {
			return p.poke(p.pid, at, vectorIgnore)
		}
	}
	return nil // It has none.
}

// word returns a word of a thread's memory, or 0 where there is none.
func (p *traced) word(pid int, at uint64) uint64 {
	var b [8]byte
	_, _ = syscall.PtracePeekData(pid, uintptr(at), b[:])
	return binary.NativeEndian.Uint64(b[:])
}

func (p *traced) poke(pid int, at, value uint64) error {
	_, err := syscall.PtracePokeData(pid, uintptr(at), binary.NativeEndian.AppendUint64(nil, value))
	return err
}

// call looks at a system call that begins or ends, and reports whether the thread goes on.
func (p *traced) call(pid int) bool {
	var regs syscall.PtraceRegs
	if syscall.PtraceGetRegs(pid, &regs) != nil {
		return true
	}
	begins := int64(regs.Rax) == -int64(syscall.ENOSYS)
	switch {
	case begins && regs.Orig_rax == syscall.SYS_SENDTO && p.hangs.Load():
		p.held[pid] = true
		return false
	case !begins && regs.Orig_rax == syscall.SYS_CLOCK_GETTIME && regs.Rdi == 0: // CLOCK_REALTIME
		at := regs.Rsi
		now := time.Unix(int64(p.word(pid, at)), int64(p.word(pid, at+8))).Add(time.Duration(p.ahead.Load()))
		_, _ = p.poke(pid, at, uint64(now.Unix())), p.poke(pid, at+8, uint64(now.Nanosecond()))
	}
	return true
}
