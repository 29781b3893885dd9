module github.com/traffic-exporter/traffic_exporter/test/preview

go 1.26.0

require (
	github.com/alecthomas/kingpin/v2 v2.4.0
	github.com/traffic-exporter/traffic_exporter v0.0.0-00010101000000-000000000000
)

require (
	github.com/alecthomas/units v0.0.0-20240927000941-0f3dac36c52b // indirect
	github.com/stretchr/testify v1.12.1 // indirect
	github.com/xhit/go-str2duration/v2 v2.1.0 // indirect
)

replace github.com/traffic-exporter/traffic_exporter => ../..
