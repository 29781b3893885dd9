package config

// What several words of other tools have in common.
const (
	adviceUsers    = "slots come at a rate, however long users wait: N users who pause w between requests are a rate of N / (w + latency)"
	adviceRate     = "write rate: 10/s instead"
	adviceForever  = "traffic goes on until it is stopped: leave it out"
	advicePhases   = "write rate: {steps: [{rate: 10/s, for: 5m}, ...]} or {ramp: ...} instead"
	adviceScripts  = "there are no scripts: write variables for requests, capture and expect for responses"
	adviceData     = "write data: {NAME: {file: ...}} beside scenarios, and a variable such as {row: NAME}"
	advicePause    = "write a step of its own: - pause: 2s"
	adviceRepeat   = "write a step with steps in it: - {repeat: 3, steps: [...]}"
	adviceChoose   = "write a step such as choose: [{weight: 1, steps: [...]}, ...]"
	adviceParallel = "write it as a step: steps: [{parallel: [{name: ..., url: ...}, ...]}]"
	adviceIf       = "there are no conditions: write choose for chance, and otherwise: end in a capture to end a journey"
	adviceExpect   = "write expect: {status: [...], headers: ..., json: ..., body: ...} instead"
	adviceCapture  = "write capture: {NAME: {json: ...}} instead"
	adviceJar      = "write cookies: true in the entry, beside its steps: each slot has a jar of its own"
)

// foreign knows words of k6, Artillery, Locust, Gatling, JMeter and the like, in lower case and
// without _ and -, and says what to write instead.
func foreign(typeName, word string) string {
	switch typeName {
	case "Config":
		return foreignInConfig(word)
	case "Scenario":
		return foreignInScenario(word)
	case "TrafficStep":
		if hint := foreignInStep(word); hint != "" {
			return hint
		}
		return foreignInRequest(word)
	case "Request":
		if hint := foreignInEntry(word); hint != "" {
			return hint
		}
		return foreignInRequest(word)
	case "Variable", "Many", "IntRange", "DecimalRange", "RandomText", "TimeValue", "Dataset", "JWT":
		return foreignInValues(typeName, word)
	case "Body", "Part", "GraphQL", "FormValue", "RemoteWrite", "Series":
		return foreignInBody(typeName, word)
	case "Capture", "Check", "SizeCheck", "Expect":
		return foreignInResponse(typeName, word)
	case "Pause", "Repeat", "Each", "Choice":
		return foreignInFlow(typeName, word)
	case "Turn", "Send", "Receive", "Wait":
		return foreignInExchange(typeName, word)
	case "Limits":
		switch word {
		case "maxusers", "maxvus", "users", "vus", "maxconcurrency":
			return "write max_journeys for journeys at a time, or max_in_flight for requests"
		}
	}
	return ""
}

func foreignInConfig(word string) string {
	switch word {
	case "target", "targets", "host", "baseurl":
		return "write base_url in scenarios instead"
	case "config", "options", "settings", "defaults":
		return "there is no such section: write its keys in scenarios"
	case "phases", "stages", "load", "loadprofile":
		return "in scenarios, " + advicePhases
	case "users", "vus", "spawnrate", "hatchrate", "concurrency":
		return adviceUsers
	case "duration", "runtime", "iterations":
		return adviceForever
	case "variables", "headers", "requests", "steps", "timeout", "rate", "limits", "httpconfig", "allow", "slo":
		return "write it in scenarios instead"
	case "feeders", "feeder", "payload", "csv", "datasets":
		return adviceData
	case "tasks", "flow", "journeys", "journey":
		return "write scenarios: [{name: ..., rate: ..., requests: [{name: ..., steps: [...]}]}] instead"
	case "processor", "functions", "setup", "teardown", "before", "after", "plugins":
		return adviceScripts
	case "thresholds", "ensure":
		return "write slo in scenarios instead"
	}
	return ""
}

