// Package curl reads command lines of curl, such as browsers copy them, as requests. It runs nothing and
// sends nothing.
package curl

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/traffic-exporter/traffic_exporter/internal/importer/exchange"
)

// MaxSize bounds the commands, in bytes.
const MaxSize = 16 << 20

// Options say what surrounds the commands.
type Options struct {
	// Getenv looks up a variable that a command uses.
	Getenv func(string) (string, bool)
	// ReadFile reads a file that a command sends.
	ReadFile func(name string) ([]byte, error)
}

// The ways in which commands cannot be read.
var (
	errSyntax  = errors.New("not the commands of a shell")
	errNoCurl  = errors.New("found no command curl")
	errTooLong = fmt.Errorf("found more than %d bytes, expected fewer commands", MaxSize)
)

// Read reads the requests of the commands, in their order. An error has the line of the command.
func Read(r io.Reader, o Options) ([]exchange.Exchange, error) {
	text, err := io.ReadAll(io.LimitReader(r, MaxSize+1))
	if err != nil {
		return nil, err
	}
	if len(text) > MaxSize {
		return nil, errTooLong
	}
	found, err := commands(bytes.NewReader(text), o.Getenv)
	if err != nil {
		return nil, err
	}
	var all []exchange.Exchange
	for _, c := range found {
		some, err := o.command(c.words[1:])
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", c.line, err)
		}
		if all = append(all, some...); len(all) > exchange.MaxCount {
			return nil, fmt.Errorf("line %d: found more than %d requests, expected fewer", c.line, exchange.MaxCount)
		}
	}
	if len(all) == 0 {
		return nil, errNoCurl
	}
	return all, nil
}

// request is what the options before --next say.
type request struct {
	o       Options
	method  string
	urls    []string
	header  exchange.Header
	removed []string
	data    [][]byte
	form    *multipart.Writer
	body    bytes.Buffer
	upload  []byte
	// notes name the options that are not taken over.
	notes []string
	// json, get, head and follow are the options of these names.
	json, get, head, follow bool
}

// command returns the requests of one command.
func (o Options) command(words []string) ([]exchange.Exchange, error) {
	long, short := longOptions(), shortOptions()
	var all []exchange.Exchange
	r := &request{o: o}
	for i := 0; i < len(words); i++ {
		found, err := parse(words, &i, long, short)
		if err != nil {
			return nil, err
		}
		for _, f := range found {
			if f.option.effect == next {
				some, err := r.exchanges()
				if err != nil {
					return nil, err
				}
				all = append(all, some...)
				r = &request{o: o}
				continue
			}
			if f.option.effect == connection {
				r.notes = append(r.notes, f.name+" of curl is not taken over: http_config says how the scenario connects.")
			}
			if err := r.apply(f.option.effect, f.argument); err != nil {
				return nil, fmt.Errorf("%s: %w", f.name, err)
			}
		}
	}
	some, err := r.exchanges()
	return append(all, some...), err
}

// given is an option with its argument.
type given struct {
	name, argument string
	option         option
}

// parse reads the word at i as curl does: --long, -s with its argument behind it or next, several short
// ones in a word, or a URL. It moves i to the last word that it took.
func parse(words []string, i *int, long map[string]option, short map[byte]string) ([]given, error) {
	word := words[*i]
	argument := func(name string) (string, error) {
		if *i++; *i >= len(words) {
			return "", fmt.Errorf("found %s without its argument", name)
		}
		return words[*i], nil
	}
	switch {
	case strings.HasPrefix(word, "--") && len(word) > 2:
		name := strings.TrimPrefix(word, "--")
		o, known := long[name]
		if _, negated := long[strings.TrimPrefix(name, "no-")]; !known && negated {
			return nil, nil // --no-compressed and others switch off options that are off.
		}
		if !known {
			return nil, fmt.Errorf("found the option %q, which is not known here: leave it out if it does not change the request", word)
		}
		g := given{name: word, option: o}
		var err error
		if o.argument {
			g.argument, err = argument(word)
		}
		return []given{g}, err
	case strings.HasPrefix(word, "-") && len(word) > 1 && word != "--":
		return shorts(word, argument, long, short)
	case word == "--":
		return nil, nil
	default:
		return []given{{name: "URL", argument: word, option: option{address, true}}}, nil
	}
}

