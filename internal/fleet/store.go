package fleet

import (
	"context"
	"crypto/tls"
	"flag"
	"fmt"
	"html/template"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-kit/log"
	"github.com/grafana/dskit/dns"
	"github.com/grafana/dskit/flagext"
	"github.com/grafana/dskit/kv"
	"github.com/grafana/dskit/kv/codec"
	"github.com/grafana/dskit/kv/memberlist"
	"github.com/grafana/dskit/ring"
	"github.com/grafana/dskit/services"
	"github.com/hashicorp/go-sockaddr"
	"github.com/prometheus/client_golang/prometheus"
)

// store is where the fleet keeps what it shares.
type store struct {
	// name is what it is and where, for people.
	name string
	// endpoints are those of etcd.
	endpoints  []string
	config     kv.Config
	registerer prometheus.Registerer
	logger     log.Logger
	// address is where the others reach this replica, or a name that is unique to it.
	address string
	// gossip and gate are nil unless the store is memberlist.
	gossip  *memberlist.KVInitService
	gate    *gate
	watcher *services.FailureWatcher
}

func newStore(o Options, id string, refused *atomic.Uint64, logger log.Logger) (*store, error) {
	s := &store{name: o.Store, registerer: o.Registerer, logger: logger, address: o.Name, watcher: services.NewFailureWatcher()}
	flagext.DefaultValues(clientFlags{&s.config})
	s.config.Store = o.Store
	s.config.Prefix = o.Cluster + "/"
	switch o.Store {
	case StoreEtcd:
		quietEtcd()
		s.endpoints = o.Etcd.Endpoints
		s.name += " at " + strings.Join(o.Etcd.Endpoints, ", ")
		c := &s.config.Etcd
		c.Endpoints, c.UserName, c.Password = o.Etcd.Endpoints, o.Etcd.Username, flagext.SecretWithValue(o.Etcd.Password)
		c.DialTimeout = storeTimeout
		if t := o.Etcd.TLS; t != nil {
			files, err := newCertificates(*t, o.Logger)
			if err != nil {
				return nil, err
			}
			c.EnableTLS, c.TLS.Reader = true, files
			c.TLS.CAPath, c.TLS.CertPath, c.TLS.KeyPath = t.CAFile, t.CertFile, t.KeyFile
			c.TLS.ServerName, c.TLS.InsecureSkipVerify = t.ServerName, t.InsecureSkipVerify
		}
	case StoreConsul:
		s.name += " at " + o.Consul.Address
		c := &s.config.Consul
		c.Host, c.ACLToken = o.Consul.Address, flagext.SecretWithValue(o.Consul.Token)
		// A change has to be heard within a second: there is one watch for each key.
		c.WatchKeyRateLimit, c.CasRetryDelay = 10, 100*time.Millisecond
	case StoreMemberlist:
		return s, s.useGossip(o, id, refused)
	default:
		return nil, fmt.Errorf("unknown store %q", o.Store)
	}
	return s, nil
}

// quietEtcd keeps etcd's client from writing its own log, which nothing can divert, in its own
// format: its failures are reported by its caller. A user that sets ETCD_CLIENT_DEBUG gets it.
func quietEtcd() {
	if _, set := os.LookupEnv("ETCD_CLIENT_DEBUG"); !set {
		_ = os.Setenv("ETCD_CLIENT_DEBUG", "fatal") // It fails only for names that are none.
	}
}

// gossipService gives the gossip a name, so that errors do not print all that it is.
type gossipService struct{ services.Service }

var _ services.NamedService = gossipService{}

// ServiceName implements services.NamedService.
func (gossipService) ServiceName() string { return "gossip" }

// maxQueued bounds the messages of the gossip that wait to be taken in. Those beyond it are
// dropped.
const maxQueued = 1 << 14

// clientFlags sets the defaults of the stores' clients, which dskit keeps in flags.
type clientFlags struct{ config *kv.Config }

