package http2

import (
	"time"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol"
	"github.com/traffic-exporter/traffic_exporter/internal/protocol/httpreq"
)

// job is a request on its way: from Start to Finish, over whichever streams it takes.
type job struct {
	call  *protocol.Call
	entry *entry
	// upload is the body to send: the entry's own, or the call's in place of it.
	upload httpreq.Upload
	// start is when it was started, deadline when it has to have ended, and sent when it
	// began to be sent; zero until then.
	start, deadline, sent time.Time
	// again says that it was on a connection before, without an outcome. If that connection
	// ended it is to go to a new one, so that it does not meet another one that is about to
	// end: from when it waits that is one with a number after. If it was refused only, there is
	// one to avoid.
	again, anew bool
	after       uint64
	avoid       *conn
}

// mayUse reports whether the job may go to a connection.
func (j *job) mayUse(c *conn) bool {
	return !j.anew && c != j.avoid && c.number > j.after && j.mayTry(c)
}

// mayTry reports whether the job may be the next request on a connection. One that had to leave
// another connection takes no part in a trial.
func (j *job) mayTry(c *conn) bool {
	return j.after == 0 && j.avoid == nil || !c.trying.Load()
}

// waitsBefore reports whether the job is to have a connection before another one.
func (j *job) waitsBefore(k *job) bool {
	if j.again != k.again {
		return j.again
	}
	return j.deadline.Before(k.deadline)
}

// anywhere lets the job go to any connection.
func (j *job) anywhere() { j.after, j.avoid = 0, nil }

// stream is a job on a connection. It belongs to its connection, which uses it again.
type stream struct {
	job

	id uint32
	// written says that its head has been handed to the network.
	written bool
	// touched says that a frame of a response came, and responded that its head did.
	touched, responded bool
	status             int
	// interim is how many interim responses came, and small how many DATA of next to nothing.
	interim, small int
	// length is what the body is to have; -1 where that is not said. received is what came.
	length, received int64
	unreturned       unreturned
	// body is the rest of the body, still to be sent within the window.
	body   httpreq.Upload
	window int64

	// links are its neighbours in its connection's lists.
	links [numLists]links
}
