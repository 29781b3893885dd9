package web

import (
	"net/http"
	"strings"
	"testing"
)

func TestOfTheGossipOnlyReadingIsAllowed(t *testing.T) {
	for query, code := range map[string]int{
		"":                                http.StatusOK,
		"viewKey=ring&format=json-pretty": http.StatusOK,
		"viewMsg=3&format=struct":         http.StatusOK,
		"deleteMessages=true":             http.StatusForbidden,
		"deleteMessages=false":            http.StatusForbidden,
		"downloadKey=ring":                http.StatusForbidden,
		"viewKey=ring&downloadKey=ring":   http.StatusForbidden,
		"viewKey=ring;downloadKey=ring":   http.StatusBadRequest,
		"delete%4Dessages=true":           http.StatusForbidden,
		"other=1":                         http.StatusForbidden,
	} {
		t.Run(query, func(t *testing.T) {
			st := stubs{}
			got, body := ask(t, "GET", start(t, &st)+"/memberlist?"+query, nil)
			if got != code {
				t.Errorf("got %d %q, want %d", got, body, code)
			}
			if through := len(st.gossip) == 1; through != (code == http.StatusOK) {
				t.Errorf("the page was asked %q", st.gossip)
			}
		})
	}
}

func TestValuesOfTheGossipAreShownAsPlainText(t *testing.T) {
	ctx := t.Context()
	req, err := http.NewRequestWithContext(ctx, "GET", start(t, &stubs{})+"/memberlist?viewKey=x", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if kind := resp.Header.Get("Content-Type"); !strings.HasPrefix(kind, "text/plain") || resp.Header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("header %v, want plain text that is not sniffed", resp.Header)
	}
}
