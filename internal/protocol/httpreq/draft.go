package httpreq

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unsafe"

	"github.com/tidwall/sjson"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/uri"
	"github.com/traffic-exporter/traffic_exporter/internal/script"
)

// ErrOrigin is a URL that came from the target and leads to an origin that the file does not
// name.
var ErrOrigin = errors.New("its origin is not one that the configuration names")

// errDotSegment is a value that would make a path lead elsewhere.
var errDotSegment = errors.New("a value makes a dot segment of the path")

// Draft is a request with parts that vary. Its templates are bound to the script.Values that
// Render is given. Compile it before it is rendered; then it is immutable and safe for concurrent
// use.
type Draft struct {
	// Entry is the rest: its method, its fields without those that vary, what it expects. Its
	// URL has the origin, and its body is not used.
	Entry

	// Path and Query are what the URL's target is made of. The text between placeholders is as
	// it goes over the wire.
	Path, Query script.Template
	HasQuery    bool
	// Whole, if not nil, is the whole URL, in place of origin and path. It may lead to the origins
	// of Allowed, and is relative to the Entry's URL. The query is added to it.
	Whole   *script.Template
	Allowed []string
	// Varying are fields whose values vary. They follow those of Entry.
	Varying []VaryingField
	// Auth, if not nil, is sent as Authorization.
	Auth *DraftAuth
	// Body makes the body; nil for none. Random, if not 0, is how many random bytes are it instead.
	Body   DraftBody
	Random int64
	// UserAgent is sent unless the fields have one.
	UserAgent string
	// Sign, if not nil, returns more fields, which sign the request as it is about to be sent.
	Sign func(*Prepared) ([]protocol.Field, error)

	// base is what does not vary, and fields the same of the fields.
	base   Prepared
	fields []protocol.Field
}

// Compile prepares all that does not vary. It fails on what cannot be sent.
func (d *Draft) Compile() error {
	e := d.Entry
	e.Fields = slices.Clone(e.Fields)
	agent, idempotent := d.UserAgent, false
	for _, f := range d.Varying {
		if strings.EqualFold(f.Name, "Host") || ownedByUs(f.Name) {
			return fmt.Errorf("header %q: it cannot vary", f.Name)
		}
		if strings.EqualFold(f.Name, "User-Agent") {
			agent = ""
		}
		idempotent = idempotent || isIdempotencyKey(f.Name)
	}
	e.Body, e.Source = nil, nil
	var err error
	if d.base, err = e.Prepare(agent); err != nil {
		return err
	}
	d.fields = without(d.base.Fields, func(f protocol.Field) bool { return f.Name == contentLength })
	d.base.Authorized = d.base.Authorized || d.Auth != nil || d.Sign != nil || slices.ContainsFunc(d.Varying, func(f VaryingField) bool {
		return strings.EqualFold(f.Name, "Authorization")
	})
	d.base.Idempotent = d.base.Idempotent || idempotent
	return nil
}

// VaryingField is a header field whose value varies.
type VaryingField struct {
	Name   string
	Value  script.Template
	Secret bool
}

// DraftAuth is an Authorization field: with a user name and a password as basic authentication
// has them (RFC 7617), or otherwise a scheme and credentials. A function, which is called
// concurrently and must not block, returns what a file holds, in place of the template.
type DraftAuth struct {
	Basic                  bool
	User, Password         script.Template
	UserFile, PasswordFile func() string

	Scheme          string
	Credentials     script.Template
	CredentialsFile func() string
}

// DraftBody makes bodies.
type DraftBody interface {
	// Append appends the body.
	Append(dst []byte, v script.Values) ([]byte, error)
}

// Rendered is a request that a Draft was rendered to. It can be rendered to again when the
// request has ended. The zero Rendered is empty.
type Rendered struct {
	Prepared

	// scratch is where texts are put together, and ends are where each of them ends.
	scratch []byte
	ends    []int
}