// RegisterFlags implements flagext.Registerer.
func (c clientFlags) RegisterFlags(f *flag.FlagSet) { c.config.RegisterFlagsWithPrefix("", "", f) }

// useGossip sets up memberlist.
func (s *store) useGossip(o Options, id string, refused *atomic.Uint64) error {
	listen, err := netip.ParseAddrPort(o.Memberlist.Listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	if listen.Port() == 0 {
		if listen, err = freePort(context.Background(), listen.Addr()); err != nil {
			return err
		}
	}
	advertise, err := advertised(o.Memberlist, listen)
	if err != nil {
		return err
	}
	s.address = advertise.String()

	var c memberlist.KVConfig
	flagext.DefaultValues(&c)
	// The page of the gossip calls members as all others do.
	c.NodeName, c.RandomizeNodeName = id, false
	// Entries are small: compressing them costs more than it saves.
	c.EnableCompression = false
	// Bounds the work that a large fleet makes as it forms.
	c.NotifyInterval = 100 * time.Millisecond
	// Changes of the rate have to reach everybody within 2 s, also just after many have died:
	// gossip to those is lost.
	c.GossipNodes, c.GossipToTheDeadTime = 4, time.Second
	c.LeaveTimeout, c.BroadcastTimeoutForLocalUpdatesOnShutdown = time.Second, 2*time.Second
	c.ClusterLabel = o.Cluster
	c.AdvertiseAddr, c.AdvertisePort = advertise.Addr().String(), int(advertise.Port())
	// Addresses that lead nowhere, as those of pods that are gone, must not hold up the
	// others.
	c.TCPTransport.PacketDialTimeout, c.TCPTransport.MaxConcurrentWrites = 500*time.Millisecond, 8
	// As many messages as some thousand replicas that register come as, in one burst.
	c.ReceivedMessagesQueueSize, c.ProcessedMessagesQueueSize = maxQueued, maxQueued
	c.Codecs = []codec.Codec{listingCodec{}, overridesCodec{}}
	var files *certificates
	var t TLS
	if o.Memberlist.TLS != nil {
		t = *o.Memberlist.TLS
		if files, err = newCertificates(t, o.Logger); err != nil {
			return err
		}
		c.TCPTransport.TLSEnabled, c.TCPTransport.TLS.Reader = true, files
		c.TCPTransport.TLS.CAPath, c.TCPTransport.TLS.CertPath, c.TCPTransport.TLS.KeyPath = t.CAFile, t.CertFile, t.KeyFile
		c.TCPTransport.TLS.ServerName, c.TCPTransport.TLS.MinVersion = t.ServerName, versionName(t.MinVersion)
	}
	if s.gate, err = newGate(files, t.MinVersion, t.ServerName, listen, refused, o.Logger); err != nil {
		return err
	}
	c.TCPTransport.BindAddrs, c.TCPTransport.BindPort = []string{s.gate.inner.Addr().String()}, int(s.gate.inner.Port())
	resolver := dns.NewProvider(dns.GolangResolverType, 8, s.logger, s.registerer)
	s.gossip = memberlist.NewKVInitService(&c, s.logger, resolver, s.registerer)
	s.config.MemberlistKV = s.gossip.GetMemberlistKV
	return nil
}

// versionName returns a version of TLS as dskit calls it.
func versionName(v uint16) string {
	switch v {
	case tls.VersionTLS10:
		return "VersionTLS10"
	case tls.VersionTLS11:
		return "VersionTLS11"
	case tls.VersionTLS13:
		return "VersionTLS13"
	default:
		return "VersionTLS12"
	}
}

// advertised returns the address that the others reach this replica at.
func advertised(m Memberlist, listen netip.AddrPort) (netip.AddrPort, error) {
	switch {
	case m.Advertise != "":
		a, err := netip.ParseAddrPort(m.Advertise)
		if err != nil {
			return a, fmt.Errorf("advertise: %w", err)
		}
		return a, nil
	case !listen.Addr().IsUnspecified():
		return listen, nil
	}
	private, err := sockaddr.GetPrivateIP()
	if err == nil && private == "" {
		private, err = sockaddr.GetPublicIP()
	}
	if err != nil {
		return listen, fmt.Errorf("find out this replica's address: %w", err)
	}
	ip, err := netip.ParseAddr(private)
	if err != nil {
		return listen, fmt.Errorf("found no address that the others could reach this replica at: set fleet.advertise")
	}
	return netip.AddrPortFrom(ip, listen.Port()), nil
}

// start listens for gossip.
func (s *store) start(ctx context.Context) error {
	if s.gossip == nil {
		return nil
	}
	if err := s.gate.listen(ctx); err != nil {
		return err
	}
	// It outlives ctx: stop says goodbye through it.
	if err := services.StartAndAwaitRunning(context.WithoutCancel(ctx), s.gossip); err != nil {
		return err
	}
	s.watcher.WatchService(gossipService{s.gossip})
	_, err := s.gossip.GetMemberlistKV() // Listens and joins in the background.
	return err
}

// reach exchanges all that is known with the replica at an address, by gossip.
func (s *store) reach(address string) error {
	g, err := s.gossip.GetMemberlistKV()
	if err == nil {
		_, err = g.JoinMembers([]string{address})
	}
	return err
}

// failed receives the error that ends the gossip.
func (s *store) failed() <-chan error { return s.watcher.Chan() }

// client returns a client for values of one kind.
func (s *store) client(c codec.Codec) (kv.Client, error) {
	return kv.NewClient(s.config, c, nil, s.logger)
}

// members returns the client for the replicas that are listed, whose values are of type
// *ring.Desc. If they come by gossip it also returns the one whose values are of type *listing.
func (s *store) members() (desc, raw kv.Client, err error) {
	if s.gossip == nil {
		desc, err = s.client(ring.GetCodec())
		return desc, nil, err
	}
	raw, err = s.client(listingCodec{})
	return listingClient{raw}, raw, err
}

// page shows the status of the gossip.
func (s *store) page(t *template.Template) http.Handler {
	if s.gossip == nil {
		return nil
	}
	return memberlist.NewHTTPStatusHandler(s.gossip, t)
}

func (s *store) stop(ctx context.Context) error {
	var err error
	if s.gossip != nil {
		err = services.StopAndAwaitTerminated(ctx, s.gossip)
	}
	if s.gate != nil {
		s.gate.close()
	}
	return err
}

// watch calls f with the value of a key whenever it changes, until ctx ends.
func watch(ctx context.Context, client kv.Client, key string, f func(value any)) {
	client.WatchKey(ctx, key, func(value any) bool {
		f(value)
		return true
	})
}

// poll calls f with the value of a key now and every while, until ctx ends: a watch does
// not report the first value, and some lose a change.
func poll(ctx context.Context, client kv.Client, key string, f func(value any)) {
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	for {
		if value, err := client.Get(ctx, key); err == nil && value != nil {
			f(value)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// The ports that freePort looks at lie below those that Linux gives to connections, which
// begin at 32768 (net.ipv4.ip_local_port_range): one of those may be taken again before
// the gossip listens there. They are few, as each may be one that another program on the machine
// is about to listen on, and lie below the NodePorts of Kubernetes, which begin at 30000.
const (
	lowestFreePort  = 20000
	highestFreePort = 23999
)

// freePort returns an address with a port that nobody listens on.
func freePort(ctx context.Context, ip netip.Addr) (netip.AddrPort, error) {
	var err error
	for range 100 {
		addr := netip.AddrPortFrom(ip, uint16(lowestFreePort+rand.IntN(highestFreePort+1-lowestFreePort)))
		var l net.Listener
		if l, err = new(net.ListenConfig).Listen(ctx, "tcp", addr.String()); err == nil {
			_ = l.Close()
			return addr, nil
		}
	}
	return netip.AddrPort{}, fmt.Errorf("find a port for the gossip: %w", err)
}
