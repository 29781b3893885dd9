package control

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/traffic-exporter/traffic_exporter/internal/web"
)

// errNotConfirmed is a change that nobody has confirmed.
var errNotConfirmed = errors.New("the scenario's name was not typed, nothing was changed; --yes does not ask")

// Confirm asks people to type the scenario's name before a change to a rate that is far above the
// file's. It returns an error if they do not.
func Confirm(in io.Reader, out io.Writer, p web.OverridePreview) error {
	if !p.Confirm {
		return nil
	}
	fmt.Fprintf(out, "A peak of %s is more than three times the file's of %s today. Type %s to go on: ", perSecond(p.Peak), perSecond(p.FilePeak), p.Scenario)
	line, err := bufio.NewReader(in).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read the confirmation: %w", err)
	}
	if strings.TrimSpace(line) != p.Scenario {
		fmt.Fprintln(out)
		return errNotConfirmed
	}
	return nil
}
