package adminauth

import (
	"context"

	"github.com/wxsteward/wxsteward/internal/fault"
)

// Role is what a user or an API key may do. Each role includes those below it.
type Role string

// The roles, greatest first.
const (
	Admin    Role = "admin"
	Operator Role = "operator"
	Viewer   Role = "viewer"
)

// Includes reports whether r may do what need may do. A word that is no role includes nothing.
func (r Role) Includes(need Role) bool { return need.rank() > 0 && r.rank() >= need.rank() }

func (r Role) rank() int {
	switch r {
	case Admin:
		return 3
	case Operator:
		return 2
	case Viewer:
		return 1
	default:
		return 0
	}
}

// In is the role's name inside a sentence, as the pages call it.
func (r Role) In(lang string) string {
	if lang == fault.Chinese {
		switch r {
		case Admin:
			return "管理员"
		case Operator:
			return "操作员"
		case Viewer:
			return "只读"
		default:
		}
	}
	return string(r)
}

// User is who calls: an administrator, or an API key under the name "key:<its name>".
type User struct {
	ID       string `json:"id"`
	Username string `json:"username"`
	Role     Role   `json:"role" enum:"admin,operator,viewer"`
}

// UserFrom is who calls; the zero User outside of a signed-in call.
func UserFrom(ctx context.Context) User {
	if c := callFrom(ctx); c != nil {
		return c.who.User
	}
	return User{}
}

// identity is a User and how we know.
type identity struct {
	User

	userID    int64  // administrators
	sessionID string // signed in by cookie
	totp      bool   // administrators: has a second factor
	keyID     int64  // API keys
}

// call is what the guard knows about one API call; handlers may add to it.
type call struct {
	who    identity
	name   string // who it claims to be, in the audit log; who.Username once that is proven
	target string
	idem   *idempotent
}

type callKey struct{}

func callFrom(ctx context.Context) *call {
	c, _ := ctx.Value(callKey{}).(*call)
	return c
}

// SetTarget names in the audit log what the call is about, where the address does not: the id of what was created, and after a slash its
// name where people look for it by that.
func SetTarget(ctx context.Context, target string) {
	if c := callFrom(ctx); c != nil {
		c.target = target
	}
}
