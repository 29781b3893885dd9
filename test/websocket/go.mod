module github.com/traffic-exporter/traffic_exporter/test/websocket

go 1.26.0

require (
	github.com/gorilla/websocket v1.5.3
	github.com/traffic-exporter/traffic_exporter v0.0.0
)

require (
	github.com/coder/websocket v1.8.15 // indirect
	github.com/tidwall/gjson v1.20.2 // indirect
	github.com/tidwall/match v1.2.0 // indirect
	github.com/tidwall/pretty v1.3.0 // indirect
	github.com/tidwall/sjson v1.2.9 // indirect
	golang.org/x/net v0.62.0 // indirect
	golang.org/x/sys v0.50.0 // indirect
	golang.org/x/text v0.43.0 // indirect
)

replace github.com/traffic-exporter/traffic_exporter => ../..
