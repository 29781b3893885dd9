package grpc

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/grpc/spec"
)

// The fields of the messages of reflection (grpc/reflection/v1/reflection.proto), which are the same
// in v1alpha.
const (
	requestByName       = 3
	requestBySymbol     = 4
	responseFiles       = 4
	responseFilesFile   = 1
	responseError       = 7
	responseErrorString = 2

	// maxRounds bounds how often a server is asked for what files import.
	maxRounds = 32
	// maxSchemaFiles bounds the files of a schema.
	maxSchemaFiles = 10_000
)

// reflectionPaths are the methods that are asked, the first one that a server has.
func reflectionPaths() []string {
	return []string{
		"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
		"/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
	}
}

// reflect asks the server of an entry for the schema of services.
func (c *Client) reflect(ctx context.Context, entry int, services []string) (*Schema, error) {
	files := map[string]*descriptorpb.FileDescriptorProto{}
	asked := map[string]bool{}
	number, wanted := protowire.Number(requestBySymbol), services
	for range maxRounds {
		if err := c.askAll(ctx, entry, number, wanted, files); err != nil {
			return nil, err
		}
		number, wanted = requestByName, nil
		for _, path := range missing(files) {
			if asked[path] {
				return nil, fmt.Errorf("reflection: file %q is imported and not there", path)
			}
			asked[path] = true
			wanted = append(wanted, path)
		}
		if len(wanted) == 0 {
			return newSchema(files)
		}
		if len(files) > maxSchemaFiles {
			break
		}
	}
	return nil, errors.New("reflection: there are too many files")
}

// missing returns the files that are imported and not there, in order.
func missing(files map[string]*descriptorpb.FileDescriptorProto) []string {
	lacks := map[string]bool{}
	for _, f := range files {
		for _, path := range f.GetDependency() {
			_, err := protoregistry.GlobalFiles.FindFileByPath(path)
			if files[path] == nil && (err != nil || !strings.HasPrefix(path, "google/")) {
				lacks[path] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(lacks))
}

// askAll asks for files, each by a value of the request's field, by the first version of reflection
// that the server has.
func (c *Client) askAll(ctx context.Context, entry int, number protowire.Number, values []string, files map[string]*descriptorpb.FileDescriptorProto) error {
	var body []byte
	for _, value := range values {
		request := protowire.AppendString(protowire.AppendTag(nil, number, protowire.BytesType), value)
		body, _ = appendMessage(body, request, false) // Only compression fails.
	}
	var messages [][]byte
	var err error
	for _, path := range reflectionPaths() {
		messages, err = c.ask(ctx, entry, path, body)
		if unknown, ok := errors.AsType[*StatusError](err); !ok || unknown.Code != spec.Unimplemented {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("reflection: %w", err)
	}
	for i, message := range messages {
		if err := readReflection(message, files); err != nil {
			what := ""
			if i < len(values) {
				what = fmt.Sprintf(" of %q", values[i])
			}
			return fmt.Errorf("reflection%s: %w", what, err)
		}
	}
	return nil
}

// ask makes one call of reflection and returns the messages of its response.
func (c *Client) ask(ctx context.Context, entry int, path string, body []byte) ([][]byte, error) {
	e := c.entries[entry]
	e.URL, e.Body = e.URL.WithTarget(path), body
	p, err := e.Prepare("")
	if err != nil {
		return nil, err
	}
	x := newExchange(c)
	x.to, x.most = &Call{Expect: spec.NewCodes(spec.OK)}, maxFile
	done := make(chan struct{})
	x.call = protocol.Call{
		Request: protocol.Request{Entry: entry, Scenario: "-", Segment: "reflection"}, Message: &p, Tap: x.whole, Done: func() { close(done) },
	}
	c.http.Start(&x.call)
	c.http.Flush()
	select {
	case <-done:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if r := x.result(); r.Failed() {
		return nil, fmt.Errorf("%s: %w", r.Reason, r.Err)
	}
	return split(x.body, x.encoding, maxFile, x.budget())
}

// errReflection is a response that is not what it has to be.
var errReflection = errors.New("the response cannot be read")

// readReflection adds the files of a response.
func readReflection(message []byte, files map[string]*descriptorpb.FileDescriptorProto) error {
	return eachField(message, func(number protowire.Number, value []byte) error {
		if number == responseError {
			return reflectionError(value)
		}
		if number == responseFiles {
			return readFiles(value, files)
		}
		return nil
	})
}

// readFiles adds the files of a FileDescriptorResponse.
func readFiles(message []byte, files map[string]*descriptorpb.FileDescriptorProto) error {
	return eachField(message, func(number protowire.Number, value []byte) error {
		if number != responseFilesFile {
			return nil
		}
		var f descriptorpb.FileDescriptorProto
		if err := proto.Unmarshal(value, &f); err != nil {
			return errReflection
		}
		files[f.GetName()] = &f
		return nil
	})
}

// reflectionError returns the error that a response holds.
func reflectionError(message []byte) error {
	text := "an error without a message"
	err := eachField(message, func(number protowire.Number, value []byte) error {
		if number == responseErrorString {
			text = strings.ToValidUTF8(string(value), "\uFFFD")
		}
		return nil
	})
	if err != nil {
		return err
	}
	return errors.New(text)
}

// eachField calls f with each field of a message that is bytes, a string or a message.
func eachField(message []byte, f func(protowire.Number, []byte) error) error {
	for len(message) > 0 {
		number, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			return errReflection
		}
		message = message[n:]
		if kind != protowire.BytesType {
			if n = protowire.ConsumeFieldValue(number, kind, message); n < 0 {
				return errReflection
			}
			message = message[n:]
			continue
		}
		value, n := protowire.ConsumeBytes(message)
		if n < 0 {
			return errReflection
		}
		if err := f(number, value); err != nil {
			return err
		}
		message = message[n:]
	}
	return nil
}
