package kubelet

import (
	"context"
	"time"

	coordination "k8s.io/api/coordination/v1"
	core "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	// leases is the namespace of what nodes report being alive by.
	leases = "kube-node-lease"
	// beats is how often they do.
	beats = 10 * time.Second
)

// register adds a node, with room for all pods of a test.
func (k *Kubelet) register(ctx context.Context, name string) error {
	capacity := core.ResourceList{
		core.ResourceCPU:    resource.MustParse("16"),
		core.ResourceMemory: resource.MustParse("64Gi"),
		core.ResourcePods:   resource.MustParse("110"),
	}
	node := &core.Node{
		ObjectMeta: meta.ObjectMeta{Name: name, Labels: map[string]string{
			core.LabelHostname: name, core.LabelOSStable: "linux", core.LabelArchStable: "amd64", core.LabelTopologyZone: "a",
		}},
	}
	node, err := k.Client.CoreV1().Nodes().Create(ctx, node, meta.CreateOptions{})
	if err != nil {
		return err
	}
	now := meta.Now()
	node.Status = core.NodeStatus{
		Capacity: capacity, Allocatable: capacity,
		Addresses: []core.NodeAddress{{Type: core.NodeInternalIP, Address: k.Network.Host()}},
		Conditions: []core.NodeCondition{{
			Type: core.NodeReady, Status: core.ConditionTrue, Reason: "KubeletReady", LastHeartbeatTime: now, LastTransitionTime: now,
		}},
	}
	if _, err = k.Client.CoreV1().Nodes().UpdateStatus(ctx, node, meta.UpdateOptions{}); err != nil {
		return err
	}
	seconds := int32(4 * beats / time.Second)
	lease := &coordination.Lease{
		ObjectMeta: meta.ObjectMeta{Name: name},
		Spec:       coordination.LeaseSpec{HolderIdentity: &name, LeaseDurationSeconds: &seconds, RenewTime: &meta.MicroTime{Time: now.Time}},
	}
	_, err = k.Client.CoordinationV1().Leases(leases).Create(ctx, lease, meta.CreateOptions{})
	return err
}

// beat has the nodes report being alive until ctx is done.
func (k *Kubelet) beat(ctx context.Context) {
	ticker := time.NewTicker(beats)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		for name := range k.nodes {
			if err := k.renew(ctx, name); err != nil {
				k.Logger.Warn("node cannot report being alive", "node", name, "err", err)
			}
		}
	}
}

func (k *Kubelet) renew(ctx context.Context, name string) error {
	lease, err := k.Client.CoordinationV1().Leases(leases).Get(ctx, name, meta.GetOptions{})
	if err != nil {
		return err
	}
	lease.Spec.RenewTime = &meta.MicroTime{Time: time.Now()}
	_, err = k.Client.CoordinationV1().Leases(leases).Update(ctx, lease, meta.UpdateOptions{})
	return err
}
