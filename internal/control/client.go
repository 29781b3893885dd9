// Package control is the client of the API that shows and changes the rates of a
// running fleet, and prints its responses for people. It knows the wire, not the
// command line.
package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/prometheus/common/config"
	"github.com/prometheus/common/version"

	"github.com/traffic-exporter/traffic_exporter/internal/web"
)

const (
	// maxResponse bounds how much of a response is read, in bytes.
	maxResponse = 64 << 20
	// maxSaid bounds the excerpt of a response that is not the API's, in bytes.
	maxSaid = 200
)

// Options says where the fleet is and how to get in.
type Options struct {
	// URL is that of any replica, with the path that it is served under, if any.
	URL string
	// HTTPConfigFile has the client's TLS and authentication, as Prometheus' own
	// http_config; empty for neither.
	HTTPConfigFile string
	// Timeout bounds each request.
	Timeout time.Duration
}

// Client talks to one replica of the fleet.
type Client struct {
	base *url.URL
	http *http.Client
}

// New returns a client. It asks for nothing yet.
func New(o Options) (*Client, error) {
	base, err := url.Parse(o.URL)
	if err != nil || (base.Scheme != "http" && base.Scheme != "https") || base.Host == "" {
		return nil, fmt.Errorf("found the URL %q, expected one such as http://localhost:9870", o.URL)
	}
	client, err := newHTTPClient(o.HTTPConfigFile)
	if err != nil {
		return nil, fmt.Errorf("HTTP configuration %q: %w", o.HTTPConfigFile, err)
	}
	client.Timeout = o.Timeout
	return &Client{base: base, http: client}, nil
}

func newHTTPClient(file string) (*http.Client, error) {
	cfg := &config.DefaultHTTPClientConfig
	if file != "" {
		var err error
		if cfg, _, err = config.LoadHTTPConfigFile(file); err != nil {
			return nil, err
		}
	}
	return config.NewClientFromConfig(*cfg, "traffic_exporter", config.WithUserAgent("traffic_exporter/"+version.Version))
}

// Scenarios returns the scenarios as they run now.
func (c *Client) Scenarios(ctx context.Context) ([]web.ScenarioStatus, error) {
	var all []web.ScenarioStatus
	err := c.do(ctx, http.MethodGet, c.endpoint("scenarios"), nil, &all)
	return all, err
}

// Set changes the rate of a scenario and returns it as it is then.
func (c *Client) Set(ctx context.Context, scenario string, o web.OverrideRequest) (web.ScenarioStatus, error) {
	var s web.ScenarioStatus
	body, err := json.Marshal(o)
	if err != nil {
		return s, fmt.Errorf("encode the request: %w", err)
	}
	err = c.do(ctx, http.MethodPut, c.endpoint("scenarios", scenario, "override"), body, &s)
	return s, err
}

// Preview returns what Set would lead to.
func (c *Client) Preview(ctx context.Context, scenario string, o web.OverrideRequest) (web.OverridePreview, error) {
	var p web.OverridePreview
	body, err := json.Marshal(o)
	if err != nil {
		return p, fmt.Errorf("encode the request: %w", err)
	}
	err = c.do(ctx, http.MethodPost, c.endpoint("scenarios", scenario, "override", "preview"), body, &p)
	return p, err
}

// Clear brings back the file's rate of a scenario and returns it as it is then. The
// request has no body: proxies may drop that of a DELETE.
func (c *Client) Clear(ctx context.Context, scenario string, o web.ClearRequest) (web.ScenarioStatus, error) {
	query := url.Values{}
	if o.Reason != "" {
		query.Set("reason", o.Reason)
	}
	if o.By != "" {
		query.Set("by", o.By)
	}
	u := c.endpoint("scenarios", scenario, "override")
	u.RawQuery = query.Encode()
	var s web.ScenarioStatus
	err := c.do(ctx, http.MethodDelete, u, nil, &s)
	return s, err
}

// endpoint returns the URL of an endpoint; its parts may have any characters.
func (c *Client) endpoint(parts ...string) *url.URL {
	escaped := []string{"api", "v1"}
	for _, p := range parts {
		escaped = append(escaped, url.PathEscape(p))
	}
	return c.base.JoinPath(escaped...)
}

// do sends a request, with a body if there is one, and decodes the data of the response.
func (c *Client) do(ctx context.Context, method string, u *url.URL, body []byte, data any) error {
	req, err := http.NewRequestWithContext(ctx, method, u.String(), bytes.NewReader(body))
	if err != nil {
		return err
	}
	if len(body) > 0 {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return c.unreached(err)
	}
	defer func() { _ = resp.Body.Close() }()
	response, err := io.ReadAll(io.LimitReader(resp.Body, maxResponse))
	if err != nil {
		return fmt.Errorf("%s %s: read the response: %w", method, u.Redacted(), err)
	}
	return decode(resp, response, data)
}

// unreached says what to do about a replica that was not reached.
func (c *Client) unreached(err error) error {
	_, unknown := errors.AsType[*net.DNSError](err)
	if op, ok := errors.AsType[*net.OpError](err); unknown || ok && op.Op == "dial" {
		return fmt.Errorf("%w\nno replica is reached at %s: name another one by --url or TRAFFIC_EXPORTER_URL", err, c.base.Redacted())
	}
	return err
}

// decode reads the data of a response. It returns the server's error message as
// it is, and a response of something else, such as a proxy, with the status.
func decode(resp *http.Response, response []byte, data any) error {
	var a struct {
		Status string          `json:"status"`
		Data   json.RawMessage `json:"data"`
		Error  string          `json:"error"`
	}
	err := json.Unmarshal(response, &a)
	switch {
	case err == nil && a.Status == "success" && resp.StatusCode == http.StatusOK:
		err = json.Unmarshal(a.Data, data)
	case err == nil && a.Status == "error" && a.Error != "":
		return errors.New(a.Error)
	default:
		err = fmt.Errorf("found the response %q, expected that of the API", said(response))
	}
	if err != nil {
		return fmt.Errorf("%s %s: %s: %w", resp.Request.Method, resp.Request.URL.Redacted(), resp.Status, err)
	}
	return nil
}

// said returns the beginning of a response on one line.
func said(response []byte) string {
	text := strings.Join(strings.Fields(string(response)), " ")
	if len(text) <= maxSaid {
		return text
	}
	return strings.ToValidUTF8(text[:maxSaid], "") + "..."
}
