package adminauth

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/httpserver"
)

// RunningSession is one browser in which a user is signed in.
type RunningSession struct {
	ID         string    `json:"id" doc:"Names the session; it does not open it."`
	UserID     string    `json:"user_id"`
	Username   string    `json:"username"`
	CreatedAt  time.Time `json:"created_at"`
	LastSeenAt time.Time `json:"last_seen_at" doc:"To the minute."`
	ExpiresAt  time.Time `json:"expires_at"`
	IP         string    `json:"ip" doc:"Of the sign-in."`
	UserAgent  string    `json:"user_agent" doc:"Of the sign-in."`
	Current    bool      `json:"current" doc:"The session of this call."`
}

type sessionsInput struct {
	httpserver.ListInput

	UserID string `query:"user_id" maxLength:"20" doc:"Another user's, for administrators; empty: one's own."`
}

type sessionsOutput struct {
	Body httpserver.Page[RunningSession]
}

type endSessionInput struct {
	ID string `path:"id" maxLength:"64"`
}

type endSessionsInput struct {
	UserID string `query:"user_id" maxLength:"20" doc:"Another user's, for administrators; empty: one's own but for the present one."`
}

func (s *Service) routeSessions(api huma.API) {
	const tag = "session"
	huma.Register(api, Op(http.MethodGet, "/sessions", "list-sessions", "Where one is signed in, newest first", Viewer, tag),
		func(ctx context.Context, in *sessionsInput) (*sessionsOutput, error) {
			userID, err := sessionsOf(ctx, in.UserID)
			if err != nil {
				return nil, err
			}
			var after sessionPlace
			if err := httpserver.DecodeCursor(in.Cursor, &after); err != nil {
				return nil, err
			}
			list, err := s.listSessions(ctx, userID, after, in.Limit+1)
			if err != nil {
				return nil, err
			}
			current := callFrom(ctx).who.sessionID
			page := paged(list, in.Limit, func(r sessionRow) RunningSession {
				return RunningSession{
					ID: r.ID, UserID: strconv.FormatInt(r.UserID, 10), Username: r.Username, CreatedAt: r.CreatedAt.UTC(), LastSeenAt: r.LastSeenAt.UTC(),
					ExpiresAt: r.ExpiresAt.UTC(), IP: r.IP, UserAgent: r.UserAgent, Current: r.ID == current,
				}
			}, sessionRow.place)
			return &sessionsOutput{page}, nil
		})

	huma.Register(api, Op(http.MethodDelete, "/sessions/{id}", "end-session", "End a session; administrators: anybody's", Viewer, tag),
		func(ctx context.Context, in *endSessionInput) (*struct{}, error) {
			who := callFrom(ctx).who
			of := who.userID
			switch {
			case who.Role.Includes(Admin):
				of = 0
			case of == 0: // an API key
				of = -1
			}
			ended, err := s.deleteSession(ctx, in.ID, of)
			if err == nil && !ended {
				err = fault.New(fault.NotFound, "There is no such session; perhaps it has ended.")
			}
			return nil, err
		})

	huma.Register(api, Op(http.MethodDelete, "/sessions", "end-sessions", "End all other sessions; administrators: all of a user", Viewer, tag),
		func(ctx context.Context, in *endSessionsInput) (*struct{}, error) {
			userID, err := sessionsOf(ctx, in.UserID)
			if err != nil {
				return nil, err
			}
			SetTarget(ctx, strconv.FormatInt(userID, 10))
			return nil, s.endSessions(ctx, s.db, userID, callFrom(ctx).who.sessionID)
		})
}

// sessionsOf is the user whose sessions are meant.
func sessionsOf(ctx context.Context, asked string) (int64, error) {
	who := callFrom(ctx).who
	if asked == "" {
		return who.userID, nil
	}
	id, err := parseID(asked)
	if err != nil {
		return 0, noSuchUser()
	}
	if id != who.userID && !who.Role.Includes(Admin) {
		return 0, fault.New(fault.Forbidden, "Only administrators see the sessions of others.")
	}
	return id, nil
}
