package grpc_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/grpc"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/protocoltest"
	"github.com/traffic-exporter/traffic_exporter/internal/reloading"
)

// service returns a file with a service of one method, and what it imports.
func service(file, name, method string, imports ...string) *descriptorpb.FileDescriptorProto {
	f := &descriptorpb.FileDescriptorProto{Name: &file, Package: new("test"), Syntax: new("proto3"), Dependency: imports}
	message := "Text" + name
	f.MessageType = []*descriptorpb.DescriptorProto{{Name: &message, Field: []*descriptorpb.FieldDescriptorProto{{
		Name: new("text"), Number: proto.Int32(1), Type: descriptorpb.FieldDescriptorProto_TYPE_STRING.Enum(),
		Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum(),
	}}}}
	typ := ".test." + message
	f.Service = []*descriptorpb.ServiceDescriptorProto{{Name: &name, Method: []*descriptorpb.MethodDescriptorProto{{Name: &method, InputType: &typ, OutputType: &typ}}}}
	return f
}

// reflector responds to reflection with what files returns for a name, and to calls with OK.
func reflector(t *testing.T, asked *atomic.Int32, files func(name string) *descriptorpb.FileDescriptorProto) http.HandlerFunc {
	t.Helper()
	return func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if !strings.Contains(r.URL.Path, "reflection.v1.") {
			respond(0, "", message(0, hello))(w, r)
			return
		}
		asked.Add(1)
		var responses []string
		for len(body) > 0 {
			n := int(body[4])
			_, _, tag := protowire.ConsumeTag(body[5:])
			name, _ := protowire.ConsumeString(body[5+tag:])
			body = body[5+n:]
			var out []byte
			if f := files(name); f != nil {
				wire, err := proto.Marshal(f)
				if err != nil {
					t.Error(err)
				}
				out = protowire.AppendBytes(protowire.AppendTag(nil, 4, protowire.BytesType), protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), wire))
			} else {
				text := protowire.AppendString(protowire.AppendTag([]byte{8, 5}, 2, protowire.BytesType), "not known")
				out = protowire.AppendBytes(protowire.AppendTag(nil, 7, protowire.BytesType), text)
			}
			responses = append(responses, message(0, string(out)))
		}
		respond(0, "", responses...)(w, r)
	}
}

// reflected returns options of calls whose descriptors the server has.
func reflected(t *testing.T, h http.HandlerFunc, text string) grpc.Options {
	t.Helper()
	o := optionsOf(serve(t, h), "Unary", text)
	o.Files = nil
	return o
}

func TestReflectionCollectsWhatFilesImport(t *testing.T) {
	var asked atomic.Int32
	c := open(t, reflected(t, reflector(t, &asked, func(name string) *descriptorpb.FileDescriptorProto {
		switch name {
		case "test.Echo":
			return service("echo.proto", "Echo", "Unary", "a.proto", "google/protobuf/any.proto")
		case "a.proto":
			return service("a.proto", "A", "M", "b.proto")
		case "b.proto":
			return service("b.proto", "B", "M")
		}
		return nil
	}), `{"text": "x"}`))
	if c.Descriptors().There() {
		t.Error("descriptors are there before anybody asked")
	}
	if r := send(c, nil); r.Reason != protocol.ReasonLocal || !errors.Is(r.Err, grpc.ErrNoDescriptors) {
		t.Errorf("without descriptors: %s (%v)", r.Reason, r.Err)
	}
	if err := c.Descriptors().Obtain(context.Background()); err != nil {
		t.Fatal(err)
	}
	if n := asked.Load(); n != 3 || !c.Descriptors().There() {
		t.Errorf("asked %d times", n)
	}
	if r := send(c, nil); r.Failed() {
		t.Error(r.Err)
	}
}

func TestReflectionFails(t *testing.T) {
	for _, test := range []struct {
		name, want string
		serve      http.HandlerFunc
		message    string
	}{
		{"an unknown service", `reflection of "test.Echo": not known`, reflector(t, new(atomic.Int32), func(string) *descriptorpb.FileDescriptorProto { return nil }), ""},
		{"an unknown import", `reflection of "gone.proto": not known`, reflector(t, new(atomic.Int32), func(name string) *descriptorpb.FileDescriptorProto {
			if name == "test.Echo" {
				return service("echo.proto", "Echo", "Unary", "gone.proto")
			}
			return nil
		}), ""},
		{"an import that stays away", `file "gone.proto" is imported and not there`, reflector(t, new(atomic.Int32), func(string) *descriptorpb.FileDescriptorProto {
			return service("echo.proto", "Echo", "Unary", "gone.proto")
		}), ""},
		{"another method", `service "test.Echo" has no method "Unary"`, reflector(t, new(atomic.Int32), func(string) *descriptorpb.FileDescriptorProto {
			return service("echo.proto", "Echo", "Other")
		}), ""},
		{"another message", `unknown field "nothing"`, reflector(t, new(atomic.Int32), func(string) *descriptorpb.FileDescriptorProto {
			return service("echo.proto", "Echo", "Unary")
		}), `{"nothing": 1}`},
		{"no reflection", "UNIMPLEMENTED", respond(12, "unknown service"), ""},
		{"a page", "UNIMPLEMENTED: HTTP status 404", head(404, "<html>"), ""},
		{"garbage", "cannot be read", respond(0, "", message(0, "\xff\xff\xff")), ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := open(t, reflected(t, test.serve, test.message))
			err := c.Descriptors().Obtain(context.Background())
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
			if c.Descriptors().There() {
				t.Error("descriptors are there")
			}
		})
	}
}

// counter counts loads of descriptors.
type counter struct{ loaded, failed atomic.Int32 }

