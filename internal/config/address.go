package config

import (
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// checkAddress checks a string against a format for addresses.
func checkAddress(format, text string) error {
	var good bool
	var want string
	switch format {
	case "listen":
		good, want = listenAddress(text), "an IP address and a port such as 0.0.0.0:7946 or [::]:7946"
	case "advertise":
		good, want = reachableAddress(text), "an IP address and a port that others can reach, such as 10.0.0.7:7946"
	case "host:port":
		good, want = hostPort(text), "a host and a port such as localhost:8500"
	case "member":
		good, want = member(text), "host:port, dns+host:port, dnssrv+host or dnssrvnoa+host"
	case "endpoint":
		good, want = endpoint(text), "host:port or a URL such as http://etcd:2379"
	}
	switch {
	case good:
		return nil
	case strings.Contains(text, "@"):
		// A password may stand before it.
		return maskedError("found an @, expected " + want)
	default:
		return expectedError(want)
	}
}

// listenAddress reports whether the text is an IP address, which may stand for all, and
// a port, which may be 0.
func listenAddress(text string) bool {
	a, err := netip.ParseAddrPort(unbracketed(text))
	return err == nil && a.Addr().Zone() == "" && !a.Addr().IsMulticast()
}

// unbracketed returns an IP address and a port without the brackets around an IPv4
// address: who writes [${POD_IP}]:7946 need not know which family that is.
func unbracketed(text string) string {
	inner, port, found := strings.Cut(strings.TrimPrefix(text, "["), "]:")
	if a, err := netip.ParseAddr(inner); found && strings.HasPrefix(text, "[") && err == nil && a.Is4() {
		return inner + ":" + port
	}
	return text
}

// reachableAddress reports whether the text is an IP address and a port to connect to.
func reachableAddress(text string) bool {
	a, err := netip.ParseAddrPort(unbracketed(text))
	return err == nil && listenAddress(text) && !a.Addr().Unmap().IsUnspecified() && a.Port() != 0
}

// goodPort reports whether the text is a port, or empty.
func goodPort(port string) bool {
	if port == "" {
		return true
	}
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && n > 0
}

// hostPort reports whether the text is a name or an IP address, and a port.
func hostPort(text string) bool {
	host, port, err := net.SplitHostPort(text)
	if err != nil || port == "" || !goodPort(port) {
		return false
	}
	if strings.HasPrefix(text, "[") || strings.Contains(host, ":") {
		return ipAddress(host) && strings.Contains(host, ":")
	}
	return ipAddress(host) || hostName(host)
}

// member reports whether the text leads to other replicas.
func member(text string) bool {
	lookup, name, found := strings.Cut(text, "+")
	switch {
	case !found:
		return hostPort(text)
	case lookup == "dns":
		return hostPort(name)
	case lookup == "dnssrv" || lookup == "dnssrvnoa":
		// A port is there to be used instead of those of the records.
		host, _, err := net.SplitHostPort(name)
		return hostName(name) || err == nil && hostPort(name) && hostName(host)
	default:
		return false
	}
}

// endpoint reports whether the text leads to a server of etcd.
func endpoint(text string) bool {
	scheme, rest, isURL := strings.Cut(text, "://")
	if !isURL {
		return hostPort(text)
	}
	return (scheme == "http" || scheme == "https") && hostPort(strings.TrimSuffix(rest, "/"))
}

func ipAddress(text string) bool {
	a, err := netip.ParseAddr(text)
	return err == nil && a.Zone() == ""
}

// hostName reports whether the text can be looked up in the DNS. Digits alone are a
// mistyped IP address; underscores are in the names of SRV records.
func hostName(name string) bool {
	name = strings.TrimSuffix(name, ".")
	letters := false
	for label := range strings.SplitSeq(name, ".") {
		for _, c := range label {
			if !letterOrDigit(c) && c != '-' && c != '_' {
				return false
			}
			letters = letters || c < '0' || c > '9'
		}
		if label == "" || len(label) > 63 {
			return false
		}
	}
	return letters && len(name) <= 253
}

// clusterName reports whether the text can be a label of gossip and the beginning of
// keys. Consul refuses keys that begin with a slash, and on their way there as a URL's
// path, empty parts and dots alone would be taken for something else.
func clusterName(name string) bool {
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || !letterOrDigit(rune(part[0])) || strings.ContainsFunc(part, notInNames) {
			return false
		}
	}
	return len(name) <= 255
}
