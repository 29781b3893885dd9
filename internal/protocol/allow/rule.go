package allow

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol/uri"
)

// Rule is a host, all hosts below a domain, an address, a network, or all hosts, each at one port or at all. It is
// comparable; make it with Parse.
type Rule struct {
	// name is the host in ASCII or, with below, the domain that it is below; empty with a network, and for all
	// hosts.
	name  string
	below bool
	// network are the addresses; invalid for an entry of names.
	network netip.Prefix
	// port is 0 for all.
	port uint16
	text string
}

// The ways in which a string is no entry. They name the expected form.
var (
	ErrSyntax  = errors.New("a host, *.domain, an IP address or a CIDR such as 10.0.0.0/8, each with a port if need be")
	ErrPort    = errors.New("a port of 1 to 65535")
	ErrAnyHost = errors.New("a port with *, such as *:8443: to allow everything leave allow out")
	ErrZone    = errors.New("an address without a zone, which only means something to one machine")
	ErrURL     = errors.New("a host without a scheme and a path, such as shop.staging.example:8080")
)

// BitsError is a network whose address has bits beyond its prefix.
type BitsError struct {
	Network netip.Prefix
}

// Error names the two entries that may be meant.
func (e *BitsError) Error() string {
	return fmt.Sprintf("a network without bits beyond its prefix: write %s, or %s for the one address", e.Network.Masked(), e.Network.Addr())
}

// String returns the entry as it was written.
func (e Rule) String() string { return e.text }

// Parse reads an entry: shop.example, *.staging.example, 10.1.2.3, 10.0.0.0/8, ::1 or 2001:db8::/32, each with a
// port if need be, as in shop.example:8080, 10.0.0.0/8:8080, [::1]:8080 or [2001:db8::/32]:8080; or *:8080, which is
// that port of all hosts.
func Parse(text string) (Rule, error) {
	if strings.Contains(text, "://") {
		return Rule{}, ErrURL
	}
	host, port, err := cutPort(text)
	if err != nil {
		return Rule{}, err
	}
	e := Rule{port: port, text: text}
	if host == "*" {
		if port == 0 {
			return Rule{}, ErrAnyHost
		}
		return e, nil
	}
	if e.network, err = network(host); err != nil || e.network.IsValid() {
		return e, err
	}
	e.name, e.below = strings.CutPrefix(host, "*.")
	e.name, err = name(e.name)
	return e, err
}

// cutPort splits an entry into its host, without brackets, and its port, which is 0 if it has none.
func cutPort(text string) (host string, port uint16, err error) {
	host, digits, found := strings.Cut(text, ":")
	if inner, bracketed := strings.CutPrefix(text, "["); bracketed {
		var rest string
		if host, rest, found = strings.Cut(inner, "]"); !found || !strings.Contains(host, ":") {
			return "", 0, ErrSyntax
		}
		if digits, found = strings.CutPrefix(rest, ":"); !found && rest != "" {
			return "", 0, ErrSyntax
		}
	} else if strings.Contains(digits, ":") {
		return text, 0, nil // IPv6 without brackets has no port.
	}
	if !found {
		return host, 0, nil
	}
	n, err := strconv.ParseUint(digits, 10, 16)
	if err != nil || n == 0 {
		return "", 0, ErrPort
	}
	return host, uint16(n), nil
}

// network returns the addresses that a string stands for; an invalid one if it is neither an address nor a
// network.
func network(text string) (netip.Prefix, error) {
	if strings.Contains(text, "%") {
		return netip.Prefix{}, ErrZone
	}
	if a, err := netip.ParseAddr(text); err == nil {
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	if !strings.ContainsAny(text, "/:") {
		return netip.Prefix{}, nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return netip.Prefix{}, ErrSyntax
	}
	if p.Masked() != p {
		return netip.Prefix{}, &BitsError{p}
	}
	const mapped = 96 // The bits of ::ffff:0:0/96 (RFC 4291, section 2.5.5.2).
	if p.Addr().Is4In6() && p.Bits() >= mapped {
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-mapped)
	}
	return p, nil
}

// name returns the name of a host in ASCII, without a final dot. Digits alone are a mistyped address.
func name(text string) (string, error) {
	ascii, err := uri.ASCII(strings.TrimSuffix(text, "."))
	if err != nil {
		return "", ErrSyntax
	}
	letters := false
	for label := range strings.SplitSeq(ascii, ".") {
		if label == "" || len(label) > 63 || strings.ContainsFunc(label, notInNames) {
			return "", ErrSyntax
		}
		letters = letters || strings.ContainsFunc(label, func(c rune) bool { return c < '0' || c > '9' })
	}
	if !letters || len(ascii) > 253 {
		return "", ErrSyntax
	}
	return ascii, nil
}

func notInNames(c rune) bool {
	return (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_'
}