func (c *counter) DescriptorsLoaded() { c.loaded.Add(1) }
func (c *counter) DescriptorsFailed() { c.failed.Add(1) }

func TestDescriptorsAreAskedForUntilTheyAreThere(t *testing.T) {
	var asked atomic.Int32
	known := reflector(t, &asked, func(string) *descriptorpb.FileDescriptorProto { return service("echo.proto", "Echo", "Unary") })
	c := open(t, reflected(t, func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) < 2 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		known(w, r)
	}, ""))
	var count counter
	c.Descriptors().Start(&count)
	protocoltest.Eventually(t, "descriptors are there", c.Descriptors().There)
	protocoltest.Eventually(t, "the load is counted", func() bool { return count.loaded.Load() == 1 })
	if n := count.failed.Load(); n != 1 {
		t.Errorf("%d failures", n)
	}
}

func TestDescriptorsAreTakenOver(t *testing.T) {
	h := reflector(t, new(atomic.Int32), func(string) *descriptorpb.FileDescriptorProto { return service("echo.proto", "Echo", "Unary") })
	o := reflected(t, h, "")
	old := open(t, o)
	if err := old.Descriptors().Obtain(context.Background()); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]bool{"": true, `{"text": "x"}`: true, `{"nothing": 1}`: false} {
		next := reflected(t, h, text)
		next.HTTP.Entries = o.HTTP.Entries
		c := open(t, next)
		c.Descriptors().Adopt(old.Descriptors())
		if c.Descriptors().There() != want {
			t.Errorf("message %q: there %t", text, !want)
		}
	}
}

func TestFilesAreRead(t *testing.T) {
	dir := t.TempDir()
	set, err := proto.Marshal(&descriptorpb.FileDescriptorSet{File: []*descriptorpb.FileDescriptorProto{service("a/echo.proto", "Echo", "Unary")}})
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err = os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	pipe := func(name string) string {
		path := filepath.Join(dir, name)
		if err = syscall.Mkfifo(path, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	if err = os.Symlink("/dev/zero", filepath.Join(dir, "zero.proto")); err != nil {
		t.Fatal(err)
	}
	half := "syntax = \"proto3\";" + strings.Repeat("\n", 2<<20)
	large := service("large.proto", "Echo", "Unary")
	large.MessageType[0].NestedType = slices.Repeat([]*descriptorpb.DescriptorProto{{Name: new("M")}}, 200_000)
	many, err := proto.Marshal(&descriptorpb.FileDescriptorSet{File: []*descriptorpb.FileDescriptorProto{large}})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name    string
		files   []string
		imports []string
		want    string
	}{
		{"a source", []string{"testdata/echo.proto"}, nil, ""},
		{"a source below a folder of imports", []string{"testdata/echo.proto"}, []string{"testdata"}, ""},
		{"a descriptor set", []string{write("set.binpb", string(set))}, nil, ""},
		{"a source whose import is elsewhere", []string{write("echo.proto", "syntax = \"proto3\"; import \"parts/kind.proto\";")}, nil, "parts/kind.proto"},
		{"a source with a mistake", []string{write("bad.proto", "syntax = \"proto3\"; mesage A {}")}, nil, "bad.proto:1:"},
		{"a text as a descriptor set", []string{write("text.pb", "hello")}, nil, "it is no descriptor set"},
		{"an empty descriptor set", []string{write("empty.pb", "")}, nil, "it is no descriptor set"},
		{"a pipe as a descriptor set", []string{pipe("pipe.pb")}, nil, "found a pipe, expected a regular file"},
		{"a source that is a pipe", []string{pipe("pipe.proto")}, nil, "found a pipe, expected a regular file"},
		{"an import that is a pipe", []string{write("pipes.proto", `syntax = "proto3"; import "pipe.proto";`)}, nil, "found a pipe, expected a regular file"},
		{"an import without an end", []string{write("zeros.proto", `syntax = "proto3"; import "zero.proto";`)}, nil, "found a device, expected a regular file"},
		{"a large source", []string{write("large.proto", strings.Repeat("\n", 4<<20+1))}, nil, "found more than 4194304 bytes, expected fewer"},
		{"sources that are large together", []string{write("half1.proto", half), write("half2.proto", half)}, nil, "sources and their imports have more than 4194304 bytes, expected fewer"},
		{"a large descriptor set", []string{write("large.pb", strings.Repeat("x", 16<<20+1))}, nil, "found more than 16777216 bytes, expected fewer"},
		{"a schema of too many messages", []string{write("many.pb", string(many))}, nil, "found more than 200000 messages, fields and other declarations, expected fewer"},
		{"a file that is not there", []string{filepath.Join(dir, "nothing.pb")}, nil, "no such file"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := grpc.ReadFiles(test.files, test.imports, reloading.ReadFile)
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("error %v, want %q", err, test.want)
			}
		})
	}
}

func TestMessagesHaveToFit(t *testing.T) {
	for _, test := range []struct{ method, message, want string }{
		{"Unary", `{"text": "a", "number": "5", "kind": "KIND_GOOD", "words": ["a"], "at": "2026-11-28T00:00:00Z"}`, ""},
		{"Unary", `{"txt": "a"}`, `/test.Echo/Unary: unknown field "txt"`},
		{"Unary", `{"text": 5}`, "invalid value for string field text: 5"},
		{"Unary", `[{"text": "a"}]`, "unexpected token ["},
		{"Collect", `[{"text": "a"}, {}]`, ""},
		{"Collect", `{"text": "a"}`, "takes a stream, expected a list"},
		{"Nothing", "", `has no method "Nothing"`},
	} {
		_, err := grpc.New(optionsOf(protocoltest.Options(t, "http://127.0.0.1:1"), test.method, test.message))
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s %s: error %v, want %q", test.method, test.message, err, test.want)
		}
	}
}