// maxScratch is how much a Rendered keeps for the next time, in bytes.
const maxScratch = 16 << 10

// Render makes r the request with these values, and with the cookies of the jar if there is
// one. Its error is an ErrOrigin, or says which value is the matter. What changes from request
// to request is allocated at once: it stays what it is when r is rendered to again.
func (d *Draft) Render(r *Rendered, v script.Values, jar Jar) error {
	fields := r.Fields[:0]
	r.Prepared = d.base
	r.scratch, r.ends = r.scratch[:0], r.ends[:0]
	if d.Whole != nil {
		u, err := d.whole(v)
		if err != nil {
			return err
		}
		r.URL, r.Authority = u, u.Authority()
		r.end()
	} else if err := d.target(r, v); err != nil {
		return err
	}
	if err := d.texts(r, v); err != nil {
		return err
	}
	d.finish(r, fields)
	if d.Sign != nil {
		signature, err := d.Sign(&r.Prepared)
		if err != nil {
			return err
		}
		r.Fields = append(r.Fields, signature...)
	}
	if jar != nil {
		r.Jar = jar
		r.Fields = withCookies(r.Fields, jar.Cookies(r.URL))
	}
	return nil
}

// end ends a string.
func (r *Rendered) end() { r.ends = append(r.ends, len(r.scratch)) }

// target appends the path and the query.
func (d *Draft) target(r *Rendered, v script.Values) (err error) {
	defer r.end()
	if r.scratch, err = d.Path.Append(r.scratch, script.PlacePath, v); err != nil {
		return fmt.Errorf("url: %w", err)
	}
	if d.Path.Varies() && hasDotSegment(r.scratch) {
		return fmt.Errorf("url: %w", errDotSegment)
	}
	if d.HasQuery {
		r.scratch, err = d.appendQuery(r.scratch, '?', v)
	}
	return err
}

// texts appends the values of the fields that vary, the credentials, the body and its length.
func (d *Draft) texts(r *Rendered, v script.Values) (err error) {
	for i := range d.Varying {
		f := &d.Varying[i]
		if r.scratch, err = f.Value.Append(r.scratch, script.PlaceHeader, v); err != nil {
			return fmt.Errorf("header %q: %w", f.Name, err)
		}
		r.end()
	}
	if d.Auth != nil {
		if r.scratch, err = d.Auth.append(r.scratch, v); err != nil {
			return fmt.Errorf("authorization: %w", err)
		}
		r.end()
	}
	begin := len(r.scratch)
	switch {
	case d.Random > 0:
		r.Source = script.NewRandom(v, d.Random)
	case d.Body != nil:
		if r.scratch, err = d.Body.Append(r.scratch, v); err != nil {
			return fmt.Errorf("body: %w", err)
		}
	}
	r.end()
	if n := int64(len(r.scratch)-begin) + d.Random; !d.Streams && (n > 0 || statesLength(d.base.Method)) {
		r.scratch = strconv.AppendInt(r.scratch, n, 10)
		r.end()
	}
	return nil
}

// finish puts the texts where they belong.
func (d *Draft) finish(r *Rendered, fields []protocol.Field) {
	all := bytes.Clone(r.scratch)
	begin := 0
	next := func() []byte {
		text := all[begin:r.ends[0]:r.ends[0]]
		begin, r.ends = r.ends[0], r.ends[1:]
		return text
	}
	text := func() string {
		b := next()
		return unsafe.String(unsafe.SliceData(b), len(b)) //nolint:gosec // Nobody changes all any more.
	}
	ends := r.ends
	if target := text(); d.Whole == nil {
		r.URL = r.URL.WithTarget(target)
	}
	fields = append(fields, d.fields...)
	for i := range d.Varying {
		fields = append(fields, protocol.Field{Name: d.Varying[i].Name, Value: strings.Trim(text(), " \t"), Secret: d.Varying[i].Secret})
	}
	if d.Auth != nil {
		fields = append(fields, protocol.Field{Name: "Authorization", Value: text(), Secret: true})
	}
	r.Body = next()
	if len(r.ends) > 0 {
		fields = append(fields, protocol.Field{Name: contentLength, Value: text()})
	}
	r.Fields, r.ends = fields, ends
	if cap(r.scratch) > maxScratch {
		r.scratch = nil
	}
}

