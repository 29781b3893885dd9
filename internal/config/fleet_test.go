package config_test

import (
	"fmt"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/config"
)

// withFleet returns a configuration with this section, in flow style.
func withFleet(section string) string { return "fleet: " + section + "\n" + with("") }

func fleet(t *testing.T, section string) config.Fleet {
	t.Helper()
	return *parse(t, withFleet(section)).Fleet
}

func TestWithoutItsSectionThereIsNoFleet(t *testing.T) {
	c := parse(t, with(""))
	if c.Fleet != nil || c.FleetFingerprint() != "" {
		t.Errorf("fleet %v, fingerprint %q", c.Fleet, c.FleetFingerprint())
	}
}

func TestAFleetHasTheDefaultsOfItsStore(t *testing.T) {
	common := func(store config.Store) config.Fleet {
		return config.Fleet{
			Store: store, Weight: 1, Cluster: "traffic-exporter", MinReplicas: 1, MinReplicasAlone: 1,
			ForgetAfter: config.Duration(time.Minute), StartAloneAfter: config.Duration(20 * time.Second),
		}
	}
	memberlist, consul, etcd := common(config.StoreMemberlist), common(config.StoreConsul), common(config.StoreEtcd)
	memberlist.Listen = "0.0.0.0:7946"
	consul.Consul = &config.Consul{Address: "localhost:8500"}
	etcd.Etcd = &config.Etcd{Endpoints: []string{"etcd:2379"}}
	for section, want := range map[string]config.Fleet{
		"{}":                          memberlist,
		"{store: memberlist}":         memberlist,
		"{store: consul}":             consul,
		"{store: consul, consul: {}}": consul,
		`{store: etcd, etcd: {endpoints: ["etcd:2379"]}}`:   etcd,
		`{etcd: {endpoints: ["etcd:2379"]}, "store": etcd}`: etcd,
	} {
		if got := fleet(t, section); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %v, want %v", section, got, want)
		}
	}
	tls := fleet(t, "{tls_config: {ca_file: a, cert_file: b, key_file: c}}").TLSConfig
	if tls.MinVersion != "TLS12" {
		t.Errorf("min_version %q", tls.MinVersion)
	}
}

func TestEveryValueOfAFleetArrives(t *testing.T) {
	got := *load(t, "testdata/good-fleet-memberlist.yaml").Fleet
	want := config.Fleet{
		Store: config.StoreMemberlist, Name: "replica-7.fleet", Weight: 7, Cluster: "staging/traffic-exporter",
		Listen: "[::]:7946", Advertise: "127.0.0.1:9871",
		Join: []string{
			"10.0.0.7:7946", "[fd00::7]:7946", "replica-0.fleet:7946", "dns+fleet.staging.svc.cluster.local.:7946",
			"dnssrv+_gossip._tcp.fleet.staging.svc", "dnssrvnoa+fleet:7946",
		},
		ClusterGiven: true, MinReplicas: 10000, MinReplicasAlone: 10000,
		ForgetAfter: config.Duration(10 * time.Second), StartAloneAfter: config.Duration(time.Hour),
		TLSConfig: &config.FleetTLSConfig{
			CAFile: "ca.pem", CertFile: "/etc/tls/cert.pem", KeyFile: "key.pem", ServerName: "fleet", MinVersion: "TLS13",
		},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("memberlist: got %v, want %v", got, want)
	}
	etcd := load(t, "testdata/good-fleet-etcd.yaml").Fleet.Etcd
	if want := (config.Etcd{
		Endpoints: []string{"https://etcd-0:2379/", "etcd-1:2379", "https://[fd00::7]:2379"},
		Username:  "mary", Password: "hunter2 from the environment",
		TLSConfig: &config.EtcdTLSConfig{
			CAFile: "ca.pem", CertFile: "cert.pem", KeyFile: "key.pem", ServerName: "etcd", InsecureSkipVerify: true,
		},
	}); !reflect.DeepEqual(*etcd, want) {
		t.Errorf("etcd: got %v, want %v", *etcd, want)
	}
	consul := load(t, "testdata/good-fleet-consul.yaml").Fleet.Consul
	if want := (config.Consul{Address: "consul.staging.svc:8500", ACLToken: "hunter2"}); *consul != want {
		t.Errorf("consul: got %v, want %v", *consul, want)
	}
}

