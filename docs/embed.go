// Package docs holds the files of the documentation that the binary carries.
package docs

import _ "embed"

// ConfigSchema is the JSON Schema of the configuration file. Do not change its bytes.
//
//go:embed config.schema.json
var ConfigSchema []byte
