package http1

import "time"

// short is a timeout that tests do wait for.
const short = 50 * time.Millisecond
