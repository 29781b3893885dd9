package session

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol/dial"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/uri"
	"github.com/traffic-exporter/traffic_exporter/internal/reloading"
)

const (
	// maxHead bounds the header of a response, in bytes. Its body is bounded by x/oauth2, by 1 MiB.
	maxHead = 64 << 10
	// maxText bounds what of an authorization server's explanation is logged, in bytes.
	maxText = 200
)

// ClientCredentials is how a service account gets a token (RFC 6749, section 4.4).
type ClientCredentials struct {
	ID, Secret, SecretFile string
	TokenURL               string
	Scopes                 []string
	// Params are further parameters of the request.
	Params url.Values
	TLS    dial.TLS
	Proxy  dial.ProxyOptions
	// Fence says where connections may go; nil allows all.
	Fence *dial.Fence
	// UserAgent is what the requests call themselves.
	UserAgent string
	// FileFailed is called for each failed look at a file. Logger gets a line when that begins.
	FileFailed func()
	Logger     *slog.Logger
}

// keys are what a request needs of files.
type keys struct {
	secret string
	tls    *tls.Config
	config clientcredentials.Config
	// found says that the server takes the secret in the way of the config's AuthStyle.
	found bool
}

// token asks for a token. Servers take the secret as basic authentication, or in the body (RFC
// 6749, section 2.3.1): what a server refuses in the one way is tried in the other.
func (k *keys) token(ctx context.Context) (*oauth2.Token, error) {
	token, err := k.config.Token(ctx)
	if err != nil && !k.found && refusesClient(err) {
		other := k.config
		other.AuthStyle = oauth2.AuthStyleInParams
		inBody, otherErr := other.Token(ctx)
		switch {
		case otherErr == nil:
			k.config.AuthStyle, token, err = other.AuthStyle, inBody, nil
		case !refusesClient(otherErr):
			err = otherErr
		}
	}
	k.found = k.found || err == nil
	return token, err
}

// refusesClient reports whether a server may not have understood who asks.
func refusesClient(err error) bool {
	refusal, ok := errors.AsType[*oauth2.RetrieveError](err)
	if !ok {
		return false
	}
	switch refusal.ErrorCode {
	case "invalid_client", "invalid_request", "unauthorized_client":
		return true
	case "":
		status := refusal.Response.StatusCode
		return status == http.StatusBadRequest || status == http.StatusUnauthorized || status == http.StatusForbidden
	}
	return false
}

// Grant returns what asks for a token. It fails if the files cannot be read.
func (c ClientCredentials) Grant() (Grant, error) {
	paths := append([]string{c.SecretFile}, c.TLS.Files()...)
	proxy := c.proxyFunc()
	value, err := reloading.New(reloading.Options{Paths: paths, Failed: c.FileFailed, Logger: c.Logger}, c.keys)
	if err != nil {
		return nil, fmt.Errorf("oauth2: %w", err)
	}
	return func(ctx context.Context) (Token, error) {
		k := value.Get(time.Now())
		token, err := k.token(context.WithValue(ctx, oauth2.HTTPClient, c.client(k, proxy)))
		if err != nil {
			return Token{}, c.describe(err, k.secret)
		}
		return accept(token, time.Now())
	}, nil
}

// keys reads the files.
func (c ClientCredentials) keys(files reloading.Files) (*keys, error) {
	secret, err := files.TextOr(c.Secret, c.SecretFile)
	if err != nil {
		return nil, fmt.Errorf("client secret: %w", err)
	}
	t, err := c.TLS.Config(files)
	if err != nil {
		return nil, err
	}
	return &keys{secret: secret, tls: t, config: clientcredentials.Config{
		ClientID: c.ID, ClientSecret: secret, TokenURL: c.TokenURL, Scopes: c.Scopes, EndpointParams: c.Params,
		AuthStyle: oauth2.AuthStyleInHeader,
	}}, nil
}

