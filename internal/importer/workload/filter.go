package workload

import (
	"bytes"
	"strings"
)

// isStatic reports whether a path ends as those of images, scripts, styles, fonts and the like do.
func isStatic(target []byte) bool {
	if query := bytes.IndexByte(target, '?'); query >= 0 {
		target = target[:query]
	}
	dot := bytes.LastIndexByte(target[max(0, len(target)-len(".woff2")):], '.')
	if dot < 0 {
		return false
	}
	dot += max(0, len(target)-len(".woff2"))
	var lower [8]byte
	n := copy(lower[:], target[dot+1:])
	for i := range lower[:n] {
		if 'A' <= lower[i] && lower[i] <= 'Z' {
			lower[i] += 'a' - 'A'
		}
	}
	switch string(lower[:n]) {
	case "css", "js", "mjs", "map", "wasm", "png", "jpg", "jpeg", "gif", "svg", "webp", "avif", "ico", "bmp",
		"woff", "woff2", "ttf", "otf", "eot", "mp3", "mp4", "webm", "ogg", "m4s", "ts":
		return true
	}
	return false
}

// agents knows which user agents are bots. The verdict on each is kept, as finding it takes longer
// than all other work on a line.
type agents struct {
	known map[string]bool
}

// maxAgents bounds the user agents that are kept, and maxAgent how long they are, in bytes.
const maxAgents, maxAgent = 10_000, 512

func newAgents() agents { return agents{known: map[string]bool{}} }

// isBot reports whether a user agent says that it is a robot or a health check.
func (a *agents) isBot(agent []byte) bool {
	agent = agent[:min(len(agent), maxAgent)]
	bot, ok := a.known[string(agent)]
	if ok {
		return bot
	}
	if len(a.known) >= maxAgents {
		clear(a.known)
	}
	bot = namesBot(strings.ToLower(string(agent)))
	a.known[string(agent)] = bot
	return bot
}

// namesBot reports whether a user agent, in lower case, has a word of robots and health checks in it.
func namesBot(agent string) bool {
	// Phones of that make are none.
	agent = strings.ReplaceAll(agent, "cubot", "")
	for _, word := range []string{
		"bot", "crawl", "spider", "slurp", "probe", "healthcheck", "health-check", "googlehc", "elb-health", "pingdom", "uptime", "statuscake",
		"site24x7", "monitor", "prometheus/", "facebookexternalhit", "feedfetcher", "scanner", "zgrab", "masscan", "nmap", "nikto", "nuclei", "sqlmap", "expanse",
	} {
		if strings.Contains(agent, word) {
			return true
		}
	}
	return false
}
