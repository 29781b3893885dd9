package services

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/miekg/dns"
	core "k8s.io/api/core/v1"
)

const (
	// zone is the cluster's domain.
	zone = "cluster.local."
	// ttl is that of all records, in seconds, as CoreDNS has it.
	ttl = 5
)

// ServeDNS responds for the names of Services on port 53 of an address until ctx is done.
// All other names do not exist.
func (d *Directory) ServeDNS(ctx context.Context, ip string) error {
	conn, err := new(net.ListenConfig).ListenPacket(ctx, "udp", net.JoinHostPort(ip, "53"))
	if err != nil {
		return err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort(ip, "53"))
	if err != nil {
		_ = conn.Close()
		return err
	}
	handler := dns.HandlerFunc(func(w dns.ResponseWriter, request *dns.Msg) {
		_ = w.WriteMsg(d.respond(request))
	})
	servers := []*dns.Server{{PacketConn: conn, Handler: handler}, {Listener: listener, Handler: handler}}
	failed := make(chan error, len(servers))
	for _, s := range servers {
		go func() { failed <- s.ActivateAndServe() }()
	}
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	_ = conn.Close()
	_ = listener.Close()
	return err
}

// respond returns the response to a query.
func (d *Directory) respond(request *dns.Msg) *dns.Msg {
	response := new(dns.Msg).SetReply(request)
	response.Authoritative = true
	if len(request.Question) != 1 {
		return response.SetRcode(request, dns.RcodeFormatError)
	}
	q := request.Question[0]
	records, extra, found := d.records(strings.ToLower(q.Name))
	if !found {
		response.Rcode = dns.RcodeNameError
	}
	for _, r := range records {
		if r.Header().Rrtype == q.Qtype {
			r.Header().Name = q.Name
			response.Answer = append(response.Answer, r)
		}
	}
	if q.Qtype == dns.TypeSRV {
		response.Extra = extra
	}
	return response
}

// records returns those of a name, those of names in them, and whether the name exists.
func (d *Directory) records(name string) (records, extra []dns.RR, found bool) {
	rest, ours := strings.CutSuffix(name, ".svc."+zone)
	labels := strings.Split(rest, ".")
	if !ours || len(labels) < 2 {
		return nil, nil, false
	}
	namespace, service := labels[len(labels)-1], labels[len(labels)-2]
	s, err := d.services.Services(namespace).Get(service)
	if err != nil {
		return nil, nil, false
	}
	domain := fmt.Sprintf("%s.%s.svc.%s", service, namespace, zone)
	of := d.published(s)
	switch before := labels[:len(labels)-2]; len(before) {
	case 0:
		return addresses(domain, of), nil, len(of) > 0
	case 1:
		of = slices.DeleteFunc(of, func(e endpoint) bool { return e.host() != before[0] })
		return addresses(name, of), nil, len(of) > 0
	case 2:
		of = slices.DeleteFunc(of, func(e endpoint) bool {
			return "_"+e.name != before[0] || "_"+strings.ToLower(string(e.protocol)) != before[1]
		})
		for _, e := range of {
			target := domain
			if s.Spec.ClusterIP == core.ClusterIPNone {
				target = e.host() + "." + domain
			}
			records = append(records, &dns.SRV{Hdr: header(name, dns.TypeSRV), Weight: 100, Port: uint16(e.port), Target: target})
			extra = append(extra, addresses(target, []endpoint{e})...)
		}
		return records, extra, len(of) > 0
	default:
		return nil, nil, false
	}
}

// published returns what a Service is known by: its endpoints if it is headless, else its
// own address.
func (d *Directory) published(s *core.Service) []endpoint {
	if s.Spec.ClusterIP == core.ClusterIPNone {
		return d.endpoints(s.Namespace, s.Name)
	}
	var all []endpoint
	for _, p := range s.Spec.Ports {
		all = append(all, endpoint{ip: s.Spec.ClusterIP, name: p.Name, port: p.Port, protocol: p.Protocol})
	}
	return all
}

// addresses returns a record for each address of endpoints.
func addresses(name string, of []endpoint) []dns.RR {
	var all []dns.RR
	seen := map[string]bool{}
	for _, e := range of {
		if !seen[e.ip] {
			seen[e.ip] = true
			all = append(all, &dns.A{Hdr: header(name, dns.TypeA), A: net.ParseIP(e.ip)})
		}
	}
	return all
}

func header(name string, kind uint16) dns.RR_Header {
	return dns.RR_Header{Name: name, Rrtype: kind, Class: dns.ClassINET, Ttl: ttl}
}
