package http2

import (
	"bytes"

	"golang.org/x/net/http2/hpack"
)

// huffman decodes HPACK's Huffman code (RFC 7541, section 5.2), four bits at a time. A
// state is an inner node of the code's tree; the root is the first. Make it with
// newHuffman.
type huffman struct {
	steps [256][16]step
	// ends are the states in which a string may end: no bits left, or up to seven ones.
	ends [256]bool
}

// step is what four bits do in a state.
type step struct {
	next   uint8
	symbol uint8
	does   uint8
}

// What a step does. No code is shorter than five bits, so it gives one symbol at most.
const (
	stepOn = iota
	stepSymbol
	stepFail
)

// newHuffman returns the decoder of the code, which it reads off its encoder.
func newHuffman() *huffman {
	tree := newTree()
	h := new(huffman)
	for state := range tree.nodes {
		for bits := range 16 {
			h.steps[state][bits] = tree.step(state, bits)
		}
	}
	node := 0
	for range 8 {
		h.ends[node] = true
		node = tree.nodes[node][1]
	}
	return h
}

// append appends the text that p encodes; false if it encodes none.
func (h *huffman) append(b, p []byte) ([]byte, bool) {
	state := uint8(0)
	for _, octet := range p {
		for _, bits := range [2]byte{octet >> 4, octet & 0xf} {
			s := h.steps[state][bits]
			switch s.does {
			case stepSymbol:
				b = append(b, s.symbol)
			case stepFail:
				return b, false
			}
			state = s.next
		}
	}
	return b, h.ends[state]
}

// huffmanTree is the code as a tree: for each inner node where a 0 and a 1 lead to, to
// another inner node or, as the complement of its value, to a symbol.
type huffmanTree struct {
	nodes [][2]int
}

// endSymbol is the symbol that no text may hold: thirty ones.
const endSymbol = 256

// newTree returns the tree of HPACK's code. A symbol that is repeated eight times is as
// many bytes as it has bits, and its code is what they begin with.
func newTree() *huffmanTree {
	t := &huffmanTree{nodes: make([][2]int, 1)}
	for symbol := range endSymbol {
		octets := hpack.AppendHuffmanString(nil, string(bytes.Repeat([]byte{byte(symbol)}, 8)))
		t.add(symbol, octets, len(octets))
	}
	t.add(endSymbol, []byte{0xff, 0xff, 0xff, 0xff}, 30)
	return t
}

// add gives the symbol the first n bits as its code.
func (t *huffmanTree) add(symbol int, code []byte, n int) {
	node := 0
	for i := range n - 1 {
		bit := bitOf(code, i)
		if t.nodes[node][bit] == 0 {
			t.nodes = append(t.nodes, [2]int{})
			t.nodes[node][bit] = len(t.nodes) - 1
		}
		node = t.nodes[node][bit]
	}
	t.nodes[node][bitOf(code, n-1)] = ^symbol
}

// bitOf returns a bit, the highest of the first byte being the first.
func bitOf(p []byte, i int) int { return int(p[i/8]>>(7-i%8)) & 1 }

// step returns what four bits do at a node.
func (t *huffmanTree) step(node, bits int) step {
	s := step{does: stepOn}
	for shift := 3; shift >= 0; shift-- {
		node = t.nodes[node][bits>>shift&1]
		if node < 0 {
			if ^node == endSymbol {
				return step{does: stepFail}
			}
			s.symbol, s.does = uint8(^node), stepSymbol
			node = 0
		}
	}
	s.next = uint8(node)
	return s
}
