package cluster

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/traffic-exporter/traffic_exporter/test/cluster/kubelet"
	"github.com/traffic-exporter/traffic_exporter/test/cluster/services"
)

const (
	// token is the administrator's.
	token = "administrator"
	// server is where the API server is.
	server = "https://127.0.0.1:6443"
	// nodes is how many there are.
	nodes = 8
	// host is this machine's address among the pods, and the first of them.
	host = "10.244.0.1"
	// serviceRange is what Services get their addresses from.
	serviceRange = "10.96.0.0/16"
)

// cluster is a control plane with nodes.
type cluster struct {
	folder     string
	kubeconfig string
	client     kubernetes.Interface
	kubelet    *kubelet.Kubelet
	usage      *usage
}

// newCluster starts a cluster, which ends with the test.
func newCluster(t *testing.T) *cluster {
	t.Helper()
	folder, err := os.MkdirTemp("", "traffic-cluster-") //nolint:usetesting // It is kept where the test fails.
	if err != nil {
		t.Fatal(err)
	}
	c := &cluster{folder: folder, kubeconfig: filepath.Join(folder, "kubeconfig")}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("logs of the control plane and of all containers are in %s", folder)
			return
		}
		if err = os.RemoveAll(folder); err != nil {
			t.Error(err)
		}
	})
	network, err := kubelet.NewNetwork(t.Context(), netip.MustParsePrefix(host+"/16"))
	if err != nil {
		t.Fatal(err)
	}
	run(t, "ip", "route", "add", "local", serviceRange, "dev", "lo")
	c.startPlane(t)
	c.startNodes(t, network)
	c.define(t)
	return c
}

