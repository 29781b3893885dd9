package accesslog

// parseTime reads a time as servers log it, in seconds since 1970: 02/Mar/2026:15:04:05 +0100,
// RFC 3339, or a number of seconds, milliseconds, microseconds or nanoseconds since 1970.
func parseTime(b []byte) (seconds int64, ok bool) {
	switch {
	case len(b) > 2 && b[2] == '/':
		return parseCommon(b)
	case len(b) > 4 && b[4] == '-':
		return parseISO(b)
	default:
		return parseUnix(b)
	}
}

// commonTime is how long a time of the common log format is.
const commonTime = len("02/Mar/2026:15:04:05 +0100")

// parseCommon reads a time of the common log format, 02/Mar/2026:15:04:05 +0100.
func parseCommon(b []byte) (int64, bool) {
	if len(b) != commonTime || b[6] != '/' || b[11] != ':' || b[20] != ' ' {
		return 0, false
	}
	zone, ok := parseZone(b[21:])
	at, valid := instant(number(b[7:11]), month(b[3:6]), number(b[:2]), b[12:20])
	return at - zone, ok && valid
}

// parseISO reads a time of RFC 3339, or of ISO 8601 as nginx writes it. Without a zone it is UTC.
func parseISO(b []byte) (int64, bool) {
	if len(b) < 19 || b[7] != '-' || b[10] != 'T' && b[10] != ' ' {
		return 0, false
	}
	at, ok := instant(number(b[:4]), number(b[5:7]), number(b[8:10]), b[11:19])
	rest := b[19:]
	if len(rest) > 0 && (rest[0] == '.' || rest[0] == ',') {
		rest = rest[1:]
		for len(rest) > 0 && isDigit(rest[0]) {
			rest = rest[1:]
		}
	}
	zone, valid := parseZone(rest)
	return at - zone, ok && valid
}

// parseZone reads an offset such as +0100, +01:00 or Z, in seconds.
func parseZone(b []byte) (int64, bool) {
	if len(b) == 0 || len(b) == 1 && b[0] == 'Z' {
		return 0, true
	}
	if len(b) == 6 && b[3] == ':' {
		b = []byte{b[0], b[1], b[2], b[4], b[5]}
	}
	if len(b) != 5 || b[0] != '+' && b[0] != '-' {
		return 0, false
	}
	hours, minutes := number(b[1:3]), number(b[3:5])
	if hours < 0 || hours > 14 || minutes < 0 || minutes > 59 {
		return 0, false
	}
	offset := int64(hours*3600 + minutes*60)
	if b[0] == '-' {
		return -offset, true
	}
	return offset, true
}

// parseUnix reads a number since 1970 whose size gives away its unit.
func parseUnix(b []byte) (int64, bool) {
	var n int64
	i := 0
	for ; i < len(b) && isDigit(b[i]); i++ {
		if i == 19 {
			return 0, false
		}
		n = n*10 + int64(b[i]-'0')
	}
	if i < 9 || i < len(b) && b[i] != '.' {
		return 0, false
	}
	const year2286 = 10_000_000_000
	for n >= year2286 {
		n /= 1000
	}
	return n, true
}

// instant returns the seconds from 1970 to a day and a time by the clock, 15:04:05, in UTC.
func instant(year, month, day int, clock []byte) (int64, bool) {
	hour, minute, second := number(clock[:2]), number(clock[3:5]), number(clock[6:8])
	if year < 1970 || month < 1 || month > 12 || day < 1 || day > 31 || clock[2] != ':' || clock[5] != ':' ||
		hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60 {
		return 0, false
	}
	return int64(days(year, month, day))*86400 + int64(hour*3600+minute*60+second), true
}

// days returns the days from 1970 to a date of the Gregorian calendar, which is Howard Hinnant's
// days_from_civil: years begin in March, so that the leap day is their last one.
func days(year, month, day int) int {
	if month <= 2 {
		year--
		month += 12
	}
	dayOfYear := (153*(month-3)+2)/5 + day - 1
	return year*365 + year/4 - year/100 + year/400 + dayOfYear - 719468
}

// month returns the number of a month's English name, 0 for another text.
func month(b []byte) int {
	switch string(b) {
	case "Jan":
		return 1
	case "Feb":
		return 2
	case "Mar":
		return 3
	case "Apr":
		return 4
	case "May":
		return 5
	case "Jun":
		return 6
	case "Jul":
		return 7
	case "Aug":
		return 8
	case "Sep":
		return 9
	case "Oct":
		return 10
	case "Nov":
		return 11
	case "Dec":
		return 12
	}
	return 0
}

// number returns a number of a few digits, -1 for another text.
func number(b []byte) int {
	n := 0
	for _, c := range b {
		if !isDigit(c) {
			return -1
		}
		n = n*10 + int(c-'0')
	}
	return n
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
