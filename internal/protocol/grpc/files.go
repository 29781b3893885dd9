package grpc

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/bufbuild/protocompile"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
)

// maxFile bounds a file with descriptors, in bytes.
const maxFile = 64 << 20

// ReadFiles returns the schema of files: sources, whose names end in .proto, and descriptor sets as
// protoc --include_imports --descriptor_set_out and buf build write them. What a source imports is
// looked for in the folders of imports, beside the sources themselves, and among the files that
// protobuf has.
func ReadFiles(files, imports []string) (*Schema, error) {
	all := map[string]*descriptorpb.FileDescriptorProto{}
	var sources []string
	for _, path := range files {
		if filepath.Ext(path) == ".proto" {
			sources = append(sources, path)
			continue
		}
		content, err := readFile(path)
		if err == nil {
			err = addSet(all, content)
		}
		if err != nil {
			return nil, fmt.Errorf("descriptors %q: %w", path, err)
		}
	}
	if err := compile(all, sources, imports); err != nil {
		return nil, err
	}
	return newSchema(all)
}

// readFile returns the content of a file that is not too long.
func readFile(path string) ([]byte, error) {
	f, err := os.Open(path) //nolint:gosec // The configuration names it.
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // It is only read.
	content, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(content) > maxFile {
		err = fmt.Errorf("it is longer than %d bytes", maxFile)
	}
	return content, err
}

// compile adds what sources and all that they import compile to.
func compile(to map[string]*descriptorpb.FileDescriptorProto, sources, imports []string) error {
	if len(sources) == 0 {
		return nil
	}
	folders := append([]string(nil), imports...)
	names := make([]string, len(sources))
	for i, path := range sources {
		name, folder := nameOf(path, imports)
		names[i] = name
		folders = append(folders, folder)
	}
	c := protocompile.Compiler{Resolver: protocompile.WithStandardImports(&protocompile.SourceResolver{ImportPaths: folders})}
	compiled, err := c.Compile(context.Background(), names...)
	if err != nil {
		return err
	}
	for _, f := range compiled {
		addFile(to, f)
	}
	return nil
}

// nameOf returns what a source is called where it is imported, and the folder that this is
// relative to.
func nameOf(path string, imports []string) (name, folder string) {
	for _, folder := range imports {
		if rel, err := filepath.Rel(folder, path); err == nil && !strings.HasPrefix(rel, "..") {
			return filepath.ToSlash(rel), folder
		}
	}
	return filepath.Base(path), filepath.Dir(path)
}

// addFile adds a file and what it imports.
func addFile(to map[string]*descriptorpb.FileDescriptorProto, f protoreflect.FileDescriptor) {
	if _, there := to[f.Path()]; there {
		return
	}
	to[f.Path()] = protodesc.ToFileDescriptorProto(f)
	for i := range f.Imports().Len() {
		addFile(to, f.Imports().Get(i).FileDescriptor)
	}
}
