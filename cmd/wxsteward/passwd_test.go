package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/postgres/postgrestest"
)

//nolint:tparallel // its parts build on each other
func TestPasswdAndTheSecondFactor(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.start()()
	db := postgrestest.Open(t, w.env["DATABASE_URL"])
	_, err := db.Exec(t.Context(), `UPDATE admin_user SET totp_secret = '\x00', totp_at = now()`)
	require.NoError(t, err)
	passwd := func(args ...string) (string, error) {
		var out bytes.Buffer
		err := run(t.Context(), append([]string{"passwd"}, args...), func(name string) string { return w.env[name] },
			streams{strings.NewReader("a fresh password\n"), &out, &out})
		return out.String(), err
	}
	has := func() (on bool) {
		require.NoError(t, db.QueryRow(t.Context(), `SELECT totp_at IS NOT NULL FROM admin_user`).Scan(&on))
		return on
	}
	t.Run("a new password leaves it alone", func(t *testing.T) {
		out, err := passwd("admin")
		require.NoError(t, err)
		require.NotContains(t, out, "second factor")
		require.True(t, has())
	})
	t.Run("what is no name or flag of ours changes nothing", func(t *testing.T) {
		for _, args := range [][]string{{}, {"--reset-totp"}, {"admin", "--reset"}, {"admin", "other"}, {"-x"}} {
			_, err := passwd(args...)
			require.ErrorContains(t, err, "passwd takes", args)
		}
		require.True(t, has())
	})
	t.Run("it goes with the flag", func(t *testing.T) {
		out, err := passwd("--reset-totp", "admin")
		require.NoError(t, err)
		require.Contains(t, out, "second factor")
		require.False(t, has())
	})
}
