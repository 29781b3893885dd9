package app

import (
	"io"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/traffic-exporter/traffic_exporter/internal/config"
)

// namingFiles returns configurations by the keys that each of them names a file with, which is
// called FILE.
func namingFiles() map[string]string {
	scenario := func(more string) string { return "scenarios:\n" + scenarioText("s", "0/s", url, more) }
	httpConfig := func(text string) string { return scenario("    http_config: {" + text + "}\n") }
	request := func(url, more string) string {
		return "scenarios:\n  - {name: s, rate: 0/s, requests: [{name: r, url: '" + url + "', " + more + "}]}\n"
	}
	etcd := func(text string) string {
		return "fleet: {store: etcd, etcd: {endpoints: ['http://127.0.0.1:1'], " + text + "}}\n" + scenario("")
	}
	return map[string]string{
		"TLSConfig.ca_file":                     httpConfig("tls_config: {ca_file: FILE}"),
		"TLSConfig.cert_file":                   httpConfig("tls_config: {cert_file: FILE, key_file: none}"),
		"TLSConfig.key_file":                    httpConfig("tls_config: {cert_file: none, key_file: FILE}"),
		"BasicAuth.username_file":               httpConfig("basic_auth: {username_file: FILE, password: p}"),
		"BasicAuth.password_file":               httpConfig("basic_auth: {username: u, password_file: FILE}"),
		"Authorization.credentials_file":        httpConfig("authorization: {credentials_file: FILE}"),
		"OAuth2.client_secret_file":             httpConfig("oauth2: {client_id: a, client_secret_file: FILE, token_url: 'https://a.example/'}"),
		"SigV4.secret_key_file":                 httpConfig("sigv4: {region: eu-central-1, access_key: a, secret_key_file: FILE}"),
		"RequestBasicAuth.username_file":        request(url, "basic_auth: {username_file: FILE, password: p}"),
		"RequestBasicAuth.password_file":        request(url, "basic_auth: {username: u, password_file: FILE}"),
		"RequestAuthorization.credentials_file": request(url, "authorization: {credentials_file: FILE}"),
		"Body.file":                             request(url, "method: POST, body: {file: FILE}"),
		"Part.file":                             request(url, "method: POST, body: {multipart: [{name: a, file: FILE}]}"),
		"Send.file":                             request("ws://127.0.0.1:1/", "exchange: [{send: {file: FILE}}]"),
		"GRPCConfig.proto_files":                "scenarios:\n  - {name: s, rate: 0/s, grpc_config: {proto_files: [FILE]}, requests: [{name: r, url: 'grpc://127.0.0.1:1/a.B/C', body: {message: {}}}]}\n",
		"Dataset.file":                          "data: {d: {file: FILE}}\n" + scenario("    variables: {v: {row: d}}\n"),
		"Variable.file":                         scenario("    variables: {v: {file: FILE}}\n"),
		"JWT.key_file":                          scenario("    variables: {v: {jwt: {algorithm: HS256, key_file: FILE, lifetime: 5m}}}\n"),
		"Replay.file":                           "scenarios:\n" + scenarioText("s", "{replay: {file: FILE}}", url, ""),
		"FleetTLSConfig.ca_file":                "fleet: {tls_config: {ca_file: FILE, cert_file: none, key_file: none}}\n" + scenario(""),
		"FleetTLSConfig.cert_file":              "fleet: {tls_config: {ca_file: none, cert_file: FILE, key_file: none}}\n" + scenario(""),
		"FleetTLSConfig.key_file":               "fleet: {tls_config: {ca_file: none, cert_file: none, key_file: FILE}}\n" + scenario(""),
		"Etcd.password_file":                    etcd("username: u, password_file: FILE"),
		"EtcdTLSConfig.ca_file":                 etcd("tls_config: {ca_file: FILE}"),
		"EtcdTLSConfig.cert_file":               etcd("tls_config: {cert_file: FILE, key_file: none}"),
		"EtcdTLSConfig.key_file":                etcd("tls_config: {cert_file: none, key_file: FILE}"),
		"Consul.acl_token_file":                 "fleet: {store: consul, consul: {acl_token_file: FILE}}\n" + scenario(""),
		"TLSConfig.ca_file of follow":           "scenarios:\n" + scenarioText("s", "{follow: {prometheus: {url: 'http://127.0.0.1:1', query: up, http_config: {tls_config: {ca_file: FILE}}}, max: 1/s}}", url, ""),
		"TLSConfig.ca_file of otlp":             "otlp: {traces: {url: 'https://127.0.0.1:1/', http_config: {tls_config: {ca_file: FILE}}}}\n" + scenario(""),
		"TLSConfig.ca_file of oauth2":           httpConfig("oauth2: {client_id: a, client_secret: b, token_url: 'https://a.example/', tls_config: {ca_file: FILE}}"),
	}
}

// fileKeys returns the keys that name files below a type of the configuration.
func fileKeys(in reflect.Type, seen map[reflect.Type]bool) []string {
	for in.Kind() == reflect.Pointer || in.Kind() == reflect.Slice {
		in = in.Elem()
	}
	if in.Kind() != reflect.Struct || seen[in] {
		return nil
	}
	seen[in] = true
	var keys []string
	for f := range in.Fields() {
		if slices.Contains([]string{"file", "content", "recording"}, f.Tag.Get("format")) {
			keys = append(keys, in.Name()+"."+f.Tag.Get("yaml"))
		}
		keys = append(keys, fileKeys(f.Type, seen)...)
	}
	return keys
}

func TestEveryKeyThatNamesAFileIsTried(t *testing.T) {
	tried := slices.Sorted(maps.Keys(namingFiles()))
	for _, key := range fileKeys(reflect.TypeFor[config.Config](), map[reflect.Type]bool{}) {
		if !slices.Contains(tried, key) {
			t.Errorf("%s is missing", key)
		}
	}
}

func TestOnlyRegularFilesAreReadWhateverNamesThem(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	for _, err := range []error{
		syscall.Mkfifo(at("pipe.csv"), 0o600), os.Symlink("/dev/zero", at("zero.csv")), os.Mkdir(at("folder.csv"), 0o700), os.WriteFile(at("none"), nil, 0o600),
	} {
		if err != nil {
			t.Skip(err)
		}
	}
	for key, text := range namingFiles() {
		for name, kind := range map[string]string{"pipe.csv": "a pipe", "zero.csv": "a device", "folder.csv": "a folder"} {
			if err := os.WriteFile(at("config.yaml"), []byte(strings.ReplaceAll(text, "FILE", name)), 0o600); err != nil {
				t.Fatal(err)
			}
			_, start := New(options(at("config.yaml"), io.Discard))
			for what, err := range map[string]error{"start": start, "check": Check(io.Discard, []string{at("config.yaml")})} {
				if err == nil || !strings.Contains(err.Error(), "found "+kind+", expected a regular file") || !strings.Contains(err.Error(), name) {
					t.Errorf("%s: %s of %s: %v", key, what, kind, err)
				}
			}
		}
	}
}
