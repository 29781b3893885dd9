package grpc

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/tidwall/gjson"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
)

// ErrNoDescriptors is a call of a method whose descriptors are not known.
var ErrNoDescriptors = errors.New("no descriptors of the method")

// Method is a method that an entry calls. Its descriptors may come later, and change. Safe for
// concurrent use.
type Method struct {
	// path is /package.Service/Method.
	path string
	// compress says that messages are sent compressed.
	compress bool
	// fixed is the message that is always the same, as JSON; nil if it varies.
	fixed *string

	now atomic.Pointer[resolved]
}

// resolved is a method whose descriptors are known.
type resolved struct {
	schema *Schema
	method protoreflect.MethodDescriptor
	// payload is the fixed message.
	payload httpreq.Payload
}

// NewMethod returns a method without descriptors. message is the JSON of the message that is always
// sent, or of a list of them if the method takes a stream, empty for an empty one; nil if that varies.
func NewMethod(path string, compress bool, message *string) *Method {
	return &Method{path: path, compress: compress, fixed: message}
}

// AppendFixed appends the message that is always the same, as Append does.
func (m *Method) AppendFixed(b []byte) ([]byte, error) {
	r := m.now.Load()
	if r == nil {
		return b, fmt.Errorf("%s: %w", m.path, ErrNoDescriptors)
	}
	return append(b, r.payload.Body...), nil
}

// Append appends the message, or the list of them, that a JSON string stands for, as it goes
// over the wire.
func (m *Method) Append(b []byte, text []byte) ([]byte, error) {
	r := m.now.Load()
	if r == nil {
		return b, fmt.Errorf("%s: %w", m.path, ErrNoDescriptors)
	}
	return r.append(b, text, m.compress)
}

// service returns the full name of the method's service.
func (m *Method) service() string {
	service, _, _ := strings.Cut(strings.TrimPrefix(m.path, "/"), "/")
	return service
}

// resolve returns what the method is by a schema. It fails if there is none, and if the fixed
// message does not fit it.
func (m *Method) resolve(s *Schema) (*resolved, error) {
	md, err := s.method(m.path)
	if err != nil {
		return nil, err
	}
	r := &resolved{schema: s, method: md}
	if m.fixed != nil {
		if r.payload.Body, err = r.append(nil, []byte(*m.fixed), m.compress); err != nil {
			return nil, fmt.Errorf("%s: %w", m.path, err)
		}
	}
	return r, nil
}

// append appends a message or a list of them.
func (r *resolved) append(b []byte, text []byte, compress bool) ([]byte, error) {
	all := [][]byte{text}
	switch stream := r.method.IsStreamingClient(); {
	case len(text) == 0 && stream:
		return b, nil
	case len(text) == 0:
		all[0] = []byte("{}")
	case stream:
		list := gjson.ParseBytes(text)
		if !list.IsArray() {
			return b, errors.New("the method takes a stream, expected a list of messages")
		}
		all = all[:0]
		for _, one := range list.Array() {
			all = append(all, []byte(one.Raw))
		}
	}
	for _, one := range all {
		message := dynamicpb.NewMessage(r.method.Input())
		if err := (protojson.UnmarshalOptions{Resolver: r.schema}).Unmarshal(one, message); err != nil {
			return b, messageError(err)
		}
		wire, err := proto.MarshalOptions{Deterministic: true}.Marshal(message)
		if err != nil {
			return b, err
		}
		if b, err = appendMessage(b, wire, compress); err != nil {
			return b, err
		}
	}
	return b, nil
}

// messageError returns an error of protojson without its prefix, which has a blank that differs
// from build to build, and without a place, which nobody has in a file.
func messageError(err error) error {
	text := strings.TrimPrefix(strings.ReplaceAll(err.Error(), "\u00a0", " "), "proto: ")
	if strings.HasPrefix(text, "(line ") {
		_, text, _ = strings.Cut(text, "): ")
	}
	return errors.New(text)
}

// requests and responses return messages as JSON for people, captures and checks: one message, or a
// list of them where the method has a stream.
func (r *resolved) requests(messages [][]byte) ([]byte, error) {
	return r.text(messages, r.method.Input(), r.method.IsStreamingClient(), false)
}

// responses is described at requests. Fields that have their default are shown, since checks may
// expect one.
func (r *resolved) responses(messages [][]byte) ([]byte, error) {
	return r.text(messages, r.method.Output(), r.method.IsStreamingServer(), true)
}

func (r *resolved) text(messages [][]byte, d protoreflect.MessageDescriptor, stream, defaults bool) ([]byte, error) {
	var out bytes.Buffer
	if stream {
		out.WriteByte('[')
	}
	for i, wire := range messages {
		message := dynamicpb.NewMessage(d)
		if err := (proto.UnmarshalOptions{Resolver: r.schema}).Unmarshal(wire, message); err != nil {
			return nil, fmt.Errorf("a message is no %s", d.FullName())
		}
		text, err := protojson.MarshalOptions{Resolver: r.schema, EmitDefaultValues: defaults}.Marshal(message)
		if err != nil {
			return nil, messageError(err)
		}
		if i > 0 {
			out.WriteByte(',')
		}
		// Blanks in what protojson writes differ from build to build.
		if err := json.Compact(&out, text); err != nil {
			return nil, err
		}
	}
	if stream {
		out.WriteByte(']')
	}
	return out.Bytes(), nil
}
