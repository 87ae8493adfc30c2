package authorize

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/wxsteward/wxsteward/internal/postgres"
)

// Links.

const linkColumns = `id, seq, biz_id, kind, appid, func_scopes, return_url, single_use, status, authorizer_appid, error,
	created_by, created_at, expires_at, opened_at, authorized_at,
	coalesce((SELECT array_agg(b.biz_id ORDER BY b.seq) FROM authorizer_biz_id b WHERE b.appid = authorization_link.authorizer_appid
		AND b.biz_id <> authorization_link.biz_id), '{}')`

func scanLink(row pgx.Row) (Link, error) {
	var l Link
	var scopes []int32
	var problem string
	err := row.Scan(&l.ID, &l.seq, &l.BizID, &l.Kind, &l.AppID, &scopes, &l.ReturnURL, &l.SingleUse, &l.stored,
		&l.AuthorizerAppID, &problem, &l.CreatedBy, &l.CreatedAt, &l.ExpiresAt, &l.OpenedAt, &l.AuthorizedAt, &l.OtherBizIDs)
	l.FuncScopes, l.trouble = ints(scopes), parseTrouble(problem)
	return l, err
}

func ints(in []int32) []int {
	out := make([]int, len(in))
	for i, n := range in {
		out[i] = int(n)
	}
	return out
}

func insertLink(ctx context.Context, db postgres.DB, l Link) error {
	const q = `INSERT INTO authorization_link (id, biz_id, kind, appid, func_scopes, return_url, single_use, status, created_by, created_at, expires_at)
		VALUES ($1, $2, $3, $4, coalesce($5::int[], '{}'), $6, $7, $8, $9, $10, $11)`
	_, err := db.Exec(ctx, q, l.ID, l.BizID, l.Kind, l.AppID, l.FuncScopes, l.ReturnURL, l.SingleUse, l.stored, l.CreatedBy, l.CreatedAt, l.ExpiresAt)
	return err
}

func findLink(ctx context.Context, db postgres.DB, id string) (Link, error) {
	return oneLink(db.QueryRow(ctx, `SELECT `+linkColumns+` FROM authorization_link WHERE id = $1`, id))
}

func lockLink(ctx context.Context, tx pgx.Tx, id string) (Link, error) {
	return oneLink(tx.QueryRow(ctx, `SELECT `+linkColumns+` FROM authorization_link WHERE id = $1 FOR NO KEY UPDATE`, id))
}

// oneLink fails with fault.NotFound if there is none.
func oneLink(row pgx.Row) (Link, error) {
	l, err := scanLink(row)
	if errors.Is(err, pgx.ErrNoRows) {
		return Link{}, noSuchLink()
	}
	if err != nil {
		return Link{}, fmt.Errorf("read authorization link: %w", err)
	}
	return l, nil
}

// listLinks returns one link more than f.Limit if there are more.
func listLinks(ctx context.Context, db postgres.DB, f LinkFilter, now time.Time) (links []Link, total int64, err error) {
	where := ` FROM authorization_link WHERE ($1 = '' OR biz_id = $1) AND ($2 = '' OR
		CASE WHEN status IN ('pending', 'opened', 'failed') AND expires_at <= $3 THEN 'expired' ELSE status END = $2)`
	if err := db.QueryRow(ctx, `SELECT count(*)`+where, f.BizID, f.Status, now).Scan(&total); err != nil {
		return nil, 0, err
	}
	rows, err := db.Query(ctx, `SELECT `+linkColumns+where+` AND ($4 = 0 OR seq < $4) ORDER BY seq DESC LIMIT $5`,
		f.BizID, f.Status, now, f.After, f.Limit+1)
	if err != nil {
		return nil, 0, err
	}
	links, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (Link, error) { return scanLink(row) })
	return links, total, err
}

func setLinkStatus(ctx context.Context, tx pgx.Tx, id, status string, t trouble) error {
	_, err := tx.Exec(ctx, `UPDATE authorization_link SET status = $2, error = $3 WHERE id = $1`, id, status, t.String())
	return err
}

func noteLinkTrouble(ctx context.Context, tx pgx.Tx, id string, t trouble) error {
	_, err := tx.Exec(ctx, `UPDATE authorization_link SET error = $2 WHERE id = $1`, id, t.String())
	return err
}

func markOpened(ctx context.Context, tx pgx.Tx, id string, now time.Time) error {
	_, err := tx.Exec(ctx, `UPDATE authorization_link SET status = 'opened', opened_at = coalesce(opened_at, $2) WHERE id = $1`, id, now)
	return err
}

