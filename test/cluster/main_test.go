// Package cluster installs the Helm chart on a real control plane of Kubernetes, whose
// nodes are package kubelet, and does to it what happens to a release in its life. A
// target counts which slots arrive. `make cluster` builds what it needs and runs it.
//
// All of it runs in namespaces of its own for networks, mounts and processes, so that
// nothing leaves the machine and nothing is left over. It takes root.
//
// It is a module of its own, so that the others do not depend on Kubernetes' client.
package cluster

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"
)

// root is the folder of the project.
const root = "../.."

// tools are the binaries under test and to test with, and the folder of the Prometheus
// operator's definitions.
type tools struct {
	exporter, helm3, helm4, kubectl, etcd, apiServer, controllers, scheduler, definitions string
}

// env returns the paths of the tools, which TestMain has checked.
func env() tools {
	return tools{
		exporter:    os.Getenv("TRAFFIC_CLUSTER_BINARY"),
		helm3:       os.Getenv("TRAFFIC_CLUSTER_HELM3"),
		helm4:       os.Getenv("TRAFFIC_CLUSTER_HELM4"),
		kubectl:     os.Getenv("TRAFFIC_CLUSTER_KUBECTL"),
		etcd:        os.Getenv("TRAFFIC_CLUSTER_ETCD"),
		apiServer:   os.Getenv("TRAFFIC_CLUSTER_APISERVER"),
		controllers: os.Getenv("TRAFFIC_CLUSTER_CONTROLLERS"),
		scheduler:   os.Getenv("TRAFFIC_CLUSTER_SCHEDULER"),
		definitions: os.Getenv("TRAFFIC_CLUSTER_CRDS"),
	}
}

// inside is set in the process that runs in the namespaces.
const inside = "TRAFFIC_CLUSTER_INSIDE"

func TestMain(m *testing.M) {
	e := env()
	for _, path := range []string{e.exporter, e.helm3, e.helm4, e.kubectl, e.etcd, e.apiServer, e.controllers, e.scheduler, e.definitions} {
		if _, err := os.Stat(path); err != nil {
			fmt.Fprintf(os.Stderr, "run `make cluster`, which builds the binaries and sets TRAFFIC_CLUSTER_BINARY and others: %v\n", err)
			os.Exit(1)
		}
	}
	if os.Getenv(inside) == "" {
		os.Exit(enter())
	}
	// Mounts must not reach the machine's own, and /proc has to be that of these processes.
	err := errors.Join(
		syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""),
		syscall.Mount("proc", "/proc", "proc", syscall.MS_NOSUID|syscall.MS_NOEXEC|syscall.MS_NODEV, ""),
	)
	if err != nil {
		fmt.Fprintln(os.Stderr, "the namespaces cannot be set up:", err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// enter runs the tests in namespaces of their own and returns the exit code. What they
// start ends with them.
func enter() int {
	runtime.LockOSThread() // The child is killed when the thread ends that started it.
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Env = append(os.Environ(), inside+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID,
		Pdeathsig:  syscall.SIGKILL,
	}
	err := cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return max(1, exit.ExitCode())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "namespaces for networks, mounts and processes cannot be made, which takes root:", err)
		return 1
	}
	return 0
}
