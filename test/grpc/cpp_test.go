package grpc

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
)

// cppServer builds the server in cpp, starts it and returns its address. The test is skipped where
// gRPC's C++ library is not installed (Debian: libgrpc++-dev, libprotobuf-dev, protobuf-compiler-grpc).
func cppServer(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("its compiler takes half a minute")
	}
	for _, tool := range []string{"g++", "protoc", "grpc_cpp_plugin", "pkg-config"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed", tool)
		}
	}
	flags, err := exec.Command("pkg-config", "--cflags", "--libs", "grpc++", "protobuf").Output()
	if err != nil {
		t.Skip("gRPC's C++ library is not installed")
	}
	dir := t.TempDir()
	set, err := proto.Marshal(descriptors(testgrpc.File_grpc_testing_test_proto))
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "set.pb"), set, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	plugin, _ := exec.LookPath("grpc_cpp_plugin")
	run(t, "protoc", "--descriptor_set_in="+filepath.Join(dir, "set.pb"), "--cpp_out="+dir, "--grpc_out="+dir,
		"--plugin=protoc-gen-grpc="+plugin, "grpc/testing/empty.proto", "grpc/testing/messages.proto", "grpc/testing/test.proto")
	sources, err := filepath.Glob(filepath.Join(dir, "grpc/testing/*.cc"))
	if err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(dir, "server")
	args := append([]string{"-std=c++17", "-O1", "-I", dir, "-o", binary, "cpp/server.cc"}, sources...)
	run(t, "g++", append(append(args, strings.Fields(string(flags))...), "-Wl,--no-as-needed", "-lgrpc++_reflection")...)
	server := exec.Command(binary)
	in, err := server.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	server.Stderr = os.Stderr
	if err = server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = server.Wait()
	})
	port, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return "127.0.0.1:" + strings.TrimSpace(port)
}

// run runs a command that has to succeed.
func run(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
}

// descriptors returns the descriptors of a file and of those that it imports, which come first.
func descriptors(f protoreflect.FileDescriptor) *descriptorpb.FileDescriptorSet {
	set := new(descriptorpb.FileDescriptorSet)
	seen := map[string]bool{}
	var add func(protoreflect.FileDescriptor)
	add = func(f protoreflect.FileDescriptor) {
		if seen[f.Path()] {
			return
		}
		seen[f.Path()] = true
		for i := range f.Imports().Len() {
			add(f.Imports().Get(i).FileDescriptor)
		}
		set.File = append(set.File, protodesc.ToFileDescriptorProto(f))
	}
	add(f)
	return set
}

func TestInteropWithCpp(t *testing.T) {
	addr := cppServer(t)
	interopCases(t, addr)
	t.Run("metadata", func(t *testing.T) { echoesMetadata(t, addr) })
	t.Run("codes", func(t *testing.T) { countsEveryCode(t, addr) })
	t.Run("reading while sending", func(t *testing.T) { readsWhileItSends(t, addr) })
	t.Run("long messages", func(t *testing.T) { refusesLongMessages(t, addr) })
}
