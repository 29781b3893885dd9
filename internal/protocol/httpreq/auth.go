package httpreq

import (
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/reloading"
)

// maxCredential bounds an Authorization header, in bytes: more is not a credential but
// the wrong file.
const maxCredential = 64 << 10

// BasicAuth is a user name and a password, each given as it is or in a file that is
// re-read when it changes.
type BasicAuth struct {
	Username, UsernameFile string
	Password, PasswordFile string
}

// Authorization is an Authorization header: its type and its credentials, given as
// they are or in a file that is re-read when it changes.
type Authorization struct {
	// Type is the scheme; empty is Bearer.
	Type string

	Credentials, CredentialsFile string
}

// Credential is the value of the Authorization header, as current as its files or its
// token. The nil Credential has none. Safe for concurrent use.
type Credential struct {
	value *reloading.Value[[]string]
	// token, if not nil, stands for the value.
	token func() []string
}

// NewCredential returns the credential of the options; nil if they have none. Its errors
// name files, never their content.
func NewCredential(o Options, logger *slog.Logger) (*Credential, error) {
	var build func(reloading.Files) (string, error)
	var paths []string
	switch {
	case o.Token != nil:
		return &Credential{token: o.Token}, nil
	case o.BasicAuth != nil:
		a := *o.BasicAuth
		build, paths = a.header, []string{a.UsernameFile, a.PasswordFile}
	case o.Authorization != nil:
		a := *o.Authorization
		build, paths = a.header, []string{a.CredentialsFile}
	default:
		return nil, nil //nolint:nilnil // No credential is a valid credential.
	}
	wire := o.Observer
	if wire == nil {
		wire = protocol.Discard{}
	}
	value, err := reloading.New(reloading.Options{Paths: paths, Failed: wire.FileFailed, Logger: logger},
		func(files reloading.Files) ([]string, error) {
			h, err := build(files)
			if err == nil && len(h) > maxCredential {
				err = fmt.Errorf("credentials make a header of %d bytes, expected at most %d", len(h), maxCredential)
			}
			return []string{h}, err
		})
	if err != nil {
		return nil, err
	}
	return &Credential{value: value}, nil
}

// Get returns the values of the header: one, or none. Do not modify them.
func (c *Credential) Get(now time.Time) []string {
	switch {
	case c == nil:
		return nil
	case c.token != nil:
		return c.token()
	}
	return c.value.Get(now)
}

// header returns the header's value.
func (a BasicAuth) header(files reloading.Files) (string, error) {
	username, err := files.TextOr(a.Username, a.UsernameFile)
	if err != nil {
		return "", fmt.Errorf("basic auth: username: %w", err)
	}
	password, err := files.TextOr(a.Password, a.PasswordFile)
	if err != nil {
		return "", fmt.Errorf("basic auth: password: %w", err)
	}
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(username+":"+password)), nil
}

// header returns the header's value. It refuses what would break the header, such
// as a file of several lines.
func (a Authorization) header(files reloading.Files) (string, error) {
	credentials, err := files.TextOr(a.Credentials, a.CredentialsFile)
	if err != nil {
		return "", fmt.Errorf("authorization: credentials: %w", err)
	}
	kind := a.Type
	if kind == "" {
		kind = "Bearer"
	}
	if credentials == "" {
		return "", errors.New("authorization: credentials are empty")
	}
	h := kind + " " + credentials
	if strings.ContainsFunc(h, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return "", errors.New("authorization: credentials hold a line break or another control character")
	}
	return h, nil
}