func foreignInScenario(word string) string {
	switch word {
	case "target", "targets", "host", "baseuri", "endpoint":
		return "write base_url instead"
	case "users", "vus", "virtualusers", "concurrency", "threads", "spawnrate", "maxvus", "maxvusers", "preallocatedvus", "executor":
		return adviceUsers
	case "arrivalrate", "rps", "qps", "throughput", "constantuserspersec":
		return adviceRate
	case "duration", "iterations", "maxduration", "runtime":
		return adviceForever
	case "phases", "stages", "rampto", "rampup", "rampupto":
		return advicePhases
	case "thinktime", "think", "sleep", "waittime", "wait", "pause", "delay":
		return "write it among the steps of an entry: - pause: 2s"
	case "flow", "tasks", "task", "exec", "steps", "journey", "journeys", "taskset":
		return "write requests: [{name: ..., steps: [...]}] instead"
	case "feeder", "feeders", "feed", "payload", "csv", "dataset", "datasets":
		return adviceData
	case "data":
		return "write it beside scenarios"
	case "beforerequest", "afterresponse", "beforescenario", "afterscenario", "before", "after", "setup", "teardown", "onstart", "onstop", "processor", "function":
		return adviceScripts
	case "cookies", "cookie", "cookiejar":
		return "write cookies: true in the entries whose slots keep cookies"
	case "capture", "extract", "expect", "check", "checks", "assert", "query", "params":
		return "write it in requests instead: requests: [{name: ..., url: ..., capture: ..., expect: ...}]"
	case "weight":
		return "weights are those of requests: scenarios have a rate each"
	case "vars", "env":
		return "write variables instead"
	case "thresholds", "ensure":
		return "write slo instead"
	case "gracefulstop":
		return "write shutdown_grace instead"
	case "maxjourneys":
		return "write limits: {max_journeys: ...} instead"
	}
	return ""
}

// foreignInEntry knows words that are wrong in an entry, but not in a step, or the other way.
func foreignInEntry(word string) string {
	switch word {
	case "pause", "think", "thinktime", "sleep", "wait", "waittime", "delay":
		return "write steps, and among them - pause: 2s"
	case "repeat", "loop", "times", "count", "iterations", "each", "foreach", "choose":
		return "write steps, and among them repeat, each and choose"
	case "flow", "tasks", "journey", "requests", "sequence":
		return "write steps instead"
	case "cookie", "cookiejar":
		return "write headers: {Cookie: ...} for a cookie that is fixed, or cookies: true to keep those that responses set"
	case "frequency", "probability", "ratio":
		return "write weight instead"
	}
	return ""
}

func foreignInStep(word string) string {
	switch word {
	case "think", "thinktime", "sleep", "wait", "waittime", "delay":
		return advicePause
	case "loop", "for", "foreach", "times", "count", "iterations":
		return adviceRepeat
	case "switch", "random", "randomswitch", "oneof", "weighted", "uniformrandomswitch":
		return adviceChoose
	case "weight", "probability", "ratio":
		return "weights are those of entries and of choose: " + adviceChoose
	case "cookies", "cookiejar":
		return adviceJar
	case "cookie":
		return "write headers: {Cookie: ...} for a cookie that is fixed, or cookies: true in the entry to keep those that responses set"
	case "steps", "group", "transaction", "flow", "tasks":
		return "write the list of steps itself, which is laid flat, or repeat or choose around it"
	case "each":
		return "write repeat: all and steps beside it, or parallel"
	case "parallel", "batch", "resources", "concurrent", "httpbatch", "all":
		return "write a step such as parallel: [{name: ..., url: ...}, ...] for requests at once"
	case "atonce", "batchperhost", "maxparallel", "maxconcurrent", "concurrency":
		return "write at_once: 6 beside parallel"
	case "log", "function", "exec", "script", "setvariable":
		return adviceScripts
	}
	return ""
}

func foreignInRequest(word string) string {
	switch word {
	case "json", "form", "multipart", "graphql", "random":
		return "write body: {" + word + ": ...} instead"
	case "formdata", "urlencoded":
		return "write body: {form: ...} instead"
	case "payload", "data", "bodyfile", "content":
		return "write body instead: a string, or one of {json: ...}, {form: ...}, {file: ...}"
	case "feeder", "feed":
		return adviceData
	case "params", "qs", "searchparams", "querystring", "queryparams", "queryparam":
		return "write query: {key: value} instead"
	case "extract", "extractors", "captures", "save", "saveas", "store", "extractjsonpath":
		return adviceCapture
	case "check", "checks", "assert", "asserts", "assertions", "validate", "verify", "match", "expects", "tests", "catchresponse":
		return adviceExpect
	case "code", "statuscode", "expectedstatus":
		return "write expect: {status: [...]} instead"
	case "beforerequest", "afterresponse", "before", "after", "script", "function", "prerequest":
		return adviceScripts
	case "if", "iftrue", "when", "while", "whiletrue", "unless", "condition":
		return adviceIf
	case "auth":
		return "write basic_auth: {username: ..., password: ...} or authorization: {credentials: ...} instead"
	case "bearer", "token", "bearertoken":
		return "write authorization: {credentials: ...} instead"
	case "baseurl", "host", "target":
		return "write base_url in the scenario, and url: /path here"
	case "path", "uri", "endpoint":
		return "write url: /path instead, and base_url in the scenario"
	case "get", "post", "put", "patch", "delete", "head":
		return "write name, method and url beside each other, such as {name: home, method: GET, url: /}"
	case "allowredirects", "redirects", "followredirect", "maxredirects":
		return "write follow_redirects: true or false instead"
	case "vars":
		return "write variables instead"
	case "header", "httpheaders":
		return "write headers instead"
	case "onerror", "continueonfailure", "continueonerror":
		return "write on_failure: continue instead"
	case "usersession", "session":
		return "write session in the scenario instead"
	case "latency", "maxlatency", "slo":
		return "write slo in the scenario instead"
	case "retry", "retries":
		return "requests are not repeated: leave it out"
	case "allow":
		return "write it in the scenario instead"
	}
	return ""
}