// shorts reads a word of short options.
func shorts(word string, argument func(string) (string, error), long map[string]option, short map[byte]string) ([]given, error) {
	var all []given
	for at := 1; at < len(word); at++ {
		name, known := short[word[at]]
		if !known {
			return nil, fmt.Errorf("found the option %q, which is not known here: leave it out if it does not change the request", "-"+word[at:at+1])
		}
		g := given{name: "-" + word[at:at+1], option: long[name]}
		if g.option.argument {
			if g.argument = word[at+1:]; g.argument == "" {
				var err error
				if g.argument, err = argument(g.name); err != nil {
					return nil, err
				}
			}
			return append(all, g), nil
		}
		all = append(all, g)
	}
	return all, nil
}

// apply does what an option does.
func (r *request) apply(e effect, argument string) error {
	switch e {
	case method:
		r.method = argument
	case header:
		r.addHeader(argument)
	case user:
		r.header.Add("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(argument)))
	case bearer:
		r.header.Add("Authorization", "Bearer "+argument)
	case cookieOption:
		if strings.Contains(argument, "=") {
			r.header.Add("Cookie", argument)
		}
	case userAgent:
		r.header.Add("User-Agent", argument)
	case referer:
		r.header.Add("Referer", argument)
	case address:
		r.urls = append(r.urls, argument)
	case head:
		r.head = true
	case get:
		r.get = true
	case follow:
		r.follow = true
	case data, dataRaw, dataBinary, dataEncoded, jsonData, formField, formText, upload:
		return r.applyBody(e, argument)
	case byteRange:
		r.header.Add("Range", "bytes="+argument)
	case ignored, connection, next:
	}
	return nil
}

// addHeader adds a header; "Name:" takes one away, and "Name;" adds one without a value.
func (r *request) addHeader(text string) {
	name, value, found := strings.Cut(text, ":")
	switch {
	case !found:
		r.header.Add(strings.TrimSuffix(text, ";"), "")
	case strings.TrimSpace(value) == "":
		r.removed = append(r.removed, name)
	default:
		r.header.Add(strings.TrimSpace(name), strings.TrimSpace(value))
	}
}

// applyBody does what the options do that add to the body.
func (r *request) applyBody(e effect, argument string) error {
	var err error
	var content []byte
	switch e {
	case upload:
		r.upload, err = r.o.ReadFile(argument)
		return err
	case formField, formText:
		return r.addPart(e, argument)
	case dataEncoded:
		content, err = r.encoded(argument)
	case dataRaw:
		content = []byte(argument)
	case data, dataBinary, jsonData:
		r.json = r.json || e == jsonData
		content = []byte(argument)
		if name, ok := strings.CutPrefix(argument, "@"); ok {
			content, err = r.o.ReadFile(name)
			if e == data {
				content = []byte(strings.NewReplacer("\r", "", "\n", "", "\x00", "").Replace(string(content)))
			}
		}
	default:
	}
	r.data = append(r.data, content)
	return err
}

// encoded returns what --data-urlencode sends for content, =content, name=content, @file or name@file.
func (r *request) encoded(argument string) ([]byte, error) {
	at := strings.IndexAny(argument, "=@")
	if at < 0 {
		return []byte(url.QueryEscape(argument)), nil
	}
	name, content := argument[:at], argument[at+1:]
	if argument[at] == '@' {
		read, err := r.o.ReadFile(content)
		if err != nil {
			return nil, err
		}
		content = string(read)
	}
	if name != "" {
		name += "="
	}
	return []byte(name + url.QueryEscape(content)), nil
}

// addPart adds a part of a multipart form: name=text, name=@file or name=<file, with ;type= behind it.
func (r *request) addPart(e effect, argument string) error {
	name, value, found := strings.Cut(argument, "=")
	if !found {
		return fmt.Errorf("found %q, expected name=value", argument)
	}
	if r.form == nil {
		r.form = multipart.NewWriter(&r.body)
	}
	if e == formText || value == "" || value[0] != '@' && value[0] != '<' {
		return r.form.WriteField(name, value)
	}
	file, parameters, _ := strings.Cut(value[1:], ";")
	content, err := r.o.ReadFile(file)
	if err != nil {
		return err
	}
	if value[0] == '<' {
		return r.form.WriteField(name, string(content))
	}
	h := textproto.MIMEHeader{}
	h.Set("Content-Disposition", multipart.FileContentDisposition(name, filepath.Base(file)))
	media, found := strings.CutPrefix(parameters, "type=")
	if !found {
		media = "application/octet-stream"
	}
	h.Set("Content-Type", media)
	w, err := r.form.CreatePart(h)
	if err != nil {
		return err
	}
	_, err = w.Write(content)
	return err
}

// exchanges returns a request for each of the URLs.
func (r *request) exchanges() ([]exchange.Exchange, error) {
	if len(r.urls) == 0 {
		return nil, errors.New("found no URL")
	}
	var all []exchange.Exchange
	body, contentType := r.content()
	h := r.headers(contentType)
	for _, text := range r.urls {
		if !strings.Contains(text, "://") {
			text = "http://" + text // As curl does.
		}
		u, err := url.Parse(text)
		if err != nil || u.Host == "" {
			return nil, errors.New("found a URL that cannot be read")
		}
		if u.User != nil && h.Get("Authorization") == "" {
			h.Add("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(userInfo(u.User))))
		}
		u.User, u.Fragment = nil, ""
		if r.get && len(body) > 0 {
			u.RawQuery = strings.Trim(u.RawQuery+"&"+string(body), "&")
		}
		x := exchange.Exchange{Request: exchange.Request{Method: r.verb(), URL: u, Header: h, FollowRedirects: r.follow, Notes: r.notes}}
		if !r.get {
			x.Request.Body = exchange.Keep(body)
		}
		all = append(all, x)
	}
	return all, nil
}

func userInfo(u *url.Userinfo) string {
	password, _ := u.Password()
	return u.Username() + ":" + password
}

// content returns the body and its type.
func (r *request) content() (body []byte, contentType string) {
	switch {
	case r.form != nil:
		_ = r.form.Close() // A buffer takes all.
		return r.body.Bytes(), r.form.FormDataContentType()
	case r.upload != nil:
		return r.upload, ""
	case r.json:
		return bytes.Join(r.data, nil), "application/json"
	case r.data != nil && !r.get:
		return bytes.Join(r.data, []byte("&")), "application/x-www-form-urlencoded"
	default:
		return bytes.Join(r.data, []byte("&")), ""
	}
}

// verb returns the method.
func (r *request) verb() string {
	switch {
	case r.method != "":
		return strings.ToUpper(r.method) // Servers take them in no other way.
	case r.head:
		return http.MethodHead
	case r.get:
		return http.MethodGet
	case r.upload != nil:
		return http.MethodPut
	case r.data != nil || r.form != nil:
		return http.MethodPost
	default:
		return http.MethodGet
	}
}

// headers returns the headers, with those that follow from the body unless they were given or taken away.
func (r *request) headers(contentType string) exchange.Header {
	var h exchange.Header
	given := func(name string) bool {
		for _, f := range r.header {
			if strings.EqualFold(f.Name, name) {
				return true
			}
		}
		return false
	}
	if r.form != nil || contentType != "" && !given("Content-Type") {
		h.Add("Content-Type", contentType)
	}
	for _, f := range r.header {
		if r.form == nil || !strings.EqualFold(f.Name, "Content-Type") {
			h = append(h, f)
		}
	}
	if r.json && !given("Accept") {
		h.Add("Accept", "application/json")
	}
	for _, name := range r.removed {
		var left exchange.Header
		for _, f := range h {
			if !strings.EqualFold(f.Name, name) {
				left = append(left, f)
			}
		}
		h = left
	}
	return h
}
