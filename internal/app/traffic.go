package app

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/config"
	"github.com/traffic-exporter/traffic_exporter/internal/jwt"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
	"github.com/traffic-exporter/traffic_exporter/internal/remotewrite"
	"github.com/traffic-exporter/traffic_exporter/internal/script"
	"github.com/traffic-exporter/traffic_exporter/internal/sigv4"
)

// The alphabets of random text.
const (
	digits  = "0123456789"
	letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)

// variables translates variables.
func (x *mixer) variables(all config.Named[config.Variable]) []script.Variable {
	var out []script.Variable
	for _, v := range all {
		out = append(out, script.Variable{Name: v.Name, Source: x.source(v.Value)})
	}
	return out
}

// source translates what a variable is.
func (x *mixer) source(v config.Variable) script.Source {
	switch v.Kind() {
	case "uuid":
		return script.UUID{}
	case "sequence":
		return script.Sequence{}
	case "one_of":
		return script.OneOf{Options: documents(v.OneOf.Values), Weights: v.OneOf.Weights}
	case "int":
		return script.IntRange{From: int64(v.Int.From), To: int64(v.Int.To)}
	case "decimal":
		return script.Decimal{From: v.Decimal.From, To: v.Decimal.To, Digits: v.Decimal.Digits}
	case "random_text":
		return script.RandomText{Length: v.RandomText.Length, Alphabet: alphabet(v.RandomText.Of)}
	case "row":
		d, _ := x.sc.Data().Get(v.Row)
		return script.Row{Table: x.tables[v.Row], Random: d.Order == config.OrderRandom}
	case "text":
		return script.Made{Template: v.Text.Template}
	case "time":
		return script.DueTime{Shift: time.Duration(v.Time.Plus - v.Time.Minus), Floor: time.Duration(v.Time.Floor), Format: v.Time.Format}
	case "file":
		return x.files.secret(v.File)
	case "jwt":
		return x.token(v.JWT)
	default:
		return x.many(v.Many)
	}
}

// token translates a token that is signed for each slot.
func (x *mixer) token(j *config.JWT) script.Source {
	signer := x.signers[j]
	if signer == nil {
		signer = jwt.NewSigner(j.HeaderJSON(), x.key(j))
		x.signers[j] = signer
	}
	return script.Token{
		Claims: document(j.ClaimsJSON()), Floor: time.Duration(j.Floor), Lifetime: time.Duration(j.Lifetime), Sign: signer.Sign,
	}
}

// key returns what tokens are signed with.
func (x *mixer) key(j *config.JWT) func() *jwt.Key {
	parse := func(text string) (*jwt.Key, error) { return jwt.ParseKey(j.Algorithm, text) }
	if j.KeyFile != "" {
		return open(x.files, j.KeyFile, 0, parse)
	}
	key, err := parse(string(j.Key))
	if err != nil {
		x.files.fail(fmt.Errorf("key of a jwt: %w", err))
	}
	return func() *jwt.Key { return key }
}

// newSigner returns what signs the requests of a scenario; nil if they are not signed.
func newSigner(c *config.SigV4, files *feeds) *sigv4.Signer {
	if c == nil {
		return nil
	}
	secret := func() string { return string(c.SecretKey) }
	if c.SecretKeyFile != "" {
		secret = files.secret(c.SecretKeyFile)
	}
	return sigv4.New(sigv4.Options{Region: c.Region, Service: c.ServiceName, AccessKey: c.AccessKey, SecretKey: secret})
}

func (x *mixer) many(m *config.Many) script.Source {
	out := script.Many{From: m.From, To: m.To, Each: x.source(*m.Each), Variables: x.variables(m.Variables)}
	if m.Join != nil {
		out.Join, out.Joined = *m.Join, true
	}
	return out
}

func alphabet(of string) string {
	switch of {
	case "digits":
		return digits
	case "letters":
		return letters
	case "hex":
		return digits + "abcdef"
	default:
		return digits + letters
	}
}

// document translates a value. Parse has read its templates, so that it cannot fail.
func document(j config.JSON) script.Document {
	d, err := script.ParseDocument(j.Text)
	if err != nil {
		panic(fmt.Sprintf("value %q: %v", j.Text, err))
	}
	return d
}

func documents(all []config.JSON) []script.Document {
	out := make([]script.Document, len(all))
	for i, j := range all {
		out[i] = document(j)
	}
	return out
}

// optional translates a value that may not be there.
func optional(j *config.JSON) *script.Document {
	if j == nil {
		return nil
	}
	d := document(*j)
	return &d
}

func optionalText(t *config.Template) *script.Template {
	if t == nil {
		return nil
	}
	return &t.Template
}

