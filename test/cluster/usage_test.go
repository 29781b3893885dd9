package cluster

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	core "k8s.io/api/core/v1"
	discovery "k8s.io/api/discovery/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// usage stands in for the metrics server: all pods of a namespace use as much of a
// processor as the test sets, 100m at first.
type usage struct {
	cluster *cluster

	mu sync.Mutex
	// millis are thousandths of a processor by namespace.
	millis map[string]int
}

// metricsAPI is its group and version.
const metricsAPI = "metrics.k8s.io/v1beta1"

// set sets what each pod of a namespace uses, in thousandths of a processor.
func (u *usage) set(namespace string, millis int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.millis[namespace] = millis
}

// startUsage starts it and has the API server pass requests on to it.
func startUsage(t *testing.T, c *cluster) *usage {
	t.Helper()
	u := &usage{cluster: c, millis: map[string]int{}}
	const port = 4443
	listener, err := net.Listen("tcp", fmt.Sprintf("%s:%d", host, port))
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: u, ReadHeaderTimeout: soon, TLSConfig: newAuthority(t).config(t)}
	go func() { _ = server.ServeTLS(listener, "", "") }()
	t.Cleanup(func() { _ = server.Close() })
	c.publish(t, "kube-system", "metrics-server", core.ServicePort{Name: "https", Port: 443}, port)
	c.kubectl(t, "apply", "--filename="+c.write(t, "apiservice.yaml", `apiVersion: apiregistration.k8s.io/v1
kind: APIService
metadata: {name: v1beta1.metrics.k8s.io}
spec:
  group: metrics.k8s.io
  version: v1beta1
  groupPriorityMinimum: 100
  versionPriority: 100
  insecureSkipTLSVerify: true
  service: {namespace: kube-system, name: metrics-server}
`))
	c.kubectl(t, "wait", "--for=condition=Available", "apiservice/v1beta1.metrics.k8s.io", "--timeout=60s")
	return u
}

// ServeHTTP responds with what there is, and with what pods use.
func (u *usage) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	var response any = meta.APIResourceList{
		TypeMeta: meta.TypeMeta{Kind: "APIResourceList", APIVersion: "v1"}, GroupVersion: metricsAPI,
		APIResources: []meta.APIResource{{Name: "pods", Namespaced: true, Kind: "PodMetrics", Verbs: []string{"get", "list"}}},
	}
	if rest, found := strings.CutPrefix(r.URL.Path, "/apis/"+metricsAPI+"/namespaces/"); found {
		namespace, _, _ := strings.Cut(rest, "/")
		pods, err := u.cluster.client.CoreV1().Pods(namespace).List(r.Context(), meta.ListOptions{LabelSelector: r.URL.Query().Get("labelSelector")})
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		response = u.of(namespace, pods.Items)
	}
	_ = json.NewEncoder(w).Encode(response)
}

// of is what pods use.
func (u *usage) of(namespace string, pods []core.Pod) map[string]any {
	u.mu.Lock()
	millis, found := u.millis[namespace]
	u.mu.Unlock()
	if !found {
		millis = 100
	}
	items := []any{}
	for _, p := range pods {
		var containers []any
		for _, c := range p.Spec.Containers {
			containers = append(containers, map[string]any{"name": c.Name, "usage": map[string]string{"cpu": fmt.Sprintf("%dm", millis), "memory": "32Mi"}})
		}
		items = append(items, map[string]any{
			"metadata":  map[string]any{"name": p.Name, "namespace": p.Namespace, "labels": p.Labels},
			"timestamp": time.Now().UTC().Format(time.RFC3339), "window": "1s", "containers": containers,
		})
	}
	return map[string]any{"kind": "PodMetricsList", "apiVersion": metricsAPI, "metadata": map[string]any{}, "items": items}
}

// publish makes a Service of a port of this machine, which is headless if there are hostnames.
func (c *cluster) publish(t *testing.T, namespace, service string, as core.ServicePort, port int32, hostnames ...string) {
	t.Helper()
	s := &core.Service{ObjectMeta: meta.ObjectMeta{Name: service}, Spec: core.ServiceSpec{Ports: []core.ServicePort{as}}}
	if len(hostnames) > 0 {
		s.Spec.ClusterIP = core.ClusterIPNone
	}
	if _, err := c.client.CoreV1().Services(namespace).Create(t.Context(), s, meta.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	ready, protocol := true, core.ProtocolTCP
	slice := &discovery.EndpointSlice{
		ObjectMeta:  meta.ObjectMeta{Name: service, Labels: map[string]string{discovery.LabelServiceName: service}},
		AddressType: discovery.AddressTypeIPv4,
		Ports:       []discovery.EndpointPort{{Name: &as.Name, Port: &port, Protocol: &protocol}},
	}
	for _, hostname := range hostnames {
		slice.Endpoints = append(slice.Endpoints, discovery.Endpoint{Addresses: []string{host}, Hostname: &hostname, Conditions: discovery.EndpointConditions{Ready: &ready}})
	}
	if len(hostnames) == 0 {
		slice.Endpoints = []discovery.Endpoint{{Addresses: []string{host}, Conditions: discovery.EndpointConditions{Ready: &ready}}}
	}
	if _, err := c.client.DiscoveryV1().EndpointSlices(namespace).Create(t.Context(), slice, meta.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}