func TestFilesOfAFleetAreTakenFromTheFolderOfTheConfiguration(t *testing.T) {
	of := func(section string) config.Fleet {
		c, err := config.Parse(filepath.Join("etc", "config.yaml"), []byte(withFleet(section)), nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		return *c.Fleet
	}
	gossip := of("{tls_config: {ca_file: a, cert_file: b, key_file: /c}}").TLSConfig
	etcd := of(`{store: etcd, etcd: {endpoints: ["a:1"], username: u, password_file: p, tls_config: {ca_file: a, cert_file: b, key_file: c}}}`).Etcd
	consul := of("{store: consul, consul: {acl_token_file: t}}").Consul
	got := []string{
		gossip.CAFile, gossip.CertFile, gossip.KeyFile, etcd.PasswordFile,
		etcd.TLSConfig.CAFile, etcd.TLSConfig.CertFile, etcd.TLSConfig.KeyFile, consul.ACLTokenFile,
	}
	want := []string{"etc/a", "etc/b", "/c", "etc/p", "etc/a", "etc/b", "etc/c", "etc/t"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestAddressesAreThoseThatSomebodyCanBeAt(t *testing.T) {
	long := strings.Repeat("a", 63)
	for _, test := range []struct {
		section   string
		good, bad []string
	}{
		{
			"{listen: %q}",
			[]string{"0.0.0.0:7946", "127.0.0.1:0", "[::]:7946", "[fd00::7]:1", "[10.0.0.7]:7946"},
			[]string{"", "7946", ":7946", "localhost:7946", "10.0.0.7", "10.0.0.7:", "10.0.0.7:65536", "::1:7946", "[::1]", "[10.0.0.7]", "[10.0.0.7:7946", "[[10.0.0.7]]:7946", "[a]:7946", "[fe80::1%eth0]:7946", "224.0.0.1:7946"},
		},
		{
			"{advertise: %q}",
			[]string{"10.0.0.7:7946", "127.0.0.1:1", "[fd00::7]:7946", "[10.0.0.7]:7946"},
			[]string{"", "10.0.0.7", "10.0.0.7:0", "0.0.0.0:7946", "[::]:7946", "[::ffff:0.0.0.0]:7946", "[fe80::1%eth0]:7946", "[ff02::1]:7946", "replica-0:7946"},
		},
		{
			"{join: [%q]}",
			[]string{
				"10.0.0.7:1", "[fd00::7]:65535", "a:1", "a.b-c.d_e:1", "a.:1", "7a:1", long + ".b:1",
				"dns+a:1", "dns+10.0.0.7:1", "dnssrv+_a._tcp.b", "dnssrv+a:1", "dnssrvnoa+a", "dnssrvnoa+a.b.:1",
			},
			[]string{
				"", ":1", "a", "a:", "a:0", "a:b", "a:65536", "a:+1", "a:1:2", "a..b:1", ".a:1", ".:1", "a b:1", "a/b:1", "é:1", "[a]:1", "[10.0.0.7]:1", "fd00::7:1",
				"[fe80::1%eth0]:1", "10.0.0.256:1", "10:1", long + "a:1", strings.Repeat("a.", 127) + "a:1",
				"+a:1", "DNS+a:1", "dns+a", "dns+", "dns+dns+a:1", "dnssrv+", "dnssrv+10.0.0.7", "dnssrv+a:", "dnssrv+a:0", "dnssrv+10.0.0.7:1", "dnssrvnoa+a/b",
			},
		},
		{
			"{store: etcd, etcd: {endpoints: [%q]}}",
			[]string{"etcd:2379", "http://etcd:2379", "https://10.0.0.7:2379/", "[fd00::7]:2379"},
			[]string{"", "etcd", "http://etcd", "http://etcd:2379//", "HTTP://etcd:2379", "unix://etcd:2379", "http://etcd:2379?a", "http://etcd:2379#a", "//etcd:2379", "etcd:2379/", "http://u@etcd:2379"},
		},
		{
			"{store: consul, consul: {address: %q}}",
			[]string{"localhost:8500", "10.0.0.7:8500", "[::1]:8500"},
			[]string{"", "localhost", ":8500", "https://localhost:8500", "unix:///a", "u:p@localhost:8500", "localhost:8500/prefix", "fd00::1:8500"},
		},
		{
			"{cluster: %q}",
			[]string{"a", "9", "staging/traffic-exporter", "a/b/c.d_e", "a./b", strings.Repeat("a", 255)},
			[]string{"", "/", "/a", "a/", "a//b", "a/../b", ".a", "a/-b", "a b", "a?", "é", "a\n", strings.Repeat("a", 256)},
		},
		{
			"{name: %q}",
			[]string{"replica-0", "replica-0.fleet.staging", strings.Repeat("a", 64)},
			[]string{"", "-a", ".a", "a/b", "a b", strings.Repeat("a", 65)},
		},
	} {
		for _, text := range test.good {
			if _, err := config.Parse("x.yaml", []byte(withFleet(fmt.Sprintf(test.section, text))), nil, nil); err != nil {
				t.Error(err)
			}
		}
		for _, text := range test.bad {
			section := fmt.Sprintf(test.section, text)
			if _, err := config.Parse("x.yaml", []byte(withFleet(section)), nil, nil); err == nil || strings.Contains(err.Error(), "\n") {
				t.Errorf("%s: error %v", section, err)
			}
		}
	}
}

func TestBracketsAroundAnIPv4AddressAreLeftOut(t *testing.T) {
	f := fleet(t, `{listen: "[10.0.0.7]:7946", advertise: "[10.0.0.8]:7946"}`)
	if f.Listen != "10.0.0.7:7946" || f.Advertise != "10.0.0.8:7946" {
		t.Errorf("listen %q, advertise %q", f.Listen, f.Advertise)
	}
	if f = fleet(t, `{listen: "[fd00::7]:7946"}`); f.Listen != "[fd00::7]:7946" {
		t.Errorf("listen %q", f.Listen)
	}
}

func TestTheFleetsFingerprintShowsWhatHasChanged(t *testing.T) {
	const section = `{store: etcd, etcd: {endpoints: ["a:1"], username: u, password: "${TEST_PASSWORD}"}}`
	fingerprint := func(text string) string { return parse(t, text).FleetFingerprint() }
	before := fingerprint(withFleet(section))
	if len(before) != 64 {
		t.Errorf("fingerprint %q", before)
	}
	for name, text := range map[string]string{
		"defaults written out": withFleet(strings.Replace(section, "{store", "{weight: 1, forget_after: 1m, store", 1)),
		"order":                withFleet(strings.Replace(strings.Replace(section, "store: etcd, ", "", 1), "}}", "}, store: etcd}", 1)),
		"variable written out": withFleet(strings.Replace(section, "${TEST_PASSWORD}", "hunter2 from the environment", 1)),
		"scenarios":            strings.Replace(withFleet(section), "1/s", "2/s", 1),
		"min_replicas_alone":   withFleet(strings.Replace(section, "{store", "{min_replicas_alone: 3, store", 1)),
		"min_replicas":         withFleet(strings.Replace(section, "{store", "{min_replicas: 3, store", 1)),
	} {
		if fingerprint(text) != before {
			t.Errorf("%s: the fingerprint differs", name)
		}
	}
	for name, text := range map[string]string{
		"none":     with(""),
		"store":    withFleet("{store: consul}"),
		"name":     withFleet(strings.Replace(section, "{store", "{name: n, store", 1)),
		"endpoint": withFleet(strings.Replace(section, "a:1", "a:2", 1)),
		"password": withFleet(strings.Replace(section, "${TEST_PASSWORD}", "other", 1)),
	} {
		if fingerprint(text) == before {
			t.Errorf("%s: the fingerprint is the same", name)
		}
	}
	if fingerprint(withFleet("{store: consul}")) != fingerprint(withFleet("{store: consul, consul: {}}")) {
		t.Error("defaults of consul: the fingerprint differs")
	}
}

func TestSecretsOfAFleetAreNotShown(t *testing.T) {
	for _, section := range []string{
		`{store: etcd, etcd: {endpoints: ["a:1"], username: mary, password: hunter2}}`,
		"{store: consul, consul: {acl_token: hunter2}}",
		`{store: consul, consul: {acl_token: "${TEST_PASSWORD}"}}`,
	} {
		c := parse(t, withFleet(section))
		text, err := c.Redacted()
		if err != nil || leaks(string(text)) != "" || strings.Contains(string(text), "TEST_PASSWORD") || !strings.Contains(string(text), "<secret>") {
			t.Errorf("error %v, redacted:\n%s", err, text)
		}
		neverPrinted(t, c.Fleet, *c.Fleet)
		if c.Fleet.Etcd != nil {
			neverPrinted(t, c.Fleet.Etcd, *c.Fleet.Etcd)
		}
		if c.Fleet.Consul != nil {
			neverPrinted(t, c.Fleet.Consul, *c.Fleet.Consul)
		}
	}
}
