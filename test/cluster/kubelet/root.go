package kubelet

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
	core "k8s.io/api/core/v1"
)

// busy is how long a mount may be.
const busy = 10 * time.Second

// root is the root file system of a container.
type root struct {
	path string
	// mounts are those below it, in the order in which they were made.
	mounts []string
}

// newRoot mounts what a container of an image sees: the image's files, what kubelet writes
// and the pod's volumes. It must be unmounted also where there is an error.
func (p *pod) newRoot(path string, c core.Container, image Image) (*root, error) {
	r := &root{path: path}
	if err := os.MkdirAll(path, 0o755); err != nil { //nolint:gosec // Others run in it.
		return r, err
	}
	if err := r.mount(path, "/", false); err != nil {
		return r, err
	}
	binds := map[string]string{"/proc": "/proc", "/etc/resolv.conf": filepath.Join(p.folder, "resolv.conf")}
	for _, shared := range []string{"/etc/ssl/certs", "/usr/share/zoneinfo"} {
		if exists(shared) {
			binds[shared] = shared
		}
	}
	maps.Copy(binds, image.Files)
	for inside, outside := range binds {
		if err := r.mount(outside, inside, inside != "/proc"); err != nil {
			return r, err
		}
	}
	for _, v := range c.VolumeMounts {
		if err := r.mount(filepath.Join(p.volume(v.Name), v.SubPath), v.MountPath, v.ReadOnly); err != nil {
			return r, err
		}
	}
	if s := c.SecurityContext; s != nil && s.ReadOnlyRootFilesystem != nil && *s.ReadOnlyRootFilesystem {
		return r, readOnly(path)
	}
	return r, nil
}

// mount shows a file or folder of this machine at a path of the container.
func (r *root) mount(outside, inside string, locked bool) error {
	at := filepath.Join(r.path, inside)
	info, err := os.Stat(outside)
	if err != nil {
		return err
	}
	folder := at
	if !info.IsDir() {
		folder = filepath.Dir(at)
	}
	if err = os.MkdirAll(folder, 0o755); err != nil { //nolint:gosec // Others run in it.
		return err
	}
	if !info.IsDir() {
		if err = os.WriteFile(at, nil, 0o644); err != nil { //nolint:gosec // Others run in it.
			return err
		}
	}
	if err = unix.Mount(outside, at, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("mount %q at %q: %w", outside, at, err)
	}
	r.mounts = append(r.mounts, at)
	if locked {
		return readOnly(at)
	}
	return nil
}

// readOnly makes a mount one that cannot be written to. A process that is being started
// holds all files of this one open until it runs its program: meanwhile the mount is busy.
func readOnly(at string) error {
	for deadline := time.Now().Add(busy); ; time.Sleep(time.Millisecond) {
		err := unix.Mount("", at, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, "")
		if err == nil || !errors.Is(err, unix.EBUSY) || time.Now().After(deadline) {
			return err
		}
	}
}

// unmount takes all away.
func (r *root) unmount() {
	for _, at := range slices.Backward(r.mounts) {
		_ = unix.Unmount(at, unix.MNT_DETACH)
	}
}

// resolvConf is the configuration of the pod's resolver.
func (p *pod) resolvConf() string {
	options := map[string]string{"ndots": "5"}
	if c := p.object.Spec.DNSConfig; c != nil {
		for _, o := range c.Options {
			options[o.Name] = ""
			if o.Value != nil {
				options[o.Name] = *o.Value
			}
		}
	}
	var list []string
	for name, value := range options {
		list = append(list, strings.TrimSuffix(name+":"+value, ":"))
	}
	slices.Sort(list)
	return fmt.Sprintf("nameserver %s\nsearch %s.svc.cluster.local svc.cluster.local cluster.local\noptions %s\n",
		p.k.Network.Host(), p.object.Namespace, strings.Join(list, " "))
}
