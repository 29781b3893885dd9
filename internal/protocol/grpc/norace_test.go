//go:build !race

package grpc_test

// underRace says that the race detector is on, with which sync.Pool loses some of what it holds.
const underRace = false
