package session

// Bound sets how many users have sessions, before Start.
func Bound[S any](u *Users[S], most int) { u.most = most }
