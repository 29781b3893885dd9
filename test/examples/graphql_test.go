package examples

import (
	"net/http"
	"slices"
	"testing"

	"github.com/graph-gophers/graphql-go"
	"github.com/graph-gophers/graphql-go/relay"
)

// gatewaySchema is what of the benchmark's federated schema the query asks for.
const gatewaySchema = `
type Query { users: [User] topProducts(first: Int): [Product] }
type User { id: ID! username: String }
type Product { upc: String! name: String }
`

// gateway resolves it.
type gateway struct{ *server }

type (
	gatewayUser struct {
		ID       graphql.ID
		Username *string
	}
	gatewayProduct struct {
		UPC  string
		Name *string
	}
)

// Users resolves users.
func (g gateway) Users() *[]*gatewayUser {
	g.done("users")
	names := []string{"urigo", "dotansimha", "kamilkisiela"}
	users := make([]*gatewayUser, len(names))
	for i := range names {
		users[i] = &gatewayUser{graphql.ID(names[i]), &names[i]}
	}
	return &users
}

// TopProducts resolves topProducts.
func (gateway) TopProducts(struct{ First *int32 }) *[]*gatewayProduct {
	name := "Table"
	return &[]*gatewayProduct{{"1", &name}}
}

func TestGraphQL(t *testing.T) {
	t.Parallel()
	s := &server{}
	schema, err := graphql.ParseSchema(gatewaySchema, &gateway{s}, graphql.UseFieldResolvers())
	if err != nil {
		t.Fatal(err)
	}
	handler := &relay.Handler{Schema: schema}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /graphql", func(w http.ResponseWriter, r *http.Request) {
		if kinds := r.Header["Content-Type"]; !slices.Equal(kinds, []string{"application/json"}) {
			s.mistake(r, "the content type is %q", kinds)
		}
		w.Header().Set("Content-Type", "application/json")
		handler.ServeHTTP(w, r)
	})
	serve(t, s, mux)
	run(t, setup{file: root + "/examples/graphql/config.yaml", origin: "http://gateway.svc:4000", server: s.url, rates: []string{"100/s"}, visits: 200})
	if n := s.counted("users"); n < 200 {
		t.Errorf("%d queries", n)
	}
}
