package services

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
	core "k8s.io/api/core/v1"
	discovery "k8s.io/api/discovery/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
)

// directory returns the directory of two Services: a headless one with three pods, one not ready and
// one with another port, and one with an address.
func directory(t *testing.T, port int32) *Directory {
	t.Helper()
	ports := func(number int32) []discovery.EndpointPort {
		name, protocol := "gossip", core.ProtocolTCP
		return []discovery.EndpointPort{{Name: &name, Protocol: &protocol, Port: &number}}
	}
	slice := func(name, service string, port int32, of ...discovery.Endpoint) *discovery.EndpointSlice {
		return &discovery.EndpointSlice{
			ObjectMeta: meta.ObjectMeta{Name: name, Namespace: "staging", Labels: map[string]string{discovery.LabelServiceName: service}},
			Ports:      ports(port), Endpoints: of,
		}
	}
	ready := func(ip string, is bool) discovery.Endpoint {
		return discovery.Endpoint{Addresses: []string{ip}, Conditions: discovery.EndpointConditions{Ready: &is}}
	}
	service := func(name, ip string) *core.Service {
		return &core.Service{
			ObjectMeta: meta.ObjectMeta{Name: name, Namespace: "staging"},
			Spec:       core.ServiceSpec{ClusterIP: ip, Ports: []core.ServicePort{{Name: "gossip", Protocol: core.ProtocolTCP, Port: port}}},
		}
	}
	named := ready("10.0.0.4", true)
	hostname := "etcd-0"
	named.Hostname = &hostname
	factory := informers.NewSharedInformerFactory(fake.NewClientset(
		service("fleet", core.ClusterIPNone), slice("fleet-a", "fleet", 7946, ready("10.0.0.2", true), ready("10.0.0.1", true), ready("10.0.0.9", false)),
		slice("fleet-b", "fleet", 7947, ready("10.0.0.3", true)),
		service("named", core.ClusterIPNone), slice("named-a", "named", 2379, named),
		service("web", "127.0.0.1"), slice("web-a", "web", port+1, ready("127.0.0.1", true)),
		service("idle", core.ClusterIPNone),
	), 0)
	d := NewDirectory(factory)
	factory.Start(t.Context().Done())
	factory.WaitForCacheSync(t.Context().Done())
	return d
}

