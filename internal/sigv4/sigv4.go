// Package sigv4 signs requests as AWS wants them signed, by Signature Version 4
// (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html).
package sigv4

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
)

// errGenerated is a body that nobody holds, so that it cannot be hashed before it is sent.
var errGenerated = errors.New("sigv4: a generated body cannot be signed")

// Options are what a Signer is made from.
type Options struct {
	// Region and Service are what requests are for, such as eu-central-1 and aps.
	Region, Service string
	AccessKey       string
	// SecretKey returns the secret as it is now. It is called concurrently and must not block.
	SecretKey func() string
}

// Signer signs requests. Safe for concurrent use.
type Signer struct {
	o      Options
	signer *v4.Signer
	// sendsHash says that the service wants the hash of the body in a header.
	sendsHash bool
}

// New returns a Signer.
func New(o Options) *Signer {
	isS3 := o.Service == "s3"
	return &Signer{o: o, sendsHash: isS3 || o.Service == "aoss", signer: v4.NewSigner(func(s *v4.SignerOptions) {
		s.DisableURIPathEscaping = isS3 // Only its keys are escaped once.
	})}
}

// Sign returns the fields that sign a request which is sent about now: Authorization, X-Amz-Date and what else the
// service wants. Host, Content-Type and the fields whose names begin with X-Amz- are signed, as is the body. They are for this request only: it
// must not be changed.
func (s *Signer) Sign(p *httpreq.Prepared, now time.Time) ([]protocol.Field, error) {
	if p.Source != nil {
		return nil, errGenerated
	}
	r := request(p)
	sum := sha256.Sum256(p.Body)
	hash := hex.EncodeToString(sum[:])
	added := []string{"Authorization", "X-Amz-Date"}
	if s.sendsHash {
		added = append(added, "X-Amz-Content-Sha256")
		r.Header.Set("X-Amz-Content-Sha256", hash)
	}
	c := aws.Credentials{AccessKeyID: s.o.AccessKey, SecretAccessKey: s.o.SecretKey()}
	if err := s.signer.SignHTTP(context.Background(), c, r, hash, s.o.Service, s.o.Region, now); err != nil {
		return nil, err
	}
	fields := make([]protocol.Field, 0, len(added))
	for _, name := range added {
		fields = append(fields, protocol.Field{Name: name, Value: r.Header.Get(name), Secret: name == "Authorization"})
	}
	return fields, nil
}

// request returns what of a request is signed. Its path is as it goes over the wire.
func request(p *httpreq.Prepared) *http.Request {
	path, query, _ := strings.Cut(p.URL.Target, "?")
	r := &http.Request{
		Method: p.Method, Host: p.Authority, Header: http.Header{},
		URL: &url.URL{Scheme: p.URL.Scheme, Host: p.Authority, Opaque: "//" + p.Authority + path, RawQuery: query},
	}
	for _, f := range p.Fields {
		if name := http.CanonicalHeaderKey(f.Name); name == "Content-Type" || strings.HasPrefix(name, "X-Amz-") {
			r.Header[name] = append(r.Header[name], f.Value)
		}
	}
	return r
}
