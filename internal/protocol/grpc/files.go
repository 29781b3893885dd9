package grpc

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"sync/atomic"

	"github.com/bufbuild/protocompile"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
)

const (
	// maxFile bounds a file with descriptors, and the response of a server, in bytes.
	maxFile = 16 << 20
	// maxSources bounds sources and their imports together, in bytes. Compiling them takes
	// up to a hundred times as much memory.
	maxSources = 4 << 20
)

// readFile returns the content of a file of at most limit bytes.
type readFile func(path string, limit int) ([]byte, error)

// ReadFiles returns the schema of files: sources, whose names end in .proto, and descriptor sets as
// protoc --include_imports --descriptor_set_out and buf build write them. What a source imports is
// looked for in the folders of imports, beside the sources themselves, and among the files that
// protobuf has. Everything is read by read, which returns the content of a file of at most limit
// bytes, and which is called concurrently.
func ReadFiles(files, imports []string, read func(path string, limit int) ([]byte, error)) (*Schema, error) {
	all := map[string]*descriptorpb.FileDescriptorProto{}
	var sources []string
	for _, path := range files {
		if filepath.Ext(path) == ".proto" {
			sources = append(sources, path)
			continue
		}
		content, err := read(path, maxFile)
		if err == nil {
			err = addSet(all, content)
		}
		if err != nil {
			return nil, fmt.Errorf("descriptors %q: %w", path, err)
		}
	}
	if err := compile(all, sources, imports, read); err != nil {
		return nil, err
	}
	return newSchema(all)
}

// compile adds what sources and all that they import compile to.
func compile(to map[string]*descriptorpb.FileDescriptorProto, sources, imports []string, read readFile) error {
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
	c := protocompile.Compiler{Resolver: protocompile.WithStandardImports(&protocompile.SourceResolver{ImportPaths: folders, Accessor: read.bounded()})}
	compiled, err := c.Compile(context.Background(), names...)
	if err != nil {
		return err
	}
	for _, f := range compiled {
		addFile(to, f)
	}
	return nil
}

// bounded returns the compiler's way to open files, which it does concurrently. It fails when
// they are too large together.
func (read readFile) bounded() func(path string) (io.ReadCloser, error) {
	var total atomic.Int64
	return func(path string) (io.ReadCloser, error) {
		content, err := read(path, maxSources)
		if err != nil {
			return nil, err
		}
		if total.Add(int64(len(content))) > maxSources {
			return nil, fmt.Errorf("sources and their imports have more than %d bytes, expected fewer", maxSources)
		}
		return io.NopCloser(bytes.NewReader(content)), nil
	}
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
