package grpc

import (
	"errors"
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
)

// Schema is a set of descriptors. It is immutable and safe for concurrent use.
type Schema struct {
	files *protoregistry.Files
	types *dynamicpb.Types
}

// newSchema returns a schema of files, in any order. What they import has to be among them or
// among the types that protobuf itself has.
func newSchema(files map[string]*descriptorpb.FileDescriptorProto) (*Schema, error) {
	declared := 0
	for _, f := range files {
		if declared += declaredIn(f); declared > maxDeclared {
			return nil, fmt.Errorf("found more than %d messages, fields and other declarations, expected fewer", maxDeclared)
		}
	}
	s := &Schema{files: new(protoregistry.Files)}
	b := schemaBuilder{from: files, to: s.files}
	for path := range files {
		if err := b.add(path); err != nil {
			return nil, err
		}
	}
	s.types = dynamicpb.NewTypes(s.files)
	return s, nil
}

// maxDeclared bounds the declarations of a schema. One of a few bytes takes a kilobyte and some 20 µs.
const maxDeclared = 200_000

// declaredIn counts the declarations in a file.
func declaredIn(f *descriptorpb.FileDescriptorProto) int {
	n := len(f.GetExtension())
	for _, s := range f.GetService() {
		n += 1 + len(s.GetMethod())
	}
	return n + declaredBy(f.GetMessageType(), f.GetEnumType())
}

// declaredBy counts messages, enumerations and what they declare.
func declaredBy(messages []*descriptorpb.DescriptorProto, enums []*descriptorpb.EnumDescriptorProto) int {
	n := 0
	for _, e := range enums {
		n += 1 + len(e.GetValue())
	}
	for _, m := range messages {
		n += 1 + len(m.GetField()) + len(m.GetOneofDecl()) + len(m.GetExtension()) + declaredBy(m.GetNestedType(), m.GetEnumType())
	}
	return n
}

// schemaBuilder registers files after those that they import.
type schemaBuilder struct {
	from map[string]*descriptorpb.FileDescriptorProto
	to   *protoregistry.Files
	// depth is how many imports led to the present file.
	depth int
}

// maxImports bounds chains of imports: a longer one is a circle.
const maxImports = 1000

func (b *schemaBuilder) add(path string) error {
	if _, err := b.to.FindFileByPath(path); err == nil {
		return nil
	}
	file := b.from[path]
	if file == nil {
		known, err := protoregistry.GlobalFiles.FindFileByPath(path)
		if err != nil || !strings.HasPrefix(path, "google/") {
			return fmt.Errorf("file %q is imported and not there", path)
		}
		return b.to.RegisterFile(known)
	}
	if b.depth++; b.depth > maxImports {
		return fmt.Errorf("file %q imports itself", path)
	}
	defer func() { b.depth-- }()
	for _, dependency := range file.GetDependency() {
		if err := b.add(dependency); err != nil {
			return err
		}
	}
	fd, err := protodesc.NewFile(file, b.to)
	if err != nil {
		return err
	}
	return b.to.RegisterFile(fd)
}

// method returns the method of a path such as /package.Service/Method.
func (s *Schema) method(path string) (protoreflect.MethodDescriptor, error) {
	service, name, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	d, err := s.files.FindDescriptorByName(protoreflect.FullName(service))
	if err != nil {
		return nil, fmt.Errorf("no service %q", service)
	}
	sd, ok := d.(protoreflect.ServiceDescriptor)
	if !ok {
		return nil, fmt.Errorf("%q is no service", service)
	}
	md := sd.Methods().ByName(protoreflect.Name(name))
	if md == nil {
		return nil, fmt.Errorf("service %q has no method %q", service, name)
	}
	return md, nil
}

// FindMessageByName implements the resolver of protojson: what the schema lacks may be a type that
// protobuf or gRPC itself has.
func (s *Schema) FindMessageByName(name protoreflect.FullName) (protoreflect.MessageType, error) {
	if t, err := s.types.FindMessageByName(name); err == nil {
		return t, nil
	}
	return protoregistry.GlobalTypes.FindMessageByName(name)
}

// FindMessageByURL is like FindMessageByName.
func (s *Schema) FindMessageByURL(url string) (protoreflect.MessageType, error) {
	if t, err := s.types.FindMessageByURL(url); err == nil {
		return t, nil
	}
	return protoregistry.GlobalTypes.FindMessageByURL(url)
}

// FindExtensionByName implements the resolver of protojson.
func (s *Schema) FindExtensionByName(field protoreflect.FullName) (protoreflect.ExtensionType, error) {
	return s.types.FindExtensionByName(field)
}

// FindExtensionByNumber implements the resolver of protojson.
func (s *Schema) FindExtensionByNumber(message protoreflect.FullName, field protoreflect.FieldNumber) (protoreflect.ExtensionType, error) {
	return s.types.FindExtensionByNumber(message, field)
}

// errNoFiles is a descriptor set without files.
var errNoFiles = errors.New("it is no descriptor set, or an empty one")

// addSet adds the files of an encoded FileDescriptorSet.
func addSet(to map[string]*descriptorpb.FileDescriptorProto, content []byte) error {
	var set descriptorpb.FileDescriptorSet
	if err := proto.Unmarshal(content, &set); err != nil || len(set.GetFile()) == 0 {
		return errNoFiles
	}
	for _, f := range set.GetFile() {
		to[f.GetName()] = f
	}
	return nil
}