func foreignInValues(typeName, word string) string {
	switch typeName + "." + word {
	case "Variable.uuid", "Variable.sequence":
		return "write " + word + " itself, without a mapping"
	case "Variable.value", "Variable.const", "Variable.constant", "Variable.string", "Variable.template", "Variable.expression":
		return "write {text: ...} instead"
	case "Variable.choice", "Variable.choices", "Variable.values", "Variable.enum", "Variable.sample", "Variable.weights":
		return "write {one_of: [...]} instead"
	case "Variable.integer", "Variable.number", "Variable.range", "Variable.from", "Variable.to", "Variable.min", "Variable.max":
		return "write {int: {from: 1, to: 10}} instead"
	case "Variable.float":
		return "write {decimal: {from: 0, to: 1}} instead"
	case "Variable.random", "Variable.length", "Variable.alphanumeric", "Variable.chars":
		return "write {random_text: {length: 10}} instead"
	case "Variable.data", "Variable.csv", "Variable.feeder", "Variable.dataset":
		return "write {row: NAME} instead, and data: {NAME: {file: ...}} beside scenarios"
	case "Variable.now", "Variable.timestamp", "Variable.date":
		return "write {time: {format: unix}} instead"
	case "Variable.secret", "Variable.password", "Variable.env":
		return "write {file: ...} for a secret that a file holds"
	case "Variable.json", "Variable.regex", "Variable.header", "Variable.cookie":
		return "write it in capture of the request whose response has it"
	case "Variable.token", "Variable.bearer":
		return "write {jwt: ...} for a token that is signed here, or {file: ...} for one that a file holds"
	case "JWT.alg":
		return "write algorithm instead"
	case "JWT.secret", "JWT.privatekey", "JWT.signingkey":
		return "write key instead, or key_file"
	case "JWT.secretfile", "JWT.privatekeyfile", "JWT.keypath", "JWT.path", "JWT.file":
		return "write key_file instead"
	case "JWT.payload":
		return "write claims instead"
	case "JWT.header":
		return "write headers instead"
	case "JWT.kid", "JWT.typ", "JWT.keyid":
		return "write it in headers instead, as kid or typ"
	case "JWT.iss", "JWT.sub", "JWT.aud", "JWT.jti", "JWT.iat", "JWT.nbf", "JWT.exp", "JWT.issuer", "JWT.subject", "JWT.audience":
		return "write it in claims instead, as iss, sub, aud, jti, iat, nbf or exp"
	case "JWT.expiresin", "JWT.expiry", "JWT.ttl", "JWT.validity", "JWT.expires":
		return "write lifetime instead"
	case "JWT.round", "JWT.truncate":
		return "write floor instead"
	case "Many.count", "Many.times", "Many.length", "Many.min", "Many.max":
		return "write from and to instead"
	case "Many.separator", "Many.sep", "Many.delimiter":
		return "write join instead"
	case "Many.of":
		return "write each instead"
	case "IntRange.min", "DecimalRange.min", "IntRange.start":
		return "write from instead"
	case "IntRange.max", "DecimalRange.max", "IntRange.end":
		return "write to instead"
	case "DecimalRange.precision", "DecimalRange.places":
		return "write digits instead"
	case "RandomText.chars", "RandomText.charset", "RandomText.alphabet", "RandomText.characters":
		return "write of: letters, digits, hex or alphanumeric instead"
	case "RandomText.len", "RandomText.size":
		return "write length instead"
	case "TimeValue.offset", "TimeValue.add", "TimeValue.ago":
		return "write plus or minus instead"
	case "TimeValue.layout":
		return "write format instead"
	case "TimeValue.round", "TimeValue.truncate":
		return "write floor instead"
	case "TimeValue.timezone":
		return "times are written in UTC: leave it out"
	case "Dataset.path", "Dataset.csv", "Dataset.json", "Dataset.source":
		return "write file instead"
	case "Dataset.values", "Dataset.items", "Dataset.records", "Dataset.inline":
		return "write rows instead"
	case "Dataset.shuffle", "Dataset.mode", "Dataset.strategy", "Dataset.random", "Dataset.pick":
		return "write order: in_turn or random instead"
	case "Dataset.fields", "Dataset.columns", "Dataset.header", "Dataset.skipheader":
		return "the first row of a CSV file has the names of the columns: leave it out"
	case "Dataset.delimiter", "Dataset.separator":
		return "values in a CSV file are separated by commas: leave it out"
	}
	return ""
}

