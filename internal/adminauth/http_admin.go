package adminauth

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/httpserver"
)

// UserInfo is a user in lists.
type UserInfo struct {
	ID        string    `json:"id"`
	Username  string    `json:"username"`
	Role      Role      `json:"role" enum:"admin,operator,viewer"`
	CreatedAt time.Time `json:"created_at"`
	TOTP      bool      `json:"totp" doc:"Signs in with a second factor."`
	// LastSignInAt is nil for a user who never has.
	LastSignInAt *time.Time `json:"last_sign_in_at" doc:"Null: never."`
}

func userInfo(a account) UserInfo {
	return UserInfo{
		ID: strconv.FormatInt(a.id, 10), Username: a.username, Role: a.role, CreatedAt: a.createdAt.UTC(),
		TOTP: a.hasTOTP(), LastSignInAt: a.lastSignInAt,
	}
}

type userOutput struct{ Body UserInfo }

type createUserInput struct {
	Body struct {
		Username string `json:"username" minLength:"1" maxLength:"64"`
		Password string `json:"password" minLength:"10" maxLength:"128" format:"password"`
		Role     Role   `json:"role" enum:"admin,operator,viewer"`
	}
}

type changeUserInput struct {
	ID   string `path:"id"`
	Body struct {
		Role     *Role   `json:"role,omitempty" enum:"admin,operator,viewer"`
		Password *string `json:"password,omitempty" minLength:"10" maxLength:"128" format:"password"`
	}
}

type idInput struct {
	ID string `path:"id"`
}

func (s *Service) routeUsers(api huma.API) {
	const tag = "users"
	huma.Register(api, Op(http.MethodGet, "/users", "list-users", "List users", Admin, tag),
		func(ctx context.Context, in *httpserver.ListInput) (*struct{ Body httpserver.Page[UserInfo] }, error) {
			var after int64
			if err := httpserver.DecodeCursor(in.Cursor, &after); err != nil {
				return nil, err
			}
			users, total, err := s.listUsers(ctx, after, in.Limit+1)
			if err != nil {
				return nil, err
			}
			page := paged(users, in.Limit, userInfo, func(a account) int64 { return a.id })
			page.Total = &total
			return &struct{ Body httpserver.Page[UserInfo] }{page}, nil
		})

	create := Op(http.MethodPost, "/users", "create-user", "Create a user", Admin, tag)
	create.DefaultStatus = http.StatusCreated
	huma.Register(api, create, func(ctx context.Context, in *createUserInput) (*userOutput, error) {
		a, err := s.createUser(ctx, in.Body.Username, in.Body.Password, in.Body.Role)
		if err != nil {
			return nil, err
		}
		info := userInfo(a)
		SetTarget(ctx, info.ID+"/"+info.Username)
		return &userOutput{info}, nil
	})

	change := Op(http.MethodPatch, "/users/{id}", "change-user", "Change a user's role or password", Admin, tag)
	change.Description = "A new role holds from the next call on; a new password ends the user's sessions."
	huma.Register(api, change, func(ctx context.Context, in *changeUserInput) (*userOutput, error) {
		id, err := parseID(in.ID)
		if err != nil {
			return nil, err
		}
		a, err := s.changeUser(ctx, id, in.Body.Role, in.Body.Password)
		if err != nil {
			return nil, err
		}
		return &userOutput{userInfo(a)}, nil
	})

	huma.Register(api, Op(http.MethodDelete, "/users/{id}", "delete-user", "Delete a user", Admin, tag),
		func(ctx context.Context, in *idInput) (*struct{}, error) {
			id, err := parseID(in.ID)
			if err != nil {
				return nil, err
			}
			return nil, s.removeUser(ctx, id)
		})

	reset := Op(http.MethodDelete, "/users/{id}/totp", "reset-user-totp", "Take a user's second factor away", Admin, tag)
	reset.Description = "For somebody who has lost it: also ends the user's sessions. One's own is removed with DELETE /session/totp."
	huma.Register(api, reset, func(ctx context.Context, in *idInput) (*struct{}, error) {
		id, err := parseID(in.ID)
		if err != nil {
			return nil, err
		}
		if id == callFrom(ctx).who.userID {
			return nil, fault.New(fault.Conflict, "This is your own second factor. Remove it under your account, with your password and a code.")
		}
		return nil, s.resetTOTP(ctx, id)
	})
}

