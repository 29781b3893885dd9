package services

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"time"

	core "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
)

const (
	// looks is how often the proxy looks for Services that are new.
	looks = 500 * time.Millisecond
	// reach is how long it tries to reach an endpoint.
	reach = 5 * time.Second
)

// proxy accepts connections to the ports of Services, and passes them on to their
// endpoints.
type proxy struct {
	*Directory

	logger    *slog.Logger
	listeners map[string]net.Listener
	serving   sync.WaitGroup
}

// ServePorts passes connections to the TCP ports of cluster IPs on to endpoints until ctx
// is done. The addresses have to be this machine's.
func (d *Directory) ServePorts(ctx context.Context, logger *slog.Logger) {
	p := &proxy{Directory: d, logger: logger, listeners: map[string]net.Listener{}}
	ticker := time.NewTicker(looks)
	defer ticker.Stop()
	for {
		p.look(ctx)
		select {
		case <-ctx.Done():
			for _, l := range p.listeners {
				_ = l.Close()
			}
			p.serving.Wait()
			return
		case <-ticker.C:
		}
	}
}

// look listens for Services that are new, and no longer for those that are gone.
func (p *proxy) look(ctx context.Context) {
	all, err := p.services.List(labels.Everything())
	if err != nil {
		return
	}
	wanted := map[string]bool{}
	for _, s := range all {
		for _, port := range s.Spec.Ports {
			address := net.JoinHostPort(s.Spec.ClusterIP, strconv.Itoa(int(port.Port)))
			if s.Spec.ClusterIP == core.ClusterIPNone || s.Spec.ClusterIP == "" || port.Protocol != core.ProtocolTCP {
				continue
			}
			wanted[address] = true
			if p.listeners[address] == nil {
				p.listen(ctx, address, s.Namespace, s.Name, port.Name)
			}
		}
	}
	for address, l := range p.listeners {
		if !wanted[address] {
			_ = l.Close()
			delete(p.listeners, address)
		}
	}
}

// listen passes on what comes to an address.
func (p *proxy) listen(ctx context.Context, address, namespace, service, port string) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		p.logger.Warn("a port of a Service cannot be listened on", "service", namespace+"/"+service, "err", err)
		return
	}
	p.listeners[address] = l
	p.serving.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				if !errors.Is(err, net.ErrClosed) {
					p.logger.Warn("connections are not accepted any more", "service", namespace+"/"+service, "err", err)
				}
				return
			}
			p.serving.Go(func() { p.pass(ctx, client, namespace, service, port) })
		}
	})
}

// pass connects a client with an endpoint, until either ends or ctx is done.
func (p *proxy) pass(ctx context.Context, client net.Conn, namespace, service, port string) {
	defer func() { _ = client.Close() }()
	server, err := p.dial(ctx, namespace, service, port)
	if err != nil {
		return
	}
	ended := context.AfterFunc(ctx, func() { _, _ = client.Close(), server.Close() })
	defer ended()
	var copying sync.WaitGroup
	for _, way := range [][2]net.Conn{{client, server}, {server, client}} {
		copying.Go(func() {
			_, _ = io.Copy(way[0], way[1])
			_, _ = client.Close(), server.Close()
		})
	}
	copying.Wait()
}

// dial connects to an endpoint of a Service's port.
func (p *proxy) dial(ctx context.Context, namespace, service, port string) (net.Conn, error) {
	var of []endpoint
	for _, e := range p.endpoints(namespace, service) {
		if e.name == port {
			of = append(of, e)
		}
	}
	if len(of) == 0 {
		return nil, errors.New("no endpoint is ready")
	}
	e := of[rand.IntN(len(of))]
	return (&net.Dialer{Timeout: reach}).DialContext(ctx, "tcp", net.JoinHostPort(e.ip, strconv.Itoa(int(e.port))))
}
