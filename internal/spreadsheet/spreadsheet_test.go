package spreadsheet

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestProtectIsUndone(t *testing.T) {
	t.Parallel()
	for _, cell := range []string{"", "a", "=1", "'=1", "''=1", "+1", "-1", "@a", "\tx", "＝1", "'", "'a", "{\"a\":1}"} {
		require.Equal(t, cell, Unprotect(Protect(cell)), cell)
	}
	require.Equal(t, "'=1+1", Protect("=1+1"))
	require.Equal(t, "1+1", Protect("1+1"))
}
