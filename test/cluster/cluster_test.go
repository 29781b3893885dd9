package cluster

import (
	"fmt"
	"testing"
)

// What releases go through on a cluster, with each version of Helm.
func TestReleasesOnACluster(t *testing.T) {
	c := newCluster(t)
	c.usage = startUsage(t, c)
	var r report
	defer r.print(c.helms())
	t.Run("life", func(t *testing.T) {
		// Nodes of their own, as some are drained and some break.
		for i := range nodes {
			h := c.helms()[i%len(c.helms())]
			c.kubectl(t, "label", "node", fmt.Sprintf("node-%d", i), fmt.Sprintf("helm=%d", h.major))
		}
		for _, h := range c.helms() {
			t.Run(h.String(), func(t *testing.T) {
				t.Parallel()
				newLife(t, h, &r).live(t)
			})
		}
	})
	t.Run("values", func(t *testing.T) {
		a := newAuthority(t)
		startEtcd(t, c, a)
		for _, h := range c.helms() {
			t.Run(h.String(), func(t *testing.T) { (&values{helm: h, report: &r, authority: a}).all(t) })
		}
	})
}
