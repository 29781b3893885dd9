package cluster

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// needs are what values ask of a namespace beyond the chart.
type needs struct {
	// secrets and configMaps, by name, must be created.
	secrets, configMaps map[string]map[string]string
	// in is the namespace that the objects go to, if it is not the release's.
	in string
	// etcd is whether replicas meet in one.
	etcd bool
	// untested is why `helm test` cannot pass.
	untested string
}

// needsOf are those of a file with values for a namespace.
func (v *values) needsOf(t *testing.T, set, namespace string) needs {
	t.Helper()
	certificates := v.authority.files(t)
	// The password of the user probe is probe.
	const users = `basic_auth_users: {probe: "$2b$04$Sboe0AClRRVxC1i.RKx4b.GLpJhhT0yVyzLLBCsNrMuwMvo89a72y"}` + "\n"
	const web = "tls_server_config: {cert_file: tls.crt, key_file: tls.key}\n"
	own := fmt.Sprintf(`
scenarios: [{name: own, rate: 5/s, requests: [{name: a, url: "http://%s:9870/"}]}]
fleet: {name: "${POD_NAME}", cluster: %s, min_replicas: 2, listen: "[${POD_IP}]:7946", join: ["dnssrv+_gossip._tcp.%s-fleet.%s.svc"]}
`, host, namespace, name, namespace)
	return map[string]needs{
		"client-certificates": {
			secrets: map[string]map[string]string{"traffic-exporter-web": with(certificates, "web.yml",
				"tls_server_config: {cert_file: tls.crt, key_file: tls.key, client_ca_file: ca.crt, client_auth_type: RequireAndVerifyClientCert}\n")},
			untested: "it has no client certificate",
		},
		"etcd":               {secrets: map[string]map[string]string{"etcd": {"password": "secret", "ca.crt": certificates["ca.crt"]}}, etcd: true},
		"existing-configmap": {configMaps: map[string]map[string]string{"scenarios": {"traffic.yaml": own}}},
		"existing-secret":    {secrets: map[string]map[string]string{"scenarios": {"config.yaml": own}}},
		"names": {in: "elsewhere", secrets: map[string]map[string]string{
			"a-secret-whose-name-is-much-too-long-for-the-name-of-a-volume-and-has-to-be-cut": {"a": "b"},
		}},
		"scenarios": {secrets: map[string]map[string]string{"storefront-credentials": {"password": "secret"}}},
		"secure": {secrets: map[string]map[string]string{
			"traffic-exporter-web": with(certificates, "web-config.yaml", web+users), "traffic-exporter-gossip": certificates,
			"traffic-exporter-user": {"username": "probe", "password": "probe"},
		}},
	}[set]
}

// with returns a copy of files with one more.
func with(files map[string]string, name, content string) map[string]string {
	all := maps.Clone(files)
	all[name] = content
	return all
}

// values installs files with values.
type values struct {
	helm

	report    *report
	authority authority
}

// all installs each file with values, a few at a time.
func (v *values) all(t *testing.T) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(chartFolder(), "ci", "*-values.yaml"))
	if err != nil || len(files) < 8 {
		t.Fatalf("found the files %q, %v, want at least 8", files, err)
	}
	for _, file := range files {
		set := strings.TrimSuffix(filepath.Base(file), "-values.yaml")
		t.Run(set, func(t *testing.T) {
			t.Parallel()
			begin := time.Now()
			defer func() { v.report.add("values: "+set, v.helm, row{took: time.Since(begin), failed: t.Failed()}) }()
			v.install(t, set, file)
		})
	}
}

// install installs a file with values, tests the release and removes it.
func (v *values) install(t *testing.T, set, file string) {
	t.Helper()
	namespace := fmt.Sprintf("%s-helm%d", set, v.major)
	v.namespace(t, namespace)
	n := v.needsOf(t, set, namespace)
	in := namespace
	if n.in != "" {
		in = n.in
	}
	v.provide(t, in, n)
	// Others install into the shared namespaces at the same time.
	before := v.objects(t, namespace)
	v.run(t, "install", release, chartFolder(), "--namespace="+namespace, "--values="+file, "--wait", "--timeout=3m")
	v.settles(t, in)
	runs := v.runs(t, in)
	for _, r := range runs {
		if !strings.HasSuffix(r, "/0") {
			t.Errorf("%s has been restarted", r)
		}
	}
	if n.untested == "" {
		v.run(t, "test", release, "--namespace="+namespace)
	}
	v.run(t, "upgrade", release, chartFolder(), "--namespace="+namespace, "--values="+file, "--wait", "--timeout=3m")
	if again := v.runs(t, in); !slices.Equal(again, runs) {
		t.Errorf("after an upgrade that changes nothing %v run, before it was %v", again, runs)
	}
	v.run(t, "uninstall", release, "--namespace="+namespace, "--wait", "--timeout=3m")
	v.leavesNothing(t, before, namespace)
	v.leavesNoneOf(t, namespace)
}