func TestNamesOfServices(t *testing.T) {
	t.Parallel()
	d := directory(t, 9870)
	for name, tc := range map[string]struct {
		kind  uint16
		rcode int
		want  []string
	}{
		"fleet.staging.svc.cluster.local.":               {dns.TypeA, dns.RcodeSuccess, []string{"10.0.0.1", "10.0.0.2", "10.0.0.3"}},
		"Fleet.staging.svc.cluster.local.":               {dns.TypeA, dns.RcodeSuccess, []string{"10.0.0.1", "10.0.0.2", "10.0.0.3"}},
		"10-0-0-3.fleet.staging.svc.cluster.local.":      {dns.TypeA, dns.RcodeSuccess, []string{"10.0.0.3"}},
		"10-0-0-9.fleet.staging.svc.cluster.local.":      {dns.TypeA, dns.RcodeNameError, nil},
		"etcd-0.named.staging.svc.cluster.local.":        {dns.TypeA, dns.RcodeSuccess, []string{"10.0.0.4"}},
		"web.staging.svc.cluster.local.":                 {dns.TypeA, dns.RcodeSuccess, []string{"127.0.0.1"}},
		"idle.staging.svc.cluster.local.":                {dns.TypeA, dns.RcodeNameError, nil},
		"fleet.elsewhere.svc.cluster.local.":             {dns.TypeA, dns.RcodeNameError, nil},
		"fleet.staging.svc.":                             {dns.TypeA, dns.RcodeNameError, nil},
		"example.com.":                                   {dns.TypeA, dns.RcodeNameError, nil},
		"_other._tcp.fleet.staging.svc.cluster.local.":   {dns.TypeSRV, dns.RcodeNameError, nil},
		"_gossip._udp.fleet.staging.svc.cluster.local.":  {dns.TypeSRV, dns.RcodeNameError, nil},
		"x._gossip._tcp.named.staging.svc.cluster.local": {dns.TypeSRV, dns.RcodeNameError, nil},
		"_gossip._tcp.web.staging.svc.cluster.local.":    {dns.TypeSRV, dns.RcodeSuccess, []string{"web.staging.svc.cluster.local.:9870"}},
		"_gossip._tcp.named.staging.svc.cluster.local.":  {dns.TypeSRV, dns.RcodeSuccess, []string{"etcd-0.named.staging.svc.cluster.local.:2379"}},
		"_gossip._tcp.fleet.staging.svc.cluster.local.": {dns.TypeSRV, dns.RcodeSuccess, []string{
			"10-0-0-1.fleet.staging.svc.cluster.local.:7946", "10-0-0-2.fleet.staging.svc.cluster.local.:7946", "10-0-0-3.fleet.staging.svc.cluster.local.:7947",
		}},
	} {
		response := d.respond(new(dns.Msg).SetQuestion(dns.Fqdn(name), tc.kind))
		var got []string
		for _, r := range response.Answer {
			switch r := r.(type) {
			case *dns.A:
				got = append(got, r.A.String())
			case *dns.SRV:
				got = append(got, fmt.Sprintf("%s:%d", r.Target, r.Port))
			}
		}
		if response.Rcode != tc.rcode || !slices.Equal(got, tc.want) {
			t.Errorf("%s: %s %v, want %s %v", name, dns.RcodeToString[response.Rcode], got, dns.RcodeToString[tc.rcode], tc.want)
		}
		if tc.kind == dns.TypeSRV && len(response.Extra) != len(tc.want) {
			t.Errorf("%s: %d addresses are added, want %d", name, len(response.Extra), len(tc.want))
		}
	}
	aaaa := d.respond(new(dns.Msg).SetQuestion("fleet.staging.svc.cluster.local.", dns.TypeAAAA))
	if aaaa.Rcode != dns.RcodeSuccess || len(aaaa.Answer) != 0 {
		t.Errorf("for addresses of IPv6: %v", aaaa)
	}
}

func TestConnectionsArePassedOnToAnEndpoint(t *testing.T) {
	t.Parallel()
	// The endpoint's port is the one after the Service's, which has to be free, and stay free: it
	// is none of those that Linux gives to connections.
	var endpoint net.Listener
	port := 9998
	for endpoint == nil {
		if port += 2; port > 32000 {
			t.Fatal("no two ports are free")
		}
		probe, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port))
		if err != nil {
			continue
		}
		_ = probe.Close()
		endpoint, _ = net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port+1))
	}
	defer func() { _ = endpoint.Close() }()
	go func() {
		for {
			conn, err := endpoint.Accept()
			if err != nil {
				return
			}
			line, _ := bufio.NewReader(conn).ReadString('\n')
			_, _ = conn.Write([]byte(strings.ToUpper(line)))
			_ = conn.Close()
		}
	}()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	d := directory(t, int32(port))
	go func() {
		d.ServePorts(ctx, slog.New(slog.DiscardHandler))
		close(ended)
	}()
	deadline := time.Now().Add(30 * time.Second)
	for {
		if got := exchange(port, "hello\n"); got == "HELLO\n" {
			break
		} else if time.Now().After(deadline) {
			t.Fatalf("the response is %q", got)
		}
		time.Sleep(20 * time.Millisecond)
	}
	cancel()
	<-ended
	if got := exchange(port, "hello\n"); got != "" {
		t.Errorf("after the end the response is %q", got)
	}
}

// exchange sends a line to a port of this machine and returns the response, if there is
// one.
func exchange(port int, line string) string {
	conn, err := net.Dial("tcp", "127.0.0.1:"+strconv.Itoa(port))
	if err != nil {
		return ""
	}
	defer func() { _ = conn.Close() }()
	_, _ = conn.Write([]byte(line))
	response, _ := bufio.NewReader(conn).ReadString('\n')
	return response
}
