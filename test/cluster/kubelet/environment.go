package kubelet

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	core "k8s.io/api/core/v1"
)

// environment is that of the container's process.
func (c *container) environment() ([]string, error) {
	values := map[string]string{"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOSTNAME": c.p.object.Name}
	for _, from := range c.spec.EnvFrom {
		data, err := c.from(from)
		if err != nil {
			return nil, fmt.Errorf("envFrom: %w", err)
		}
		for key, value := range data {
			values[from.Prefix+key] = string(value)
		}
	}
	for _, e := range c.spec.Env {
		value, err := c.value(e)
		if err != nil {
			return nil, fmt.Errorf("env %q: %w", e.Name, err)
		}
		values[e.Name] = value
	}
	var all []string
	for _, name := range slices.Sorted(maps.Keys(values)) {
		all = append(all, name+"="+values[name])
	}
	return all, nil
}

// from returns the data of a source of variables.
func (c *container) from(source core.EnvFromSource) (map[string][]byte, error) {
	switch {
	case source.ConfigMapRef != nil:
		return c.p.configMap(source.ConfigMapRef.Name, source.ConfigMapRef.Optional)
	case source.SecretRef != nil:
		return c.p.secret(source.SecretRef.Name, source.SecretRef.Optional)
	default:
		return nil, fmt.Errorf("the source %v is not supported", source)
	}
}

// value returns that of a variable.
func (c *container) value(e core.EnvVar) (string, error) {
	from := e.ValueFrom
	switch {
	case from == nil:
		return e.Value, nil
	case from.FieldRef != nil:
		return c.p.field(from.FieldRef.FieldPath)
	case from.ConfigMapKeyRef != nil:
		data, err := c.p.configMap(from.ConfigMapKeyRef.Name, from.ConfigMapKeyRef.Optional)
		return string(data[from.ConfigMapKeyRef.Key]), err
	case from.SecretKeyRef != nil:
		data, err := c.p.secret(from.SecretKeyRef.Name, from.SecretKeyRef.Optional)
		return string(data[from.SecretKeyRef.Key]), err
	default:
		return "", fmt.Errorf("the source %v is not supported", from)
	}
}

// field returns a field of the pod.
func (p *pod) field(path string) (string, error) {
	for prefix, values := range map[string]map[string]string{"metadata.labels['": p.object.Labels, "metadata.annotations['": p.object.Annotations} {
		if key, found := strings.CutPrefix(path, prefix); found {
			return values[strings.TrimSuffix(key, "']")], nil
		}
	}
	switch path {
	case "metadata.name":
		return p.object.Name, nil
	case "metadata.namespace":
		return p.object.Namespace, nil
	case "metadata.uid":
		return string(p.object.UID), nil
	case "spec.nodeName":
		return p.object.Spec.NodeName, nil
	case "spec.serviceAccountName":
		return p.object.Spec.ServiceAccountName, nil
	case "status.podIP", "status.podIPs":
		return p.sandbox.ip, nil
	case "status.hostIP":
		return p.k.Network.Host(), nil
	default:
		return "", fmt.Errorf("the field %q is not supported", path)
	}
}