// appendQuery appends the query behind a separator.
func (d *Draft) appendQuery(target []byte, separator byte, v script.Values) ([]byte, error) {
	target, err := d.Query.Append(append(target, separator), script.PlaceQuery, v)
	if err != nil {
		err = fmt.Errorf("query: %w", err)
	}
	return target, err
}

// whole returns a URL that is one value.
func (d *Draft) whole(v script.Values) (uri.URI, error) {
	text, err := d.Whole.Text(v)
	if err != nil {
		return uri.URI{}, fmt.Errorf("url: %w", err)
	}
	u, err := d.URL.Resolve(text)
	if err != nil {
		return uri.URI{}, fmt.Errorf("url: %w", err)
	}
	if !slices.Contains(d.Allowed, u.Origin()) {
		return uri.URI{}, fmt.Errorf("url %q: %w", u.Origin(), ErrOrigin)
	}
	if !d.HasQuery {
		return u, nil
	}
	separator := byte('?')
	if strings.Contains(u.Target, "?") {
		separator = '&'
	}
	target, err := d.appendQuery([]byte(u.Target), separator, v)
	return u.WithTarget(string(target)), err
}

// hasDotSegment reports whether a path has a segment that is removed when it is normalized
// (RFC 3986, section 5.2.4), also one that is percent-encoded or has parameters.
func hasDotSegment(path []byte) bool {
	for len(path) > 0 {
		end := bytes.IndexByte(path[1:], '/') + 1
		if end == 0 {
			end = len(path)
		}
		if isDotSegment(path[1:end]) {
			return true
		}
		path = path[end:]
	}
	return false
}

// isDotSegment reports whether a segment is one or two dots.
func isDotSegment(segment []byte) bool {
	dots := 0
	for i := 0; i < len(segment) && segment[i] != ';'; i++ {
		if segment[i] == '%' && i+2 < len(segment) && segment[i+1] == '2' && segment[i+2]|0x20 == 'e' {
			i += 2
		} else if segment[i] != '.' {
			return false
		}
		dots++
	}
	return dots == 1 || dots == 2
}

// append appends the value of the field.
func (a *DraftAuth) append(dst []byte, v script.Values) ([]byte, error) {
	if !a.Basic {
		return appendOr(append(append(dst, a.Scheme...), ' '), a.Credentials, a.CredentialsFile, script.PlaceHeader, v)
	}
	pair, err := appendOr(nil, a.User, a.UserFile, script.PlaceText, v)
	if err == nil {
		pair, err = appendOr(append(pair, ':'), a.Password, a.PasswordFile, script.PlaceText, v)
	}
	return base64.StdEncoding.AppendEncode(append(dst, "Basic "...), pair), err
}

// appendOr appends a template, or the content of a file if there is one.
func appendOr(dst []byte, t script.Template, file func() string, place script.Place, v script.Values) ([]byte, error) {
	if file != nil {
		return append(dst, file()...), nil
	}
	return t.Append(dst, place, v)
}

// The kinds of bodies.
type (
	// TextBody is a string.
	TextBody struct{ script.Template }
	// JSONBody is a value of JSON, in which Set replaces what stands at paths.
	JSONBody struct {
		script.Document

		Set []SetField
	}
	// FormBody is a form, as browsers send it.
	FormBody []FormField
)

// SetField is a value that is put at a path of sjson's.
type SetField struct {
	Path  string
	Value script.Document
}

// FormField is a field of a form: a template, or, if JSON is not nil, the text of a document.
type FormField struct {
	Name  string
	Value script.Template
	JSON  *script.Document
}