// settles waits until there are as many replicas as there should be, and all are ready.
func (v *values) settles(t *testing.T, namespace string) {
	t.Helper()
	eventually(t, soon, func() error {
		list, err := v.client.AppsV1().Deployments(namespace).List(t.Context(), meta.ListOptions{LabelSelector: selector})
		if err != nil {
			return err
		}
		if len(list.Items) != 1 {
			return fmt.Errorf("there are %d Deployments of replicas, want 1", len(list.Items))
		}
		want := *list.Items[0].Spec.Replicas
		scalers, err := v.client.AutoscalingV2().HorizontalPodAutoscalers(namespace).List(t.Context(), meta.ListOptions{})
		if err != nil {
			return err
		}
		for _, s := range scalers.Items {
			want = max(want, *s.Spec.MinReplicas)
		}
		if got := list.Items[0].Status.ReadyReplicas; got != want {
			return fmt.Errorf("%d replicas are ready, want %d", got, want)
		}
		return nil
	})
}

// provide creates what values need.
func (v *values) provide(t *testing.T, namespace string, n needs) {
	t.Helper()
	for name, data := range n.secrets {
		v.secret(t, namespace, name, data)
		if namespace == "elsewhere" {
			t.Cleanup(func() {
				if err := v.client.CoreV1().Secrets(namespace).Delete(context.WithoutCancel(t.Context()), name, meta.DeleteOptions{}); err != nil {
					t.Error(err)
				}
			})
		}
	}
	for name, data := range n.configMaps {
		c := &core.ConfigMap{ObjectMeta: meta.ObjectMeta{Name: name}, Data: data}
		if _, err := v.client.CoreV1().ConfigMaps(namespace).Create(t.Context(), c, meta.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	if n.etcd {
		v.publish(t, namespace, "etcd", core.ServicePort{Name: "client", Port: 2379}, 2379, "etcd-0", "etcd-1")
	}
}

// leavesNoneOf fails the test if objects of a namespace's release are left in those that
// releases share.
func (v *values) leavesNoneOf(t *testing.T, namespace string) {
	t.Helper()
	for _, object := range v.objects(t, "monitoring") {
		if strings.Contains(object, namespace) {
			t.Errorf("%s is left over", object)
		}
	}
}

// startEtcd starts one with TLS and users, for replicas to meet in.
func startEtcd(t *testing.T, c *cluster, a authority) {
	t.Helper()
	files := a.files(t)
	const client, peer = "https://" + host + ":2379", "http://" + host + ":2380"
	c.start(t, "etcd-of-fleets", env().etcd, "--data-dir="+filepath.Join(c.folder, "etcd-of-fleets"), "--unsafe-no-fsync",
		"--cert-file="+c.write(t, "etcd.crt", files["tls.crt"]), "--key-file="+c.write(t, "etcd.key", files["tls.key"]),
		"--listen-client-urls="+client, "--advertise-client-urls="+client, "--listen-peer-urls="+peer,
		"--initial-advertise-peer-urls="+peer, "--initial-cluster=default="+peer)
	transport := &http.Transport{TLSClientConfig: a.client()}
	defer transport.CloseIdleConnections()
	ask := func(path string, body map[string]string) error {
		content, err := json.Marshal(body)
		if err != nil {
			return err
		}
		response, err := (&http.Client{Transport: transport, Timeout: 10 * time.Second}).Post(client+"/v3/"+path, "application/json", bytes.NewReader(content))
		if err != nil {
			return err
		}
		defer func() { _ = response.Body.Close() }()
		if response.StatusCode != http.StatusOK {
			return fmt.Errorf("%s: %s", path, response.Status)
		}
		return nil
	}
	all := base64.StdEncoding.EncodeToString([]byte("/"))
	eventually(t, soon, func() error { return ask("kv/range", map[string]string{"key": all}) })
	for _, user := range []string{"root", "traffic"} {
		if err := ask("auth/user/add", map[string]string{"name": user, "password": "secret"}); err != nil {
			t.Fatal(err)
		}
		if err := ask("auth/user/grant", map[string]string{"user": user, "role": "root"}); err != nil {
			t.Fatal(err)
		}
	}
	if err := ask("auth/enable", map[string]string{}); err != nil {
		t.Fatal(err)
	}
}
