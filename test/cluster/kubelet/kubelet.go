// Package kubelet stands in for the kubelets of a cluster: it registers nodes and runs the
// pods that are bound to them as processes of this machine.
//
// Each pod has a network namespace with an address of its own, each container a root file
// system of the image's files, its volumes and nothing else, and the user that the pod asks
// for. Probes, restarts, grace periods and changes of mounted ConfigMaps are as kubelet
// has them, but faster. There are no images, no limits of resources, no ephemeral and no
// sidecar containers, no hooks, and no probes but HTTP and TCP.
//
// It needs root, a network namespace and a mount namespace of its own: see Network.
package kubelet

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	core "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	listers "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
)

// Image is what stands in for a container image.
type Image struct {
	// Files are those of this machine to mount, by their paths in the container.
	Files map[string]string
	// Entrypoint is the command that a container's arguments are appended to.
	Entrypoint []string
}

// Options are what a Kubelet is made of. All are needed.
type Options struct {
	Client    kubernetes.Interface
	Informers informers.SharedInformerFactory
	Network   *Network
	// Image returns what stands in for an image.
	Image func(name string) Image
	// Folder is where volumes, root file systems and logs are.
	Folder string
	Logger *slog.Logger
}

// Kubelet runs the pods of all nodes. Its methods may be called concurrently.
type Kubelet struct {
	Options

	configMaps listers.ConfigMapLister
	secrets    listers.SecretLister

	mu     sync.Mutex
	nodes  map[string]bool
	pods   map[types.UID]*pod
	broken map[string]bool
}

// New returns a Kubelet of nodes, whose names are given.
func New(o Options, nodes ...string) *Kubelet {
	k := &Kubelet{
		Options:    o,
		configMaps: o.Informers.Core().V1().ConfigMaps().Lister(),
		secrets:    o.Informers.Core().V1().Secrets().Lister(),
		nodes:      map[string]bool{},
		pods:       map[types.UID]*pod{},
		broken:     map[string]bool{},
	}
	for _, name := range nodes {
		k.nodes[name] = true
	}
	return k
}

// Run registers the nodes and runs their pods until ctx is done, when it kills all that
// still run. It starts the informers.
func (k *Kubelet) Run(ctx context.Context) error {
	for name := range k.nodes {
		if err := k.register(ctx, name); err != nil {
			return fmt.Errorf("node %q: %w", name, err)
		}
	}
	var running sync.WaitGroup
	defer running.Wait()
	running.Go(func() { k.beat(ctx) })
	see := func(o any) { k.see(ctx, &running, o.(*core.Pod)) }
	_, err := k.Informers.Core().V1().Pods().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    see,
		UpdateFunc: func(_, o any) { see(o) },
		DeleteFunc: func(o any) {
			if unknown, ok := o.(cache.DeletedFinalStateUnknown); ok {
				o = unknown.Obj
			}
			k.gone(o.(*core.Pod))
		},
	})
	if err != nil {
		return err
	}
	k.Informers.Core().V1().ConfigMaps().Informer()
	k.Informers.Core().V1().Secrets().Informer()
	k.Informers.Start(ctx.Done())
	<-ctx.Done()
	return nil
}

// Break has the containers of a node die 2 s after they have started, those that run now
// and all later ones, or no longer.
func (k *Kubelet) Break(node string, broken bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.broken[node] = broken
}

// isBroken reports whether containers of a node die.
func (k *Kubelet) isBroken(node string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.broken[node]
}

// see starts or stops a pod.
func (k *Kubelet) see(ctx context.Context, running *sync.WaitGroup, o *core.Pod) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.nodes[o.Spec.NodeName] || ctx.Err() != nil {
		return
	}
	p := k.pods[o.UID]
	if p == nil {
		p = newPod(k, o)
		k.pods[o.UID] = p
		running.Go(func() { p.run(ctx) })
	}
	if o.DeletionTimestamp != nil {
		p.stop(time.Duration(*o.DeletionGracePeriodSeconds) * time.Second)
	}
}

// gone kills a pod whose object is no more.
func (k *Kubelet) gone(o *core.Pod) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if p := k.pods[o.UID]; p != nil {
		p.kill()
		delete(k.pods, o.UID)
	}
}
