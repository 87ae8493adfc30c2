package sealed_test

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/sealed"
)

func keyring(t *testing.T, current string, previous ...string) *sealed.Keyring {
	t.Helper()
	k, err := sealed.NewKeyring(current, previous...)
	require.NoError(t, err)
	return k
}

func TestKeyring(t *testing.T) {
	t.Parallel()
	key := sealed.GenerateKey()
	k := keyring(t, key)
	secret := sealed.New("component-access-token-1")
	box, err := k.Seal(secret, "token:access:component:wx1")
	require.NoError(t, err)

	t.Run("what was sealed is opened again, also by the same key in another process", func(t *testing.T) {
		t.Parallel()
		for _, other := range []*sealed.Keyring{k, keyring(t, " "+key+"\n")} {
			got, err := other.Open(box, "token:access:component:wx1")
			require.NoError(t, err)
			require.True(t, got.Equal(secret))
		}
	})
	t.Run("a box does not show the text and is another one each time", func(t *testing.T) {
		t.Parallel()
		again, err := k.Seal(secret, "token:access:component:wx1")
		require.NoError(t, err)
		require.NotEqual(t, box, again)
		require.NotContains(t, string(box), "component-access-token-1")
	})
	t.Run("the empty secret can be sealed", func(t *testing.T) {
		t.Parallel()
		box, err := k.Seal(sealed.Secret{}, "p")
		require.NoError(t, err)
		got, err := k.Open(box, "p")
		require.NoError(t, err)
		require.True(t, got.IsZero())
	})
	t.Run("another purpose is refused", func(t *testing.T) {
		t.Parallel()
		for _, purpose := range []string{"", "token:access:component:wx2", "token:access:component:wx1 "} {
			_, err := k.Open(box, purpose)
			require.ErrorIs(t, err, sealed.ErrDamaged)
		}
	})
	t.Run("a change of any byte is noticed", func(t *testing.T) {
		t.Parallel()
		for i := range box {
			bad := bytes.Clone(box)
			bad[i] ^= 1
			_, err := k.Open(bad, "token:access:component:wx1")
			if i >= 1 && i < 9 {
				require.ErrorIs(t, err, sealed.ErrWrongKey, "byte %d", i)
			} else {
				require.ErrorIs(t, err, sealed.ErrDamaged, "byte %d", i)
			}
		}
	})
	t.Run("a box cut short or prolonged is refused", func(t *testing.T) {
		t.Parallel()
		for n := range box {
			_, err := k.Open(box[:n], "token:access:component:wx1")
			require.Error(t, err)
		}
		_, err := k.Open(append(bytes.Clone(box), 0), "token:access:component:wx1")
		require.ErrorIs(t, err, sealed.ErrDamaged)
	})
	t.Run("another key is told from damage", func(t *testing.T) {
		t.Parallel()
		_, err := keyring(t, sealed.GenerateKey()).Open(box, "token:access:component:wx1")
		require.ErrorIs(t, err, sealed.ErrWrongKey)
	})
	t.Run("after a rotation old boxes open, new ones are sealed with the new key", func(t *testing.T) {
		t.Parallel()
		fresh := sealed.GenerateKey()
		rotated := keyring(t, fresh, key)
		got, err := rotated.Open(box, "token:access:component:wx1")
		require.NoError(t, err)
		require.True(t, got.Equal(secret))
		require.Equal(t, k.CurrentKeyID(), sealed.KeyID(box))

		box2, err := rotated.Seal(secret, "p")
		require.NoError(t, err)
		require.Equal(t, rotated.CurrentKeyID(), sealed.KeyID(box2))
		require.NotEqual(t, sealed.KeyID(box), sealed.KeyID(box2))
		_, err = k.Open(box2, "p")
		require.ErrorIs(t, err, sealed.ErrWrongKey)
		_, err = keyring(t, fresh).Open(box2, "p")
		require.NoError(t, err)
	})
}

func TestKeysChangeWhileInUse(t *testing.T) {
	t.Parallel()
	oldKey, newKey := sealed.GenerateKey(), sealed.GenerateKey()
	k, other := keyring(t, oldKey), keyring(t, newKey)
	box, err := k.Seal(sealed.New("x"), "p")
	require.NoError(t, err)
	require.ErrorIs(t, k.Use(other.CurrentKeyID()), sealed.ErrWrongKey, "it does not have it yet")
	require.False(t, k.Holds(other.CurrentKeyID()))

	require.NoError(t, k.Accept(sealed.New(newKey)))
	require.NoError(t, k.Accept(sealed.New(newKey)), "twice is once")
	require.Equal(t, []string{sealed.KeyID(box), other.CurrentKeyID()}, k.KeyIDs())
	same, err := k.Seal(sealed.New("x"), "p")
	require.NoError(t, err)
	require.Equal(t, sealed.KeyID(box), sealed.KeyID(same), "it opens only")

	require.NoError(t, k.Use(other.CurrentKeyID()))
	require.Equal(t, other.CurrentKeyID(), k.CurrentKeyID())
	again, err := k.Reseal(box, "p")
	require.NoError(t, err)
	got, err := other.Open(again, "p")
	require.NoError(t, err)
	require.Equal(t, "x", got.Reveal())
	_, err = k.Reseal(box, "q")
	require.ErrorIs(t, err, sealed.ErrDamaged)
	require.Error(t, k.Accept(sealed.New("nonsense")))
}

func TestNewKeyringRefuses(t *testing.T) {
	t.Parallel()
	short := base64.StdEncoding.EncodeToString([]byte("only sixteen byt"))
	for name, tc := range map[string]struct{ key, want string }{
		"nothing":                {"", "is empty"},
		"what is not base64":     {"hunter2!hunter2!", "is not base64"},
		"hex":                    {strings.Repeat("ab", 32), "has 48 bytes"},
		"a shorter key":          {short, "has 16 bytes"},
		"two lines with one key": {sealed.GenerateKey()[:20] + " " + sealed.GenerateKey()[:24], "is not base64"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := sealed.NewKeyring(tc.key)
			require.ErrorContains(t, err, tc.want)
			require.ErrorContains(t, err, "wxsteward genkey")
			require.NotContains(t, err.Error(), "\n")
			if tc.key != "" {
				require.NotContains(t, err.Error(), tc.key)
			}
			_, err = sealed.NewKeyring(sealed.GenerateKey(), tc.key)
			require.ErrorContains(t, err, "previous key: ")
		})
	}
}

func TestGenerateKeyIsNewEachTime(t *testing.T) {
	t.Parallel()
	require.NotEqual(t, sealed.GenerateKey(), sealed.GenerateKey())
}

func FuzzOpen(f *testing.F) {
	k, err := sealed.NewKeyring(sealed.GenerateKey())
	require.NoError(f, err)
	box, err := k.Seal(sealed.New("x"), "p")
	require.NoError(f, err)
	f.Add(box)
	f.Add([]byte{1})
	f.Add(make([]byte, 64))
	f.Fuzz(func(_ *testing.T, box []byte) {
		_, _ = k.Open(box, "p")
		_ = sealed.KeyID(box)
	})
}
