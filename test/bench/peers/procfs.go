//go:build linux

package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

// tick is the unit of /proc/stat.
const tick = 10 * time.Millisecond

// processorTime returns the processor time that a process has used so far, in all its
// threads, those that have ended included. It is as exact as getrusage's figure at
// the end of a process.
func processorTime(pid int) (time.Duration, error) {
	// The clock of a process is named by its number: see clock_getcpuclockid(3).
	const scheduler = 2
	clock := uintptr(uint32(^int32(pid)<<3 | scheduler))
	var t syscall.Timespec
	//nolint:gosec // G103: the kernel writes the time by address.
	if _, _, errno := syscall.Syscall(syscall.SYS_CLOCK_GETTIME, clock, uintptr(unsafe.Pointer(&t)), 0); errno != 0 {
		return 0, fmt.Errorf("processor time of process %d: %w", pid, errno)
	}
	return time.Duration(t.Nano()), nil
}

// memory is the resident memory of a process, in bytes.
type memory struct {
	Now  int64 `json:"now"`
	Peak int64 `json:"peak"`
}

func residentMemory(pid int) (memory, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return memory{}, err
	}
	return memory{Now: kibibytes(status, "VmRSS:"), Peak: kibibytes(status, "VmHWM:")}, nil
}

// kibibytes returns a value of /proc/PID/status in bytes; 0 if it is not there.
func kibibytes(status []byte, key string) int64 {
	fields := strings.Fields(after(status, key))
	if len(fields) == 0 {
		return 0
	}
	n, _ := strconv.ParseInt(fields[0], 10, 64)
	return n << 10
}

// after returns the rest of the first line that starts with the key.
func after(text []byte, key string) string {
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		if rest, ok := strings.CutPrefix(lines.Text(), key); ok {
			return rest
		}
	}
	return ""
}

// openFiles returns how many files a process has open.
func openFiles(pid int) (int, error) {
	files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	return len(files), err
}

// busyTime returns the time that all processors together have worked so far, for
// all processes.
func busyTime() (time.Duration, error) {
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, err
	}
	return parseBusy(stat), nil
}

// parseBusy adds up user, nice, system, irq, softirq and steal of /proc/stat.
func parseBusy(stat []byte) time.Duration {
	var sum time.Duration
	for i, field := range strings.Fields(after(stat, "cpu ")) {
		const idle, waiting, last = 3, 4, 7
		if n, err := strconv.ParseInt(field, 10, 64); err == nil && i != idle && i != waiting && i <= last {
			sum += time.Duration(n) * tick
		}
	}
	return sum
}

// machine is what the suite has run on.
type machine struct {
	CPU     string `json:"cpu"`
	Cores   int    `json:"cores"`
	Kernel  string `json:"kernel"`
	Memory  int64  `json:"memory"`
	Virtual bool   `json:"virtual"`
	Go      string `json:"go"`
}

func thisMachine() machine {
	read := func(path string) []byte {
		b, _ := os.ReadFile(path) // An unreadable file stays empty.
		return b
	}
	cpu := read("/proc/cpuinfo")
	return machine{
		CPU:     strings.TrimLeft(after(cpu, "model name"), "\t :"),
		Cores:   runtime.NumCPU(),
		Kernel:  strings.TrimSpace(string(read("/proc/sys/kernel/osrelease"))),
		Memory:  kibibytes(read("/proc/meminfo"), "MemTotal:"),
		Virtual: strings.Contains(after(cpu, "flags"), " hypervisor"),
		Go:      runtime.Version(),
	}
}
