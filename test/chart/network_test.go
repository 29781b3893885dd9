package chart

import (
	"net/netip"
	"slices"
	"testing"

	batch "k8s.io/api/batch/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// endpoint is one end of a connection: a pod, or an address outside of the cluster.
type endpoint struct {
	// namespace is empty outside of the cluster; its labels are those that Kubernetes gives it.
	namespace string
	labels    map[string]string
	// ports are the pod's own, by name.
	ports map[string]int32
	addr  netip.Addr
}

// selects reports whether a selector selects an endpoint.
func selects(s *meta.LabelSelector, of map[string]string) bool {
	selector, err := meta.LabelSelectorAsSelector(s)
	return err == nil && selector.Matches(labels.Set(of))
}

// isPeer reports whether the endpoint is one of the peers of a rule of a policy in a namespace.
// Without peers everyone is.
func (e endpoint) isPeer(namespace string, peers []networking.NetworkPolicyPeer) bool {
	return len(peers) == 0 || slices.ContainsFunc(peers, func(p networking.NetworkPolicyPeer) bool {
		if p.IPBlock != nil {
			block, err := netip.ParsePrefix(p.IPBlock.CIDR)
			return err == nil && e.namespace == "" && block.Contains(e.addr)
		}
		there := e.namespace == namespace
		if p.NamespaceSelector != nil {
			there = e.namespace != "" && selects(p.NamespaceSelector, map[string]string{core.LabelMetadataName: e.namespace})
		}
		return there && (p.PodSelector == nil || selects(p.PodSelector, e.labels))
	})
}

// takes reports whether one of the ports of a rule is this one of the endpoint that is connected
// to. Names are those of its own ports. Without ports all are.
func (e endpoint) takes(ports []networking.NetworkPolicyPort, port int32, protocol core.Protocol) bool {
	return len(ports) == 0 || slices.ContainsFunc(ports, func(p networking.NetworkPolicyPort) bool {
		if p.Protocol != nil && *p.Protocol != protocol || p.Protocol == nil && protocol != core.ProtocolTCP {
			return false
		}
		number := p.Port.IntVal
		if p.Port.StrVal != "" {
			number = e.ports[p.Port.StrVal]
		}
		return number == port
	})
}

// connects reports whether the policies let one endpoint connect to a port of another: a pod that
// policies select for a direction is restricted to what one of them allows.
func connects(policies []*networking.NetworkPolicy, from, to endpoint, port int32, protocol core.Protocol) bool {
	var out, in struct{ selected, allowed bool }
	for _, p := range policies {
		if p.Namespace == from.namespace && slices.Contains(p.Spec.PolicyTypes, networking.PolicyTypeEgress) && selects(&p.Spec.PodSelector, from.labels) {
			out.selected = true
			for _, r := range p.Spec.Egress {
				out.allowed = out.allowed || to.isPeer(p.Namespace, r.To) && to.takes(r.Ports, port, protocol)
			}
		}
		if p.Namespace == to.namespace && slices.Contains(p.Spec.PolicyTypes, networking.PolicyTypeIngress) && selects(&p.Spec.PodSelector, to.labels) {
			in.selected = true
			for _, r := range p.Spec.Ingress {
				in.allowed = in.allowed || from.isPeer(p.Namespace, r.From) && to.takes(r.Ports, port, protocol)
			}
		}
	}
	return (!out.selected || out.allowed) && (!in.selected || in.allowed)
}

// podOf returns the endpoint of a template's pods.
func podOf(namespace string, p core.PodTemplateSpec) endpoint {
	e := endpoint{namespace: namespace, labels: p.Labels, ports: map[string]int32{}}
	for _, c := range p.Spec.Containers {
		for _, port := range c.Ports {
			e.ports[port.Name] = port.ContainerPort
		}
	}
	return e
}

func TestPoliciesLetThroughWhatAFleetNeedsAndNothingElse(t *testing.T) {
	t.Parallel()
	const closed = "networkPolicy: {webFrom: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: monitoring}}}], egress: {enabled: true}}\n"
	const rules = "networkPolicy: {egress: {enabled: true, rules: [{to: [{ipBlock: {cidr: 203.0.113.0/24}}], ports: [{port: 443, protocol: TCP}]}]}}\n"
	stranger := endpoint{namespace: namespace, labels: map[string]string{"app.kubernetes.io/name": "other"}}
	elsewhere := endpoint{namespace: "other", labels: map[string]string{"app.kubernetes.io/name": "traffic-exporter", component: "exporter"}}
	prometheus := endpoint{namespace: "monitoring", labels: map[string]string{"app": "prometheus"}}
	dns := endpoint{namespace: "kube-system", labels: map[string]string{"k8s-app": "kube-dns"}}
	target := endpoint{addr: netip.MustParseAddr("203.0.113.7")}
	other := endpoint{addr: netip.MustParseAddr("198.51.100.7")}
	for name, tc := range map[string]struct {
		values string
		// web says whether strangers reach the web port, egress whether the replicas reach
		// addresses outside, and targets whether those of the rules.
		web, egress, targets bool
	}{
		"the defaults":             {"", true, true, true},
		"another port":             {"fleet: {port: 7950}\nweb: {port: 9090}\n", true, true, true},
		"closed":                   {closed, false, false, false},
		"closed with another name": {closed + "nameOverride: load\n", false, false, false},
		"rules for targets":        {rules, true, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := render(t, set(t, tc.values))
			policies := all[*networking.NetworkPolicy](m)
			replica := podOf(namespace, m.deployment(t).Spec.Template)
			gossip, web := replica.ports["gossip"], replica.ports["http"]
			// A replica of the release before, whose gossip has another port.
			old := endpoint{namespace: namespace, labels: replica.labels, ports: map[string]int32{"gossip": gossip - 1, "http": web}}
			demo := podOf(namespace, m.pods()["Deployment "+m.deployment(t).Name+"-demo-target"])
			var test endpoint
			for _, j := range all[*batch.Job](m) {
				test = podOf(namespace, j.Spec.Template)
			}
			if len(policies) == 0 || gossip == 0 || web == 0 || demo.ports["http"] == 0 || test.labels == nil {
				t.Fatalf("%d policies, ports %v, demo %v, test %v", len(policies), replica.ports, demo, test)
			}
			for _, c := range []struct {
				what     string
				from, to endpoint
				port     int32
				want     bool
			}{
				{"gossip among replicas", replica, replica, gossip, true},
				{"gossip with an old replica", replica, old, gossip - 1, true},
				{"gossip by an old replica", old, replica, gossip, true},
				{"gossip at a port that is another replica's", old, replica, gossip - 1, false},
				{"gossip with a stranger", stranger, replica, gossip, false},
				{"gossip with another namespace", elsewhere, replica, gossip, false},
				{"gossip with the target", demo, replica, gossip, false},
				{"scrapes by Prometheus", prometheus, replica, web, true},
				{"the web port to a stranger", stranger, replica, web, tc.web},
				{"the web port to another namespace", elsewhere, replica, web, tc.web},
				{"helm test", test, replica, web, true},
				{"the demo", replica, demo, demo.ports["http"], true},
				{"a target of the rules", replica, target, 443, tc.targets},
				{"another port of it", replica, target, 80, tc.egress},
				{"another target", replica, other, 443, tc.egress},
				{"a stranger's port", replica, stranger, 8080, tc.egress},
			} {
				if got := connects(policies, c.from, c.to, c.port, core.ProtocolTCP); got != c.want {
					t.Errorf("%s: let through %t, want %t", c.what, got, c.want)
				}
			}
			for _, port := range []int32{53, 5353} {
				for _, protocol := range []core.Protocol{core.ProtocolUDP, core.ProtocolTCP} {
					if !connects(policies, replica, dns, port, protocol) {
						t.Errorf("DNS at %s port %d does not get through", protocol, port)
					}
				}
			}
		})
	}
}
