package app

import (
	"encoding/binary"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/traffic-exporter/traffic_exporter/internal/config"
	"github.com/traffic-exporter/traffic_exporter/internal/fleet"
	"github.com/traffic-exporter/traffic_exporter/internal/reloading"
	"github.com/traffic-exporter/traffic_exporter/internal/telemetry"
	"github.com/traffic-exporter/traffic_exporter/internal/web"
)

// newFleet returns the fleet that the configuration describes.
func newFleet(c *config.Fleet, reg prometheus.Registerer, logger *slog.Logger) (*fleet.Fleet, error) {
	name := c.Name
	if name == "" {
		var err error
		if name, err = os.Hostname(); err != nil {
			return nil, fmt.Errorf("this replica's name: %w", err)
		}
	}
	o := fleet.Options{
		Store: string(c.Store), Name: name, Weight: uint32(c.Weight), Cluster: cluster(c, os.Getenv, serviceAccount),
		MinReplicas: c.MinReplicas, MinReplicasAlone: c.MinReplicasAlone, ForgetAfter: time.Duration(c.ForgetAfter), StartAloneAfter: time.Duration(c.StartAloneAfter),
		Memberlist: fleet.Memberlist{Listen: c.Listen, Advertise: c.Advertise, Join: c.Join},
		Logger:     logger, Registerer: reg,
	}
	if t := c.TLSConfig; t != nil {
		o.Memberlist.TLS = &fleet.TLS{
			CAFile: t.CAFile, CertFile: t.CertFile, KeyFile: t.KeyFile,
			ServerName: t.ServerName, MinVersion: tlsVersion(t.MinVersion),
		}
	}
	var err error
	if e := c.Etcd; e != nil {
		o.Etcd, err = etcd(e)
	}
	if c := c.Consul; c != nil && err == nil {
		o.Consul.Address = c.Address
		o.Consul.Token, err = secret(c.ACLToken, c.ACLTokenFile)
	}
	if err != nil {
		return nil, err
	}
	return fleet.New(o)
}

// gossipPage returns the page of a fleet's gossip; nil for other stores.
func gossipPage(f *fleet.Fleet) (http.Handler, error) {
	t, err := web.MemberlistPage()
	if err != nil {
		return nil, fmt.Errorf("page of the gossip: %w", err)
	}
	return f.Memberlist(t), nil
}

// serviceAccount is the file in which Kubernetes gives a pod its namespace.
const serviceAccount = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"

// cluster returns the name that separates the fleet from others: the default takes the
// namespace where it is known, so that two fleets without a name do not become one.
func cluster(c *config.Fleet, getenv func(string) string, file string) string {
	if c.ClusterGiven {
		return c.Cluster
	}
	namespace := getenv("POD_NAMESPACE")
	if namespace == "" {
		b, err := reloading.ReadFile(file, reloading.MaxSize)
		if err != nil {
			return c.Cluster // Not in a pod.
		}
		namespace = strings.TrimSpace(string(b))
	}
	if namespace == "" {
		return c.Cluster
	}
	return namespace + "/" + c.Cluster
}

func etcd(c *config.Etcd) (fleet.Etcd, error) {
	password, err := secret(c.Password, c.PasswordFile)
	o := fleet.Etcd{Endpoints: c.Endpoints, Username: c.Username, Password: password}
	if t := c.TLSConfig; t != nil {
		o.TLS = &fleet.TLS{
			CAFile: t.CAFile, CertFile: t.CertFile, KeyFile: t.KeyFile,
			ServerName: t.ServerName, InsecureSkipVerify: t.InsecureSkipVerify,
		}
	}
	return o, err
}

// secret returns a secret that is in the configuration, or in a file that it names.
func secret(inline config.Secret, file string) (string, error) {
	if file == "" {
		return string(inline), nil
	}
	b, err := reloading.ReadFile(file, reloading.MaxSize)
	if err != nil {
		return "", fmt.Errorf("fleet: %w", err)
	}
	return strings.TrimSpace(string(b)), nil
}

// configHash returns the part of a hash of the scenarios that heartbeats carry.
func configHash(c *config.Config) uint64 {
	sum := c.ScenariosHash()
	return binary.BigEndian.Uint64(sum[:])
}

// fleetState returns the state of a fleet for the metrics.
func fleetState(f *fleet.Fleet) telemetry.FleetState {
	s := f.Status()
	return telemetry.FleetState{
		Members: s.View.Members, Lost: s.View.Lost, Ratio: s.View.Arc.Ratio(), Live: s.View.Live,
		StoreUp: s.View.StoreUp, Skew: s.Skew, Mismatched: s.Mismatched, Changes: s.Changes, Refused: s.Refused,
		OtherFloor: s.OtherFloor, Waiting: s.View.Waiting, Connected: s.Connected, Relayed: s.Relayed,
	}
}

// fleetStatus returns the state of a fleet for the page and the API.
func fleetStatus(f *fleet.Fleet, c *config.Fleet) web.FleetStatus {
	s := f.Status()
	out := web.FleetStatus{
		Self: s.Self, Store: string(c.Store), Cluster: cluster(c, os.Getenv, serviceAccount), Live: s.View.Live, Why: s.View.Why,
		StoreUp: s.View.StoreUp, Second: time.Unix(s.View.Second, 0).UTC(), ClockSkew: s.Skew.Seconds(),
		Members: []web.MemberStatus{},
	}
	var own uint64
	for _, m := range s.Members {
		if m.ID == s.Self {
			own = m.Config
		}
	}
	for _, m := range s.Members {
		out.Members = append(out.Members, web.MemberStatus{
			ID: m.ID, Name: m.Name, Address: m.Address, Weight: m.Weight, Share: m.Share, State: string(m.State),
			Since: since(m), LastHeartbeat: m.Sent.UTC(), ClockOffset: m.Offset.Seconds(),
			Config: fmt.Sprintf("%016x", m.Config), SameConfig: m.Config == own,
		})
	}
	return out
}

// since returns from when a member counts, or else has asked to.
func since(m fleet.MemberStatus) time.Time {
	if m.From != 0 {
		return time.Unix(m.From, 0).UTC()
	}
	return time.UnixMilli(m.Asked).UTC()
}
