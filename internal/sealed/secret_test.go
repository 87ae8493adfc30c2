package sealed_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/sealed"
)

func TestSecretDoesNotPrint(t *testing.T) {
	t.Parallel()
	const text = "ticket@@@very-secret"
	s := sealed.New(text)
	type holder struct {
		Public  sealed.Secret
		private sealed.Secret
		Pointer *sealed.Secret
		Any     any
	}
	h := holder{Public: s, private: s, Pointer: &s, Any: s}
	values := map[string]any{
		"itself": s, "a pointer": &s, "a struct": h, "a pointer to a struct": &h,
		"a slice": []sealed.Secret{s}, "a map": map[string]sealed.Secret{"k": s}, "a map key": map[sealed.Secret]int{s: 1},
	}
	for name, v := range values {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t"} {
				fmt.Fprintf(&out, verb+"\n", v)
			}
			fmt.Fprintln(&out, fmt.Errorf("failed with %v: %w", v, errors.New("x")))
			if name != "a map key" {
				require.NoError(t, json.NewEncoder(&out).Encode(v))
			}
			for _, handler := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
				slog.New(handler).InfoContext(t.Context(), "message", "value", v, slog.Group("group", "value", v))
			}
			require.NotContains(t, out.String(), text)
			require.NotContains(t, out.String(), fmt.Sprintf("%x", text))
			require.NotContains(t, out.String(), fmt.Sprintf("%X", text))
			require.NotContains(t, out.String(), "very-secret")
		})
	}
}

func TestSecret(t *testing.T) {
	t.Parallel()
	t.Run("the empty text is the zero value", func(t *testing.T) {
		t.Parallel()
		require.Equal(t, sealed.Secret{}, sealed.New(""))
		require.True(t, sealed.New("").IsZero())
		require.Empty(t, sealed.Secret{}.Reveal())
		require.True(t, sealed.Secret{}.Equal(sealed.New("")))
	})
	t.Run("equal texts are equal, others are not", func(t *testing.T) {
		t.Parallel()
		require.True(t, sealed.New("a").Equal(sealed.New("a")))
		require.False(t, sealed.New("a").Equal(sealed.New("b")))
		require.False(t, sealed.New("a").Equal(sealed.Secret{}))
		require.Equal(t, sealed.New("a").Fingerprint(), sealed.New("a").Fingerprint())
		require.NotEqual(t, sealed.New("a").Fingerprint(), sealed.New("b").Fingerprint())
	})
	t.Run("it is decoded from JSON and XML", func(t *testing.T) {
		t.Parallel()
		var j, x struct{ Ticket sealed.Secret }
		require.NoError(t, json.Unmarshal([]byte(`{"Ticket":"t1"}`), &j))
		require.Equal(t, "t1", j.Ticket.Reveal())
		require.NoError(t, xml.Unmarshal([]byte(`<xml><Ticket><![CDATA[t2]]></Ticket></xml>`), &x))
		require.Equal(t, "t2", x.Ticket.Reveal())
	})
	t.Run("it refuses to be written to the database in clear", func(t *testing.T) {
		t.Parallel()
		_, err := sealed.New("a").Value()
		require.Error(t, err)
	})
}
