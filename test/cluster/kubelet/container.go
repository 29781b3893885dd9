package kubelet

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	// After a container has ended it is restarted at once, then after the shortest pause,
	// then after twice that, and so on up to the longest: a tenth of what kubelet waits.
	shortest, longest = time.Second, 30 * time.Second
	// calm is how long a container has to run before all that is forgotten.
	calm = 60 * time.Second
	// broken is how long containers live on nodes that are.
	broken = 2 * time.Second
	// nobody is the user of images that name none.
	nobody = 65532
	// unstarted is the exit code of what could not be started.
	unstarted = 128
)

// container is one of a pod.
type container struct {
	p    *pod
	spec core.Container
	// status is guarded by the pod's lock.
	status core.ContainerStatus
	// ended is set when it is not restarted any more, and guarded by the same lock.
	ended bool
}

func newContainer(p *pod, spec core.Container) *container {
	return &container{p: p, spec: spec, status: core.ContainerStatus{
		Name: spec.Name, Image: spec.Image, ImageID: spec.Image,
		State: core.ContainerState{Waiting: &core.ContainerStateWaiting{Reason: "ContainerCreating"}},
	}}
}

// update changes the status.
func (c *container) update(f func(s *core.ContainerStatus)) {
	c.p.mu.Lock()
	f(&c.status)
	c.p.mu.Unlock()
	c.p.change()
}

// keep runs the container, and again as the policy says, until ctx is done. It returns
// whether it has ended with 0.
func (c *container) keep(ctx context.Context, policy core.RestartPolicy) bool {
	defer c.p.change()
	defer func() {
		c.p.mu.Lock()
		c.ended = true
		c.p.mu.Unlock()
	}()
	pause := time.Duration(0)
	for {
		begin := time.Now()
		code := c.once(ctx)
		if ctx.Err() != nil || policy == core.RestartPolicyNever || policy == core.RestartPolicyOnFailure && code == 0 {
			return code == 0
		}
		if time.Since(begin) > calm {
			pause = 0
		}
		c.update(func(s *core.ContainerStatus) {
			s.LastTerminationState = s.State
			s.RestartCount++
			if pause > 0 {
				s.State = core.ContainerState{Waiting: &core.ContainerStateWaiting{Reason: "CrashLoopBackOff"}}
			}
		})
		select {
		case <-ctx.Done():
			return false
		case <-time.After(pause):
		}
		pause = min(max(2*pause, shortest), longest)
	}
}

// once runs the container until it ends, a probe fails for good, or ctx is done. It
// returns the exit code.
func (c *container) once(ctx context.Context) int {
	cmd, cleanup, err := c.start()
	defer cleanup()
	begin := meta.Now()
	if err != nil {
		c.over(begin, unstarted, err.Error())
		return unstarted
	}
	c.update(func(s *core.ContainerStatus) {
		s.State = core.ContainerState{Running: &core.ContainerStateRunning{StartedAt: begin}}
	})
	exited := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(exited)
	}()
	watch, end := context.WithCancel(context.WithoutCancel(ctx))
	unhealthy := make(chan string, 1)
	var probing sync.WaitGroup
	probing.Go(func() { c.probe(watch, unhealthy) })
	probing.Go(func() { c.doom(watch, cmd) })
	reason := ""
	select {
	case <-exited:
	case reason = <-unhealthy:
		c.terminate(cmd, exited, c.grace())
	case <-ctx.Done():
		c.terminate(cmd, exited, c.p.grace)
	}
	end()
	probing.Wait()
	code := exitCode(cmd.ProcessState)
	c.over(begin, code, reason)
	return code
}

// over reports that the container has ended.
func (c *container) over(begin meta.Time, code int, message string) {
	reason := "Completed"
	if code != 0 {
		reason = "Error"
		c.p.k.Logger.Info("container ended", "pod", c.p.name(), "container", c.spec.Name, "code", code, "message", message)
	}
	c.update(func(s *core.ContainerStatus) {
		started := false
		s.Ready, s.Started = false, &started
		s.State = core.ContainerState{Terminated: &core.ContainerStateTerminated{
			ExitCode: int32(code), Reason: reason, Message: message, StartedAt: begin, FinishedAt: meta.Now(),
		}}
	})
}