// KeyInfo is an API key in lists; the key itself is shown only when it is made.
type KeyInfo struct {
	ID         string     `json:"id"`
	Name       string     `json:"name"`
	Role       Role       `json:"role" enum:"admin,operator,viewer"`
	Prefix     string     `json:"prefix" doc:"The first letters of the key."`
	CreatedBy  string     `json:"created_by"`
	CreatedAt  time.Time  `json:"created_at"`
	ExpiresAt  *time.Time `json:"expires_at" doc:"Null: it does not expire."`
	LastUsedAt *time.Time `json:"last_used_at" doc:"To the minute."`
}

// NewKey is an API key when it is made.
type NewKey struct {
	KeyInfo

	Key string `json:"key" doc:"Shown only now."`
}

func keyInfo(k apiKey) KeyInfo {
	return KeyInfo{
		ID: strconv.FormatInt(k.id, 10), Name: k.name, Role: k.role, Prefix: k.prefix, CreatedBy: k.createdBy,
		CreatedAt: k.createdAt.UTC(), ExpiresAt: k.expiresAt, LastUsedAt: k.lastUsedAt,
	}
}

type createKeyInput struct {
	Body struct {
		Name      string     `json:"name" minLength:"1" maxLength:"100"`
		Role      Role       `json:"role" enum:"admin,operator,viewer"`
		ExpiresAt *time.Time `json:"expires_at,omitempty" nullable:"true"`
	}
}

func (s *Service) routeKeys(api huma.API) {
	const tag = "api-keys"
	huma.Register(api, Op(http.MethodGet, "/api-keys", "list-api-keys", "List API keys", Admin, tag),
		func(ctx context.Context, in *httpserver.ListInput) (*struct{ Body httpserver.Page[KeyInfo] }, error) {
			var after int64
			if err := httpserver.DecodeCursor(in.Cursor, &after); err != nil {
				return nil, err
			}
			keys, total, err := s.listKeys(ctx, after, in.Limit+1)
			if err != nil {
				return nil, err
			}
			page := paged(keys, in.Limit, keyInfo, func(k apiKey) int64 { return k.id })
			page.Total = &total
			return &struct{ Body httpserver.Page[KeyInfo] }{page}, nil
		})

	create := Op(http.MethodPost, "/api-keys", "create-api-key", "Create an API key", Admin, tag)
	create.DefaultStatus = http.StatusCreated
	create.Description = "The key is in the answer and is never shown again. Send it as Authorization: Bearer wxs_…"
	huma.Register(api, create, func(ctx context.Context, in *createKeyInput) (*struct{ Body NewKey }, error) {
		if !storable(in.Body.Name) {
			return nil, fault.Invalid("body.name", "A name has no control characters.", nil)
		}
		k, secret, err := s.createKey(ctx, in.Body.Name, in.Body.Role, in.Body.ExpiresAt, UserFrom(ctx).Username)
		if err != nil {
			return nil, err
		}
		info := keyInfo(k)
		SetTarget(ctx, info.ID+"/"+info.Name)
		return &struct{ Body NewKey }{NewKey{info, secret.Reveal()}}, nil
	})

	huma.Register(api, Op(http.MethodDelete, "/api-keys/{id}", "delete-api-key", "Delete an API key", Admin, tag),
		func(ctx context.Context, in *idInput) (*struct{}, error) {
			id, err := parseID(in.ID)
			if err != nil {
				return nil, err
			}
			return nil, s.deleteKey(ctx, id)
		})
}

func storable(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r < 0x20 || r == 0x7f })
}

func parseID(id string) (int64, error) {
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil || n < 1 {
		return 0, fault.New(fault.NotFound, "")
	}
	return n, nil
}

// paged makes a page of rows that were read with one more than the limit.
func paged[R, T, K any](rows []R, limit int, show func(R) T, key func(R) K) httpserver.Page[T] {
	page := httpserver.Page[T]{Items: make([]T, 0, len(rows))}
	if len(rows) > limit {
		rows = rows[:limit]
		page.NextCursor = httpserver.EncodeCursor(key(rows[limit-1]))
	}
	for _, row := range rows {
		page.Items = append(page.Items, show(row))
	}
	return page
}

func kindOfRead(err error) fault.Kind {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return fault.TooLarge
	}
	return fault.TimedOut
}