// expression compiles a regular expression, which Parse has done before; nil for none.
func expression(text string) *regexp.Regexp {
	if text == "" {
		return nil
	}
	return regexp.MustCompile(text)
}

// standIn is what a dry run captures. It goes as a part of a URL, as a relative one, and as a number.
const standIn = "1"

// captures translates the captures from responses.
func (x *mixer) captures(all config.Named[config.Capture]) []script.Capture {
	picks := map[config.Pick]script.Pick{
		config.PickFirst: script.PickFirst, config.PickLast: script.PickLast,
		config.PickRandom: script.PickRandom, config.PickAll: script.PickAll,
	}
	var out []script.Capture
	for _, c := range all {
		v := c.Value
		if x.rehearses {
			out = append(out, script.Capture{Name: c.Name, StandIn: standIn})
			continue
		}
		out = append(out, script.Capture{
			Name: c.Name, Part: script.Part{JSON: v.JSON, Header: v.Header, Cookie: v.Cookie}, Regex: expression(v.Regex),
			Pick: picks[v.Pick], UnescapeHTML: v.Unescape == "html", OrEnd: v.Otherwise == config.OtherwiseEnd,
		})
	}
	return out
}

// checks translates the expectations beyond the status.
func (x *mixer) checks(e config.Expect) []script.Check {
	if x.rehearses {
		return nil
	}
	var out []script.Check
	add := func(name string, p script.Part, c config.Check) {
		out = append(out, check(name, p, c))
	}
	for _, c := range e.Headers {
		add("headers "+c.Name, script.Part{Header: c.Name}, c.Value)
	}
	for _, c := range e.Cookies {
		add("cookies "+c.Name, script.Part{Cookie: c.Name}, c.Value)
	}
	for _, c := range e.JSON {
		add("json "+c.Name, script.Part{JSON: c.Name}, c.Value)
	}
	if e.Body != nil {
		add("body", script.Part{}, *e.Body)
	}
	if e.Size != nil {
		c := check("size", script.Part{}, e.Size.Check())
		c.Size = true
		out = append(out, c)
	}
	return out
}

func check(name string, p script.Part, c config.Check) script.Check {
	return script.Check{
		Name: name, Part: p, Equals: optional(c.Equals), Not: optional(c.Not),
		Contains: optionalText(c.Contains), NotContains: optionalText(c.NotContains), Matches: expression(c.Matches),
		Exists: c.Exists, AtLeast: c.AtLeast, AtMost: c.AtMost, OneOf: documents(c.OneOf),
	}
}

// scope resolves names.
type scope = func(name string) (index int, ok bool)

// draft translates a request with parts that vary.
func (x *mixer) draft(r *config.Request, names scope) (*httpreq.Draft, error) {
	entry, err := x.prepared(r)
	if err != nil {
		return nil, err
	}
	b := binder{names: names}
	t := r.Target()
	d := &httpreq.Draft{
		Entry: entry, UserAgent: userAgent(x.sc.HTTPConfig.UserAgent),
		Path: b.bind(t.Path), Query: b.bind(t.WholeQuery), HasQuery: t.HasQuery || len(r.Query) > 0,
	}
	d.URL = t.Origin
	if r.IsCall() {
		d.URL, d.Fields = overHTTP(d.URL), x.callFields(r, nil)
	}
	if r.IsWebSocket() {
		d.URL = overHTTP(d.URL)
	}
	if t.Whole != nil {
		whole := b.bind(*t.Whole)
		d.Whole = &whole
		for _, o := range x.sc.Origins() {
			if !isHTTP(o) {
				continue
			}
			if d.Allowed == nil {
				d.URL = o
			}
			d.Allowed = append(d.Allowed, o.Origin())
		}
	}
	for _, h := range x.sc.HeadersOf(r) {
		if h.Varies() {
			d.Varying = append(d.Varying, httpreq.VaryingField{Name: h.Name, Value: b.bind(h.Template()), Secret: h.Secret})
		} else {
			d.Fields = append(d.Fields, protocol.Field{Name: h.Name, Value: h.Value, Secret: h.Secret})
		}
	}
	if x.signer != nil && !r.IsCall() && !r.IsWebSocket() {
		d.Sign = func(p *httpreq.Prepared) ([]protocol.Field, error) { return x.signer.Sign(p, time.Now()) }
	}
	d.Auth, d.Body, d.Random = x.auth(r, &b), x.body(r, &b), int64(r.Body.Random)
	if b.err != nil {
		return nil, b.err
	}
	return d, d.Compile()
}

// binder binds templates and keeps the first error.
type binder struct {
	names scope
	err   error
}

func (b *binder) bind(t script.Template) script.Template {
	bound, err := t.Bind(b.names)
	if b.err == nil {
		b.err = err
	}
	return bound
}

