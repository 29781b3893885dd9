package examples

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strconv"
	"testing"
)

// social does what the front of DeathStarBench's social network does, and the services behind
// it that look at a post.
type social struct{ server }

func (s *social) mux() *http.ServeMux {
	mux := http.NewServeMux()
	user := func(r *http.Request, text string) {
		if n, err := strconv.Atoi(text); err != nil || n < 1 || n > 962 {
			s.mistake(r, "there is no user %q", text)
		}
	}
	for _, name := range []string{"home", "user"} {
		mux.HandleFunc("GET /wrk2-api/"+name+"-timeline/read", func(w http.ResponseWriter, r *http.Request) {
			q := r.URL.Query()
			user(r, q.Get("user_id"))
			from, err := strconv.Atoi(q.Get("start"))
			to, err2 := strconv.Atoi(q.Get("stop"))
			if err != nil || err2 != nil || to != from+10 || from < 0 || from > 100 || len(q) != 3 {
				s.mistake(r, "there is no such page")
			}
			s.done(name)
			reply(w, http.StatusOK, []string{})
		})
	}
	text := regexp.MustCompile(`^[0-9A-Za-z]{256} @username_\d+( @username_\d+){0,5} http://[0-9A-Za-z]{64}( http://[0-9A-Za-z]{64}){0,5}$`)
	mux.HandleFunc("POST /wrk2-api/post/compose", func(w http.ResponseWriter, r *http.Request) {
		f := s.form(r, "username", "user_id", "text", "media_ids", "media_types", "post_type")
		user(r, f.Get("user_id"))
		var ids, types []string
		err := json.Unmarshal([]byte(f.Get("media_ids")), &ids)
		err2 := json.Unmarshal([]byte(f.Get("media_types")), &types)
		if err != nil || err2 != nil || len(ids) < 1 || len(ids) != len(types) {
			s.mistake(r, "the lengths of media_id list and media_type list are not equal: %s, %s", f.Get("media_ids"), f.Get("media_types"))
		}
		seen := map[string]bool{}
		for _, id := range ids {
			if len(id) != 18 || seen[id] {
				s.mistake(r, "a picture is %q", id)
			}
			seen[id] = true
		}
		if f.Get("username") != "username_"+f.Get("user_id") || f.Get("post_type") != "0" || !text.MatchString(f.Get("text")) {
			s.mistake(r, "the post is %v", f)
		}
		s.done("posts")
		_, _ = w.Write([]byte("Successfully upload post"))
	})
	return mux
}

func TestSocialNetwork(t *testing.T) {
	t.Parallel()
	s := &social{}
	serve(t, &s.server, s.mux())
	run(t, setup{file: root + "/examples/social-network/config.yaml", origin: "http://nginx-thrift.social.svc:8080", server: s.url, rates: []string{"200/s"}, visits: 600})
	home, user, posts := s.counted("home"), s.counted("user"), s.counted("posts")
	if all := home + user + posts; home < all/2 || user < all/5 || posts < all/20 || posts > all/5 {
		t.Errorf("%d home timelines, %d of users and %d posts, want 60, 30 and 10 %%", home, user, posts)
	}
}