func markLinkAuthorized(ctx context.Context, tx pgx.Tx, id, appid string, now time.Time) error {
	const q = `UPDATE authorization_link SET status = 'authorized', authorizer_appid = $2, authorized_at = $3,
		opened_at = coalesce(opened_at, $3), error = '' WHERE id = $1`
	_, err := tx.Exec(ctx, q, id, appid, now)
	return err
}

func linkKind(ctx context.Context, tx pgx.Tx, id string) (kind string, err error) {
	if id == "" {
		return "", nil
	}
	err = tx.QueryRow(ctx, `SELECT kind FROM authorization_link WHERE id = $1`, id).Scan(&kind)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", nil
	}
	return kind, err
}

func insertPreAuthCode(ctx context.Context, tx pgx.Tx, fingerprint, linkID string, until time.Time) error {
	const q = `INSERT INTO pre_auth_code (fingerprint, link_id, expires_at) VALUES ($1, $2, $3)
		ON CONFLICT (fingerprint) DO UPDATE SET link_id = excluded.link_id, expires_at = excluded.expires_at`
	_, err := tx.Exec(ctx, q, fingerprint, linkID, until)
	return err
}

// linkOfPreAuthCode is "" for a code that is not of our making.
func linkOfPreAuthCode(ctx context.Context, db postgres.DB, fingerprint string) (linkID string, err error) {
	err = db.QueryRow(ctx, `SELECT link_id FROM pre_auth_code WHERE fingerprint = $1`, fingerprint).Scan(&linkID)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", nil
	}
	return linkID, err
}

// Exchanges.

const exchangeColumns = `fingerprint, code, link_id, appid, event_at, state, error, attempts, next_at, created_at, expires_at`

func scanExchange(row pgx.Row, more ...any) (exchange, error) {
	var x exchange
	var problem string
	err := row.Scan(append([]any{
		&x.Fingerprint, &x.box, &x.LinkID, &x.AppID, &x.EventAt, &x.State, &problem, &x.Attempts,
		&x.NextAt, &x.CreatedAt, &x.ExpiresAt,
	}, more...)...)
	x.Trouble = parseTrouble(problem)
	return x, err
}