// startPlane starts the control plane and waits until it is ready.
func (c *cluster) startPlane(t *testing.T) {
	t.Helper()
	key, public := c.keys(t)
	tokens := c.write(t, "tokens.csv", token+`,admin,admin,"system:masters"`+"\n")
	c.write(t, "kubeconfig", fmt.Sprintf(`apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: %q, insecure-skip-tls-verify: true}}]
users: [{name: u, user: {token: %s}}]
contexts: [{name: c, context: {cluster: c, user: u}}]
current-context: c
`, server, token))
	const etcd = "http://127.0.0.1:2379"
	c.start(t, "etcd", env().etcd, "--data-dir="+filepath.Join(c.folder, "etcd"), "--unsafe-no-fsync",
		"--listen-client-urls="+etcd, "--advertise-client-urls="+etcd, "--listen-peer-urls=http://127.0.0.1:2380",
		"--initial-advertise-peer-urls=http://127.0.0.1:2380", "--initial-cluster=default=http://127.0.0.1:2380")
	certificates := filepath.Join(c.folder, "certificates")
	c.start(t, "kube-apiserver", env().apiServer, "--etcd-servers="+etcd, "--bind-address=127.0.0.1", "--advertise-address="+host, "--cert-dir="+certificates,
		"--endpoint-reconciler-type=none", "--service-cluster-ip-range="+serviceRange, "--authorization-mode=RBAC", "--token-auth-file="+tokens,
		"--service-account-issuer=https://kubernetes.default.svc", "--service-account-key-file="+public, "--service-account-signing-key-file="+key)
	config, err := clientcmd.BuildConfigFromFlags("", c.kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	config.QPS, config.Burst = 500, 1000
	config.WarningHandler = rest.NoWarnings{}
	if c.client, err = kubernetes.NewForConfig(config); err != nil {
		t.Fatal(err)
	}
	c.ready(t)
	c.start(t, "kube-controller-manager", env().controllers, "--kubeconfig="+c.kubeconfig, "--leader-elect=false", "--secure-port=0",
		"--service-account-private-key-file="+key, "--root-ca-file="+filepath.Join(certificates, "apiserver.crt"),
		"--horizontal-pod-autoscaler-sync-period=5s", "--kube-api-qps=200", "--kube-api-burst=400")
	c.start(t, "kube-scheduler", env().scheduler, "--kubeconfig="+c.kubeconfig, "--leader-elect=false", "--secure-port=0")
}

// keys writes those that tokens of ServiceAccounts are signed with.
func (c *cluster) keys(t *testing.T) (private, public string) {
	t.Helper()
	key := newKey(t)
	secret, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	known, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return c.write(t, "sa.key", pemOf("EC PRIVATE KEY", secret)), c.write(t, "sa.pub", pemOf("PUBLIC KEY", known))
}

func pemOf(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// ready waits until the API server is.
func (c *cluster) ready(t *testing.T) {
	t.Helper()
	eventually(t, 2*time.Minute, func() error {
		return c.client.Discovery().RESTClient().Get().AbsPath("/readyz").Do(t.Context()).Error()
	})
}

// start starts a program that runs as long as the test.
func (c *cluster) start(t *testing.T, name, path string, args ...string) {
	t.Helper()
	log, err := os.Create(filepath.Join(c.folder, name+".log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, args...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Env = []string{"HOME=" + c.folder}
	if err = cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		_ = log.Close()
	})
}

// startNodes starts the nodes, their DNS and what passes connections to Services on.
func (c *cluster) startNodes(t *testing.T, network *kubelet.Network) {
	t.Helper()
	log, err := os.Create(filepath.Join(c.folder, "kubelet.log"))
	if err != nil {
		t.Fatal(err)
	}
	logger := slog.New(slog.NewTextHandler(log, nil))
	factory := informers.NewSharedInformerFactory(c.client, 0)
	directory := services.NewDirectory(factory)
	var names []string
	for i := range nodes {
		names = append(names, fmt.Sprintf("node-%d", i))
	}
	c.kubelet = kubelet.New(kubelet.Options{
		Client: c.client, Informers: factory, Network: network, Image: image, Folder: c.folder, Logger: logger,
	}, names...)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var running sync.WaitGroup
	running.Go(func() {
		if err := c.kubelet.Run(ctx); err != nil {
			t.Errorf("kubelet: %v", err)
		}
	})
	running.Go(func() {
		if err := directory.ServeDNS(ctx, host); err != nil {
			t.Errorf("DNS: %v", err)
		}
	})
	running.Go(func() { directory.ServePorts(ctx, logger) })
	running.Go(func() { c.balance(ctx) })
	t.Cleanup(func() {
		cancel()
		running.Wait()
		factory.Shutdown()
		_ = log.Close()
	})
}

// image is what stands in for an image: all of them are the exporter's, which does nothing
// that lasts in place of an init container and serves in place of a sidecar.
func image(name string) kubelet.Image {
	const binary = "/bin/traffic_exporter"
	i := kubelet.Image{Files: map[string]string{binary: env().exporter}, Entrypoint: []string{binary}}
	switch {
	case strings.Contains(name, "hello"):
		i.Entrypoint = append(i.Entrypoint, "--version")
	case strings.Contains(name, "sidecar"):
		i.Entrypoint = append(i.Entrypoint, "target", "--listen-address=:8080")
	}
	return i
}

// balance gives Services that want a load balancer the address of one.
func (c *cluster) balance(ctx context.Context) {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		list, err := c.client.CoreV1().Services("").List(ctx, meta.ListOptions{})
		if err != nil {
			continue
		}
		for _, s := range list.Items {
			if s.Spec.Type == core.ServiceTypeLoadBalancer && len(s.Status.LoadBalancer.Ingress) == 0 {
				s.Status.LoadBalancer.Ingress = []core.LoadBalancerIngress{{IP: "198.51.100.1"}}
				_, _ = c.client.CoreV1().Services(s.Namespace).UpdateStatus(ctx, &s, meta.UpdateOptions{})
			}
		}
	}
}

// define adds what a cluster has before the chart: the kinds of the Prometheus operator, a
// priority class, and namespaces that releases share.
func (c *cluster) define(t *testing.T) {
	t.Helper()
	c.kubectl(t, "apply", "--server-side", "--filename="+env().definitions)
	c.kubectl(t, "create", "priorityclass", "low", "--value=-10")
	for _, name := range []string{"monitoring", "elsewhere"} {
		c.namespace(t, name)
	}
	c.kubectl(t, "wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
	c.kubectl(t, "wait", "--for=condition=Ready", "node", "--all", "--timeout=60s")
}

// namespace creates one that refuses pods that are not restricted.
func (c *cluster) namespace(t *testing.T, name string) {
	t.Helper()
	const enforce = "pod-security.kubernetes.io/enforce"
	n := &core.Namespace{ObjectMeta: meta.ObjectMeta{Name: name, Labels: map[string]string{enforce: "restricted"}}}
	if _, err := c.client.CoreV1().Namespaces().Create(t.Context(), n, meta.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	// What the controllers put into each is there before anything else.
	eventually(t, time.Minute, func() error {
		_, account := c.client.CoreV1().ServiceAccounts(name).Get(t.Context(), "default", meta.GetOptions{})
		_, authorities := c.client.CoreV1().ConfigMaps(name).Get(t.Context(), "kube-root-ca.crt", meta.GetOptions{})
		return errors.Join(account, authorities)
	})
}

// write writes a file and returns its path.
func (c *cluster) write(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(c.folder, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// kubectl runs kubectl and returns what it writes.
func (c *cluster) kubectl(t *testing.T, args ...string) string {
	t.Helper()
	// What it changes bears the name that it is called by.
	path := filepath.Join(c.folder, "kubectl")
	if err := os.Symlink(env().kubectl, path); err != nil && !os.IsExist(err) {
		t.Fatal(err)
	}
	return run(t, append([]string{path, "--kubeconfig=" + c.kubeconfig, "--cache-dir=" + filepath.Join(c.folder, "cache")}, args...)...)
}

// run runs a command and returns what it writes.
func run(t *testing.T, command ...string) string {
	t.Helper()
	output, err := try(t, nil, command...)
	if err != nil {
		t.Fatal(err)
	}
	return output
}

// patience is how long a command may take.
const patience = 4 * time.Minute

// try is run for commands that may fail.
func try(t *testing.T, environment []string, command ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Env = append(os.Environ(), environment...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s: %w: %s%s", strings.Join(command, " "), err, &stdout, &stderr)
	}
	return stdout.String(), nil
}

// eventually waits until ok returns nil.
func eventually(t *testing.T, within time.Duration, ok func() error) {
	t.Helper()
	deadline := time.Now().Add(within)
	for {
		err := ok()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %v", within, err)
		}
		time.Sleep(200 * time.Millisecond)
	}
}
