package settings_test

import (
	"errors"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/postgres/postgrestest"
	"github.com/wxsteward/wxsteward/internal/sealed"
	"github.com/wxsteward/wxsteward/internal/settings"
)

func keyring(t *testing.T) *sealed.Keyring {
	t.Helper()
	k, err := sealed.NewKeyring(sealed.GenerateKey())
	require.NoError(t, err)
	return k
}

func TestStore(t *testing.T) {
	ctx, db := t.Context(), postgrestest.New(t)
	s := settings.New(db, keyring(t))

	t.Run("what is not set is told", func(t *testing.T) {
		_, ok, err := s.Get(ctx, "name")
		require.NoError(t, err)
		require.False(t, ok)
		_, ok, err = s.GetSecret(ctx, "name")
		require.NoError(t, err)
		require.False(t, ok)
	})
	t.Run("a value is read back and replaced, also by the empty one", func(t *testing.T) {
		for _, value := range []string{"平台", "", "other"} {
			require.NoError(t, s.Put(ctx, db, "name", value, "alice"))
			got, ok, err := s.Get(ctx, "name")
			require.NoError(t, err)
			require.True(t, ok)
			require.Equal(t, value, got)
		}
		var by string
		require.NoError(t, db.QueryRow(ctx, `SELECT updated_by FROM setting WHERE key = 'name'`).Scan(&by))
		require.Equal(t, "alice", by)
	})
	t.Run("a secret is read back and is not in the table", func(t *testing.T) {
		require.NoError(t, s.PutSecret(ctx, db, "app_secret", sealed.New("s3cret-text"), "alice"))
		got, ok, err := s.GetSecret(ctx, "app_secret")
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, "s3cret-text", got.Reveal())
		var found bool
		const q = `SELECT EXISTS (SELECT FROM setting WHERE position('s3cret-text'::bytea IN coalesce(sealed, '')) > 0 OR value LIKE '%s3cret%')`
		require.NoError(t, db.QueryRow(ctx, q).Scan(&found))
		require.False(t, found)
	})
	t.Run("secret and plain value are not taken for each other", func(t *testing.T) {
		_, _, err := s.Get(ctx, "app_secret")
		require.Error(t, err)
		_, _, err = s.GetSecret(ctx, "name")
		require.Error(t, err)
	})
	t.Run("a sealed value copied to another key does not open", func(t *testing.T) {
		_, err := db.Exec(ctx, `INSERT INTO setting (key, sealed) SELECT 'stolen', sealed FROM setting WHERE key = 'app_secret'`)
		require.NoError(t, err)
		_, _, err = s.GetSecret(ctx, "stolen")
		require.ErrorIs(t, err, sealed.ErrDamaged)
	})
	t.Run("a transaction that rolls back leaves everything as it was", func(t *testing.T) {
		rollback := errors.New("roll back")
		err := pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
			require.NoError(t, s.Put(ctx, tx, "name", "changed", ""))
			require.NoError(t, s.PutSecret(ctx, tx, "app_secret", sealed.New("changed"), ""))
			require.NoError(t, s.Delete(ctx, tx, "stolen"))
			got, ok, err := s.GetSecretTx(ctx, tx, "app_secret")
			require.NoError(t, err)
			require.True(t, ok)
			require.Equal(t, "changed", got.Reveal())
			return rollback
		})
		require.ErrorIs(t, err, rollback)
		name, _, err := s.Get(ctx, "name")
		require.NoError(t, err)
		require.Equal(t, "other", name)
	})
	t.Run("what is deleted is gone, and deleting again is no error", func(t *testing.T) {
		for range 2 {
			require.NoError(t, s.Delete(ctx, db, "app_secret"))
		}
		_, ok, err := s.GetSecret(ctx, "app_secret")
		require.NoError(t, err)
		require.False(t, ok)
	})
}

func TestPutSecretOnceGivesAllReplicasTheSame(t *testing.T) {
	t.Parallel()
	db := postgrestest.New(t)
	s := settings.New(db, keyring(t))
	got := make([]string, 20)
	var wg sync.WaitGroup
	for i := range got {
		wg.Go(func() {
			secret, err := s.PutSecretOnce(t.Context(), db, "jwt_key", sealed.New(sealed.GenerateKey()))
			if err == nil {
				got[i] = secret.Reveal()
			}
		})
	}
	wg.Wait()
	require.NotEmpty(t, got[0])
	for _, g := range got {
		require.Equal(t, got[0], g)
	}
}

func TestCheckMasterKey(t *testing.T) {
	t.Parallel()
	ctx, db, first := t.Context(), postgrestest.New(t), sealed.GenerateKey()
	open := func(current string, previous ...string) *sealed.Keyring {
		k, err := sealed.NewKeyring(current, previous...)
		require.NoError(t, err)
		return k
	}
	for range 2 {
		require.NoError(t, settings.CheckMasterKey(ctx, db, open(first)))
	}
	other := sealed.GenerateKey()
	err := settings.CheckMasterKey(ctx, db, open(other))
	require.ErrorIs(t, err, settings.ErrWrongMasterKey)
	require.NotContains(t, err.Error(), "\n")
	require.NoError(t, settings.CheckMasterKey(ctx, db, open(other, first)), "the key before a rotation is known")
	require.NoError(t, settings.CheckMasterKey(ctx, db, open(first)), "a wrong key has changed nothing")
}
