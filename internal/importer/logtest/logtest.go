// Package logtest writes access logs whose mix and rate are known, for tests and measurements of the import.
package logtest

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"time"
)

// Monday is when a log begins.
func Monday() time.Time { return time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC) }

// Request is a part of the mix.
type Request struct {
	// Pattern is the path with {} for what varies, Parameters the names of its query's parameters with &
	// between them.
	Method, Pattern, Parameters string
	// Share is of all requests that are neither of robots nor for static files.
	Share  float64
	Status int
	target func(*rand.Rand) string
}

// Mix returns the requests of a log.
func Mix() []Request {
	fixed := func(target string) func(*rand.Rand) string { return func(*rand.Rand) string { return target } }
	zipf := func(r *rand.Rand, n uint64) uint64 { return rand.NewZipf(r, 1.2, 4, n-1).Uint64() }
	words := []string{"shoes", "shirt", "hat", "bag", "coat", "belt", "scarf", "socks"}
	return []Request{
		{"GET", "/", "", 0.18, 200, fixed("/")},
		{"GET", "/products/{}", "", 0.27, 200, func(r *rand.Rand) string { return fmt.Sprintf("/products/%d", 1000+zipf(r, 5000)) }},
		{"GET", "/api/v1/users/{}/orders", "", 0.12, 200, func(r *rand.Rand) string { return fmt.Sprintf("/api/v1/users/%s/orders", uuid(r)) }},
		{"GET", "/search", "q", 0.15, 200, func(r *rand.Rand) string { return "/search?q=" + words[zipf(r, 8)] }},
		{"GET", "/search", "page&q", 0.05, 200, func(r *rand.Rand) string { return fmt.Sprintf("/search?q=%s&page=%d", words[zipf(r, 8)], 2+r.IntN(9)) }},
		{"POST", "/api/v1/cart", "", 0.08, 201, fixed("/api/v1/cart")},
		{"PUT", "/api/v1/cart/{}", "", 0.04, 204, func(r *rand.Rand) string { return fmt.Sprintf("/api/v1/cart/%016x", r.Uint64()) }},
		{"GET", "/catalogue/{}", "size", 0.06, 200, func(r *rand.Rand) string {
			return fmt.Sprintf("/catalogue/%s-%s?size=%d", words[r.IntN(8)], words[r.IntN(8)], 1+r.IntN(4))
		}},
		{"GET", "/login", "", 0.03, 302, fixed("/login")},
		{"GET", "/account", "", 0.012, 401, fixed("/account")},
		{"DELETE", "/api/v1/sessions/{}", "", 0.008, 204, func(r *rand.Rand) string { return "/api/v1/sessions/" + uuid(r) }},
	}
}

// What does not count.
const (
	// Bots is the share of robots of all lines.
	Bots = 0.05
	// Static is that of requests for static files.
	Static = 0.1
	// NoRequest is that of lines without a request.
	NoRequest = 0.005
	// Broken is that of lines that cannot be read.
	Broken = 0.001
)

// Rate returns the rate of all requests at a time, relative to the average: low at night, and lower at weekends.
func Rate(at time.Time) float64 {
	day := 2 * math.Pi * (at.Sub(Monday()).Hours() - 3) / 24
	week := 2 * math.Pi * (at.Sub(Monday()).Hours() - 40) / 168
	return 1 - 0.6*math.Cos(day) + 0.2*math.Cos(week)
}

// Write writes a log of a number of lines over a week in the format combined.
func Write(w io.Writer, lines int, seed uint64) error {
	g := &generator{rng: rand.New(rand.NewPCG(seed, 0)), mix: Mix()}
	out := bufio.NewWriterSize(w, 1<<20)
	const seconds = 7 * 86400
	var due float64
	for second := range seconds {
		at := Monday().Add(time.Duration(second) * time.Second)
		for due += Rate(at) * float64(lines) / seconds; due >= 1; due-- {
			if _, err := out.Write(g.line(at)); err != nil {
				return err
			}
		}
	}
	return out.Flush()
}

type generator struct {
	rng *rand.Rand
	mix []Request
	buf []byte
	// lines and requests are numbers in [0, 1) that are evenly spread, however few are taken: shares are exact.
	lines, requests float64
}

// step moves a number on by the golden ratio, as Weyl's sequence does.
func step(x *float64) float64 {
	_, *x = math.Modf(*x + (math.Sqrt(5)-1)/2)
	return *x
}

// line returns a line of a time.
func (g *generator) line(at time.Time) []byte {
	request, status, agent := g.request()
	g.buf = fmt.Appendf(g.buf[:0], "192.0.2.%d - - [", g.rng.IntN(256))
	// Lines are written when a request ends, which is not the order in which they began.
	g.buf = at.Add(-time.Duration(g.rng.IntN(3))*time.Second).AppendFormat(g.buf, "02/Jan/2006:15:04:05 -0700")
	g.buf = append(append(append(g.buf, `] "`...), request...), `" `...)
	g.buf = fmt.Appendf(g.buf, `%d %d "https://shop.example/" "%s"`+"\n", status, g.rng.IntN(50_000), agent)
	if g.rng.Float64() < Broken {
		g.buf = append(g.buf[:40], '\n')
	}
	return g.buf
}

// bot is the user agent of a robot.
const bot = "Mozilla/5.0 (compatible; Examplebot/2.1; +https://example.com/bot)"

// request returns the request of a line, its status and who sent it.
func (g *generator) request() (line string, status int, agent string) {
	agent = fmt.Sprintf("Mozilla/5.0 (X11; Linux x86_64; rv:%d.0) Gecko/20100101 Firefox/%[1]d.0", 100+g.rng.IntN(40))
	dice := step(&g.lines)
	switch {
	case dice < Static:
		return fmt.Sprintf("GET /assets/app-%d.js HTTP/1.1", g.rng.IntN(50)), 200, agent
	case dice < Static+NoRequest:
		return `\x16\x03\x01`, 400, "-"
	case dice < Static+NoRequest+Bots:
		agent = bot
	}
	// Robots ask for the same as others do.
	share := g.rng.Float64()
	if agent != bot {
		share = step(&g.requests)
	}
	for {
		for _, r := range g.mix {
			if share -= r.Share; share < 0 {
				return r.Method + " " + r.target(g.rng) + " HTTP/1.1", r.Status, agent
			}
		}
	}
}

// uuid returns a random UUID.
func uuid(r *rand.Rand) string {
	high, low := r.Uint64(), r.Uint64()
	return fmt.Sprintf("%08x-%04x-4%03x-%04x-%012x", high>>32, high>>16&0xffff, high&0xfff, 0x8000|low>>48&0x3fff, low&0xffffffffffff)
}
