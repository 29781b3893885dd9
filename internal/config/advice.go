package config

import (
	"strings"
)

// advice returns what to write instead of an unknown key.
func advice(typeName string, fields []field, key string) string {
	if hint := instead(typeName, key); hint != "" {
		return hint
	}
	keys := make([]string, len(fields))
	for i, f := range fields {
		keys[i] = f.key
	}
	if best := nearest(key, keys); best != "" {
		return "did you mean " + best + "?"
	}
	return "expected " + list(keys, "or")
}

// nearest returns the word that is spelled most alike; empty if none is.
func nearest(key string, words []string) string {
	best, distance := "", max(1, len(key)/3)
	for _, word := range words {
		if n := editDistance(simplified(key), simplified(word)); n <= distance {
			best, distance = word, n-1
		}
	}
	return best
}

// simplified makes spellings such as maxInFlight and max-in-flight alike.
func simplified(key string) string {
	return strings.ToLower(strings.NewReplacer("_", "", "-", "").Replace(key))
}

// instead knows keys of Prometheus' http_config, of other tools and of later versions.
func instead(typeName, key string) string {
	const later = "not supported by this version"
	switch typeName + "." + key {
	case "HTTPConfig.enable_http2", "HTTPConfig.enable_http1":
		return "write protocol: auto, http1 or http2 instead"
	case "HTTPConfig.enable_http3":
		return "write protocol: http3 instead"
	case "HTTPConfig.zero_rtt", "HTTPConfig.0rtt":
		return "write early_data: true instead"
	case "HTTPConfig.bearer_token":
		return "write authorization: {credentials: ...} instead"
	case "HTTPConfig.bearer_token_file":
		return "write authorization: {credentials_file: ...} instead"
	case "HTTPConfig.http_headers", "HTTPConfig.headers":
		return "write headers in requests instead"
	case "HTTPConfig.timeout":
		return "write timeout in the scenario instead"
	case "Follow.max", "Follow.min", "Follow.scale", "Replay.max", "Replay.min", "Replay.scale":
		return "write it beside " + strings.ToLower(typeName)
	case "Follow.url", "Follow.http_config":
		return "write it in prometheus: {url: ..., http_config: ...}"
	case "Follow.interval":
		return "write every instead"
	case "Replay.time_zone":
		return "write it in the scenario instead"
	case "Compare.share", "Compare.percent", "Compare.ratio":
		return "write sample instead"
	case "Compare.base_url", "Compare.url", "Compare.target", "Compare.candidate":
		return "write with: {base_url: ...} instead"
	case "Candidate.http_config", "Candidate.authorization", "Candidate.basic_auth":
		return "the scenario's http_config holds for the candidate too; write headers or tls_config for the differences"
	case "Scenario.shadow", "Scenario.mirror", "Scenario.candidate", "Request.compare", "TrafficStep.compare", "Config.compare":
		return "write compare: {with: {base_url: ...}, sample: 10%} in the scenario instead"
	case "Request.parallel":
		return adviceParallel
	case "Request.session", "TrafficStep.session", "Config.session":
		return "write it in the scenario instead"
	case "Session.url", "Session.method", "Session.name", "Session.body", "Session.capture":
		return "write steps: [{name: login, method: POST, url: ...}] instead"
	case "Session.cookies":
		return "cookies of the steps are always kept: leave it out"
	case "Session.row", "Session.users", "Session.data":
		return "write for: NAME of a variable of the scenario such as {row: ...}"
	case "Session.interval", "Session.every", "Session.lifetime":
		return "write renew_after instead"
	case "SigV4.service":
		return "write service_name instead"
	case "SigV4.access_key_id":
		return "write access_key instead"
	case "SigV4.secret_access_key":
		return "write secret_key instead, or secret_key_file"
	case "Scenario.sigv4", "Request.sigv4", "TrafficStep.sigv4", "Config.sigv4", "HTTPConfig.aws", "HTTPConfig.aws_sigv4":
		return "write sigv4 in http_config of the scenario instead"
	case "Scenario.oauth2", "Request.oauth2", "TrafficStep.oauth2", "Config.oauth2":
		return "write it in http_config of the scenario instead"
	case "OAuth2.client_secret_ref", "OAuth2.grant_type", "OAuth2.client_certificate_key", "OAuth2.client_certificate_key_file",
		"OAuth2.client_certificate_key_ref", "OAuth2.client_certificate_key_id", "OAuth2.signature_algorithm", "OAuth2.iss", "OAuth2.claims",
		"HTTPConfig.http_config_file",
		"SigV4.profile", "SigV4.role_arn", "SigV4.external_id", "SigV4.session_name", "SigV4.tags", "SigV4.use_fips_sts_endpoint", "SigV4.session_token",
		"BasicAuth.username_ref", "BasicAuth.password_ref", "Authorization.credentials_ref",
		"RequestBasicAuth.username_ref", "RequestBasicAuth.password_ref", "RequestAuthorization.credentials_ref":
		return later
	case "GRPCConfig.tls_config", "GRPCConfig.basic_auth", "GRPCConfig.authorization", "GRPCConfig.oauth2", "GRPCConfig.connect_timeout",
		"GRPCConfig.max_conn_age", "GRPCConfig.dns_ttl", "GRPCConfig.max_response_bytes", "GRPCConfig.user_agent":
		return "write it in http_config of the scenario instead"
	case "GRPCConfig.metadata", "GRPCConfig.authority":
		return "write headers in the scenario or its requests instead; Host is the authority"
	case "GRPCConfig.reflection", "GRPCConfig.descriptors":
		return "servers are asked by reflection unless there are proto_files"
	case "GRPCConfig.descriptor_set", "GRPCConfig.protoset", "GRPCConfig.proto":
		return "write proto_files: [...] instead"
	case "GRPCConfig.timeout":
		return "write timeout in the scenario instead"
	case "WebSocketConfig.tls_config", "WebSocketConfig.basic_auth", "WebSocketConfig.authorization", "WebSocketConfig.oauth2",
		"WebSocketConfig.connect_timeout", "WebSocketConfig.proxy_url", "WebSocketConfig.max_response_bytes":
		return "write it in http_config of the scenario instead"
	case "WebSocketConfig.headers", "WebSocketConfig.origin":
		return "write headers in the scenario or its requests instead"
	case "WebSocketConfig.protocols", "WebSocketConfig.subprotocol":
		return "write subprotocols: [...] instead"
	case "WebSocketConfig.timeout":
		return "write timeout in the scenario instead"
	case "Scenario.websocket", "Scenario.ws", "Config.websocket_config", "Request.websocket_config", "TrafficStep.websocket_config":
		return "write websocket_config in the scenario instead"
	case "Scenario.subprotocols", "Request.subprotocols", "TrafficStep.subprotocols":
		return "write websocket_config: {subprotocols: [...]} in the scenario instead"
	case "Request.send", "TrafficStep.send", "Request.receive", "TrafficStep.receive", "Request.messages", "TrafficStep.messages",
		"Request.ping", "TrafficStep.ping":
		return "write exchange: [{send: ...}, {receive: {within: 1s}}] instead"
	case "Scenario.grpc", "Config.grpc_config", "Request.grpc_config", "TrafficStep.grpc_config":
		return "write grpc_config in the scenario instead"
	case "Request.metadata", "TrafficStep.metadata", "Scenario.metadata":
		return "write headers instead"
	case "Request.message", "TrafficStep.message":
		return "write body: {message: ...} instead"
	case "Scenario.http", "Scenario.protocol":
		return "write http_config: {protocol: ...} instead"
	case "Scenario.tls_config", "Scenario.basic_auth", "Scenario.authorization", "Scenario.follow_redirects",
		"Request.tls_config", "TrafficStep.tls_config", "Request.http_config", "TrafficStep.http_config":
		return "write it in http_config of the scenario instead"
	case "Scenario.url", "Scenario.method", "Scenario.body":
		return "write it in requests instead: requests: [{name: ..., url: ...}]"
	case "Scenario.max_in_flight", "Scenario.max_rate", "Scenario.late_after":
		return "write limits: {" + key + ": ...} instead"
	case "Config.memberlist", "Config.etcd", "Config.consul", "Scenario.fleet":
		return "write it in fleet, beside scenarios"
	case "Fleet.peers", "Fleet.members", "Fleet.join_members", "Fleet.seeds":
		return "write join instead"
	case "Fleet.bind_addr", "Fleet.bind_port", "Fleet.port", "Fleet.address":
		return "write listen: IP:port instead"
	case "Fleet.advertise_addr", "Fleet.advertise_port":
		return "write advertise: IP:port instead"
	case "Fleet.replicas":
		return "replicas find and count each other: leave it out, or write min_replicas"
	case "FleetTLSConfig.ca", "FleetTLSConfig.cert", "FleetTLSConfig.key",
		"EtcdTLSConfig.ca", "EtcdTLSConfig.cert", "EtcdTLSConfig.key":
		return "write " + key + "_file instead"
	case "FleetTLSConfig.insecure_skip_verify":
		return "replicas always verify each other: leave it out"
	case "Consul.host", "Consul.endpoints", "Consul.port":
		return "write address: host:port instead"
	case "Consul.token", "Consul.token_file":
		return "write acl_" + key + " instead"
	case "Consul.tls_config", "Consul.scheme":
		return "Consul is reached over HTTP without TLS"
	case "Request.status":
		return "write expect: {status: [...]} instead"
	case "Config.pacing", "Request.rate", "TrafficStep.rate":
		return "write it in the scenario instead"
	}
	return foreign(typeName, simplified(key))
}

// editDistance is Levenshtein's: the least number of characters to insert, delete or
// replace that turns a into b.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(replace, diagonal+1, row[j]+1)
		}
	}
	return row[len(b)]
}