var (
	_ DraftBody = TextBody{}
	_ DraftBody = JSONBody{}
	_ DraftBody = FormBody{}
	_ DraftBody = MultipartBody{}
	_ DraftBody = FileBody{}
)

// Append implements DraftBody.
func (b TextBody) Append(dst []byte, v script.Values) ([]byte, error) {
	return b.Template.Append(dst, script.PlaceText, v)
}

// Append implements DraftBody.
func (b JSONBody) Append(dst []byte, v script.Values) ([]byte, error) {
	if len(b.Set) == 0 {
		return b.Document.Append(dst, v)
	}
	text, err := b.Document.Append(nil, v)
	if err != nil {
		return dst, err
	}
	for _, s := range b.Set {
		value, err := s.Value.Append(nil, v)
		if err != nil {
			return dst, err
		}
		if text, err = sjson.SetRawBytes(text, s.Path, value); err != nil {
			return dst, fmt.Errorf("set %q: %w", s.Path, err)
		}
	}
	return append(dst, text...), nil
}

// Append implements DraftBody.
func (b FormBody) Append(dst []byte, v script.Values) ([]byte, error) {
	for i, f := range b {
		if i > 0 {
			dst = append(dst, '&')
		}
		dst = script.AppendEncoded(dst, script.PlaceForm, f.Name)
		dst = append(dst, '=')
		var err error
		if f.JSON != nil {
			var text []byte
			if text, err = f.JSON.Append(nil, v); err == nil {
				dst = script.AppendEncoded(dst, script.PlaceForm, string(text))
			}
		} else {
			dst, err = f.Value.AppendAll(dst, script.PlaceForm, v)
		}
		if err != nil {
			return dst, fmt.Errorf("form field %q: %w", f.Name, err)
		}
	}
	return dst, nil
}

// MultipartBody is a form with files (RFC 7578). Boundary separates its parts; no part may hold
// it.
type MultipartBody struct {
	Boundary string
	Parts    []Part
}

// Part is a part of a MultipartBody: a string, or a file that is sent as FileName.
type Part struct {
	Name     string
	Text     script.Template
	File     *FileBody
	FileName string
	Type     string
}

// errBoundary is a part that could be taken for the end of one.
var errBoundary = errors.New("a part holds the boundary")

// Append implements DraftBody.
func (b MultipartBody) Append(dst []byte, v script.Values) ([]byte, error) {
	for _, p := range b.Parts {
		dst = append(dst, "--"+b.Boundary+"\r\nContent-Disposition: form-data; name="+quotedParam(p.Name)...)
		if p.FileName != "" {
			dst = append(dst, "; filename="+quotedParam(p.FileName)...)
		}
		if p.Type != "" {
			dst = append(dst, "\r\nContent-Type: "+p.Type...)
		}
		dst = append(dst, "\r\n\r\n"...)
		begin := len(dst)
		var err error
		if p.File != nil {
			dst, err = p.File.Append(dst, v)
		} else {
			dst, err = p.Text.Append(dst, script.PlaceText, v)
		}
		if err == nil && strings.Contains(string(dst[begin:]), b.Boundary) {
			err = errBoundary
		}
		if err != nil {
			return dst, fmt.Errorf("part %q: %w", p.Name, err)
		}
		dst = append(dst, "\r\n"...)
	}
	return append(dst, "--"+b.Boundary+"--\r\n"...), nil
}

// quotedParam returns a name as browsers write it (WHATWG HTML, multipart/form-data).
func quotedParam(name string) string {
	return `"` + strings.NewReplacer("\n", "%0A", "\r", "%0D", `"`, "%22").Replace(name) + `"`
}

// FileBody is the content of a file. Content returns what it is now; it is called concurrently
// and must not block.
type FileBody struct{ Content func() string }

// Append implements DraftBody.
func (b FileBody) Append(dst []byte, _ script.Values) ([]byte, error) {
	return append(dst, b.Content()...), nil
}