func foreignInBody(typeName, word string) string {
	switch typeName + "." + word {
	case "Body.text", "Body.raw", "Body.string", "Body.xml", "Body.content", "Body.plain":
		return "write the string itself: body: ..., or {verbatim: ...} to send braces as they are"
	case "Body.urlencoded", "Body.formdata", "Body.data", "Body.params":
		return "write {form: ...} instead"
	case "Body.multipartform", "Body.files", "Body.parts":
		return "write {multipart: [{name: ..., file: ...}]} instead"
	case "Body.path", "Body.bodyfile", "Body.frompath":
		return "write {file: ...} instead"
	case "Body.prometheus", "Body.series", "Body.timeseries", "Body.metrics", "Body.samples", "Body.prometheusremotewrite":
		return "write {remote_write: [{name: ..., labels: {...}, value: ...}]} instead"
	case "Series.metric", "Series.metricname":
		return "write name instead"
	case "Series.count", "Series.repeat", "Series.series", "Series.cardinality":
		return "write each: {i: 100} instead, and {{ i }} in a label"
	case "Series.interval", "Series.step":
		return "write every instead"
	case "Series.timestamp", "Series.time":
		return "samples are as old as the slot's due time: leave it out"
	case "Series.rate", "Series.increase":
		return "write counter instead, by how much it grows in a second"
	case "Series.random", "Series.range", "Series.min", "Series.max":
		return "write gauge: {from: ..., to: ...} instead"
	case "Series.type", "Series.metrictype", "Series.help":
		return "write counter or gauge, from which the type follows"
	case "Body.size", "Body.bytes", "Body.length":
		return "write {random: 20MiB} instead"
	case "Body.query", "Body.mutation", "Body.variables", "Body.gql":
		return "write {graphql: {query: ..., variables: ...}} instead"
	case "Body.contenttype", "Body.type":
		return "write headers: {Content-Type: ...} beside body"
	case "Part.content", "Part.value", "Part.data", "Part.body":
		return "write text, or file for the content of one"
	case "Part.path":
		return "write file instead"
	case "Part.contenttype", "Part.mime", "Part.mimetype":
		return "write type instead"
	case "GraphQL.mutation", "GraphQL.document":
		return "write query instead"
	case "GraphQL.operation":
		return "write operation_name instead"
	}
	return ""
}

func foreignInExchange(typeName, word string) string {
	switch typeName + "." + word {
	case "Turn.think", "Turn.sleep", "Turn.wait", "Turn.delay":
		return "write pause: 2s instead"
	case "Turn.text", "Turn.json", "Turn.binary", "Turn.message", "Turn.emit", "Turn.file":
		return "write send: {text: ...}, {json: ...}, {binary: ...} or {file: ...} instead"
	case "Turn.expect", "Turn.await", "Turn.recv", "Turn.check", "Turn.match", "Turn.response", "Turn.capture":
		return "write receive: {json: ..., within: 1s} instead"
	case "Turn.pong":
		return "pings of the server are responded to in any case: leave it out"
	case "Turn.connect", "Turn.open":
		return "the connection is opened before the first turn: leave it out"
	case "Turn.loop", "Turn.repeat", "Turn.choose":
		return "an exchange has neither loops nor choices: write the turns one after the other"
	case "Send.base64", "Send.bytes", "Send.data":
		return "write binary: ... in base64 instead"
	case "Send.string", "Send.body", "Send.verbatim":
		return "write text instead"
	case "Receive.body", "Receive.contains", "Receive.matches", "Receive.equals":
		return "write text instead: a string that it equals, or a mapping such as {contains: ...}"
	case "Receive.timeout", "Wait.timeout":
		return "write within instead"
	case "Receive.expect":
		return "write json or text itself, without expect"
	case "Receive.binary":
		return "write text or json: binary messages are looked at as text ones are"
	}
	return ""
}

