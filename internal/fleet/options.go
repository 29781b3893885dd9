package fleet

import (
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// The stores.
const (
	StoreMemberlist = "memberlist"
	StoreEtcd       = "etcd"
	StoreConsul     = "consul"
)

// Options are what a replica has to know to find its fleet.
type Options struct {
	// Store is one of the stores.
	Store string
	// Name is what this replica is called; it need not be unique.
	Name string
	// Weight is this replica's part of the rate relative to the others' weights.
	Weight uint32
	// Cluster separates fleets that could meet.
	Cluster string
	// MinReplicas is the least number of members that the rate is divided among.
	MinReplicas int
	// MinReplicasAlone is the same while this replica is the only member.
	MinReplicasAlone int
	// ForgetAfter is how long a member has to be lost before its part is taken over by
	// others who are not a majority.
	ForgetAfter time.Duration
	// StartAloneAfter is for how long a replica that reaches none of those that it should
	// join waits before it takes itself for the first.
	StartAloneAfter time.Duration

	Memberlist Memberlist
	Etcd       Etcd
	Consul     Consul

	Logger *slog.Logger
	// Registerer gets dskit's own metrics; nil for none.
	Registerer prometheus.Registerer
}

// Memberlist says how to gossip.
type Memberlist struct {
	// Listen is the IP address and port to listen on.
	Listen string
	// Advertise is where the others reach this replica; found out if empty.
	Advertise string
	// Join are addresses of members, or DNS names of them such as dns+name:port.
	Join []string
	// TLS, if not nil, makes the gossip secret and keeps out who has no certificate.
	TLS *TLS
}

// TLS is a replica's identity and whom it trusts. The files are read again when they
// change.
type TLS struct {
	CAFile, CertFile, KeyFile string
	// ServerName is the name to verify instead of an address.
	ServerName string
	// MinVersion is the lowest acceptable version, as crypto/tls numbers it; 0 for the
	// library's.
	MinVersion uint16
	// InsecureSkipVerify accepts any server. Only for etcd.
	InsecureSkipVerify bool
}

// Etcd says how to reach etcd.
type Etcd struct {
	Endpoints          []string
	Username, Password string
	TLS                *TLS
}

// Consul says how to reach Consul.
type Consul struct {
	Address, Token string
}