func (b *binder) document(j config.JSON) script.Document {
	bound, err := document(j).Bind(b.names)
	if b.err == nil {
		b.err = err
	}
	return bound
}

// auth translates the authentication of a request; nil if it has none of its own.
func (x *mixer) auth(r *config.Request, b *binder) *httpreq.DraftAuth {
	switch {
	case r.BasicAuth != nil:
		return &httpreq.DraftAuth{
			Basic: true,
			User:  b.bind(r.BasicAuth.Username.Template), UserFile: x.files.optional(r.BasicAuth.UsernameFile),
			Password: b.bind(r.BasicAuth.Password.Template), PasswordFile: x.files.optional(r.BasicAuth.PasswordFile),
		}
	case r.Authorization != nil:
		return &httpreq.DraftAuth{
			Scheme:      r.Authorization.Type,
			Credentials: b.bind(r.Authorization.Credentials.Template), CredentialsFile: x.files.optional(r.Authorization.CredentialsFile),
		}
	default:
		return nil
	}
}

// body translates the body of a request; nil if it has none.
func (x *mixer) body(r *config.Request, b *binder) httpreq.DraftBody {
	if r.IsCall() {
		return x.message(r, b)
	}
	body := r.Body
	switch body.Kind() {
	case "":
		return nil
	case "text":
		return httpreq.TextBody{Template: b.bind(body.Text().Template)}
	case "verbatim":
		return httpreq.TextBody{Template: script.Literal(*body.Verbatim)}
	case "json":
		out := httpreq.JSONBody{Document: b.document(*body.JSON)}
		for _, s := range body.Set {
			out.Set = append(out.Set, httpreq.SetField{Path: s.Name, Value: b.document(s.Value)})
		}
		return out
	case "graphql":
		return httpreq.JSONBody{Document: b.document(config.JSON{Text: body.GraphQL.Document()})}
	case "form":
		return formBody(body.Form, b)
	case "file":
		return httpreq.FileBody{Content: x.files.content(body.File)}
	case "random":
		return nil // It is generated.
	case "remote_write":
		return remoteWrite(body.RemoteWrite, b)
	default:
		return x.multipart(body.Multipart, b)
	}
}

func formBody(form config.Named[config.FormValue], b *binder) httpreq.DraftBody {
	out := httpreq.FormBody{}
	for _, f := range form {
		if f.Value.JSON != nil {
			d := b.document(*f.Value.JSON)
			out = append(out, httpreq.FormField{Name: f.Name, JSON: &d})
		}
		for _, t := range f.Value.Texts {
			out = append(out, httpreq.FormField{Name: f.Name, Value: b.bind(t.Template)})
		}
	}
	return out
}

// remoteWrite translates series with samples.
func remoteWrite(w *config.RemoteWrite, b *binder) httpreq.DraftBody {
	o := remotewrite.Options{V2: w.Version == 2, Shards: w.Shards}
	for _, s := range w.Series {
		set := remotewrite.Set{
			Labels: []remotewrite.Label{{Name: "__name__", Value: s.Name.Template}},
			Value:  optionalText(s.Value), Samples: s.Samples, Every: time.Duration(s.Every),
		}
		for _, l := range s.Labels {
			set.Labels = append(set.Labels, remotewrite.Label{Name: l.Name, Value: l.Value.Template})
		}
		for _, e := range s.Each {
			d := remotewrite.Dimension{Name: e.Name}
			for i := range e.Value.Len() {
				d.Elements = append(d.Elements, script.FromJSON(e.Value.At(i)))
			}
			set.Each = append(set.Each, d)
		}
		if s.Counter != nil {
			set.Counter = &remotewrite.Counter{PerSecond: *s.Counter}
		}
		if s.Gauge != nil {
			set.Gauge = &script.Decimal{From: s.Gauge.From, To: s.Gauge.To, Digits: s.Gauge.Digits}
		}
		o.Sets = append(o.Sets, set)
	}
	body, err := remotewrite.New(o, b.names)
	if b.err == nil {
		b.err = err
	}
	return body
}

func (x *mixer) multipart(parts []config.Part, b *binder) httpreq.DraftBody {
	out := httpreq.MultipartBody{Boundary: config.Boundary}
	for _, p := range parts {
		part := httpreq.Part{Name: p.Name, Type: p.Type, FileName: p.Filename}
		if p.Text != nil {
			part.Text = b.bind(p.Text.Template)
		}
		if p.File != "" {
			part.File = &httpreq.FileBody{Content: x.files.content(p.File)}
			if part.FileName == "" {
				part.FileName = p.File[strings.LastIndexByte(p.File, '/')+1:]
			}
			if part.Type == "" {
				part.Type = "application/octet-stream"
			}
		}
		out.Parts = append(out.Parts, part)
	}
	return out
}