// client returns a client for one token: there are minutes between two, so that no connection
// is kept. It follows no redirect, which would take the secret elsewhere.
func (c ClientCredentials) client(k *keys, proxy func(*http.Request) (*url.URL, error)) *http.Client {
	header := http.Header{}
	for _, f := range c.Proxy.ConnectHeader {
		header.Add(f.Name, f.Value)
	}
	t := &http.Transport{
		DialContext: c.Fence.DialContext, TLSClientConfig: k.tls.Clone(), Proxy: proxy, ProxyConnectHeader: header,
		DisableKeepAlives: true, MaxResponseHeaderBytes: maxHead, ForceAttemptHTTP2: true,
	}
	return &http.Client{
		Transport:     agent{t, c.UserAgent},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// agent sets User-Agent.
type agent struct {
	next http.RoundTripper
	name string
}

// RoundTrip implements http.RoundTripper.
func (a agent) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("User-Agent", a.name)
	r.Header.Set("Accept", "application/json")
	return a.next.RoundTrip(r)
}

// proxyFunc returns which proxy a request goes through; nil for none. The proxy resolves the server's name.
func (c ClientCredentials) proxyFunc() func(*http.Request) (*url.URL, error) {
	choose := c.Proxy.Choice()
	if choose == nil {
		return nil
	}
	return func(r *http.Request) (*url.URL, error) {
		proxy, err := choose(r.URL)
		if proxy == nil || err != nil {
			return nil, err
		}
		server, err := uri.Parse(r.URL.String())
		if err != nil {
			return nil, err
		}
		return proxy, c.Fence.Proxied(server.Addr())
	}
}

// accept returns what of a token is used. A client must not use a token of a type that it does
// not understand (RFC 6749, section 7.1). What refreshes tokens is not used: the client's own
// credentials do that (section 4.4.3).
func accept(token *oauth2.Token, now time.Time) (Token, error) {
	if kind := token.TokenType; kind != "" && !strings.EqualFold(kind, "bearer") {
		return Token{}, fmt.Errorf("the token's type is %s, expected Bearer", quoted(kind))
	}
	t := Token{Value: token.AccessToken}
	if !token.Expiry.IsZero() {
		if t.Lifetime = token.Expiry.Sub(now); t.Lifetime <= 0 {
			return Token{}, errors.New("the token has expired already")
		}
	}
	return t, nil
}

// describe says why there is no token, without secrets: those that were sent, and the body of
// the response, which may hold any.
func (c ClientCredentials) describe(err error, secret string) error {
	if refusal, ok := errors.AsType[*oauth2.RetrieveError](err); ok {
		text := "the authorization server responds with status " + refusal.Response.Status[:min(3, len(refusal.Response.Status))]
		if refusal.ErrorCode != "" {
			text += ": error " + quoted(c.without(refusal.ErrorCode, secret))
		}
		if refusal.ErrorDescription != "" {
			text += ", " + quoted(c.without(refusal.ErrorDescription, secret))
		}
		return errors.New(text)
	}
	if failed, ok := errors.AsType[*url.Error](err); ok {
		err = failed.Err // Without the URL.
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("the authorization server does not respond within %v", patience)
	}
	return errors.New(c.without(strings.TrimPrefix(err.Error(), "oauth2: "), secret))
}

// without returns a string without the secret that was sent.
func (c ClientCredentials) without(text, secret string) string {
	secrets := []string{secret}
	for _, values := range c.Params {
		secrets = append(secrets, values...)
	}
	for _, s := range secrets {
		if s != "" {
			text = strings.NewReplacer(s, "<secret>", url.QueryEscape(s), "<secret>").Replace(text)
		}
	}
	if len(text) > maxText {
		text = strings.ToValidUTF8(text[:maxText], "") + "..."
	}
	return text
}

// quoted returns a string from outside for the log.
func quoted(text string) string {
	if len(text) > maxText+len("...") {
		text = text[:maxText] + "..."
	}
	return fmt.Sprintf("%q", text)
}