func foreignInResponse(typeName, word string) string {
	switch typeName + "." + word {
	case "Capture.jsonpath", "Capture.path", "Capture.jmespath", "Capture.selector":
		return "write json: with a path such as items.0.id instead"
	case "Capture.css", "Capture.xpath", "Capture.xml", "Capture.html":
		return "write regex instead"
	case "Capture.regexp", "Capture.pattern", "Capture.group":
		return "write regex instead, whose first group is taken"
	case "Capture.as", "Capture.name", "Capture.var", "Capture.variable":
		return "the key above it is the name: capture: {NAME: {...}}"
	case "Capture.default", "Capture.optional", "Capture.required", "Capture.strict":
		return "write otherwise: fail or end instead"
	case "Capture.match", "Capture.index", "Capture.occurrence", "Capture.matchno":
		return "write pick: first, last, random or all instead"
	case "Capture.decode", "Capture.transform":
		return "write unescape: html instead"
	case "Capture.status":
		return "write expect: {status: [...]} in the request instead"
	case "Check.eq", "Check.equal", "Check.is", "Check.value", "Check.equalto":
		return "write equals instead"
	case "Check.ne", "Check.notequals", "Check.isnot":
		return "write not instead"
	case "Check.gt", "Check.gte", "Check.ge", "Check.min", "Check.above", "Check.greaterthan":
		return "write at_least instead"
	case "Check.lt", "Check.lte", "Check.le", "Check.max", "Check.below", "Check.lessthan":
		return "write at_most instead"
	case "Check.regex", "Check.regexp", "Check.match", "Check.pattern":
		return "write matches instead"
	case "Check.in", "Check.anyof":
		return "write one_of instead"
	case "Check.exist", "Check.present", "Check.notexists", "Check.absent", "Check.missing":
		return "write exists: true or false instead"
	case "Check.length", "Check.count", "Check.len":
		return `write the length of a list as a path such as "items.#"`
	case "Check.size":
		return "write size beside body instead"
	case "SizeCheck.min", "SizeCheck.gte", "SizeCheck.gt":
		return "write at_least instead"
	case "SizeCheck.max", "SizeCheck.lte", "SizeCheck.lt":
		return "write at_most instead"
	case "Expect.code", "Expect.codes", "Expect.statuscode", "Expect.statuses":
		return "write status instead"
	case "Expect.bodycontains", "Expect.contains", "Expect.text":
		return "write body: {contains: ...} instead"
	case "Expect.matches", "Expect.regex", "Expect.bodymatches":
		return "write body: {matches: ...} instead"
	case "Expect.header":
		return "write headers: {NAME: ...} instead"
	case "Expect.cookie":
		return "write cookies: {NAME: ...} instead"
	case "Expect.jsonpath", "Expect.jmespath":
		return "write json: {PATH: ...} instead"
	case "Expect.latency", "Expect.duration", "Expect.responsetime", "Expect.maxlatency", "Expect.time":
		return "write slo in the scenario instead"
	case "Expect.contenttype":
		return "write headers: {Content-Type: {contains: ...}} instead"
	case "Expect.length", "Expect.bytes":
		return "write size instead"
	}
	return ""
}

func foreignInFlow(typeName, word string) string {
	switch typeName + "." + word {
	case "Pause.min":
		return "write from instead"
	case "Pause.max":
		return "write to instead"
	case "Pause.average", "Pause.avg", "Pause.exponential", "Pause.lambda":
		return "write mean instead"
	case "Pause.seconds", "Pause.duration", "Pause.for":
		return "write pause: 2s instead"
	case "Repeat.times", "Repeat.count", "Repeat.iterations":
		return "write repeat: 3 instead"
	case "Repeat.min":
		return "write from instead"
	case "Repeat.max":
		return "write to instead"
	case "Repeat.while", "Repeat.until":
		return adviceIf
	case "Repeat.each", "Repeat.steps":
		return "write it beside repeat"
	case "Each.in", "Each.of", "Each.data", "Each.list", "Each.values", "Each.over":
		return "write from instead"
	case "Each.order", "Each.mode":
		return "write pick: in_turn or random instead"
	case "Choice.probability", "Choice.percent", "Choice.chance", "Choice.ratio", "Choice.frequency":
		return "write weight instead"
	case "Choice.request", "Choice.url", "Choice.name", "Choice.method", "Choice.flow", "Choice.tasks":
		return "write steps: [{name: ..., url: ...}] instead"
	case "Choice.if", "Choice.when":
		return adviceIf
	}
	return ""
}