// exitCode is that of a process as shells have it.
func exitCode(s *os.ProcessState) int {
	if status, ok := s.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return s.ExitCode()
}

// grace is how long the pod asks for to end in.
func (c *container) grace() time.Duration {
	return time.Duration(*c.p.object.Spec.TerminationGracePeriodSeconds) * time.Second
}

// terminate ends the process, within a time.
func (c *container) terminate(cmd *exec.Cmd, exited <-chan struct{}, grace time.Duration) {
	_ = cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-exited:
		return
	case <-c.p.killing:
	case <-time.After(grace):
		c.p.k.Logger.Warn("container was killed", "pod", c.p.name(), "container", c.spec.Name, "grace_seconds", grace.Seconds())
	}
	_ = cmd.Process.Kill()
	<-exited
}

// doom kills the process after a while if its node is broken.
func (c *container) doom(ctx context.Context, cmd *exec.Cmd) {
	ticker := time.NewTicker(broken)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if c.p.k.isBroken(c.p.object.Spec.NodeName) {
				_ = cmd.Process.Kill()
			}
		}
	}
}

// start starts the process. What it returns to clean up with is never nil.
func (c *container) start() (*exec.Cmd, func(), error) {
	c.p.mu.Lock()
	restarts := c.status.RestartCount
	c.p.mu.Unlock()
	image := c.p.k.Image(c.spec.Image)
	root, err := c.p.newRoot(filepath.Join(c.p.folder, "roots", fmt.Sprintf("%s-%d", c.spec.Name, restarts)), c.spec, image)
	cleanup := root.unmount
	if err != nil {
		return nil, cleanup, err
	}
	environment, err := c.environment()
	if err != nil {
		return nil, cleanup, err
	}
	logs := filepath.Join(c.p.k.Folder, "logs", c.p.object.Namespace)
	if err = os.MkdirAll(logs, 0o755); err != nil { //nolint:gosec // For people to read.
		return nil, cleanup, err
	}
	log, err := os.Create(filepath.Join(logs, fmt.Sprintf("%s_%s_%d.log", c.p.object.Name, c.spec.Name, restarts))) //nolint:gosec // The names are those of Kubernetes.
	if err != nil {
		return nil, cleanup, err
	}
	cleanup = func() {
		_ = log.Close()
		root.unmount()
	}
	command := append(append([]string{}, image.Entrypoint...), c.spec.Args...)
	if len(c.spec.Command) > 0 {
		command = append(append([]string{}, c.spec.Command...), c.spec.Args...)
	}
	if len(command) == 0 {
		return nil, cleanup, errors.New("neither the container nor its image has a command")
	}
	cmd := &exec.Cmd{Path: command[0], Args: command, Env: environment, Dir: "/", Stdout: log, Stderr: log}
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root.path, Credential: c.user()}
	return cmd, cleanup, c.p.sandbox.start(cmd)
}

// user is the user that the process runs as. Users other than root have no capabilities.
func (c *container) user() *syscall.Credential {
	u := &syscall.Credential{Uid: nobody, Gid: nobody}
	if s := c.p.object.Spec.SecurityContext; s != nil {
		set(&u.Uid, s.RunAsUser)
		set(&u.Gid, s.RunAsGroup)
		if s.FSGroup != nil {
			u.Groups = []uint32{uint32(*s.FSGroup)}
		}
	}
	if s := c.spec.SecurityContext; s != nil {
		set(&u.Uid, s.RunAsUser)
		set(&u.Gid, s.RunAsGroup)
	}
	return u
}

func set(id *uint32, value *int64) {
	if value != nil {
		*id = uint32(*value)
	}
}
