// The command gen writes the rules as a file that Prometheus reads.
//
// Run it by go generate in dashboards/rules, or with -scale 60 to have every minute of
// the rules pass in a second.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"github.com/traffic-exporter/traffic_exporter/dashboards/rules"
)

func main() {
	folder := flag.String("o", ".", "the folder to write to")
	scale := flag.Float64("scale", 1, "what to divide all times by, at least 1")
	flag.Parse()
	if err := run(*folder, *scale); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

// run writes the file to the folder.
func run(folder string, scale float64) error {
	if !(scale >= 1) { // True for NaN, too.
		return fmt.Errorf("scale %v is below 1", scale)
	}
	content, err := rules.File(scale)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, rules.Name+".yaml"), content, 0o644)
}
