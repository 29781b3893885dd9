// Package services stands in for what makes the Services of a cluster work: its DNS and
// kube-proxy. It knows cluster IPs, headless Services and SRV records, all of IPv4.
package services

import (
	"slices"
	"strings"

	core "k8s.io/api/core/v1"
	discovery "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	corelisters "k8s.io/client-go/listers/core/v1"
	discoverylisters "k8s.io/client-go/listers/discovery/v1"
)

// Directory looks Services and their endpoints up. It may be used concurrently.
type Directory struct {
	services corelisters.ServiceLister
	slices   discoverylisters.EndpointSliceLister
}

// NewDirectory returns the directory of what informers know. It has to be called before
// they are started.
func NewDirectory(f informers.SharedInformerFactory) *Directory {
	f.Core().V1().Services().Informer()
	f.Discovery().V1().EndpointSlices().Informer()
	return &Directory{f.Core().V1().Services().Lister(), f.Discovery().V1().EndpointSlices().Lister()}
}

// endpoint is a port of a pod.
type endpoint struct {
	ip, hostname, name string
	port               int32
	protocol           core.Protocol
}

// host is the first label of the endpoint's own name.
func (e endpoint) host() string {
	if e.hostname != "" {
		return e.hostname
	}
	return strings.ReplaceAll(e.ip, ".", "-")
}

// endpoints returns those of a Service that are ready, or that it publishes before.
func (d *Directory) endpoints(namespace, service string) []endpoint {
	of := labels.SelectorFromSet(labels.Set{discovery.LabelServiceName: service})
	list, err := d.slices.EndpointSlices(namespace).List(of)
	if err != nil {
		return nil
	}
	var all []endpoint
	for _, slice := range list {
		for _, e := range slice.Endpoints {
			if e.Conditions.Ready != nil && !*e.Conditions.Ready {
				continue
			}
			for _, p := range slice.Ports {
				for _, ip := range e.Addresses {
					all = append(all, endpoint{ip, text(e.Hostname), text(p.Name), *p.Port, *p.Protocol})
				}
			}
		}
	}
	slices.SortFunc(all, func(a, b endpoint) int { return strings.Compare(a.ip, b.ip) })
	return all
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
