package authorize

import (
	"context"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/wxsteward/wxsteward/internal/postgres"
)

// servedMiniPrograms is the condition of the indexes by live version.
const servedMiniPrograms = `a.kind = 'miniprogram' AND a.status = 'authorized'`

// noteLive keeps the template of a version that is only seen again, and writes nothing when it was seen the same lately.
func noteLive(ctx context.Context, db postgres.DB, appid string, v LiveVersion, seenAt time.Time) error {
	const q = `UPDATE authorizer SET live_version = $2, live_key = $3, live_at = $5, live_seen_at = $6,
			live_template_id = CASE WHEN $4::bigint IS NULL AND live_version = $2 THEN live_template_id ELSE $4::bigint END
		WHERE appid = $1 AND (live_seen_at IS NULL OR live_seen_at < $6
			AND (live_version <> $2 OR live_template_id IS DISTINCT FROM $4::bigint AND $4::bigint IS NOT NULL OR live_seen_at < $6::timestamptz - interval '1 hour'))`
	var at *time.Time
	if !v.At.IsZero() {
		at = &v.At
	}
	_, err := db.Exec(ctx, q, appid, v.UserVersion, versionKey(v.UserVersion), v.TemplateID, at, seenAt)
	return err
}

func countLive(ctx context.Context, db postgres.DB) ([]LiveCount, error) {
	rows, err := db.Query(ctx, `SELECT a.live_version, a.live_template_id, count(*) FROM authorizer a WHERE `+servedMiniPrograms+`
		GROUP BY a.live_key, a.live_version, a.live_template_id ORDER BY a.live_key DESC, a.live_version DESC, a.live_template_id DESC NULLS LAST`)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (c LiveCount, err error) {
		return c, row.Scan(&c.UserVersion, &c.TemplateID, &c.Merchants)
	})
}

const liveMerchantColumns = `a.appid, a.nick_name, a.live_version, a.live_template_id, a.live_at, a.live_seen_at`

func scanLiveMerchant(row pgx.CollectableRow) (m LiveMerchant, err error) {
	var at *time.Time
	err = row.Scan(&m.AppID, &m.NickName, &m.UserVersion, &m.TemplateID, &at, &m.SeenAt)
	if at != nil {
		m.At = *at
	}
	return m, err
}

func listLive(ctx context.Context, db postgres.DB, f LiveFilter) ([]LiveMerchant, error) {
	rows, err := db.Query(ctx, `SELECT `+liveMerchantColumns+` FROM authorizer a WHERE `+servedMiniPrograms+`
		AND a.live_key = $1 AND a.live_version = $2 AND a.appid > $3 AND ($4::bigint IS NULL OR a.live_template_id = $4::bigint) ORDER BY a.appid LIMIT $5`,
		versionKey(f.UserVersion), f.UserVersion, f.After, f.TemplateID, f.Limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scanLiveMerchant)
}

