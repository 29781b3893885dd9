package config

// Capture is a value of a response that later steps use by its name. Exactly one source: json, regex, header, cookie or body; regex may
// stand on top of header, cookie or body.
type Capture struct {
	// What stands at this path of a body in JSON; the paths are gjson's, such as token, items.0.id, items.#.id, or @this for all of it.
	JSON string `yaml:"json"`
	// What the first group of this regular expression matches, or all of it if it has no group: in the body, or in what stands beside it. RE2.
	Regex string `yaml:"regex"`
	// The value of the header of that name.
	Header string `yaml:"header" format:"token"`
	// The value of the cookie of that name.
	Cookie string `yaml:"cookie" format:"token"`
	// Whether it is the body as a whole.
	Body bool `yaml:"body"`
	// Which of several: elements of a list that json finds, or matches; all takes the list of them. Left out, what json finds is taken as it
	// is, and of other matches the first.
	Pick Pick `yaml:"pick" oneof:"first last random all"`
	// How it is decoded: html turns &amp; into &.
	Unescape string `yaml:"unescape" oneof:"html"`
	// What happens when it finds nothing: the request fails with reason check, or the journey ends, which is no failure.
	Otherwise string `yaml:"otherwise" default:"fail" oneof:"fail end"`
}

// What happens when a capture finds nothing.
const (
	OtherwiseFail = "fail"
	OtherwiseEnd  = "end"
)

// Source returns what the capture looks at: json, header, cookie or body.
func (c Capture) Source() string {
	switch {
	case c.JSON != "":
		return "json"
	case c.Header != "":
		return "header"
	case c.Cookie != "":
		return "cookie"
	default:
		return "body"
	}
}
