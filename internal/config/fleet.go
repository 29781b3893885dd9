package config

// Fleet is who the other replicas are and how they find each other. Replicas of one
// fleet divide the rates of the scenarios among themselves. A changed fleet section
// takes effect when the replica starts again. Keys of a store other than the chosen one
// are refused.
type Fleet struct {
	// Where the fleet keeps what it shares: memberlist is gossip among the replicas
	// themselves and needs nothing else, etcd and consul are servers of that kind.
	Store Store `yaml:"store" default:"memberlist" oneof:"memberlist etcd consul"`
	// What this replica is called in status pages and logs, such as ${POD_NAME}; the host
	// name when left out. Names need not differ.
	Name string `yaml:"name" format:"name"`
	// This replica's part of the rates, relative to the weights of the others. Replicas
	// that share a file take it from the environment.
	Weight int `yaml:"weight" default:"1" min:"1" max:"1000000"`
	// The name that distinguishes this fleet from others, the same on all of its replicas: 1 to 255 letters,
	// digits, _, ., - and /. With memberlist, replicas of another cluster are refused; with
	// etcd and consul it is the prefix of the keys. Left out in a pod of Kubernetes, it is the
	// pod's namespace (POD_NAMESPACE, or that of the service account) and /traffic-exporter.
	Cluster string `yaml:"cluster" default:"traffic-exporter" format:"cluster"`
	// ClusterGiven reports whether the file names the cluster.
	ClusterGiven bool `yaml:"-"`
	// For memberlist: the IP address and port to listen on for gossip; 0.0.0.0:7946 when
	// left out. Port 0, which picks a free one, does not go together with advertise. Brackets
	// may be around IPv4 addresses, too: [${POD_IP}]:7946 suits both families.
	Listen string `yaml:"listen" format:"listen"`
	// For memberlist: the IP address and port that the others reach this replica at; found
	// out when left out. Brackets may be around it, too.
	Advertise string `yaml:"advertise" format:"advertise"`
	// For memberlist: some of the other replicas, as host:port or as a name to look up:
	// dns+host:port for its A and AAAA records, dnssrv+host for its SRV records and the
	// addresses of these, dnssrvnoa+host for the SRV records alone. This replica may be among
	// them. They are tried again and again, without holding up the start.
	Join []string `yaml:"join" min:"1" max:"1000" format:"member"`
	// The least number of replicas that the rates are divided by: replicas that cannot see
	// each other do not each send all of it. It should be alike on all of them. It and
	// min_replicas_alone are all of this section that a reload takes.
	MinReplicas int `yaml:"min_replicas" default:"1" min:"1" max:"10000"`
	// The same while a replica knows of no other, where it should not be alone: half of the most
	// replicas that there may be bounds what they send together, if none sees another, to twice
	// the rates. Less than min_replicas changes nothing.
	MinReplicasAlone int `yaml:"min_replicas_alone" default:"1" min:"1" max:"10000"`
	// For how long a replica has to be lost before the others take over its share although
	// they are not a majority.
	ForgetAfter Duration `yaml:"forget_after" default:"60s" min:"10s"`
	// How long a replica waits that reaches none of those in join, or no fleet and not most of
	// them, before it starts one and sends its share of what min_replicas leaves. It sends
	// nothing meanwhile and is not ready. 0s, for a laptop, does not wait. etcd and consul are
	// always waited for.
	StartAloneAfter Duration `yaml:"start_alone_after" default:"20s" min:"0s" max:"1h"`
	// For memberlist: mutual TLS of the gossip. Left out, it is neither encrypted nor authenticated.
	TLSConfig *FleetTLSConfig `yaml:"tls_config"`
	// For etcd: how to reach it.
	Etcd *Etcd `yaml:"etcd"`
	// For consul: how to reach it.
	Consul *Consul `yaml:"consul"`
}

// Store is where a fleet keeps what it shares.
type Store string

// The stores.
const (
	StoreMemberlist Store = "memberlist"
	StoreEtcd       Store = "etcd"
	StoreConsul     Store = "consul"
)

// defaultListen is where gossip is listened for. It is no default tag, as with other
// stores nothing listens.
const defaultListen = "0.0.0.0:7946"

// FleetTLSConfig is mutual TLS between replicas: both sides show a certificate and
// verify the other's.
type FleetTLSConfig struct {
	// A file with the certificates, PEM, of the authorities that replicas' certificates are
	// verified against. For connections to this replica it is read again when it changes,
	// for those that it makes itself at the start.
	CAFile string `yaml:"ca_file" required:"true" format:"file"`
	// A file with this replica's certificate, PEM; it is read again when it changes.
	CertFile string `yaml:"cert_file" required:"true" format:"file"`
	// A file with the certificate's private key, PEM; it is read again when it changes.
	KeyFile string `yaml:"key_file" required:"true" format:"file"`
	// The name to verify in the certificates of the others instead of their IP address.
	ServerName string `yaml:"server_name"`
	// The lowest acceptable version of TLS.
	MinVersion TLSVersion `yaml:"min_version" default:"TLS12" oneof:"TLS12 TLS13"`
}

// Etcd is how to reach etcd.
type Etcd struct {
	// The servers, as host:port or as an http or https URL: all with TLS, or none.
	Endpoints []string `yaml:"endpoints" required:"true" min:"1" max:"100" format:"endpoint"`
	// The user name. Needs a password.
	Username string `yaml:"username"`
	// The password.
	Password Secret `yaml:"password"`
	// A file with the password; it is read at the start. Not together with password.
	PasswordFile string `yaml:"password_file" format:"file"`
	// TLS for endpoints that are https URLs or host:port.
	TLSConfig *EtcdTLSConfig `yaml:"tls_config"`
}

// EtcdTLSConfig is how TLS connections to etcd are made.
type EtcdTLSConfig struct {
	// A file with the certificates, PEM, of the authorities to trust instead of the
	// system's; it is read at the start.
	CAFile string `yaml:"ca_file" format:"file"`
	// A file with the client's own certificate, PEM; it is read for each connection. Needs key_file.
	CertFile string `yaml:"cert_file" format:"file"`
	// A file with the certificate's private key, PEM; it is read for each connection.
	KeyFile string `yaml:"key_file" format:"file"`
	// The name to ask for and to verify, instead of the endpoint's host.
	ServerName string `yaml:"server_name"`
	// Whether to accept any certificate.
	InsecureSkipVerify bool `yaml:"insecure_skip_verify" default:"false"`
}

// Consul is how to reach Consul.
type Consul struct {
	// The agent, as host:port. It is spoken to over HTTP without TLS.
	Address string `yaml:"address" default:"localhost:8500" format:"host:port"`
	// The ACL token.
	ACLToken Secret `yaml:"acl_token"`
	// A file with the ACL token; it is read at the start. Not together with acl_token.
	ACLTokenFile string `yaml:"acl_token_file" format:"file"`
}
