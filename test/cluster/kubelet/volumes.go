package kubelet

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"

	core "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/traffic-exporter/traffic_exporter/test/chart/volume"
)

// refresh writes those of the pod's volumes that have changed.
func (p *pod) refresh() error {
	for _, v := range p.object.Spec.Volumes {
		if err := p.refreshVolume(v); err != nil {
			return fmt.Errorf("volume %q: %w", v.Name, err)
		}
	}
	return nil
}

// volume is the folder of a volume.
func (p *pod) volume(name string) string { return filepath.Join(p.folder, "volumes", name) }

func (p *pod) refreshVolume(v core.Volume) error {
	folder := p.volume(v.Name)
	if err := os.MkdirAll(folder, 0o755); err != nil { //nolint:gosec // As kubelet does.
		return err
	}
	if v.EmptyDir != nil {
		return os.Chmod(folder, 0o777) //nolint:gosec // As kubelet does.
	}
	files, err := p.files(v.VolumeSource)
	if err != nil {
		return err
	}
	content, err := json.Marshal(files)
	if err != nil || p.written[v.Name] == string(content) {
		return err
	}
	if err = volume.Write(folder, files); err == nil {
		p.written[v.Name] = string(content)
	}
	return err
}

// files are what a volume holds, by path.
func (p *pod) files(v core.VolumeSource) (map[string][]byte, error) {
	switch {
	case v.ConfigMap != nil:
		data, err := p.configMap(v.ConfigMap.Name, v.ConfigMap.Optional)
		return items(data, v.ConfigMap.Items), err
	case v.Secret != nil:
		data, err := p.secret(v.Secret.SecretName, v.Secret.Optional)
		return items(data, v.Secret.Items), err
	case v.Projected != nil:
		all := map[string][]byte{}
		for _, source := range v.Projected.Sources {
			var part map[string][]byte
			var err error
			switch {
			case source.ConfigMap != nil:
				part, err = p.configMap(source.ConfigMap.Name, source.ConfigMap.Optional)
				part = items(part, source.ConfigMap.Items)
			case source.Secret != nil:
				part, err = p.secret(source.Secret.Name, source.Secret.Optional)
				part = items(part, source.Secret.Items)
			default:
				err = errors.New("the projected source is not supported")
			}
			if err != nil {
				return nil, err
			}
			maps.Copy(all, part)
		}
		return all, nil
	default:
		return nil, errors.New("the volume's type is not supported")
	}
}

// items returns the requested keys of an object's data, or all if none are requested.
func items(data map[string][]byte, keys []core.KeyToPath) map[string][]byte {
	if len(keys) == 0 {
		return data
	}
	files := map[string][]byte{}
	for _, item := range keys {
		if content, found := data[item.Key]; found {
			files[item.Path] = content
		}
	}
	return files
}

// configMap returns the data of a ConfigMap of the pod's namespace.
func (p *pod) configMap(name string, optional *bool) (map[string][]byte, error) {
	o, err := p.k.configMaps.ConfigMaps(p.object.Namespace).Get(name)
	if err != nil {
		return nil, missing(err, optional)
	}
	data := maps.Clone(o.BinaryData)
	if data == nil {
		data = map[string][]byte{}
	}
	for key, content := range o.Data {
		data[key] = []byte(content)
	}
	return data, nil
}

// secret returns the data of a Secret of the pod's namespace.
func (p *pod) secret(name string, optional *bool) (map[string][]byte, error) {
	o, err := p.k.secrets.Secrets(p.object.Namespace).Get(name)
	if err != nil {
		return nil, missing(err, optional)
	}
	return o.Data, nil
}

// missing is nil for an object that may be missing and is.
func missing(err error, optional *bool) error {
	if optional != nil && *optional && apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// exists reports whether there is a file.
func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}
