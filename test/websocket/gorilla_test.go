package websocket

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	ours "github.com/traffic-exporter/traffic_exporter/internal/protocol/websocket"
	"github.com/traffic-exporter/traffic_exporter/internal/script"
)

func TestExchanges(t *testing.T) {
	addr := serve(t)
	closing := script.Closing{Name: "close", Within: long}
	data := func() string { return strings.Repeat("\x00\xff", 100_000) }
	for _, test := range []struct {
		name, path string
		expect     ours.Codes
		turns      []script.Turn
		code       string
		reason     protocol.Reason
	}{
		{name: "nothing", path: "/", code: "1000"},
		{name: "an echo", path: "/", turns: []script.Turn{say("hello"), hear("hello"), say("again"), hear("again")}, code: "1000"},
		{name: "many messages", path: "/", turns: many(500), code: "1000"},
		{name: "a long message", path: "/", turns: []script.Turn{say(strings.Repeat("x", 500_000) + "end"), hear("xend")}, code: "1000"},
		{name: "bytes", path: "/", turns: []script.Turn{script.Send{Content: data}, hear("\x00\xff\x00")}, code: "1000"},
		{name: "a message that is too long", path: "/", turns: []script.Turn{say(strings.Repeat("x", 1<<20+1)), hear("x")}, code: "1009", reason: protocol.ReasonProtocol},
		{name: "a message in pieces", path: "/pieces", turns: []script.Turn{hear("ab")}, code: "1000"},
		{name: "our ping", path: "/", turns: []script.Turn{script.Ping{Name: "ping", Within: long}, say("hello"), script.Ping{Name: "ping", Within: long}}, code: "1000"},
		{name: "its pings", path: "/ping", turns: []script.Turn{script.Pause{From: 100 * time.Millisecond, To: 100 * time.Millisecond}, hear("ponged")}, code: "1000"},
		{name: "an end that is waited for", path: "/close/1001", turns: []script.Turn{closing}, expect: ours.Codes{{First: 1001, Last: 1001}}, code: "1001"},
		{name: "an end without a goodbye", path: "/drop", turns: []script.Turn{say("x"), hear("x")}, code: "1006", reason: protocol.ReasonReset},
		{name: "a server that is busy", path: "/silence", turns: []script.Turn{say("x")}, code: "1000"},
	} {
		t.Run(test.name, func(t *testing.T) {
			check(t, exchange(t, addr, test.path, test.expect, test.turns...), test.code, test.reason)
		})
	}
}

// many sends and receives so many messages, one after the other.
func many(n int) []script.Turn {
	var turns []script.Turn
	for i := range n {
		turns = append(turns, say("message "+strconv.Itoa(i)), hear("message "+strconv.Itoa(i)))
	}
	return turns
}

func TestEveryCloseCodeIsCounted(t *testing.T) {
	addr := serve(t)
	for _, code := range []int{1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 4000, 4999} {
		want, reason := strconv.Itoa(code), protocol.ReasonStatus
		if code >= 3000 {
			want = "other"
		}
		if code == 1000 {
			reason = protocol.ReasonCheck // It was to send something.
		}
		path := "/close/" + strconv.Itoa(code)
		check(t, exchange(t, addr, path, nil, hear("x")), want, reason)
		check(t, exchange(t, addr, path, ours.Codes{{First: code, Last: code}}, script.Closing{Name: "close", Within: long}), want, protocol.ReasonNone)
	}
}
