package adminauth

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/wxsteward/wxsteward/internal/fault"
)

// account is a row of admin_user.
type account struct {
	id        int64 // 0: there is no such user
	username  string
	lockName  string // under which wrong tries are counted, whether or not the user exists
	hash      string
	role      Role
	createdAt time.Time
	// lastSignInAt is nil for a user who never has.
	lastSignInAt *time.Time
	totpBox      []byte     // the sealed secret of the second factor; nil: none
	totpAt       *time.Time // when it was confirmed; nil: it is not on
}

func (a account) user() User {
	return User{ID: strconv.FormatInt(a.id, 10), Username: a.username, Role: a.role}
}

// EnsureFirstAdmin creates the first administrator if there is no user at all, once for any number of replicas that
// start together. Without a password it makes one and returns it: show it once.
func (s *Service) EnsureFirstAdmin(ctx context.Context, username, password string) (generated string, created bool, err error) {
	if exists, err := s.anyUser(ctx, s.db); err != nil || exists {
		return "", false, err
	}
	if password == "" {
		generated = randomText(15)
		password = generated
	}
	if err := checkUsername(username); err != nil {
		return "", false, err
	}
	if err := checkPassword("ADMIN_PASSWORD", password); err != nil {
		return "", false, err
	}
	hash, err := s.hasher.hash(ctx, password)
	if err != nil {
		return "", false, err
	}
	err = pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		if err := lock(ctx, tx, "first-admin"); err != nil {
			return err
		}
		exists, err := s.anyUser(ctx, tx)
		if err != nil || exists {
			return err
		}
		created = true
		_, err = s.insertUser(ctx, tx, account{username: username, hash: hash, role: Admin})
		return err
	})
	if err != nil || !created {
		return "", false, err
	}
	return generated, true, nil
}

// SetPassword gives a user a new password, ends its sessions and lifts its lock-out. Its second factor stays unless resetTOTP.
// It fails with NotFound.
func (s *Service) SetPassword(ctx context.Context, username, password string, resetTOTP bool) error {
	if err := checkPassword("password", password); err != nil {
		return err
	}
	u, err := s.userByName(ctx, username)
	if err != nil {
		return err
	}
	if u.id == 0 {
		return fault.New(fault.NotFound, "There is no user %s.", username)
	}
	hash, err := s.hasher.hash(ctx, password)
	if err != nil {
		return err
	}
	return pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		if err := s.replacePassword(ctx, tx, u.id, hash); err != nil {
			return err
		}
		if resetTOTP {
			if err := s.clearTOTP(ctx, tx, u.id, ""); err != nil {
				return err
			}
		}
		return s.forgetUser(ctx, tx, u.lockName)
	})
}

// changePassword is for users themselves. All their sessions end; the caller goes on in a new one.
func (s *Service) changePassword(ctx context.Context, id int64, current, next string, from client) (session, error) {
	u, err := s.userByID(ctx, s.db, id)
	if err != nil {
		return session{}, err
	}
	if err := checkPassword("body.new_password", next); err != nil {
		return session{}, err
	}
	err = s.attempt(ctx, u, from, func() error { return s.compare(ctx, u, current) })
	if errors.Is(err, errWrongPassword) {
		return session{}, fault.Invalid("body.current_password", "The current password is wrong.", nil)
	}
	if err != nil {
		return session{}, err
	}
	hash, err := s.hasher.hash(ctx, next)
	if err != nil {
		return session{}, err
	}
	err = pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error { return s.replacePassword(ctx, tx, id, hash) })
	if err != nil {
		return session{}, err
	}
	u.hash = hash
	return s.open(ctx, u, nil, from)
}

func (s *Service) createUser(ctx context.Context, username, password string, role Role) (account, error) {
	if err := checkUsername(username); err != nil {
		return account{}, err
	}
	if err := checkPassword("body.password", password); err != nil {
		return account{}, err
	}
	hash, err := s.hasher.hash(ctx, password)
	if err != nil {
		return account{}, err
	}
	return s.insertUser(ctx, s.db, account{username: username, hash: hash, role: role})
}

// changeUser sets what is given. A new password ends the user's sessions, a new role holds from the next call on.
func (s *Service) changeUser(ctx context.Context, id int64, role *Role, password *string) (account, error) {
	var hash string
	if password != nil {
		if err := checkPassword("body.password", *password); err != nil {
			return account{}, err
		}
		var err error
		if hash, err = s.hasher.hash(ctx, *password); err != nil {
			return account{}, err
		}
	}
	var u account
	err := pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		if role != nil && *role != Admin {
			if err := s.keepAnAdmin(ctx, tx, id); err != nil {
				return err
			}
		}
		if role != nil {
			if err := s.updateRole(ctx, tx, id, *role); err != nil {
				return err
			}
		}
		if hash != "" {
			if err := s.replacePassword(ctx, tx, id, hash); err != nil {
				return err
			}
		}
		var err error
		u, err = s.userByID(ctx, tx, id)
		return err
	})
	return u, err
}

func (s *Service) removeUser(ctx context.Context, id int64) error {
	return pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		if err := s.keepAnAdmin(ctx, tx, id); err != nil {
			return err
		}
		return s.deleteUser(ctx, tx, id)
	})
}

// keepAnAdmin fails with Conflict when id is the only administrator. It holds until the transaction ends: two
// administrators who remove each other at once cannot both succeed.
func (s *Service) keepAnAdmin(ctx context.Context, tx pgx.Tx, id int64) error {
	admins, err := s.lockAdmins(ctx, tx)
	if err != nil {
		return err
	}
	if len(admins) == 1 && admins[0] == id {
		return fault.New(fault.Conflict, "This is the last administrator. Make another user an administrator first.")
	}
	return nil
}
