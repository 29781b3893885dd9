package web

import (
	"errors"
	"net"
	"net/http"
)

// controller serves what changes the rate of a scenario. It logs every request, with
// who asked, whether it is carried out or not.
type controller struct {
	Options
	origins *http.CrossOriginProtection
	hosts   hosts
}

func (c controller) set(w http.ResponseWriter, r *http.Request) {
	var o OverrideRequest
	status, err := ScenarioStatus{}, c.permit(r)
	if err == nil {
		o, err = decodeOverride(w, r)
	}
	if err == nil {
		status, err = c.SetOverride(r.Context(), r.PathValue("name"), o)
	}
	c.respond(w, r, request{"set", o.By, o.Reason}, status, err)
}

func (c controller) clear(w http.ResponseWriter, r *http.Request) {
	var o ClearRequest
	status, err := ScenarioStatus{}, c.permit(r)
	if err == nil {
		o, err = decodeClear(w, r)
	}
	if err == nil {
		status, err = c.ClearOverride(r.Context(), r.PathValue("name"), o)
	}
	c.respond(w, r, request{"clear", o.By, o.Reason}, status, err)
}

// preview reports the effect that set would have. It changes nothing, but needs the same permission.
func (c controller) preview(w http.ResponseWriter, r *http.Request) {
	err := c.permit(r)
	var o OverrideRequest
	if err == nil {
		o, err = decodeOverride(w, r)
	}
	var p OverridePreview
	if err == nil {
		p, err = c.PreviewOverride(r.PathValue("name"), o)
	}
	if err != nil {
		fail(w, err)
		return
	}
	succeed(w, p)
}

// permit returns why a request may not change anything, or nil. A page of another origin
// must not be able to make a browser ask, and neither must one whose name resolves to us.
func (c controller) permit(r *http.Request) error {
	if !c.Control {
		return refuse(http.StatusForbidden, "control is off: start with --web.enable-control")
	}
	if err := c.origins.Check(r); err != nil {
		return refuse(http.StatusForbidden, "%v", err)
	}
	return c.hosts.check(r)
}

// request is what the log says of a request, besides where it came from.
type request struct{ action, by, reason string }

// respond sends what came of a request and logs it.
func (c controller) respond(w http.ResponseWriter, r *http.Request, asked request, s ScenarioStatus, err error) {
	user, _, _ := r.BasicAuth()
	logger := c.Logger.With("action", asked.action, "scenario", r.PathValue("name"),
		"by", asked.by, "reason", asked.reason, "user", user, "remote_address", r.RemoteAddr)
	if err != nil {
		if _, refused := errors.AsType[*Refusal](err); refused {
			logger.Info("change of the rate refused", "err", err)
		} else {
			logger.Error("change of the rate failed", "err", err)
		}
		fail(w, err)
		return
	}
	if o := s.Override; o != nil {
		logger = logger.With("from", o.From, "until", o.Until)
		if o.Rate != nil {
			logger = logger.With("rate", *o.Rate)
		}
		if o.Factor != nil {
			logger = logger.With("factor", *o.Factor)
		}
	}
	logger.Info("rate changed")
	succeed(w, s)
}

// asker names who sent a request that does not say: the user who has authenticated, or
// else somebody at the address that it came from.
func asker(r *http.Request) string {
	if user, _, ok := r.BasicAuth(); ok && user != "" {
		return user
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	return "somebody at " + host
}
