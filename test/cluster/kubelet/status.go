package kubelet

import (
	"context"
	"encoding/json"
	"time"

	core "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// report writes the pod's status each time it changes until the pod is over, and then a
// last time.
func (p *pod) report(ctx context.Context, over <-chan struct{}) {
	last := ""
	for {
		select {
		case <-p.changed:
			last = p.write(ctx, last)
		case <-over:
			p.finish(ctx, last)
			return
		}
	}
}

// finish goes on until the containers have ended.
func (p *pod) finish(ctx context.Context, last string) {
	for ctx.Err() == nil && !p.hasEnded() {
		select {
		case <-ctx.Done():
		case <-p.changed:
			last = p.write(ctx, last)
		}
	}
	p.write(ctx, last)
}

// hasEnded reports whether no container runs, or will.
func (p *pod) hasEnded() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range append(append([]*container{}, p.inits...), p.mains...) {
		if c.status.State.Running != nil {
			return false
		}
	}
	return true
}

// write writes the status if it is another one than the last, and returns what it is now.
func (p *pod) write(ctx context.Context, last string) string {
	status, err := json.Marshal(map[string]any{"metadata": map[string]any{"uid": p.object.UID}, "status": p.status()})
	if err != nil || string(status) == last {
		return last
	}
	_, err = p.k.Client.CoreV1().Pods(p.object.Namespace).Patch(ctx, p.object.Name, types.StrategicMergePatchType, status, meta.PatchOptions{}, "status")
	if err == nil {
		return string(status)
	}
	if !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) && ctx.Err() == nil {
		p.k.Logger.Warn("the status cannot be written", "pod", p.name(), "err", err)
		time.AfterFunc(looks, p.change)
	}
	return last
}

// status is that of the pod now.
func (p *pod) status() core.PodStatus {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := core.PodStatus{Phase: p.phase(), StartTime: &p.started, PodIP: p.ip, HostIP: p.k.Network.Host(), Message: p.message}
	s.HostIPs = []core.HostIP{{IP: s.HostIP}}
	if p.ip != "" {
		s.PodIPs = []core.PodIP{{IP: p.ip}}
	}
	initialized, ready := true, true
	for _, c := range p.inits {
		t := c.status.State.Terminated
		initialized = initialized && t != nil && t.ExitCode == 0
		s.InitContainerStatuses = append(s.InitContainerStatuses, c.status)
	}
	for _, c := range p.mains {
		ready = ready && c.status.Ready
		s.ContainerStatuses = append(s.ContainerStatuses, c.status)
	}
	s.Conditions = []core.PodCondition{
		p.condition(core.PodInitialized, initialized), p.condition(core.ContainersReady, ready), p.condition(core.PodReady, ready),
	}
	return s
}

// condition is one of the pod, and when it became what it is.
func (p *pod) condition(kind core.PodConditionType, holds bool) core.PodCondition {
	status := core.ConditionFalse
	if holds {
		status = core.ConditionTrue
	}
	c, known := p.conditions[kind]
	if !known || c.Status != status {
		c = core.PodCondition{Type: kind, Status: status, LastTransitionTime: meta.Now()}
		p.conditions[kind] = c
	}
	return c
}

// phase is the pod's.
func (p *pod) phase() core.PodPhase {
	if p.failed {
		return core.PodFailed
	}
	started, ended, zero := false, true, true
	for _, c := range p.mains {
		s := c.status.State
		started = started || s.Running != nil || s.Terminated != nil || c.status.RestartCount > 0
		ended = ended && c.ended
		zero = zero && s.Terminated != nil && s.Terminated.ExitCode == 0
	}
	switch {
	case ended && zero:
		return core.PodSucceeded
	case ended:
		return core.PodFailed
	case started:
		return core.PodRunning
	default:
		return core.PodPending
	}
}
