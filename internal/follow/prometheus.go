package follow

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/api"
	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	promconfig "github.com/prometheus/common/config"
	"github.com/prometheus/common/model"
)

// maxResponse bounds a response, in bytes: one number takes some hundred.
const maxResponse = 1 << 20

// Server is a Prometheus to ask.
type Server struct {
	URL string
	// HTTP is how it is asked. Files that it names are read again when they change.
	HTTP promconfig.HTTPClientConfig
	// Header is sent with each request, and UserAgent is what they call themselves.
	Header    http.Header
	UserAgent string
	// Logger gets what the server warns about.
	Logger *slog.Logger
}

// Query returns what asks a Prometheus for the one number that a query results in.
func (s Server) Query(query string) (Ask, error) {
	// There are seconds between two requests, so that no connection is kept.
	client, err := promconfig.NewClientFromConfig(s.HTTP, "follow", promconfig.WithKeepAlivesDisabled(), promconfig.WithUserAgent(s.UserAgent))
	if err != nil {
		return nil, err
	}
	client.Transport = bounded{client.Transport, s.Header}
	c, err := api.NewClient(api.Config{Address: s.URL, Client: client})
	if err != nil {
		return nil, err
	}
	prometheus := promv1.NewAPI(c)
	return func(ctx context.Context) (float64, error) {
		// Without a time it is the server's present, whatever this clock shows.
		v, warnings, _, err := prometheus.Query(ctx, query, time.Time{})
		if err != nil {
			return 0, err
		}
		if len(warnings) > 0 {
			s.Logger.Debug("prometheus warns about the query", "warnings", warnings)
		}
		return number(v)
	}, nil
}

// number returns the one number of a result.
func number(v model.Value) (float64, error) {
	switch v := v.(type) {
	case *model.Scalar:
		return float64(v.Value), nil
	case model.Vector:
		switch {
		case len(v) == 0:
			return 0, errors.New("found nothing: the query has an empty result")
		case len(v) > 1:
			return 0, fmt.Errorf("found %d elements, expected one: write sum(...) into the query", len(v))
		case v[0].Histogram != nil:
			return 0, errors.New("found a native histogram, expected a number: write histogram_count(...) into the query")
		}
		return float64(v[0].Value), nil
	default:
		return 0, fmt.Errorf("found a result of type %s, expected an instant vector or a scalar", v.Type())
	}
}

// bounded adds header fields to requests and bounds the bodies of responses.
type bounded struct {
	http.RoundTripper
	header http.Header
}

// RoundTrip implements http.RoundTripper.
func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	maps.Copy(r.Header, b.header)
	resp, err := b.RoundTripper.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	resp.Body = &limited{ReadCloser: resp.Body, left: maxResponse}
	return resp, nil
}

// limited is a body that fails when it is longer than it may be.
type limited struct {
	io.ReadCloser
	left int
}

// Read implements io.Reader.
func (l *limited) Read(p []byte) (int, error) {
	n, err := l.ReadCloser.Read(p)
	if l.left -= n; l.left < 0 {
		return 0, fmt.Errorf("found a response of more than %d bytes, expected one number", maxResponse)
	}
	return n, err
}
