package journey

import (
	"bytes"
	"compress/flate"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"slices"
	"strings"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/inflate"
	"github.com/traffic-exporter/traffic_exporter/internal/script"
)

// maxCodings bounds the content codings of a response, as curl does: a body of 250 bytes in gzip can be one
// that decodes to itself.
const maxCodings = 5

// errCodings is a response with more of them.
var errCodings = fmt.Errorf("%w: it has more than %d codings", inflate.ErrBound, maxCodings)

// received is the last response to a request of a journey, as much of it as is looked at.
type received struct {
	head protocol.Head
	body []byte
	// request is the request's body where it is shown in another form than it is sent in.
	request []byte
	// decoded is the response without its content coding, or err why there is none, once it was asked
	// for.
	decoded *script.Response
	err     error
}

// response returns the response for captures, checks and watchers. It is decoded once.
func (r *received) response(limit int64) (*script.Response, error) {
	if r.decoded == nil && r.err == nil {
		r.decoded, r.err = r.decode(limit)
	}
	return r.decoded, r.err
}

func (r *received) decode(limit int64) (*script.Response, error) {
	res := &script.Response{Fields: make([]script.Field, len(r.head.Fields))}
	var codings []string
	for i, f := range r.head.Fields {
		res.Fields[i] = script.Field{Name: f.Name, Value: f.Value}
		if strings.EqualFold(f.Name, "Content-Encoding") {
			codings = append(codings, strings.Split(f.Value, ",")...)
		}
	}
	body, err := decode(r.body, codings, limit)
	if err != nil {
		return nil, fmt.Errorf("content coding %q: %w", strings.Join(codings, ","), err)
	}
	res.Body = string(body)
	return res, nil
}

// shown returns the response for a watcher: nil if there was none, and with its content coding if that
// cannot be taken off.
func (r *received) shown(limit int64) *script.Response {
	if r.head.Status == 0 {
		return nil
	}
	res, err := r.response(limit)
	if err != nil {
		res = &script.Response{Body: string(r.body)}
	}
	return res
}

// decode takes the content codings off a body, the last one first (RFC 9110, section 8.4).
// What it returns is at most so many bytes long, and none of the codings made much of little.
func decode(body []byte, codings []string, limit int64) ([]byte, error) {
	budget, taken := inflate.NewBudget(len(body), limit), 0
	for _, coding := range slices.Backward(codings) {
		name := strings.ToLower(strings.TrimSpace(coding))
		if name == "" || name == "identity" || len(body) == 0 {
			continue
		}
		if taken++; taken > maxCodings {
			return nil, errCodings
		}
		r, err := decoder(name, body, budget.Left())
		if err != nil {
			return nil, err
		}
		if body, err = budget.Read(r); err != nil {
			return nil, err
		}
	}
	return body, nil
}

// decoder returns a reader that takes off a coding. Of what comes, no more than most bytes are read.
func decoder(name string, body []byte, most int64) (io.Reader, error) {
	switch name {
	case "gzip", "x-gzip":
		return inflate.Gzip(body)
	case "deflate":
		// Servers send both what the name says and what it once was taken for.
		if r, err := zlib.NewReader(bytes.NewReader(body)); err == nil {
			return r, nil
		}
		return flate.NewReader(bytes.NewReader(body)), nil
	case "br":
		return brotli.NewReader(bytes.NewReader(narrow(body, most))), nil
	case "zstd":
		return zstd.NewReader(bytes.NewReader(body), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxWindow))
	default:
		return nil, errors.New("it is not known")
	}
}

// narrow returns a body in brotli with a window that is no larger than it needs to be for so many bytes: the
// decoder fills all of it, up to 16 MiB, before it returns any. To a body that is not longer the size of
// the window makes no difference (RFC 7932, section 4), and the sizes from 2^18 on are encoded in the same
// three bits (section 9.1).
func narrow(body []byte, most int64) []byte {
	need := max(18, bits.Len64(uint64(most)+16))
	if body[0]&1 == 0 || body[0]>>1&7 == 0 || 17+int(body[0]>>1&7) <= need {
		return body
	}
	body = bytes.Clone(body)
	body[0] = body[0]&^0xe | byte(need-17)<<1
	return body
}

// maxWindow bounds the memory of a decoder (RFC 9659).
const maxWindow = 8 << 20
