package mesh

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"google.golang.org/protobuf/encoding/protowire"
)

// A connection carries one endless message of protocol buffers, whose fields are the frames.
// Those of unknown numbers are passed over.
const (
	frameHello protowire.Number = 1
	frameAsk   protowire.Number = 2
	// frameValue is the number of values of kind 0. Those of the other kinds follow.
	frameValue protowire.Number = 3
)

// The numbers of the fields of a hello.
const (
	helloCluster protowire.Number = 1
	helloID      protowire.Number = 2
	helloAddress protowire.Number = 3
)

// The numbers of the fields of a value, and of those that are asked for, which have no
// content. askValue is that of one of the latter in its frame.
const (
	valueID      protowire.Number = 1
	valueStamp   protowire.Number = 2
	valueContent protowire.Number = 3
	askValue     protowire.Number = 1
)

// maxFrame bounds a frame, in bytes.
const maxFrame = 4 << 20

// errFrame is returned for bytes that are no frame.
var errFrame = errors.New("not a frame of the fleet")

// hello is how both sides of a connection begin.
type hello struct {
	cluster, id string
	// address is where the others reach the sender.
	address string
}

func (h hello) append(b []byte) []byte {
	content := appendString(nil, helloCluster, h.cluster)
	content = appendString(content, helloID, h.id)
	content = appendString(content, helloAddress, h.address)
	return appendFrame(b, frameHello, content)
}

func readHello(content []byte) (h hello, err error) {
	err = eachField(content, func(number protowire.Number, _ uint64, field []byte) {
		switch number {
		case helloCluster:
			h.cluster = string(field)
		case helloID:
			h.id = string(field)
		case helloAddress:
			h.address = string(field)
		}
	})
	return h, err
}

func appendString(b []byte, number protowire.Number, s string) []byte {
	b = protowire.AppendTag(b, number, protowire.BytesType)
	return protowire.AppendString(b, s)
}

// appendFrame adds a frame, or a field of bytes of one.
func appendFrame(b []byte, number protowire.Number, content []byte) []byte {
	b = protowire.AppendTag(b, number, protowire.BytesType)
	return protowire.AppendBytes(b, content)
}

func (v Value) fields() []byte {
	b := appendString(nil, valueID, v.ID)
	b = protowire.AppendTag(b, valueStamp, protowire.VarintType)
	b = protowire.AppendVarint(b, uint64(v.Stamp))
	if v.Content == nil {
		return b
	}
	return appendFrame(b, valueContent, v.Content)
}

func (v Value) append(b []byte) []byte {
	return appendFrame(b, frameValue+protowire.Number(v.Kind), v.fields())
}

func readValue(kind Kind, content []byte) (Value, error) {
	v := Value{Kind: kind}
	err := eachField(content, func(number protowire.Number, n uint64, field []byte) {
		switch number {
		case valueID:
			v.ID = string(field)
		case valueStamp:
			v.Stamp = int64(n)
		case valueContent:
			v.Content = field
		}
	})
	return v, err
}

// appendAsk adds a frame that asks for values that are newer than those.
func appendAsk(b []byte, missing []Value) []byte {
	var content []byte
	for _, v := range missing {
		v.Content = nil
		content = appendFrame(content, askValue, v.fields())
	}
	return appendFrame(b, frameAsk, content)
}

func readAsk(content []byte) (missing []Value, err error) {
	var broken error
	err = eachField(content, func(number protowire.Number, _ uint64, field []byte) {
		if number != askValue {
			return
		}
		v, err := readValue(0, field)
		if err != nil {
			broken = err
		}
		missing = append(missing, v)
	})
	return missing, errors.Join(err, broken)
}

// eachField calls a function with the number of each field of a message, and its value,
// which is a number or bytes.
func eachField(b []byte, do func(number protowire.Number, n uint64, field []byte)) error {
	for len(b) > 0 {
		number, kind, used := protowire.ConsumeTag(b)
		if used < 0 {
			return errFrame
		}
		b = b[used:]
		var n uint64
		var field []byte
		switch kind {
		case protowire.VarintType:
			n, used = protowire.ConsumeVarint(b)
		case protowire.BytesType:
			field, used = protowire.ConsumeBytes(b)
		default:
			used = protowire.ConsumeFieldValue(number, kind, b)
		}
		if used < 0 {
			return errFrame
		}
		b = b[used:]
		do(number, n, field)
	}
	return nil
}

// readFrame reads the next frame. Its content is the caller's.
func readFrame(r *bufio.Reader) (protowire.Number, []byte, error) {
	tag, err := binary.ReadUvarint(r)
	if err != nil {
		return 0, nil, err
	}
	number, kind := protowire.DecodeTag(tag)
	if kind != protowire.BytesType || number < 0 {
		return 0, nil, errFrame
	}
	length, err := binary.ReadUvarint(r)
	if err != nil {
		return 0, nil, unexpected(err)
	}
	if length > maxFrame {
		return 0, nil, fmt.Errorf("%w: %d bytes, more than %d", errFrame, length, maxFrame)
	}
	if length <= uint64(r.Size()) {
		content := make([]byte, length)
		_, err = io.ReadFull(r, content)
		return number, content, unexpected(err)
	}
	// Whoever announces much has to send it before it takes any memory.
	var content bytes.Buffer
	_, err = io.CopyN(&content, r, int64(length))
	return number, content.Bytes(), unexpected(err)
}

// unexpected returns an error, as that of an end within a frame where it is one.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
