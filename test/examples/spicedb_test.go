package examples

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"

	authzed "github.com/authzed/authzed-go/proto/authzed/api/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/reflection"
	"google.golang.org/grpc/status"
)

// spicedb is a database of permissions with the schema of the user flows: who may write to a tenant
// are the tokens of its writers, which are clients, and they may view it.
type spicedb struct {
	authzed.UnimplementedPermissionsServiceServer

	mu        sync.Mutex
	relations map[string]bool
	revision  int
	mistakes  []string
	did       map[string]int
}

// begin checks what all calls have to have, and counts the call.
func (s *spicedb) begin(ctx context.Context, name string, c *authzed.Consistency) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.did[name]++
	md, _ := metadata.FromIncomingContext(ctx)
	switch {
	case strings.Join(md["authorization"], ",") != "Bearer presharedkeyhere":
		return s.refuse(codes.Unauthenticated, "authorization %q", md["authorization"])
	case len(md["traffic-slot"]) != 1 || len(md["traceparent"]) != 1:
		return s.refuse(codes.InvalidArgument, "it does not say which slot it is")
	case c.GetAtLeastAsFresh() != nil && (c.GetAtLeastAsFresh().GetToken() == "" || c.GetAtLeastAsFresh().GetToken() > revisionOf(s.revision)):
		return s.refuse(codes.OutOfRange, "unknown token %q", c.GetAtLeastAsFresh().GetToken())
	}
	return nil
}

// refuse notes a mistake.
func (s *spicedb) refuse(code codes.Code, format string, args ...any) error {
	err := status.Errorf(code, format, args...)
	s.mistakes = append(s.mistakes, err.Error())
	return err
}

func revisionOf(n int) string { return fmt.Sprintf("rev-%08d", n) }

func key(o *authzed.ObjectReference, relation string, subject *authzed.SubjectReference) string {
	return fmt.Sprintf("%s:%s#%s@%s:%s#%s", o.GetObjectType(), o.GetObjectId(), relation, subject.GetObject().GetObjectType(), subject.GetObject().GetObjectId(), subject.GetOptionalRelation())
}

// CheckPermission reports whether a token may write to a tenant.
func (s *spicedb) CheckPermission(ctx context.Context, r *authzed.CheckPermissionRequest) (*authzed.CheckPermissionResponse, error) {
	if err := s.begin(ctx, "check", r.GetConsistency()); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	id := strings.TrimPrefix(r.GetSubject().GetObject().GetObjectId(), "t_")
	if r.GetPermission() != "write_relationships" || r.GetResource().GetObjectType() != "tenant" || r.GetResource().GetObjectId() != "ps_"+id {
		return nil, s.refuse(codes.FailedPrecondition, "permission %q of %s", r.GetPermission(), r.GetResource())
	}
	has := authzed.CheckPermissionResponse_PERMISSIONSHIP_NO_PERMISSION
	if s.grants(id) {
		has = authzed.CheckPermissionResponse_PERMISSIONSHIP_HAS_PERMISSION
	}
	return &authzed.CheckPermissionResponse{CheckedAt: &authzed.ZedToken{Token: revisionOf(s.revision)}, Permissionship: has}, nil
}

func (s *spicedb) grants(id string) bool {
	return s.relations["tenant:ps_"+id+"#writer@client:client_"+id+"#token"] && s.relations["client:client_"+id+"#token@token:t_"+id+"#"]
}

// WriteRelationships adds relationships.
func (s *spicedb) WriteRelationships(ctx context.Context, r *authzed.WriteRelationshipsRequest) (*authzed.WriteRelationshipsResponse, error) {
	if err := s.begin(ctx, "write", nil); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, u := range r.GetUpdates() {
		if u.GetOperation() != authzed.RelationshipUpdate_OPERATION_TOUCH {
			return nil, s.refuse(codes.InvalidArgument, "operation %s", u.GetOperation())
		}
		s.relations[key(u.GetRelationship().GetResource(), u.GetRelationship().GetRelation(), u.GetRelationship().GetSubject())] = true
	}
	s.revision++
	return &authzed.WriteRelationshipsResponse{WrittenAt: &authzed.ZedToken{Token: revisionOf(s.revision)}}, nil
}

// LookupResources sends the tenants that a token may view.
func (s *spicedb) LookupResources(r *authzed.LookupResourcesRequest, stream authzed.PermissionsService_LookupResourcesServer) error {
	if err := s.begin(stream.Context(), "lookup", r.GetConsistency()); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	id := strings.TrimPrefix(r.GetSubject().GetObject().GetObjectId(), "t_")
	if r.GetResourceObjectType() != "tenant" || r.GetPermission() != "view_tenant" || !s.grants(id) {
		return s.refuse(codes.FailedPrecondition, "%s of %q for %q", r.GetPermission(), r.GetResourceObjectType(), id)
	}
	return stream.Send(&authzed.LookupResourcesResponse{
		LookedUpAt: &authzed.ZedToken{Token: revisionOf(s.revision)}, ResourceObjectId: "ps_" + id,
		Permissionship: authzed.LookupPermissionship_LOOKUP_PERMISSIONSHIP_HAS_PERMISSION,
	})
}

func TestSpiceDB(t *testing.T) {
	t.Parallel()
	s := &spicedb{relations: map[string]bool{}, did: map[string]int{}}
	server := grpc.NewServer()
	authzed.RegisterPermissionsServiceServer(server, s)
	reflection.Register(server)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(l) }()
	t.Cleanup(func() {
		server.Stop()
		<-done
		if n := len(s.mistakes); n > 0 {
			t.Errorf("%d mistakes: %s", n, strings.Join(s.mistakes[:min(n, 5)], "\n"))
		}
	})
	run(t, setup{file: root + "/examples/spicedb/config.yaml", origin: "grpc://spicedb.svc:50051", server: "grpc://" + l.Addr().String(), rates: []string{"50/s"}, visits: 100})
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.did["check"] < 200 || s.did["write"] < 100 || s.did["lookup"] < 100 {
		t.Errorf("calls %v", s.did)
	}
}
