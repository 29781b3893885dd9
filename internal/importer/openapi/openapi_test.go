package openapi_test

import (
	"strings"
	"testing"

	"github.com/traffic-exporter/traffic_exporter/internal/config"
	"github.com/traffic-exporter/traffic_exporter/internal/importer/openapi"
	"github.com/traffic-exporter/traffic_exporter/internal/importer/plan"
)

const shop = `
openapi: 3.0.3
info: {title: Pet Shop, version: "1"}
servers: [{url: "https://{region}.shop.example/api/", variables: {region: {default: eu}}}]
security: [{token: []}]
components:
  securitySchemes:
    token: {type: http, scheme: bearer}
    key: {type: apiKey, in: query, name: api_key}
    login: {type: http, scheme: basic}
  schemas:
    Pet:
      type: object
      required: [name, tag, age, parent]
      properties:
        id: {type: integer, readOnly: true}
        name: {type: string, minLength: 3, maxLength: 5}
        tag: {type: string, enum: [cat, dog]}
        age: {type: integer, minimum: 0, maximum: 20}
        parent: {$ref: "#/components/schemas/Pet"}
        nick: {type: string}
paths:
  /pets:
    parameters: [{name: X-Tenant, in: header, required: true, schema: {type: string, example: acme}}]
    get:
      operationId: listPets
      summary: All pets
      parameters:
        - {name: limit, in: query, required: true, schema: {type: integer, minimum: 1, maximum: 50}}
        - {name: since, in: query, required: true, schema: {type: string, format: date}}
        - {name: owner, in: query, required: true, schema: {type: string, format: email, example: ada@example.org}}
        - {name: q, in: query, schema: {type: string}}
      responses: {"200": {description: ok}, "206": {description: some}, default: {description: no}}
    post:
      security: [{login: []}]
      requestBody: {content: {application/json: {schema: {$ref: "#/components/schemas/Pet"}}}}
      responses: {"201": {description: ok}}
  /pets/{id}/photo{size}:
    get:
      security: [{key: []}]
      parameters:
        - {name: id, in: path, required: true, schema: {type: string, format: uuid}}
        - {name: size, in: path, required: true, schema: {type: integer}, example: 3}
      responses: {"200": {description: ok}}
  /login:
    post:
      security: []
      requestBody: {content: {application/x-www-form-urlencoded: {schema: {type: object, properties: {user: {type: string, default: ada}, password: {type: string}}}}}}
      responses: {"204": {description: ok}}
`

// imported returns the configuration for a description, which has to be one.
func imported(t *testing.T, text string, o openapi.Options) (string, plan.Plan) {
	t.Helper()
	o.Rate = "1/m"
	p, err := openapi.Read(strings.NewReader(text), o)
	if err != nil {
		t.Fatal(err)
	}
	out, err := p.File.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := config.Parse("imported.yaml", out, func(string) (string, bool) { return "x", true }, nil); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return string(out), p
}

func TestOperationsThatOnlyReadAreImported(t *testing.T) {
	text, p := imported(t, shop, openapi.Options{})
	for _, want := range []string{
		"name: pet_shop", "base_url: https://eu.shop.example/api", "# Left out: 2 operations of other methods", "# All pets", "# Optional parameters, which are left out: q.",
		"name: listPets", `limit: {int: {from: 1, to: 50}}`, `since: {time: {format: "2006-01-02"}}`, "X-Tenant: acme", "Authorization: 'Bearer ${PET_SHOP_TOKEN}'",
		"status: [200, 206]", `url: "/pets/{{ id }}/photo{{ size }}"`, "id: uuid", "size: {one_of: [3]}", `api_key: '${PET_SHOP_KEY}'`, `text: "user-{{ owner_number }}@example.com"`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	if strings.Contains(text, "POST") || strings.Contains(text, "ada@") || len(p.Environment) != 2 {
		t.Errorf("with %+v it is\n%s", p.Environment, text)
	}
}

func TestOtherMethodsHaveBodies(t *testing.T) {
	text, _ := imported(t, shop, openapi.Options{Methods: []string{"post"}, Server: "http://localhost:8080"})
	for _, want := range []string{
		"base_url: http://localhost:8080", "name: post_pets", "basic_auth:", "name: {random_text: {length: 5}}", "tag: {one_of: [cat, dog]}", `age: "{{ age`,
		"form: {password: '${PET_SHOP_PASSWORD}', user: ada}",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	if strings.Contains(text, "nick") || strings.Contains(text, "listPets") {
		t.Errorf("it is\n%s", text)
	}
}

func TestWhatIsNoDescriptionIsAMistake(t *testing.T) {
	for text, want := range map[string]string{
		"swagger: '2.0'\npaths: {}": "Swagger 2.0 has to be converted first",
		"a: [":                      "not a description of OpenAPI",
		"openapi: 3.0.0\npaths: {/a: {get: {responses: {}}}}":                                     "--server",
		"openapi: 3.0.0\nservers: [{url: http://a.example}]\npaths: {/a: {put: {responses: {}}}}": "--method",
		"openapi: 3.0.0\npaths: {/a: {$ref: '/etc/passwd'}}":                                      "not a description of OpenAPI",
	} {
		if _, err := openapi.Read(strings.NewReader(text), openapi.Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func FuzzDescriptions(f *testing.F) {
	f.Add(shop)
	f.Fuzz(func(t *testing.T, text string) {
		o := openapi.Options{Server: "http://a.example", Methods: []string{"GET", "POST"}}
		o.Rate = "1/m"
		p, err := openapi.Read(strings.NewReader(text), o)
		if err != nil {
			return
		}
		if _, err := p.File.Encode(); err != nil {
			t.Error(err)
		}
	})
}
