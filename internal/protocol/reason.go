package protocol

// Reason is the class of a failure: a closed set, the same for all protocols, so
// that it can be a metric label. To add a class, add a constant and its name.
type Reason uint8

// The reasons for failure, roughly in the order in which a request meets them.
const (
	// ReasonNone: the request did not fail.
	ReasonNone Reason = iota
	// ReasonLocal: this machine or a bound of this process was in the way: no descriptor, no
	// port, no memory, too many connections. It says nothing about the target.
	ReasonLocal
	// ReasonDenied: a policy forbade it: a missing permission, an address that is not
	// allowed, a redirect beyond max_rate. It says nothing about the target either.
	ReasonDenied
	// ReasonDNS: the target's name did not resolve.
	ReasonDNS
	// ReasonRefused: nothing responses there: connection refused, no route.
	ReasonRefused
	// ReasonConnectTimeout: no connection within the connect timeout.
	ReasonConnectTimeout
	// ReasonTLS: the TLS handshake failed or the certificate was not acceptable.
	ReasonTLS
	// ReasonReset: the connection broke before the response was complete.
	ReasonReset
	// ReasonTimeout: no complete response within the request timeout.
	ReasonTimeout
	// ReasonProtocol: the response breaks the protocol or a limit of ours.
	ReasonProtocol
	// ReasonStatus: the response's status is not an expected one.
	ReasonStatus
	// ReasonCheck: the status was expected, the content was not.
	ReasonCheck
	// ReasonCanceled: we gave up on it ourselves, while stopping.
	ReasonCanceled

	// NumReasons is the size of an array indexed by Reason.
	NumReasons = int(iota)
)

// Ours reports whether the failure is this machine's, its operator's or our own doing, so
// that it is no verdict on the target.
func (r Reason) Ours() bool {
	switch r {
	case ReasonLocal, ReasonDenied, ReasonCanceled:
		return true
	default:
		return false
	}
}

// String returns the reason as it stands in labels; empty for ReasonNone.
func (r Reason) String() string {
	switch r {
	case ReasonNone:
		return ""
	case ReasonLocal:
		return "local"
	case ReasonDenied:
		return "denied"
	case ReasonDNS:
		return "dns"
	case ReasonRefused:
		return "refused"
	case ReasonConnectTimeout:
		return "connect_timeout"
	case ReasonTLS:
		return "tls"
	case ReasonReset:
		return "reset"
	case ReasonTimeout:
		return "timeout"
	case ReasonProtocol:
		return "protocol"
	case ReasonStatus:
		return "status"
	case ReasonCheck:
		return "check"
	case ReasonCanceled:
		return "canceled"
	default:
		return "unknown"
	}
}
