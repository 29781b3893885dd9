package kubelet

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"time"

	core "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// looks is how often a pod looks for volumes that have changed, or that are missing.
const looks = time.Second

// pod is a pod that runs.
type pod struct {
	k      *Kubelet
	object *core.Pod
	// folder is that of its volumes and root file systems.
	folder string
	// written is what its volumes hold, by name.
	written map[string]string
	sandbox *sandbox

	// stopping is closed when it has to end within grace, killing when it has to at once.
	stopping, killing chan struct{}
	grace             time.Duration

	// changed has a value when the status may be another one.
	changed chan struct{}

	mu           sync.Mutex
	ip           string
	failed       bool
	message      string
	inits, mains []*container
	conditions   map[core.PodConditionType]core.PodCondition
	started      meta.Time
}

func newPod(k *Kubelet, o *core.Pod) *pod {
	p := &pod{
		k: k, object: o, folder: filepath.Join(k.Folder, "pods", string(o.UID)), written: map[string]string{},
		stopping: make(chan struct{}), killing: make(chan struct{}), changed: make(chan struct{}, 1),
		conditions: map[core.PodConditionType]core.PodCondition{}, started: meta.Now(),
	}
	for _, c := range o.Spec.InitContainers {
		p.inits = append(p.inits, newContainer(p, c))
	}
	for _, c := range o.Spec.Containers {
		p.mains = append(p.mains, newContainer(p, c))
	}
	return p
}

// stop has the pod end within a time. The Kubelet's lock is held.
func (p *pod) stop(grace time.Duration) {
	select {
	case <-p.stopping:
	default:
		p.grace = grace
		close(p.stopping)
	}
}

// kill has the pod end at once. The Kubelet's lock is held.
func (p *pod) kill() {
	p.stop(0)
	select {
	case <-p.killing:
	default:
		close(p.killing)
	}
}

// run runs the pod until its object must be gone, or ctx is done.
func (p *pod) run(ctx context.Context) {
	life, end := context.WithCancel(ctx)
	defer end()
	var reporting sync.WaitGroup
	reporting.Go(func() { p.report(ctx, life.Done()) })
	go func() {
		select {
		case <-p.stopping:
			end()
		case <-life.Done():
		}
	}()
	p.live(life)
	select {
	case <-p.stopping:
	case <-ctx.Done():
	}
	end()
	reporting.Wait()
	p.remove()
	if ctx.Err() == nil {
		p.forget(ctx)
	}
}

// live runs the containers until all have ended for good, or ctx is done and they have.
func (p *pod) live(ctx context.Context) {
	if !p.prepare(ctx) {
		return
	}
	for _, c := range p.inits {
		policy := p.object.Spec.RestartPolicy
		if policy == core.RestartPolicyAlways {
			policy = core.RestartPolicyOnFailure
		}
		if !c.keep(ctx, policy) {
			p.mu.Lock()
			p.failed = true
			p.mu.Unlock()
			p.change()
			return
		}
	}
	var running sync.WaitGroup
	for _, c := range p.mains {
		running.Go(func() { c.keep(ctx, p.object.Spec.RestartPolicy) })
	}
	ended := make(chan struct{})
	go func() {
		running.Wait()
		close(ended)
	}()
	p.look(ended)
}

// look brings changes to the volumes until the containers have ended.
func (p *pod) look(ended <-chan struct{}) {
	ticker := time.NewTicker(looks)
	defer ticker.Stop()
	for {
		select {
		case <-ended:
			return
		case <-ticker.C:
			if err := p.refresh(); err != nil {
				p.k.Logger.Warn("volumes stay as they are", "pod", p.name(), "err", err)
			}
		}
	}
}

// prepare makes what containers need, and tries again until it is there. It returns false
// if ctx was done before.
func (p *pod) prepare(ctx context.Context) bool {
	for {
		err := p.try(ctx)
		p.mu.Lock()
		p.message = ""
		if err != nil {
			p.message = err.Error()
		}
		p.mu.Unlock()
		p.change()
		if err == nil {
			return ctx.Err() == nil
		}
		select {
		case <-ctx.Done():
			return false
		case <-time.After(looks):
		}
	}
}

func (p *pod) try(ctx context.Context) error {
	if err := os.MkdirAll(p.folder, 0o755); err != nil { //nolint:gosec // Others run in it.
		return err
	}
	if err := os.WriteFile(filepath.Join(p.folder, "resolv.conf"), []byte(p.resolvConf()), 0o644); err != nil { //nolint:gosec // Others read it.
		return err
	}
	if err := p.refresh(); err != nil || p.sandbox != nil {
		return err
	}
	s, err := p.k.Network.newSandbox(ctx)
	if err != nil {
		return err
	}
	p.sandbox = s
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ip = s.ip
	return nil
}

// remove takes away what the pod has left on this machine, but for its logs.
func (p *pod) remove() {
	if p.sandbox != nil {
		p.sandbox.close()
	}
	if err := os.RemoveAll(p.folder); err != nil {
		p.k.Logger.Warn("something of the pod is left over", "pod", p.name(), "err", err)
	}
}

// forget has the object deleted, now that nothing of the pod runs any more.
func (p *pod) forget(ctx context.Context) {
	now, uid := int64(0), p.object.UID
	err := p.k.Client.CoreV1().Pods(p.object.Namespace).Delete(ctx, p.object.Name, meta.DeleteOptions{
		GracePeriodSeconds: &now, Preconditions: &meta.Preconditions{UID: &uid},
	})
	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) && ctx.Err() == nil {
		p.k.Logger.Error("the pod cannot be deleted", "pod", p.name(), "err", err)
	}
}

// name is that of the pod with its namespace.
func (p *pod) name() string { return p.object.Namespace + "/" + p.object.Name }

// change has the status reported again.
func (p *pod) change() {
	select {
	case p.changed <- struct{}{}:
	default:
	}
}