func liveUnseen(ctx context.Context, db postgres.DB, scope int, before time.Time, limit int) ([]string, error) {
	rows, err := db.Query(ctx, `SELECT a.appid FROM authorizer a WHERE `+servedMiniPrograms+` AND (a.live_seen_at IS NULL OR a.live_seen_at < $1)
		AND a.func_scopes @> ARRAY[$2::int] AND a.reauth_at IS NULL ORDER BY a.live_seen_at NULLS FIRST, a.appid LIMIT $3`, before, scope, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// below is a condition with the key of a version as its parameter $4, which is bound in any case.
func (q TargetQuery) below() string {
	if q.BelowVersion == "" {
		return ` AND $4::text = ''`
	}
	return ` AND a.live_key > '' AND a.live_key < $4::text`
}

// Conditions of TargetQuery: appids are $1, labels $2.
const (
	isNamed    = `a.appid = ANY($1::text[])`
	isLabelled = `a.kind = 'miniprogram' AND a.appid IN (SELECT l.appid FROM authorizer_label l WHERE l.label = ANY($2::text[]))`
)

func (q TargetQuery) args() []any {
	appids, labels := q.AppIDs, q.Labels
	if appids == nil {
		appids = []string{}
	}
	if labels == nil {
		labels = []string{}
	}
	return []any{appids, labels, q.All, versionKey(q.BelowVersion)}
}

func listTargets(ctx context.Context, db postgres.DB, q TargetQuery) ([]Authorizer, error) {
	// Only what is asked for stands in the condition: beside the others no index serves, and a rollout looks up each of its
	// merchants several times.
	var either []string
	if len(q.AppIDs) > 0 {
		either = append(either, isNamed)
	}
	if len(q.Labels) > 0 {
		either = append(either, isLabelled)
	}
	if q.All {
		either = append(either, servedMiniPrograms)
	}
	if len(either) == 0 {
		return nil, nil
	}
	where := ` WHERE (` + strings.Join(either, ` OR `) + `) AND $1::text[] IS NOT NULL AND $2::text[] IS NOT NULL AND $3::boolean IS NOT NULL` + q.below()
	rows, err := db.Query(ctx, `SELECT `+authorizerColumns+` FROM authorizer a`+where+` ORDER BY a.appid`, q.args()...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (Authorizer, error) { return scanAuthorizer(row) })
}

// targetSample is how many targets a count shows.
const targetSample = 5

// countTargets adds up all, from the tally or an index, and those named besides.
func countTargets(ctx context.Context, db postgres.DB, q TargetQuery) (total int64, sample []LiveMerchant, err error) {
	const union = `(SELECT unnest($1::text[]) UNION SELECT l.appid FROM authorizer_label l WHERE l.label = ANY($2::text[]))`
	in := `= ANY(ARRAY` + union + `)` // each looked up by its key
	switch {
	case len(q.Labels) == 0:
		in = `= ANY($1::text[])`
	case q.BelowVersion != "":
		in = `IN ` + union // else, where an index by version is taken, each would be compared with all
	}
	named := ` FROM authorizer a WHERE $2::text[] IS NOT NULL AND a.appid ` + in + ` AND (` + isNamed + ` OR a.kind = 'miniprogram') AND NOT ($3::boolean AND ` + servedMiniPrograms + `)` + q.below()
	all := ` FROM authorizer a WHERE $3::boolean AND ` + servedMiniPrograms + ` AND $1::text[] IS NOT NULL AND $2::text[] IS NOT NULL` + q.below()
	const tally = `SELECT coalesce(sum(n), 0) FROM authorizer_tally WHERE dimension = $1 AND value = $2 AND kind = 'miniprogram' AND ($3 = '' OR status = $3)`
	from, order := named, ` ORDER BY a.appid`
	one := !q.All && len(q.AppIDs) == 0 && len(q.Labels) == 1 // nobody is named twice
	if one {
		from = ` FROM authorizer_label l JOIN authorizer a USING (appid) WHERE l.label = ($2::text[])[1] AND a.kind = 'miniprogram' AND $1::text[] IS NOT NULL AND $3::boolean IS NOT NULL` + q.below()
		order = ` ORDER BY l.merchant_at DESC, l.appid` // as the index has them
	}
	switch {
	case one && q.BelowVersion == "":
		err = db.QueryRow(ctx, tally, "label", q.Labels[0], "").Scan(&total)
	case len(q.AppIDs)+len(q.Labels) > 0:
		err = db.QueryRow(ctx, `SELECT count(*)`+from, q.args()...).Scan(&total)
	}
	if err != nil {
		return 0, nil, err
	}
	if q.All {
		var n int64
		if q.BelowVersion == "" {
			err = db.QueryRow(ctx, tally, "all", "", statusAuthorized).Scan(&n)
		} else {
			err = db.QueryRow(ctx, `SELECT count(*)`+all, q.args()...).Scan(&n)
		}
		if err != nil {
			return 0, nil, err
		}
		total += n
		if n > 0 {
			from = all
		}
		if n > 0 && q.BelowVersion != "" {
			order = ` ORDER BY a.live_key, a.live_version, a.appid` // as the index has them
		}
	}
	if total == 0 {
		return 0, nil, nil
	}
	rows, err := db.Query(ctx, `SELECT `+liveMerchantColumns+from+order+` LIMIT $5`, append(q.args(), targetSample)...)
	if err != nil {
		return 0, nil, err
	}
	sample, err = pgx.CollectRows(rows, scanLiveMerchant)
	return total, sample, err
}

func notOnRecord(ctx context.Context, db postgres.DB, appids []string) ([]string, error) {
	if len(appids) == 0 {
		return nil, nil
	}
	rows, err := db.Query(ctx, `SELECT t.appid FROM unnest($1::text[]) WITH ORDINALITY AS t (appid, n)
		WHERE NOT EXISTS (SELECT FROM authorizer a WHERE a.appid = t.appid) ORDER BY t.n`, appids)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

func nickNames(ctx context.Context, db postgres.DB, appids []string) (map[string]string, error) {
	names := make(map[string]string, len(appids))
	rows, err := db.Query(ctx, `SELECT appid, nick_name FROM authorizer WHERE appid = ANY($1::text[])`, appids)
	if err != nil {
		return nil, err
	}
	var appid, name string
	_, err = pgx.ForEachRow(rows, []any{&appid, &name}, func() error { names[appid] = name; return nil })
	return names, err
}
