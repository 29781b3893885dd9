package config

import (
	"net/netip"
	"reflect"
	"strings"
)

// fleet checks the section fleet and completes it for its store.
func (v validator) fleet(f *Fleet) {
	if f == nil {
		return
	}
	v.storesKeys(f.Store)
	f.ClusterGiven = v.given("fleet.cluster")
	switch f.Store {
	case StoreMemberlist:
		if !v.given("fleet.listen") {
			f.Listen = defaultListen
		}
		v.listen(*f)
		f.Listen, f.Advertise = unbracketed(f.Listen), unbracketed(f.Advertise)
	case StoreEtcd:
		if f.Etcd == nil {
			v.fail("fleet.etcd", "missing, expected a mapping with endpoints, as store is etcd")
		}
	case StoreConsul:
		if f.Consul == nil {
			f.Consul = &Consul{}
			setDefaults(field{}, reflect.ValueOf(f.Consul).Elem())
		}
	}
	if f.Etcd != nil {
		v.etcd("fleet.etcd", *f.Etcd)
	}
	if f.Consul != nil {
		v.consul("fleet.consul", *f.Consul)
	}
}

// storesKeys reports keys of stores other than the chosen one.
func (v validator) storesKeys(chosen Store) {
	if !v.ok("fleet.store") {
		return
	}
	for _, k := range []struct {
		key string
		of  Store
	}{
		{"listen", StoreMemberlist},
		{"advertise", StoreMemberlist},
		{"join", StoreMemberlist},
		{"tls_config", StoreMemberlist},
		{"etcd", StoreEtcd},
		{"consul", StoreConsul},
	} {
		at := join("fleet", k.key)
		if k.of == chosen || !v.given(at) {
			continue
		}
		instead := ""
		if k.key == "tls_config" && chosen == StoreEtcd {
			instead = ": write it in etcd instead"
		}
		v.fail(at, "found with store %s, expected only with store %s%s", chosen, k.of, instead)
	}
}

// listen checks that a port which nobody knows ahead is not advertised as another.
func (v validator) listen(f Fleet) {
	at := "fleet.listen"
	if a, err := netip.ParseAddrPort(unbracketed(f.Listen)); err != nil || a.Port() != 0 || !v.given("fleet.advertise") {
		return
	}
	v.fail(at, "found %s, which listens on any free port, together with advertise: write the port that advertise leads to", v.found(at))
}

func (v validator) etcd(path string, e Etcd) {
	password := v.exclusive(path, "password", string(e.Password))
	user := join(path, "username")
	switch {
	case v.given(user) && v.ok(user) && e.Username == "":
		v.fail(user, "found an empty string: to do without, leave the key out")
	case v.given(user) && !password:
		v.fail(path, "found a user name without its password, expected password or password_file")
	case password && !v.given(user):
		v.fail(path, "found a password without its user name, expected username")
	}
	v.endpoints(join(path, "endpoints"), e)
	if e.TLSConfig != nil {
		v.certAndKey(join(path, "tls_config"))
	}
}

// certAndKey reports a certificate in a file without its key, or the other way round.
func (v validator) certAndKey(path string) {
	cert, key := v.given(join(path, "cert_file")), v.given(join(path, "key_file"))
	switch {
	case cert && !key:
		v.fail(path, "found a certificate without its key, expected key_file")
	case key && !cert:
		v.fail(path, "found a key without its certificate, expected cert_file")
	}
}

// endpoints checks that all endpoints are reached in the same way: the client takes the
// first one's way for all, so that one with http would send passwords without TLS.
func (v validator) endpoints(path string, e Etcd) {
	if !v.ok(path) {
		return
	}
	withTLS := e.TLSConfig != nil
	https := func(endpoint string) bool { return strings.HasPrefix(endpoint, "https://") }
	for _, endpoint := range e.Endpoints {
		withTLS = withTLS || https(endpoint)
	}
	for i, endpoint := range e.Endpoints {
		at := element(path, i)
		switch {
		case !withTLS || https(endpoint):
		case strings.HasPrefix(endpoint, "http://") && e.TLSConfig != nil:
			v.fail(at, "found %s together with tls_config, expected https://", v.found(at))
		case e.TLSConfig == nil:
			v.fail(at, "found %s together with https endpoints, expected https:// as well", v.found(at))
		}
	}
}

func (v validator) consul(path string, c Consul) {
	v.exclusive(path, "acl_token", string(c.ACLToken))
	v.sendable(join(path, "acl_token"), string(c.ACLToken))
}
