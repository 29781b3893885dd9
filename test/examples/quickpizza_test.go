package examples

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/coder/websocket"
)

// pizzeria is QuickPizza's WebSocket: it sends what it is sent to all who are there.
type pizzeria struct {
	*server

	mu    sync.Mutex
	there map[*websocket.Conn]bool
}

func (p *pizzeria) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(w, r, nil)
	if err != nil {
		p.mistake(r, "the handshake: %v", err)
		return
	}
	defer func() { _ = c.CloseNow() }()
	p.visit(c, true)
	defer p.visit(c, false)
	ordered := ""
	for {
		kind, data, err := c.Read(r.Context())
		if err != nil {
			// Who only watches may wait for an order in vain when the exporter stops.
			if code := websocket.CloseStatus(err); code != websocket.StatusNormalClosure && ordered != "" {
				p.mistake(r, "the end: %v", err)
			}
			return
		}
		ordered = p.take(r, kind, data, ordered)
		p.send(r.Context(), data)
	}
}

// take takes a message of somebody who may have ordered, and returns who has.
func (p *pizzeria) take(r *http.Request, kind websocket.MessageType, data []byte, ordered string) string {
	var m struct {
		Visitor string `json:"ws_visitor_id"`
		Msg     string `json:"msg"`
	}
	switch err := json.Unmarshal(data, &m); {
	case err != nil || kind != websocket.MessageText || m.Visitor == "":
		p.mistake(r, "the message %q", data)
	case m.Msg == "order_pizza" && ordered == "":
		p.done("orders")
	case m.Msg == "pizza_status?" && ordered == m.Visitor:
		p.done("questions")
	default:
		p.mistake(r, "the message %q of who has ordered as %q", data, ordered)
	}
	return m.Visitor
}

func (p *pizzeria) visit(c *websocket.Conn, there bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if there {
		p.there[c] = true
	} else {
		delete(p.there, c)
	}
}

func (p *pizzeria) send(ctx context.Context, data []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.there {
		_ = c.Write(context.WithoutCancel(ctx), websocket.MessageText, data) // Who has left does not matter.
	}
}

func TestQuickPizza(t *testing.T) {
	t.Parallel()
	s := &server{}
	mux := http.NewServeMux()
	mux.Handle("GET /ws", &pizzeria{server: s, there: map[*websocket.Conn]bool{}})
	serve(t, s, mux)
	run(t, setup{
		file: root + "/examples/quickpizza/config.yaml", origin: "ws://quickpizza.svc:3333", server: "ws" + strings.TrimPrefix(s.url, "http"),
		rates: []string{"10/s"}, visits: 60,
	})
	if orders, questions := s.counted("orders"), s.counted("questions"); orders < 30 || questions < 30 {
		t.Errorf("%d orders, %d questions", orders, questions)
	}
}