// lockRedirects lets the redirects of one link in one at a time, until the transaction ends.
func lockRedirects(ctx context.Context, tx pgx.Tx, linkID string) error {
	_, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtextextended('wxsteward redirects ' || $1::text, 0))`, linkID)
	return err
}

// unprovenCodes counts a link's codes since a time that failed and that have no outcome yet.
func unprovenCodes(ctx context.Context, tx pgx.Tx, linkID string, since time.Time) (failed, open int, err error) {
	const q = `SELECT count(*) FILTER (WHERE state = 'failed'), count(*) FILTER (WHERE state IN ('pending', 'sent'))
		FROM authorization_exchange WHERE link_id = $1 AND link_id <> '' AND created_at > $2`
	err = tx.QueryRow(ctx, q, linkID, since).Scan(&failed, &open)
	return failed, open, err
}

func findExchange(ctx context.Context, db postgres.DB, fingerprint string) (exchange, error) {
	return scanExchange(db.QueryRow(ctx, `SELECT `+exchangeColumns+` FROM authorization_exchange WHERE fingerprint = $1`, fingerprint))
}

func lockExchange(ctx context.Context, tx pgx.Tx, fingerprint string) (exchange, error) {
	return scanExchange(tx.QueryRow(ctx, `SELECT `+exchangeColumns+` FROM authorization_exchange WHERE fingerprint = $1 FOR UPDATE`, fingerprint))
}

func insertExchange(ctx context.Context, tx pgx.Tx, x exchange) (isNew bool, err error) {
	const q = `INSERT INTO authorization_exchange (fingerprint, code, link_id, appid, event_at, state, next_at, created_at, expires_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (fingerprint) DO NOTHING`
	tag, err := tx.Exec(ctx, q, x.Fingerprint, x.box, x.LinkID, x.AppID, x.EventAt, x.State, x.NextAt, x.CreatedAt, x.ExpiresAt)
	return tag.RowsAffected() == 1, err
}

// updateExchange writes what is known of a locked exchange.
func updateExchange(ctx context.Context, tx pgx.Tx, x exchange) error {
	const q = `UPDATE authorization_exchange SET code = $2, link_id = $3, appid = $4, event_at = $5, state = $6, error = $7,
		attempts = $8, next_at = $9, created_at = $10,
		done_at = CASE WHEN $6 IN ('done', 'failed') THEN coalesce(done_at, now()) END WHERE fingerprint = $1`
	_, err := tx.Exec(ctx, q, x.Fingerprint, x.box, x.LinkID, x.AppID, x.EventAt, x.State, x.Trouble.String(), x.Attempts, x.NextAt, x.CreatedAt)
	return err
}

// beginExchange marks an unfinished exchange as sent and gives it to the caller until the time given; pgx.ErrNoRows if
// it is finished.
func beginExchange(ctx context.Context, db postgres.DB, fingerprint string, until time.Time) (exchange, error) {
	const q = `WITH old AS (SELECT fingerprint AS fp, state AS before FROM authorization_exchange
			WHERE fingerprint = $1 AND state IN ('pending', 'sent') FOR UPDATE)
		UPDATE authorization_exchange SET state = 'sent', attempts = attempts + 1, next_at = $2 FROM old
		WHERE fingerprint = old.fp RETURNING ` + exchangeColumns + `, old.before`
	var before string
	x, err := scanExchange(db.QueryRow(ctx, q, fingerprint, until), &before)
	x.before = before
	return x, err
}

// postponeExchange leaves alone what was finished meanwhile.
func postponeExchange(ctx context.Context, db postgres.DB, fingerprint, state string, t trouble, next time.Time) error {
	const q = `UPDATE authorization_exchange SET state = $2, error = $3, next_at = $4 WHERE fingerprint = $1 AND state IN ('pending', 'sent')`
	_, err := db.Exec(ctx, q, fingerprint, state, t.String(), next)
	return err
}

// claimOverdue lists unfinished exchanges that nobody has come back to, and takes them off the list until the time given.
func claimOverdue(ctx context.Context, tx pgx.Tx, now, until time.Time, limit int) ([]string, error) {
	const q = `UPDATE authorization_exchange SET next_at = $2 WHERE fingerprint IN (SELECT fingerprint FROM authorization_exchange
			WHERE state IN ('pending', 'sent') AND next_at <= $1 ORDER BY next_at LIMIT $3 FOR UPDATE SKIP LOCKED)
		RETURNING fingerprint`
	rows, err := tx.Query(ctx, q, now, until, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// lostRivals counts the other exchanges whose outcome is unknown and whose account is.
func lostRivals(ctx context.Context, db postgres.DB, fingerprint string) (n int, err error) {
	const q = `SELECT count(*) FROM authorization_exchange WHERE state = 'sent' AND appid = '' AND fingerprint <> $1`
	err = db.QueryRow(ctx, q, fingerprint).Scan(&n)
	return n, err
}

// spokenFor returns those of appids whose present authorization is explained by what we have: an authorizer on record
// since then, or another exchange than that of fingerprint, whose own event may come while its redirect is looked into.
func spokenFor(ctx context.Context, db postgres.DB, fingerprint string, appids []string, since time.Time) (map[string]bool, error) {
	const q = `SELECT appid FROM authorizer WHERE appid = ANY($1) AND status = 'authorized' AND authorized_at >= $2
		UNION SELECT appid FROM authorization_exchange WHERE appid = ANY($1) AND created_at >= $2 AND fingerprint <> $3`
	rows, err := db.Query(ctx, q, appids, since, fingerprint)
	if err != nil {
		return nil, err
	}
	found, err := pgx.CollectRows(rows, pgx.RowTo[string])
	known := make(map[string]bool, len(found))
	for _, appid := range found {
		known[appid] = true
	}
	return known, err
}

// clean drops what nobody can need any more: pre-auth codes a day after their end, authorization codes after theirs, and
// finished exchanges after keep.
func clean(ctx context.Context, db postgres.DB, now time.Time, keep time.Duration) error {
	if _, err := db.Exec(ctx, `DELETE FROM pre_auth_code WHERE expires_at < $1`, now.Add(-24*time.Hour)); err != nil {
		return err
	}
	const q = `DELETE FROM authorization_exchange WHERE created_at < $1 AND state IN ('done', 'failed')`
	_, err := db.Exec(ctx, q, now.Add(-keep))
	return err
}

// Merchants.

func insertBizID(ctx context.Context, tx pgx.Tx, appid, bizID, linkID string, now time.Time) error {
	const q = `INSERT INTO authorizer_biz_id (appid, biz_id, link_id, bound_at) VALUES ($1, $2, $3, $4) ON CONFLICT (appid, biz_id) DO NOTHING`
	_, err := tx.Exec(ctx, q, appid, bizID, linkID, now)
	return err
}

// unbind takes back what a link has bound to a merchant by a code that was not given for it.
func unbind(ctx context.Context, tx pgx.Tx, linkID, appid string, t trouble) error {
	if _, err := tx.Exec(ctx, `DELETE FROM authorizer_biz_id WHERE appid = $1 AND link_id = $2`, appid, linkID); err != nil {
		return err
	}
	const q = `UPDATE authorization_link SET status = 'opened', authorizer_appid = '', authorized_at = NULL, error = $3
		WHERE id = $1 AND authorizer_appid = $2 AND status = 'authorized'`
	_, err := tx.Exec(ctx, q, linkID, appid, t.String())
	return err
}

// upsertAuthorizer records a consent. kind fills in only what is not known yet.
func upsertAuthorizer(ctx context.Context, tx pgx.Tx, appid, kind string, scopes []int, at, now time.Time) error {
	if kind != "miniprogram" && kind != "official" {
		kind = ""
	}
	const q = `INSERT INTO authorizer AS a (appid, kind, status, func_scopes, authorized_at, created_at, updated_at)
		VALUES ($1, $2, 'authorized', coalesce($3::int[], '{}'), $4, $5, $5)
		ON CONFLICT (appid) DO UPDATE SET status = 'authorized', unauthorized_at = NULL, reauth_at = NULL,
			kind = CASE WHEN a.kind = '' THEN excluded.kind ELSE a.kind END,
			func_scopes = excluded.func_scopes,
			authorized_at = CASE WHEN a.status = 'authorized' THEN greatest(a.authorized_at, excluded.authorized_at) ELSE excluded.authorized_at END,
			updated_at = excluded.updated_at`
	_, err := tx.Exec(ctx, q, appid, kind, scopes, at, now)
	return err
}

func correctAuthorizedAt(ctx context.Context, tx pgx.Tx, appid string, from, to time.Time) error {
	_, err := tx.Exec(ctx, `UPDATE authorizer SET authorized_at = $3 WHERE appid = $1 AND authorized_at = $2`, appid, from, to)
	return err
}

// standing is what decides about a merchant's tokens and events.
type standing struct {
	Status                       string
	AuthorizedAt, UnauthorizedAt *time.Time
	ReauthAt                     *time.Time
	UpdatedAt                    time.Time
}

const standingColumns = `status, authorized_at, unauthorized_at, reauth_at, updated_at`

func readStanding(ctx context.Context, db postgres.DB, appid string) (standing, error) {
	return scanStanding(db.QueryRow(ctx, `SELECT `+standingColumns+` FROM authorizer WHERE appid = $1`, appid))
}

// lockAuthorizer does not keep others from binding biz ids.
func lockAuthorizer(ctx context.Context, tx pgx.Tx, appid string) (standing, error) {
	return scanStanding(tx.QueryRow(ctx, `SELECT `+standingColumns+` FROM authorizer WHERE appid = $1 FOR NO KEY UPDATE`, appid))
}

func scanStanding(row pgx.Row) (standing, error) {
	var a standing
	err := row.Scan(&a.Status, &a.AuthorizedAt, &a.UnauthorizedAt, &a.ReauthAt, &a.UpdatedAt)
	return a, err
}

func markWithdrawn(ctx context.Context, tx pgx.Tx, appid string, at, now time.Time) error {
	const q = `UPDATE authorizer SET status = 'unauthorized', unauthorized_at = $2, reauth_at = NULL, info_error = '', updated_at = $3 WHERE appid = $1`
	_, err := tx.Exec(ctx, q, appid, at, now)
	return err
}

func nickName(ctx context.Context, tx pgx.Tx, appid string) (name string, err error) {
	err = tx.QueryRow(ctx, `SELECT nick_name FROM authorizer WHERE appid = $1`, appid).Scan(&name)
	return name, err
}

// markReauthorize notes that only the merchant can help; it reports whether that is news.
func markReauthorize(ctx context.Context, tx pgx.Tx, appid string, t trouble, now time.Time) (news bool, err error) {
	const q = `UPDATE authorizer a SET reauth_at = $2, info_error = $3, updated_at = $2
		FROM (SELECT appid, reauth_at FROM authorizer WHERE appid = $1 FOR NO KEY UPDATE) old
		WHERE a.appid = old.appid AND a.status = 'authorized' RETURNING old.reauth_at IS NULL`
	err = tx.QueryRow(ctx, q, appid, now, t.String()).Scan(&news)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil
	}
	return news, err
}

func clearReauthorize(ctx context.Context, tx pgx.Tx, appid string, now time.Time) error {
	const q = `UPDATE authorizer SET reauth_at = NULL, updated_at = $3, info_error = CASE WHEN info_error LIKE $2 || '%' THEN '' ELSE info_error END
		WHERE appid = $1 AND reauth_at IS NOT NULL`
	_, err := tx.Exec(ctx, q, appid, troubleReauthorize, now)
	return err
}

func noteInfoError(ctx context.Context, tx pgx.Tx, appid string, t trouble, now time.Time) error {
	_, err := tx.Exec(ctx, `UPDATE authorizer SET info_error = $2, info_tried_at = $3 WHERE appid = $1`, appid, t.String(), now)
	return err
}

// updateDetails writes what WeChat told about a merchant, and reports whether any of it is news. What an answer leaves out is
// not believed to be gone: an account loses neither its name, picture or id, nor does a mini program become anything else.
func updateDetails(ctx context.Context, tx pgx.Tx, appid string, d details, now time.Time) (news bool, err error) {
	const q = `UPDATE authorizer a SET
			kind = CASE WHEN $22 AND a.kind = 'miniprogram' AND a.info_at IS NOT NULL THEN a.kind ELSE $2 END,
			nick_name = coalesce(nullif($3, ''), a.nick_name), user_name = coalesce(nullif($4, ''), a.user_name),
			head_img = coalesce(nullif($5, ''), a.head_img), qrcode_url = coalesce(nullif($6, ''), a.qrcode_url),
			principal_name = coalesce(nullif($7, ''), a.principal_name), alias = $8, signature = $9,
			func_scopes = CASE WHEN cardinality($10::int[]) > 0 THEN $10::int[] ELSE a.func_scopes END,
			service_type = coalesce($11, a.service_type), verify_type = coalesce($12, a.verify_type),
			register_type = coalesce($13, a.register_type), account_status = coalesce($14, a.account_status),
			categories = CASE WHEN $22 THEN a.categories ELSE $15 END, network = CASE WHEN $22 THEN a.network ELSE $16 END,
			basic_config = coalesce($17, a.basic_config), business_info = coalesce($18, a.business_info), special = coalesce($19, a.special),
			scope_confirms = CASE WHEN cardinality($10::int[]) > 0 THEN $20 ELSE a.scope_confirms END,
			info_at = $21, info_tried_at = $21, info_error = '', updated_at = $21
		FROM (SELECT * FROM authorizer WHERE appid = $1 FOR NO KEY UPDATE) o
		WHERE a.appid = o.appid AND a.status = 'authorized'
		RETURNING o.info_at IS NULL OR o.info_error <> ''
			OR (a.kind, a.nick_name, a.user_name, a.head_img, a.qrcode_url, a.principal_name, a.alias, a.signature, a.func_scopes, a.service_type, a.verify_type,
				a.register_type, a.account_status, a.categories, a.network, a.basic_config, a.business_info, a.special, a.scope_confirms) IS DISTINCT FROM
				(o.kind, o.nick_name, o.user_name, o.head_img, o.qrcode_url, o.principal_name, o.alias, o.signature, o.func_scopes, o.service_type, o.verify_type,
				o.register_type, o.account_status, o.categories, o.network, o.basic_config, o.business_info, o.special, o.scope_confirms)`
	err = tx.QueryRow(ctx, q, appid, d.Kind, d.NickName, d.UserName, d.HeadImg, d.QRCodeURL, d.PrincipalName, d.Alias, d.Signature,
		d.FuncScopes, d.ServiceType, d.VerifyType, d.RegisterType, d.AccountStatus, string(d.Categories), string(d.Network),
		textOrNil(d.BasicConfig), textOrNil(d.BusinessInfo), textOrNil(d.Special), string(d.ScopeConfirms), now, !d.miniProgram).Scan(&news)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil // withdrawn meanwhile
	}
	return news, err
}

func textOrNil(text json.RawMessage) *string {
	if text == nil {
		return nil
	}
	return new(string(text))
}

const authorizerColumns = `a.appid, a.kind, a.status, a.nick_name, a.user_name, a.head_img, a.qrcode_url, a.principal_name, a.alias,
	a.signature, a.func_scopes, a.service_type, a.verify_type, a.register_type, a.account_status, a.categories, a.network,
	a.basic_config, a.business_info, a.special, a.scope_confirms, a.ext, a.authorized_at, a.unauthorized_at, a.info_at, a.info_tried_at,
	a.info_error, a.reauth_at, a.created_at, a.updated_at,
	coalesce((SELECT array_agg(b.biz_id ORDER BY b.seq) FROM authorizer_biz_id b WHERE b.appid = a.appid), '{}'),
	coalesce((SELECT array_agg(l.label ORDER BY l.seq) FROM authorizer_label l WHERE l.appid = a.appid), '{}')`

func scanAuthorizer(row pgx.Row) (Authorizer, error) {
	var a Authorizer
	var scopes []int32
	var problem string
	err := row.Scan(&a.AppID, &a.Kind, &a.Status, &a.NickName, &a.UserName, &a.HeadImg, &a.QRCodeURL, &a.PrincipalName, &a.Alias,
		&a.Signature, &scopes, &a.ServiceType, &a.VerifyType, &a.RegisterType, &a.AccountStatus, (*[]byte)(&a.Categories), (*[]byte)(&a.Network),
		(*[]byte)(&a.BasicConfig), (*[]byte)(&a.BusinessInfo), (*[]byte)(&a.Special), (*[]byte)(&a.ScopeConfirms), (*[]byte)(&a.Ext),
		&a.AuthorizedAt, &a.UnauthorizedAt, &a.InfoAt, &a.InfoTriedAt, &problem, &a.ReauthorizeSince, &a.CreatedAt, &a.UpdatedAt,
		&a.BizIDs, &a.Labels)
	a.FuncScopes, a.infoTrouble = ints(scopes), parseTrouble(problem)
	return a, err
}

func findAuthorizer(ctx context.Context, db postgres.DB, appid string) (Authorizer, error) {
	return scanAuthorizer(db.QueryRow(ctx, `SELECT `+authorizerColumns+` FROM authorizer a WHERE a.appid = $1`, appid))
}

// countLacking counts the authorized mini programs, and those of them that have not granted a permission set.
func countLacking(ctx context.Context, db postgres.DB, scope int) (all, lacking int, err error) {
	const q = `SELECT count(*), count(*) FILTER (WHERE NOT func_scopes @> ARRAY[$1::int]) FROM authorizer
		WHERE status = 'authorized' AND kind = 'miniprogram'`
	if err := db.QueryRow(ctx, q, scope).Scan(&all, &lacking); err != nil {
		return 0, 0, fmt.Errorf("count permission sets: %w", err)
	}
	return all, lacking, nil
}

func replaceBizIDs(ctx context.Context, tx pgx.Tx, appid string, ids []string, now time.Time) error {
	if _, err := tx.Exec(ctx, `DELETE FROM authorizer_biz_id WHERE appid = $1 AND biz_id <> ALL($2::text[])`, appid, ids); err != nil {
		return err
	}
	const q = `INSERT INTO authorizer_biz_id (appid, biz_id, bound_at) SELECT $1, id, $3 FROM unnest($2::text[]) WITH ORDINALITY AS t (id, n)
		ORDER BY n ON CONFLICT (appid, biz_id) DO NOTHING`
	_, err := tx.Exec(ctx, q, appid, ids, now)
	return err
}

func replaceLabels(ctx context.Context, tx pgx.Tx, appid string, labels []string) error {
	if _, err := tx.Exec(ctx, `DELETE FROM authorizer_label WHERE appid = $1`, appid); err != nil {
		return err
	}
	const q = `INSERT INTO authorizer_label (appid, label) SELECT $1, label FROM unnest($2::text[]) WITH ORDINALITY AS t (label, n)
		ORDER BY n ON CONFLICT (appid, label) DO NOTHING`
	_, err := tx.Exec(ctx, q, appid, labels)
	return err
}

func replaceExt(ctx context.Context, tx pgx.Tx, appid string, ext json.RawMessage) error {
	_, err := tx.Exec(ctx, `UPDATE authorizer SET ext = $2 WHERE appid = $1`, appid, string(ext))
	return err
}

func touchAuthorizer(ctx context.Context, tx pgx.Tx, appid string, now time.Time) error {
	_, err := tx.Exec(ctx, `UPDATE authorizer SET updated_at = $2 WHERE appid = $1`, appid, now)
	return err
}
