package values

import (
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"strings"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	autoscaling "k8s.io/api/autoscaling/v2"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// prefix marks the definitions of Kubernetes' types.
const prefix = "k8s."

// passedOn returns the types of what values pass on to Kubernetes.
func passedOn() []reflect.Type {
	return []reflect.Type{
		reflect.TypeFor[autoscaling.HorizontalPodAutoscalerBehavior](),
		reflect.TypeFor[autoscaling.MetricSpec](),
		reflect.TypeFor[core.Affinity](),
		reflect.TypeFor[core.Container](),
		reflect.TypeFor[core.EnvFromSource](),
		reflect.TypeFor[core.EnvVar](),
		reflect.TypeFor[core.PodDNSConfig](),
		reflect.TypeFor[core.PodSecurityContext](),
		reflect.TypeFor[core.ResourceRequirements](),
		reflect.TypeFor[core.SecurityContext](),
		reflect.TypeFor[core.Toleration](),
		reflect.TypeFor[core.TopologySpreadConstraint](),
		reflect.TypeFor[core.Volume](),
		reflect.TypeFor[core.VolumeMount](),
		reflect.TypeFor[monitoring.Endpoint](),
		reflect.TypeFor[monitoring.RelabelConfig](),
		reflect.TypeFor[networking.NetworkPolicyEgressRule](),
		reflect.TypeFor[networking.NetworkPolicyIngressRule](),
		reflect.TypeFor[networking.NetworkPolicyPeer](),
	}
}

// addKubernetes adds the definitions of those of Kubernetes' types that the schema refers
// to.
func addKubernetes(defs, schema object) error {
	known := map[string]reflect.Type{}
	for _, t := range passedOn() {
		known[t.Name()] = t
	}
	text, err := json.Marshal(schema)
	if err != nil {
		return err
	}
	for _, m := range regexp.MustCompile(`#/\$defs/`+regexp.QuoteMeta(prefix)+`(\w+)`).FindAllSubmatch(text, -1) {
		t, ok := known[string(m[1])]
		if !ok {
			return fmt.Errorf("@schema: found %q, expected a type of Kubernetes that values pass on", m[1])
		}
		describe(defs, t)
	}
	return nil
}

// describe returns the schema of a type of Kubernetes' API, and adds the definitions that
// it needs.
func describe(defs object, t reflect.Type) object {
	switch t {
	case reflect.TypeFor[resource.Quantity](), reflect.TypeFor[intstr.IntOrString]():
		return object{"type": []any{"string", "number"}}
	case reflect.TypeFor[meta.Time](), reflect.TypeFor[meta.MicroTime](), reflect.TypeFor[meta.Duration]():
		return object{"type": "string"}
	case reflect.TypeFor[meta.FieldsV1]():
		return object{"type": "object"}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return describe(defs, t.Elem())
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.String:
		return object{"type": "string"}
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return object{"type": "string"}
		}
		return object{"type": "array", "items": describe(defs, t.Elem())}
	case reflect.Map:
		return object{"type": "object", "additionalProperties": describe(defs, t.Elem())}
	case reflect.Struct:
		return describeStruct(defs, t)
	default:
		return object{"type": "integer"}
	}
}

// describeStruct returns a reference to the definition of a struct.
func describeStruct(defs object, t reflect.Type) object {
	name := prefix + t.Name()
	if _, done := defs[name]; !done {
		properties := object{}
		// Before its fields, since types may contain themselves.
		defs[name] = object{"type": "object", "additionalProperties": false, "properties": properties}
		addFields(defs, properties, t)
	}
	return object{"$ref": "#/$defs/" + name}
}

func addFields(defs, properties object, t reflect.Type) {
	for field := range t.Fields() {
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		switch {
		case name == "-" || !field.IsExported():
		case name == "" && (field.Anonymous || strings.Contains(options, "inline")):
			embedded := field.Type
			if embedded.Kind() == reflect.Pointer {
				embedded = embedded.Elem()
			}
			addFields(defs, properties, embedded)
		default:
			properties[name] = describe(defs, field.Type)
		}
	}
}
