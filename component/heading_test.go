package component

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestHeadingsSayWhichMessagesAreMeant(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.NameMerchants(func(context.Context, []string) (map[string]string, error) {
		return map[string]string{"wxm1": "面包房"}, nil
	})
	_, _ = p.push(t, onBiz("wxm1"), textXML("hi", "1"))
	_, _ = p.push(t, onBiz("wxm2"), textXML("ho", "2"))
	var ids []int64
	rows, err := p.pool.Query(t.Context(), `SELECT id FROM message ORDER BY id`)
	require.NoError(t, err)
	for rows.Next() {
		var id int64
		require.NoError(t, rows.Scan(&id))
		ids = append(ids, id)
	}
	require.Len(t, ids, 2)
	got, err := p.Headings(t.Context(), append(ids, 1)) // the last one is long gone
	require.NoError(t, err)
	require.Len(t, got, 2)
	assert.Equal(t, "文本消息", got[ids[0]].Title)
	assert.Equal(t, "wxm1", got[ids[0]].AppID)
	assert.Equal(t, "面包房", got[ids[0]].NickName)
	assert.Empty(t, got[ids[1]].NickName)
	assert.WithinDuration(t, p.clock.Now(), got[ids[0]].ReceivedAt, time.Millisecond)

	p.NameMerchants(func(context.Context, []string) (map[string]string, error) { return nil, errors.New("away") })
	got, err = p.Headings(t.Context(), ids)
	require.NoError(t, err, "a list without names is worth reading")
	assert.Len(t, got, 2)
	none, err := p.Headings(t.Context(), nil)
	require.NoError(t, err)
	assert.Empty(t, none)
}
