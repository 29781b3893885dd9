package kubelet

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	core "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// probe looks after a container that runs until ctx is done. It sends the reason to
// unhealthy when the container has to be restarted.
func (c *container) probe(ctx context.Context, unhealthy chan<- string) {
	if !c.startup(ctx, unhealthy) {
		return
	}
	c.update(func(s *core.ContainerStatus) {
		started := true
		s.Started = &started
		s.Ready = c.spec.ReadinessProbe == nil
	})
	var watching sync.WaitGroup
	watching.Go(func() {
		c.watch(ctx, c.spec.LivenessProbe, func(err error) bool {
			if err != nil {
				unhealthy <- "liveness probe: " + err.Error()
			}
			return err == nil
		})
	})
	watching.Go(func() {
		c.watch(ctx, c.spec.ReadinessProbe, func(err error) bool {
			c.update(func(s *core.ContainerStatus) { s.Ready = err == nil })
			return true
		})
	})
	watching.Wait()
}

// startup waits until the startup probe has passed. It returns false if it never does.
func (c *container) startup(ctx context.Context, unhealthy chan<- string) bool {
	if c.spec.StartupProbe == nil {
		return true
	}
	passed := false
	c.watch(ctx, c.spec.StartupProbe, func(err error) bool {
		passed = err == nil
		if err != nil {
			unhealthy <- "startup probe: " + err.Error()
		}
		return false
	})
	return passed
}

// watch tries a probe until ctx is done, and calls result each time as many tries as the
// probe asks for have passed or failed, until that returns false.
func (c *container) watch(ctx context.Context, p *core.Probe, result func(error) bool) {
	if p == nil {
		return
	}
	passed, failed := int32(0), int32(0)
	delay := seconds(p.InitialDelaySeconds)
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(delay):
		}
		delay = seconds(p.PeriodSeconds)
		err := c.try(ctx, p)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			passed, failed = passed+1, 0
		} else {
			passed, failed = 0, failed+1
		}
		if (passed >= p.SuccessThreshold && err == nil || failed >= p.FailureThreshold && err != nil) && !result(err) {
			return
		}
	}
}

func seconds(n int32) time.Duration { return time.Duration(n) * time.Second }

// try tries a probe once.
func (c *container) try(ctx context.Context, p *core.Probe) error {
	ctx, cancel := context.WithTimeout(ctx, seconds(p.TimeoutSeconds))
	defer cancel()
	switch {
	case p.HTTPGet != nil:
		return c.get(ctx, p.HTTPGet)
	case p.TCPSocket != nil:
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", c.address(p.TCPSocket.Port))
		if err != nil {
			return err
		}
		return conn.Close()
	default:
		return errors.New("the probe is not supported")
	}
}

// get tries a probe of HTTP.
func (c *container) get(ctx context.Context, p *core.HTTPGetAction) error {
	url := fmt.Sprintf("%s://%s%s", strings.ToLower(string(p.Scheme)), c.address(p.Port), p.Path)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	r.Header.Set("User-Agent", "kube-probe/1.37")
	for _, h := range p.HTTPHeaders {
		r.Header.Add(h.Name, h.Value)
	}
	// kubelet does not verify certificates and makes a connection for each try.
	transport := &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}} //nolint:gosec // As kubelet does.
	response, err := transport.RoundTrip(r)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<10))
	if response.StatusCode < 200 || response.StatusCode >= 400 {
		return fmt.Errorf("%s: %s", response.Status, body)
	}
	return err
}

// address is that of a port of the container, which may be a name.
func (c *container) address(port intstr.IntOrString) string {
	number := port.IntValue()
	for _, p := range c.spec.Ports {
		if port.Type == intstr.String && p.Name == port.StrVal {
			number = int(p.ContainerPort)
		}
	}
	return net.JoinHostPort(c.p.sandbox.ip, strconv.Itoa(number))
}
