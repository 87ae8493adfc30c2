package authorize

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

func TestVersionsCompareByTheirParts(t *testing.T) {
	t.Parallel()
	rising := []string{
		"", "0", "0.0.1", "0.9", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-beta", "1.0.0-beta2", "1.0.0-beta10", "1.0.0-rc", "1.0", "1.0.0.1", "1.9.9", "1.10", "1.10.1",
		"1.10.x", "1.99", "2", "2.0.1", "9.9.9", "10.0", "20260101.1", "20261120.1", "99999999999999999999", "100000000000000000000", "版本1", "版本2",
	}
	for i := 1; i < len(rising); i++ {
		require.Less(t, versionKey(rising[i-1]), versionKey(rising[i]), "%s before %s", rising[i-1], rising[i])
	}
	for _, same := range [][]string{{"2.3", "2.3.0", "v2.3", "V2.3.0.0", " 2.3 ", "2.03", "2.3+build.7"}, {"1.0-RC1", "1.0.0-rc.1", "v1-rc1"}} {
		for _, version := range same {
			require.Equal(t, versionKey(same[0]), versionKey(version), version)
		}
	}
}

func FuzzVersionKey(f *testing.F) {
	for _, version := range []string{"1.2.3", "v1", "-", "+", ".", "1..2", "beta", "\x00", "1.2.3-rc.1+5"} {
		f.Add(version)
	}
	f.Fuzz(func(t *testing.T, version string) {
		key := versionKey(version)
		if (key == "") != (strings.TrimSpace(version) == "") {
			t.Fatalf("%q has the key %q", version, key)
		}
		if len(key) > 5*len(version)+10 {
			t.Fatalf("%q has a key of %d bytes", version, len(key))
		}
	})
}

func TestTargetsAreCountedAsTheyAreFound(t *testing.T) {
	t.Parallel()
	e := newEnv(t, idle(true))
	ctx := t.Context()
	_, err := e.pool.Exec(ctx, `INSERT INTO authorizer (appid, kind, status) VALUES
		('wx1', 'miniprogram', 'authorized'), ('wx2', 'miniprogram', 'authorized'), ('wx3', 'miniprogram', 'unauthorized'), ('wx4', 'official', 'authorized'), ('wx5', 'miniprogram', 'authorized');
		INSERT INTO authorizer_label (appid, label) VALUES ('wx1', 'vip'), ('wx3', 'vip'), ('wx4', 'vip')`)
	require.NoError(t, err)
	for appid, version := range map[string]string{"wx1": "1.9.0", "wx2": "1.10.0", "wx3": "1.0.0", "wx4": "1.0.0"} {
		require.NoError(t, e.NoteLive(ctx, e.pool, appid, LiveVersion{UserVersion: version, At: e.Now()}, e.Now()))
	}
	for _, appids := range [][]string{nil, {"wx3"}, {"wx1", "wx1", "wx5"}, {"wx4", "wx2", "wxnone"}} {
		for _, labels := range [][]string{nil, {"vip"}, {"vip", "none"}} {
			for _, all := range []bool{false, true} {
				for _, below := range []string{"", "1.5", "1.10", "1.11", "0"} {
					q := TargetQuery{AppIDs: appids, Labels: labels, All: all, BelowVersion: below}
					targets, unknown, err := e.Targets(ctx, q)
					require.NoError(t, err)
					count, err := e.CountTargets(ctx, q)
					require.NoError(t, err)
					require.EqualValues(t, len(targets), count.Total, "%+v", q)
					require.ElementsMatch(t, unknown, count.Unknown, "%+v", q)
					require.Equal(t, len(targets) > 0, len(count.Sample) > 0, "%+v", q)
					for _, m := range count.Sample {
						require.True(t, slices.ContainsFunc(targets, func(found Target) bool { return found.AppID == m.AppID }), "%+v", q)
					}
				}
			}
		}
	}
	found, _, err := e.Targets(ctx, TargetQuery{All: true, BelowVersion: "1.10"})
	require.NoError(t, err)
	require.Len(t, found, 1)
	require.Equal(t, "wx1", found[0].AppID)
	unseen, err := e.LiveUnseen(ctx, 18, time.Now().Add(time.Hour), 10)
	require.NoError(t, err)
	require.Empty(t, unseen, "without the permission set nothing is asked")
}

func TestTargetsAreLookedUpByTheirKeys(t *testing.T) {
	t.Parallel()
	e := newEnv(t, idle(true))
	fill(t, e.pool, 3000)
	var appid string
	require.NoError(t, e.pool.QueryRow(t.Context(), `SELECT appid FROM authorizer WHERE kind = 'miniprogram' LIMIT 1`).Scan(&appid))
	_, err := e.pool.Exec(t.Context(), `INSERT INTO authorizer_label (appid, label) VALUES ($1, 'rare')`, appid)
	require.NoError(t, err)
	_, err = e.pool.Exec(t.Context(), `ANALYZE authorizer, authorizer_label, authorizer_biz_id`)
	require.NoError(t, err)
	for _, q := range []TargetQuery{{AppIDs: []string{appid}}, {Labels: []string{"rare"}}, {AppIDs: []string{appid}, BelowVersion: "9"}} {
		e.byIndexes(func(tx pgx.Tx) {
			_, err := listTargets(t.Context(), tx, q)
			require.NoError(t, err)
		})
	}
}
