// The command preview draws dashboards from a live Prometheus server as pictures, about
// as Grafana would: enough to judge the layout, units, legends and whether panels are
// empty, without Grafana. It names each panel without data, each legend that does not
// fit and each text that is cut off, and fails if there is a panel without data.
//
//	go run ./test/preview --prometheus=http://127.0.0.1:9090 --out=/tmp dashboards/*.json
//
// It writes SVG, and PNG where there is a Chromium to make it.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"github.com/traffic-exporter/traffic_exporter/dashboards/grafana"
)

// options are the command line.
type options struct {
	prometheus, out, chromium string
	span, scrape, day         time.Duration
	values                    map[string]string
	files                     []string
}

func main() {
	o := options{values: map[string]string{}}
	app := kingpin.New("preview", "Draw dashboards from a live Prometheus server.")
	app.Flag("prometheus", "URL of the server.").Default("http://127.0.0.1:9090").StringVar(&o.prometheus)
	app.Flag("out", "Folder for the pictures.").Default(".").StringVar(&o.out)
	app.Flag("range", "Time range.").Default("15m").DurationVar(&o.span)
	app.Flag("scrape-interval", "As set in Grafana's data source.").Default("15s").DurationVar(&o.scrape)
	app.Flag("day", "How long a day is in comparisons with the past: a young server has no yesterday.").Default("24h").DurationVar(&o.day)
	app.Flag("var", "Value of a variable, NAME=VALUE.").StringMapVar(&o.values)
	app.Flag("chromium", "Browser that makes PNG of SVG.").Default("chromium").StringVar(&o.chromium)
	app.Arg("dashboard", "Files.").Required().ExistingFilesVar(&o.files)
	kingpin.MustParse(app.Parse(os.Args[1:]))

	failed := false
	for _, file := range o.files {
		if err := o.preview(file); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", file, err)
			failed = true
		}
	}
	if failed {
		os.Exit(1)
	}
}

// preview draws one dashboard.
func (o options) preview(file string) error {
	content, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var d grafana.Dashboard
	if err = json.Unmarshal(content, &d); err != nil {
		return err
	}
	end := time.Now().Truncate(time.Second)
	s := &server{url: o.prometheus, start: end.Add(-o.span), end: end, day: o.day}
	s.step = max(o.scrape, (o.span / maxPoints).Round(time.Second))
	values, err := d.Resolve(s, o.values)
	if err != nil {
		return err
	}
	s.values = s.builtIn(values, o.scrape)
	v := view{server: s, dashboard: d}
	picture := v.draw()
	name := filepath.Join(o.out, strings.TrimSuffix(filepath.Base(file), ".json"))
	if err := os.WriteFile(name+".svg", []byte(picture), 0o600); err != nil {
		return err
	}
	for _, p := range v.problems {
		fmt.Fprintf(os.Stderr, "%s: %s\n", filepath.Base(file), p)
	}
	return errors.Join(v.empty, o.photograph(name, v.height))
}

// photograph makes a PNG of an SVG, if there is a browser.
func (o options) photograph(name string, height int) error {
	browser, err := exec.LookPath(o.chromium)
	if err != nil {
		return nil // The SVG is there.
	}
	path, err := filepath.Abs(name)
	if err != nil {
		return err
	}
	profile, err := os.MkdirTemp("", "preview")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(profile) }()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	// Everything that would make the browser call home is off.
	out, err := exec.CommandContext(ctx, browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars",
		"--user-data-dir="+profile, fmt.Sprintf("--window-size=%d,%d", width, height),
		"--screenshot="+path+".png", "file://"+path+".svg").CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", o.chromium, err, out)
	}
	return nil
}
