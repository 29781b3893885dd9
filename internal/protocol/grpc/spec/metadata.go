package spec

import (
	"encoding/base64"
	"strings"
)

// Reserved reports whether metadata of a name belongs to the protocol.
func Reserved(name string) bool {
	name = strings.ToLower(name)
	return strings.HasPrefix(name, "grpc-") || name == "content-type"
}

// Binary reports whether metadata of a name holds bytes, which go over the wire as base64.
func Binary(name string) bool { return strings.HasSuffix(strings.ToLower(name), "-bin") }

// DecodeBinary decodes the value of such metadata, with or without padding.
func DecodeBinary(value string) ([]byte, error) {
	return base64.RawStdEncoding.DecodeString(strings.TrimRight(value, "="))
}
