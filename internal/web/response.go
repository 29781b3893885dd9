package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// response is what the API sends: data, or an error, in the manner of Prometheus.
type response struct {
	Status string `json:"status"`
	Data   any    `json:"data,omitempty"`
	Error  string `json:"error,omitempty"`
}

func succeed(w http.ResponseWriter, data any) {
	writeJSON(w, http.StatusOK, response{Status: "success", Data: data})
}

// fail responds with an error: a Refusal with its status, any other as our own fault.
func fail(w http.ResponseWriter, err error) {
	status := http.StatusInternalServerError
	if refusal, ok := errors.AsType[*Refusal](err); ok {
		status = refusal.Status
	}
	writeJSON(w, status, response{Status: "error", Error: err.Error()})
}

// writeJSON encodes the whole response before it begins to send it, so that a value that
// cannot be encoded is an error and not half a response.
func writeJSON(w http.ResponseWriter, status int, a response) {
	body, err := json.Marshal(a)
	if err != nil {
		fail(w, fmt.Errorf("encode the response: %w", err))
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // The client went away; nobody is left to notify.
}

// refuse returns a Refusal.
func refuse(status int, format string, args ...any) *Refusal {
	return &Refusal{Status: status, Message: fmt.Sprintf(format, args...)}
}

// notAllowed responds to requests with a method that an endpoint does not know.
func notAllowed(methods ...string) http.HandlerFunc {
	allow := strings.Join(methods, ", ")
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Allow", allow)
		fail(w, refuse(http.StatusMethodNotAllowed, "found method %s, expected %s", r.Method, allow))
	}
}

func noEndpoint(w http.ResponseWriter, r *http.Request) {
	fail(w, refuse(http.StatusNotFound, "no endpoint %q: there are /api/v1/live, /api/v1/failures, /api/v1/scenarios, /api/v1/scenarios/{name}/override and /api/v1/fleet", r.URL.Path))
}
