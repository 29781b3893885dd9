// Package web is the process's HTTP side: metrics, health, reload and status. It
// receives what it shows as functions and handlers; it decides nothing about
// traffic and imports none of the packages that do.
package web

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/grafana/dskit/services"
	"github.com/prometheus/client_golang/prometheus"
	toolkit "github.com/prometheus/exporter-toolkit/web"
)

const (
	// readHeaderTimeout and readTimeout end connections that do not get round to asking.
	readHeaderTimeout = 10 * time.Second
	readTimeout       = 30 * time.Second
	// writeTimeout bounds the time from a request to the end of its response: what a slow
	// scrape takes. Profiles and traces extend it by as long as they were asked for.
	writeTimeout = time.Minute
	// idleTimeout is longer than most scrape intervals: a scrape finds its connection open.
	idleTimeout = 3 * time.Minute
	// maxHeader bounds the header of a request, in bytes.
	maxHeader = 64 << 10
	// shutdownTimeout bounds the wait for open requests when stopping.
	shutdownTimeout = 3 * time.Second
)

// DefaultMaxConnections is how many connections a Server has at a time unless configured
// otherwise.
const DefaultMaxConnections = 64

// Options is what a Server shows and where.
type Options struct {
	// Flags are the exporter-toolkit's: addresses, TLS and authentication.
	Flags *toolkit.FlagConfig
	// Registry is what /metrics serves.
	Registry *prometheus.Registry
	// Ready returns why the process is not ready, or nil.
	Ready func() error
	// Reload reads the configuration again; its error is the response's body.
	Reload func() error
	// Config returns the running configuration with its secrets hidden.
	Config func() ([]byte, error)
	// Control allows requests that change the rate (--web.enable-control).
	Control bool
	// AllowedHosts are names of this server (--web.allowed-hosts), and ExternalURL has one
	// more in it (--web.external-url). With Control a request that changes something has
	// to name one of them, localhost or the address that it is sent to.
	AllowedHosts []string
	ExternalURL  string
	// RoutePrefix is the path that everything is served under (--web.route-prefix); empty for
	// that of ExternalURL.
	RoutePrefix string
	// MaxConnections bounds the connections (--web.max-connections); 0 is
	// DefaultMaxConnections.
	MaxConnections int
	// Scenarios returns the scenarios as they run now.
	Scenarios func() []ScenarioStatus
	// SetOverride changes the rate of a scenario, ClearOverride ends the change. Both return
	// the scenario as it is then (its Override says from when), or an error; a *Refusal has the
	// status of the response.
	SetOverride   func(ctx context.Context, scenario string, o OverrideRequest) (ScenarioStatus, error)
	ClearOverride func(ctx context.Context, scenario string, o ClearRequest) (ScenarioStatus, error)
	// PreviewOverride reports the effect that SetOverride would have, and changes nothing.
	PreviewOverride func(scenario string, o OverrideRequest) (OverridePreview, error)
	// Live returns the figures of the live page, and Failures the last requests that failed, of
	// one scenario if its name is not empty.
	Live     func(LiveQuery) Live
	Failures func(scenario string) []FailureStatus
	// Fleet returns this replica's view of the fleet; nil if it runs on its own.
	Fleet func() FleetStatus
	// Memberlist is dskit's status page of the gossip; nil if there is none.
	Memberlist http.Handler

	Logger *slog.Logger
}

// prefix returns the path that everything is served under; empty for none.
func (o Options) prefix() (string, error) {
	if o.RoutePrefix != "" && !strings.HasPrefix(o.RoutePrefix, "/") {
		return "", fmt.Errorf("--web.route-prefix: found %q, expected a path such as /traffic", o.RoutePrefix)
	}
	u, err := url.Parse(o.ExternalURL)
	if err != nil {
		return "", fmt.Errorf("--web.external-url: %w", err)
	}
	return routePrefix(o.RoutePrefix, u.Path), nil
}

