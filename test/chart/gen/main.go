// The command gen writes the files of the chart that follow from others: README.md and
// values.schema.json from values.yaml, and copies of the project's rules and dashboards,
// since a chart cannot read beyond its own folder.
package main

import (
	"flag"
	"fmt"
	"os"

	"github.com/traffic-exporter/traffic_exporter/test/chart/derived"
)

func main() {
	root := flag.String("root", "../..", "the folder of the project")
	flag.Parse()
	if err := run(*root); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

// run writes and removes files so that the chart has what it should have.
func run(root string) error {
	changes, err := derived.Changes(root)
	if err != nil {
		return err
	}
	for _, c := range changes {
		if err := c.Apply(); err != nil {
			return err
		}
	}
	return nil
}
