package app

import (
	"context"

	"github.com/grafana/dskit/services"

	"github.com/traffic-exporter/traffic_exporter/internal/config"
	"github.com/traffic-exporter/traffic_exporter/internal/sink"
)

// newDryRun returns the target of a dry run, which stands for those of the file.
func newDryRun(r *reloader) services.Service {
	var target *sink.Sink
	start := func(context.Context) (err error) {
		r.logger.Warn("this is a dry run: nothing is sent to the targets of the file, and responses are not judged")
		target, err = sink.New()
		r.builder.sink = target
		return err
	}
	stop := func(error) error { return target.Close() }
	return services.NewIdleService(start, stop).WithName("dry run")
}

// own returns the fleet that this replica is of: dry runs are one of their own, since shares that they took would be
// sent to no target.
func (a *App) own(f *config.Fleet) *config.Fleet {
	if a.dryRun == nil {
		return f
	}
	apart := *f
	apart.Cluster += ".dry-run"
	return &apart
}