// Server is a service that listens from its start to its stop. It fails if an
// address cannot be listened on.
type Server struct {
	services.NamedService

	flags  *toolkit.FlagConfig
	server *http.Server
	logger *slog.Logger
	// config is the web configuration; nil if there is none, or before the start.
	config    atomic.Pointer[webConfig]
	listeners []net.Listener
}

// New returns a server that is not yet started.
func New(o Options) (*Server, error) {
	handler, err := newHandler(o)
	if err != nil {
		return nil, err
	}
	if o.MaxConnections < 0 {
		return nil, fmt.Errorf("--web.max-connections: found %d, expected 1 or more", o.MaxConnections)
	}
	s := &Server{flags: o.Flags, server: newServer(handler), logger: o.Logger}
	newConns(cmp.Or(o.MaxConnections, DefaultMaxConnections), o.Logger).bound(s.server)
	s.NamedService = services.NewBasicService(s.listen, s.serve, s.stop).WithName("web")
	return s, nil
}

func newServer(h http.Handler) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		Protocols:         onlyHTTP1(),
	}
}

// onlyHTTP1 leaves out HTTP/2, which over TLS would be on by default. Nothing here needs it, and
// the bounds of a connection would not bound its streams.
func onlyHTTP1() *http.Protocols {
	var p http.Protocols
	p.SetHTTP1(true)
	return &p
}

// Addrs returns the addresses that the server listens on, once it runs. It does
// not know those of systemd sockets and vsock.
func (s *Server) Addrs() []net.Addr {
	var addrs []net.Addr
	for _, l := range s.listeners {
		addrs = append(addrs, l.Addr())
	}
	return addrs
}

// listen opens the TCP listeners itself, so that a port in use fails the start and
// port 0 can be asked for. Other kinds of listeners are left to the toolkit.
func (s *Server) listen(ctx context.Context) error {
	if err := s.configure(); err != nil {
		return err
	}
	if s.leftToToolkit() {
		return nil
	}
	for _, address := range *s.flags.WebListenAddresses {
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
		if err != nil {
			_ = s.stop(nil)
			return fmt.Errorf("listen on %q: %w", address, err)
		}
		s.listeners = append(s.listeners, l)
	}
	return nil
}

// configure reads the web configuration, if there is one, and leads the toolkit to the copy.
func (s *Server) configure() error {
	file := *s.flags.WebConfigFile
	if file == "" {
		return nil
	}
	config, err := newWebConfig(file, s.logger)
	if err != nil {
		return err
	}
	s.config.Store(config)
	flags := *s.flags
	path := config.copied.path()
	flags.WebConfigFile = &path
	s.flags = &flags
	return nil
}

// ConfigCurrent reports whether the web configuration, and the certificates in it, are as the files
// are now: not if the last look at them failed, or does not end. It may be called concurrently.
func (s *Server) ConfigCurrent() bool {
	config := s.config.Load()
	return config == nil || !config.failing.Load()
}

func (s *Server) leftToToolkit() bool {
	if s.flags.WebSystemdSocket != nil && *s.flags.WebSystemdSocket {
		return true
	}
	for _, address := range *s.flags.WebListenAddresses {
		if strings.HasPrefix(address, "vsock://") {
			return true
		}
	}
	return false
}

func (s *Server) serve(ctx context.Context) error {
	if config := s.config.Load(); config != nil {
		go config.follow(ctx)
	}
	done := make(chan error, 1)
	go func() {
		if s.leftToToolkit() {
			done <- toolkit.ListenAndServe(s.server, s.flags, s.logger)
			return
		}
		done <- toolkit.ServeMultiple(s.listeners, s.server, s.flags, s.logger)
	}()
	select {
	case err := <-done:
		return fmt.Errorf("web server ended: %w", err)
	case <-ctx.Done():
	}
	// A fresh context: the service's own has just ended.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	if err := s.server.Shutdown(ctx); err != nil {
		_ = s.server.Close() // A client that still reads a profile is cut off.
	}
	if err := <-done; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func (s *Server) stop(error) error {
	for _, l := range s.listeners {
		_ = l.Close()
	}
	if config := s.config.Load(); config != nil {
		config.close()
	}
	return nil
}
