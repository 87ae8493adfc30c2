-- +goose Up
CREATE TABLE authorizer (
    appid           text PRIMARY KEY,
    kind            text        NOT NULL DEFAULT '' CHECK (kind IN ('', 'miniprogram', 'official', 'other')),
    status          text        NOT NULL CHECK (status IN ('authorized', 'unauthorized')),
    nick_name       text        NOT NULL DEFAULT '',
    user_name       text        NOT NULL DEFAULT '',
    head_img        text        NOT NULL DEFAULT '',
    qrcode_url      text        NOT NULL DEFAULT '',
    principal_name  text        NOT NULL DEFAULT '',
    alias           text        NOT NULL DEFAULT '',
    signature       text        NOT NULL DEFAULT '',
    func_scopes     int[]       NOT NULL DEFAULT '{}',
    service_type    int,
    verify_type     int,
    register_type   int,
    account_status  int,
    categories      jsonb       NOT NULL DEFAULT '[]',
    network         jsonb       NOT NULL DEFAULT '{}',
    basic_config    jsonb       NOT NULL DEFAULT '{}',
    business_info   jsonb       NOT NULL DEFAULT '{}', -- open_pay, open_shake, …: 0 or 1
    special         jsonb       NOT NULL DEFAULT '{}', -- ids of channels_info, store_info, talent_info, supplier_info
    scope_confirms  jsonb       NOT NULL DEFAULT '[]', -- confirm_info of permission sets
    ext             jsonb       NOT NULL DEFAULT '{}',
    authorized_at   timestamptz,
    unauthorized_at timestamptz,
    info_at         timestamptz,
    -- What went wrong with the last read of the details: word, errcode and rid, see authorize/trouble.go.
    info_error      text        NOT NULL DEFAULT '',
    info_tried_at   timestamptz, -- when the details were last asked for, whatever came of it
    -- Set while WeChat takes no refresh token of ours: only the merchant can repair that, by authorizing again.
    reauth_at       timestamptz,
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now(),
    -- What users of a mini program have, as far as we know: noted with a release of ours and whenever WeChat was asked. live_key is
    -- the version in a form that sorts, see authorize/live.go.
    live_version     text        NOT NULL DEFAULT '',
    live_key         text        COLLATE "C" NOT NULL DEFAULT '',
    live_template_id bigint,
    live_at          timestamptz,
    live_seen_at     timestamptz, -- null: never asked
    -- What the directory searches in. The limits keep authorizer_list within what an index entry may hold.
    search          text        GENERATED ALWAYS AS (lower(left(nick_name, 100) || E'\n' || left(appid, 64) || E'\n' || left(user_name, 64)
                                || E'\n' || left(principal_name, 200))) STORED
) WITH (fillfactor = 85, autovacuum_vacuum_scale_factor = 0.03, autovacuum_vacuum_insert_scale_factor = 0.03, autovacuum_analyze_scale_factor = 0.03);
-- The pages of the directory come from an index whatever the filter; the columns included are compared without reading the table.
CREATE INDEX authorizer_list ON authorizer (created_at DESC, appid) INCLUDE (status, kind, func_scopes, search);
CREATE INDEX authorizer_status ON authorizer (status, created_at DESC, appid);
CREATE INDEX authorizer_kind ON authorizer (kind, created_at DESC, appid);
CREATE INDEX authorizer_scopes ON authorizer USING gin (func_scopes) WITH (fastupdate = off);
-- Mini programs by the version that is live; everything that is counted by it is in the index.
CREATE INDEX authorizer_live ON authorizer (live_key, live_version, appid) INCLUDE (live_template_id) WHERE kind = 'miniprogram' AND status = 'authorized';
CREATE INDEX authorizer_live_seen ON authorizer (live_seen_at NULLS FIRST, appid) WHERE kind = 'miniprogram' AND status = 'authorized';
CREATE INDEX authorizer_user_name ON authorizer (user_name) WHERE user_name <> '';

-- All single characters and all pairs of neighbours in a text. Chinese names are searched by two or three characters, which
-- trigrams do not find, and no extension is needed.
-- +goose StatementBegin
CREATE FUNCTION authorizer_grams(t text) RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE COST 10000 AS $$
    SELECT coalesce(array_agg(DISTINCT g), '{}') FROM (
        SELECT substr(t, i, 1) AS g FROM generate_series(1, length(t)) i
        UNION ALL SELECT substr(t, i, 2) FROM generate_series(1, length(t) - 1) i) grams
$$;
-- +goose StatementEnd
-- What authorizer_grams of a text must have for the text to contain t.
-- +goose StatementBegin
CREATE FUNCTION authorizer_pairs(t text) RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT array_agg(DISTINCT substr(t, i, 2)) FROM generate_series(1, greatest(length(t) - 1, 1)) i
$$;
-- +goose StatementEnd
CREATE INDEX authorizer_search ON authorizer USING gin (authorizer_grams(search)) WITH (fastupdate = off);

CREATE TABLE authorizer_biz_id (
    appid    text        NOT NULL REFERENCES authorizer ON DELETE CASCADE,
    biz_id   text        NOT NULL,
    link_id  text        NOT NULL DEFAULT '',
    bound_at timestamptz NOT NULL DEFAULT now(),
    seq      bigint GENERATED ALWAYS AS IDENTITY,
    PRIMARY KEY (appid, biz_id)
);
CREATE INDEX authorizer_biz_id_lookup ON authorizer_biz_id (biz_id, appid);

CREATE TABLE authorizer_label (
    appid       text        NOT NULL REFERENCES authorizer,
    label       text        NOT NULL,
    seq         bigint      GENERATED ALWAYS AS IDENTITY,
    merchant_at timestamptz NOT NULL, -- created_at of the merchant, filled in by itself
    PRIMARY KEY (appid, label)
);
CREATE INDEX authorizer_label_list ON authorizer_label (label, merchant_at DESC, appid);

-- What operators write about a merchant.
CREATE TABLE authorizer_note (
    id         bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    appid      text        NOT NULL REFERENCES authorizer,
    body       text        NOT NULL,
    created_by text        NOT NULL,
    created_at timestamptz NOT NULL
);
CREATE INDEX authorizer_note_list ON authorizer_note (appid, id DESC);

-- What happened to a merchant and no other table keeps. That WeChat's side of it changed is noted by the table authorizer itself,
-- whoever writes there; what operators changed is noted with who it was.
CREATE TABLE authorizer_history (
    id         bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    appid      text        NOT NULL,
    at         timestamptz NOT NULL,
    kind       text        NOT NULL CHECK (kind IN ('authorized', 'withdrawn', 'stale', 'renamed', 'scopes', 'labels', 'biz_ids', 'ext')),
    created_by text        NOT NULL DEFAULT '',
    added      text[]      NOT NULL DEFAULT '{}',
    removed    text[]      NOT NULL DEFAULT '{}'
);
CREATE INDEX authorizer_history_list ON authorizer_history (appid, at DESC, id DESC);
CREATE INDEX authorizer_history_age ON authorizer_history USING brin (at);

-- +goose StatementBegin
CREATE FUNCTION authorizer_begun() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO authorizer_history (appid, at, kind)
        SELECT appid, coalesce(authorized_at, created_at), 'authorized' FROM new_rows WHERE status = 'authorized';
    RETURN NULL;
END $$;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE FUNCTION authorizer_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.status = 'unauthorized' AND OLD.status <> NEW.status THEN
        INSERT INTO authorizer_history (appid, at, kind) VALUES (NEW.appid, coalesce(NEW.unauthorized_at, NEW.updated_at), 'withdrawn');
    -- A time that is only corrected comes without another updated_at.
    ELSIF NEW.status = 'authorized' AND (OLD.status <> NEW.status OR NEW.authorized_at > OLD.authorized_at AND NEW.updated_at <> OLD.updated_at) THEN
        INSERT INTO authorizer_history (appid, at, kind) VALUES (NEW.appid, coalesce(NEW.authorized_at, NEW.updated_at), 'authorized');
    ELSIF NEW.reauth_at IS NOT NULL AND OLD.reauth_at IS NULL THEN
        INSERT INTO authorizer_history (appid, at, kind) VALUES (NEW.appid, NEW.reauth_at, 'stale');
    END IF;
    IF NEW.nick_name <> OLD.nick_name AND OLD.nick_name <> '' THEN
        INSERT INTO authorizer_history (appid, at, kind, added, removed) VALUES (NEW.appid, NEW.updated_at, 'renamed', ARRAY[NEW.nick_name], ARRAY[OLD.nick_name]);
    END IF;
    IF OLD.func_scopes <> '{}' AND NOT (NEW.func_scopes @> OLD.func_scopes AND NEW.func_scopes <@ OLD.func_scopes) THEN
        INSERT INTO authorizer_history (appid, at, kind, added, removed) VALUES (NEW.appid, NEW.updated_at, 'scopes',
            ARRAY(SELECT unnest(NEW.func_scopes) EXCEPT SELECT unnest(OLD.func_scopes) ORDER BY 1)::text[],
            ARRAY(SELECT unnest(OLD.func_scopes) EXCEPT SELECT unnest(NEW.func_scopes) ORDER BY 1)::text[]);
    END IF;
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER authorizer_begun AFTER INSERT ON authorizer REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION authorizer_begun();
CREATE TRIGGER authorizer_changed AFTER UPDATE OF status, authorized_at, reauth_at, nick_name, func_scopes ON authorizer
    FOR EACH ROW WHEN ((OLD.status, OLD.authorized_at, OLD.reauth_at, OLD.nick_name, OLD.func_scopes)
        IS DISTINCT FROM (NEW.status, NEW.authorized_at, NEW.reauth_at, NEW.nick_name, NEW.func_scopes))
    EXECUTE FUNCTION authorizer_changed();

-- How many merchants there are, as differences that add up, so that writers never wait for each other and readers count
-- nothing. dimension is 'all', 'scope' or 'label'; 'change' counts the changes of anything the directory filters by.
CREATE TABLE authorizer_tally (
    dimension text   NOT NULL,
    value     text   NOT NULL,
    status    text   NOT NULL,
    kind      text   NOT NULL,
    n         bigint NOT NULL
);
CREATE INDEX authorizer_tally_cell ON authorizer_tally (dimension, value) INCLUDE (status, kind, n);

-- +goose StatementBegin
CREATE FUNCTION authorizer_counted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO authorizer_tally
            SELECT 'all', '', status, kind, count(*) FROM new_rows GROUP BY status, kind
            UNION ALL SELECT 'scope', scope::text, status, kind, count(*)
                FROM new_rows, LATERAL (SELECT DISTINCT unnest(func_scopes) AS scope) s GROUP BY scope, status, kind
            UNION ALL SELECT 'change', '', '', '', 1 WHERE EXISTS (SELECT FROM new_rows);
        RETURN NULL;
    END IF;
    WITH changed AS (
        SELECT n.appid, o.status AS old_status, o.kind AS old_kind, o.func_scopes AS old_scopes, n.status, n.kind, n.func_scopes
        FROM old_rows o JOIN new_rows n USING (appid)
        WHERE (o.status, o.kind, o.func_scopes, o.search) IS DISTINCT FROM (n.status, n.kind, n.func_scopes, n.search)
    ), moved AS (
        SELECT 'all' AS dimension, '' AS value, status, kind, 1 AS n FROM changed
        UNION ALL SELECT 'all', '', old_status, old_kind, -1 FROM changed
        UNION ALL SELECT 'scope', scope::text, status, kind, 1 FROM changed, LATERAL (SELECT DISTINCT unnest(func_scopes) AS scope) s
        UNION ALL SELECT 'scope', scope::text, old_status, old_kind, -1 FROM changed, LATERAL (SELECT DISTINCT unnest(old_scopes) AS scope) s
        UNION ALL SELECT 'label', label, c.status, c.kind, 1 FROM changed c JOIN authorizer_label USING (appid)
        UNION ALL SELECT 'label', label, c.old_status, c.old_kind, -1 FROM changed c JOIN authorizer_label USING (appid)
    )
    INSERT INTO authorizer_tally
        SELECT dimension, value, status, kind, sum(n) FROM moved GROUP BY dimension, value, status, kind HAVING sum(n) <> 0
        UNION ALL SELECT 'change', '', '', '', 1 WHERE EXISTS (SELECT FROM changed);
    RETURN NULL;
END $$;
-- +goose StatementEnd

-- A merchant is locked before its labels change, or a change of its status at the same time would be counted wrongly.
-- +goose StatementBegin
CREATE FUNCTION authorizer_label_of() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        PERFORM FROM authorizer WHERE appid = OLD.appid FOR NO KEY UPDATE;
        RETURN OLD;
    END IF;
    SELECT created_at INTO NEW.merchant_at FROM authorizer WHERE appid = NEW.appid FOR NO KEY UPDATE;
    RETURN NEW;
END $$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE FUNCTION authorizer_label_counted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO authorizer_tally
            SELECT 'label', l.label, a.status, a.kind, count(*) FROM new_rows l JOIN authorizer a USING (appid) GROUP BY l.label, a.status, a.kind
            UNION ALL SELECT 'change', '', '', '', 1 WHERE EXISTS (SELECT FROM new_rows);
    ELSE
        INSERT INTO authorizer_tally
            SELECT 'label', l.label, a.status, a.kind, -count(*) FROM old_rows l JOIN authorizer a USING (appid) GROUP BY l.label, a.status, a.kind
            UNION ALL SELECT 'change', '', '', '', 1 WHERE EXISTS (SELECT FROM old_rows);
    END IF;
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER authorizer_counted_insert AFTER INSERT ON authorizer REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION authorizer_counted();
CREATE TRIGGER authorizer_counted_update AFTER UPDATE ON authorizer REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION authorizer_counted();
CREATE TRIGGER authorizer_label_of BEFORE INSERT OR DELETE ON authorizer_label
    FOR EACH ROW EXECUTE FUNCTION authorizer_label_of();
CREATE TRIGGER authorizer_label_counted_insert AFTER INSERT ON authorizer_label REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION authorizer_label_counted();
CREATE TRIGGER authorizer_label_counted_delete AFTER DELETE ON authorizer_label REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION authorizer_label_counted();

CREATE TABLE authorization_link (
    id               text PRIMARY KEY,
    seq              bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    biz_id           text        NOT NULL,
    -- The digits are WeChat's auth_type of the newer kinds of account.
    kind             text        NOT NULL CHECK (kind IN ('miniprogram', 'official', 'any', '4', '5', '6', '8')),
    appid            text        NOT NULL DEFAULT '',
    func_scopes      int[]       NOT NULL DEFAULT '{}',
    return_url       text        NOT NULL DEFAULT '',
    single_use       boolean     NOT NULL DEFAULT true,
    -- expired is not stored: it is pending or opened past expires_at.
    status           text        NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'opened', 'authorized', 'failed', 'revoked')),
    authorizer_appid text        NOT NULL DEFAULT '',
    error            text        NOT NULL DEFAULT '', -- word, errcode and rid, see authorize/trouble.go
    created_by       text        NOT NULL DEFAULT '',
    created_at       timestamptz NOT NULL DEFAULT now(),
    expires_at       timestamptz NOT NULL,
    opened_at        timestamptz,
    authorized_at    timestamptz
);
CREATE INDEX authorization_link_biz_id ON authorization_link (biz_id, seq DESC);
CREATE INDEX authorization_link_status ON authorization_link (status, seq DESC);
CREATE INDEX authorization_link_merchant ON authorization_link (authorizer_appid, seq DESC) WHERE authorizer_appid <> '';
CREATE INDEX authorization_link_appid ON authorization_link (appid, seq DESC) WHERE appid <> '';

-- Which link a pre-auth code was made for; the event carries only the code. Kept a day past its expiry.
CREATE TABLE pre_auth_code (
    fingerprint text PRIMARY KEY,
    link_id     text        NOT NULL REFERENCES authorization_link ON DELETE CASCADE,
    expires_at  timestamptz NOT NULL
);
CREATE INDEX pre_auth_code_expiry ON pre_auth_code (expires_at);
CREATE INDEX pre_auth_code_link ON pre_auth_code (link_id, expires_at);

-- One row for each authorization code, whichever of redirect and event brought it first.
CREATE TABLE authorization_exchange (
    fingerprint text PRIMARY KEY,
    code        bytea, -- sealed; dropped when exchanged, refused or expired
    link_id     text        NOT NULL DEFAULT '',
    appid       text        NOT NULL DEFAULT '', -- told by the event, else by WeChat's answer
    event_at    timestamptz, -- CreateTime of the event, null while only the redirect is known
    -- sent is committed before the code leaves for WeChat: from there on the outcome is read back before anything is repeated.
    state       text        NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'sent', 'done', 'failed')),
    error       text        NOT NULL DEFAULT '', -- word, errcode and rid, see authorize/trouble.go
    attempts    int         NOT NULL DEFAULT 0,
    next_at     timestamptz NOT NULL, -- when an unfinished exchange is due again; later than now while a worker has it
    created_at  timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL,
    done_at     timestamptz
);
CREATE INDEX authorization_exchange_age ON authorization_exchange (created_at);
CREATE INDEX authorization_exchange_link ON authorization_exchange (link_id, created_at) WHERE link_id <> '';
CREATE INDEX authorization_exchange_due ON authorization_exchange (next_at) WHERE state IN ('pending', 'sent');

-- One comparison of the merchants on record with WeChat's list.
CREATE TABLE authorizer_sync (
    id          text PRIMARY KEY,
    state       text        NOT NULL DEFAULT 'running' CHECK (state IN ('running', 'completed', 'failed')),
    done        int         NOT NULL DEFAULT 0,
    total       int         NOT NULL DEFAULT 0,
    failed      int         NOT NULL DEFAULT 0,
    added       int         NOT NULL DEFAULT 0, -- merchants that were not on record, or counted as withdrawn
    recovered   int         NOT NULL DEFAULT 0, -- refresh tokens
    withdrawn   int         NOT NULL DEFAULT 0, -- merchants that are not listed any more
    error       text        NOT NULL DEFAULT '', -- why it failed as a whole: word, errcode and rid, see authorize/trouble.go
    started_by  text        NOT NULL DEFAULT '',
    started_at  timestamptz NOT NULL,
    listed_at   timestamptz, -- the whole list is in authorizer_sync_item; what is left is to read the details
    finished_at timestamptz
);
CREATE UNIQUE INDEX authorizer_sync_running ON authorizer_sync (state) WHERE state = 'running';
CREATE INDEX authorizer_sync_age ON authorizer_sync (started_at DESC);

-- What a synchronization has to do; a process that takes over goes on from here.
CREATE TABLE authorizer_sync_item (
    sync_id text NOT NULL REFERENCES authorizer_sync ON DELETE CASCADE,
    appid   text NOT NULL,
    state   text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'done', 'failed')),
    listed  boolean NOT NULL DEFAULT true, -- false: on record and not in the list
    refresh text NOT NULL DEFAULT '', -- fingerprint of the refresh token listed
    error   text NOT NULL DEFAULT '', -- word, errcode and rid
    PRIMARY KEY (sync_id, appid)
);
CREATE INDEX authorizer_sync_item_pending ON authorizer_sync_item (sync_id, appid) WHERE state = 'pending';
CREATE INDEX authorizer_sync_item_failed ON authorizer_sync_item (sync_id, appid) WHERE state = 'failed';

-- A CSV file on its way into the directory, in pieces of a quarter of a megabyte until it is worked off.
CREATE TABLE authorizer_import (
    id           text PRIMARY KEY,
    state        text        NOT NULL DEFAULT 'receiving' CHECK (state IN ('receiving', 'running', 'completed', 'failed')),
    name         text        NOT NULL DEFAULT '',
    dry_run      boolean     NOT NULL,
    replaces     boolean     NOT NULL, -- biz ids and labels replace the present ones, else they are added
    encoding     text        NOT NULL DEFAULT '',
    bytes        bigint      NOT NULL DEFAULT 0,
    bytes_done   bigint      NOT NULL DEFAULT 0,
    rows         int         NOT NULL DEFAULT 0, -- worked off, the header not counted
    changed      int         NOT NULL DEFAULT 0,
    unchanged    int         NOT NULL DEFAULT 0,
    failed       int         NOT NULL DEFAULT 0,
    header       text[]      NOT NULL DEFAULT '{}',
    ignored      text[]      NOT NULL DEFAULT '{}', -- columns nobody knows
    created_by   text        NOT NULL DEFAULT '',
    created_at   timestamptz NOT NULL,
    finished_at  timestamptz
);
CREATE INDEX authorizer_import_age ON authorizer_import (created_at DESC, id);
CREATE TABLE authorizer_import_part (
    import_id text  NOT NULL REFERENCES authorizer_import ON DELETE CASCADE,
    seq       int   NOT NULL,
    data      bytea NOT NULL,
    PRIMARY KEY (import_id, seq)
);
CREATE TABLE authorizer_import_error (
    import_id text NOT NULL REFERENCES authorizer_import ON DELETE CASCADE,
    line      int  NOT NULL,
    appid     text NOT NULL DEFAULT '',
    error     text NOT NULL, -- word and argument, see rowError in authorize/csv.go
    record    text[], -- the cells, to be imported again; null where they could not be read
    PRIMARY KEY (import_id, line)
);

-- The WeChat ids behind the testers of trial versions: WeChat takes those and gives userstr alone.
CREATE TABLE authorizer_tester (
    appid     text        NOT NULL REFERENCES authorizer ON DELETE CASCADE,
    userstr   text        NOT NULL,
    wechat_id text        NOT NULL,
    bound_by  text        NOT NULL,
    bound_at  timestamptz NOT NULL,
    PRIMARY KEY (appid, userstr)
);

-- What was asked of WeChat for a merchant and is reviewed there: name, avatar, introduction, categories, privacy interfaces.
CREATE TABLE profile_change (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    appid      text        NOT NULL REFERENCES authorizer ON DELETE CASCADE,
    kind       text        NOT NULL CHECK (kind IN ('nickname', 'avatar', 'signature', 'category', 'privacy_api')),
    subject    text        NOT NULL, -- the name or text wanted, the category as first/second, the interface
    slot       text        NOT NULL, -- of what there is one at a time: '' or the subject
    -- sent is committed before the call leaves for WeChat: from there on the outcome is read back.
    state      text        NOT NULL CHECK (state IN ('sent', 'reviewing', 'effective', 'refused', 'failed', 'lost')),
    audit_id   bigint      NOT NULL DEFAULT 0,
    before     text        NOT NULL DEFAULT '', -- what WeChat showed before
    reason     text        NOT NULL DEFAULT '', -- WeChat's words
    refusal    jsonb       NOT NULL DEFAULT '{}', -- see authorize/refusal
    created_by text        NOT NULL,
    created_at timestamptz NOT NULL,
    next_at    timestamptz NOT NULL, -- when an open change is looked at again
    decided_at timestamptz
);
CREATE UNIQUE INDEX profile_change_open ON profile_change (appid, kind, slot) WHERE state IN ('sent', 'reviewing');
CREATE INDEX profile_change_due ON profile_change (next_at) WHERE state IN ('sent', 'reviewing');
CREATE INDEX profile_change_list ON profile_change (appid, id DESC);

-- A mini program on its way: from the call that asks WeChat to register it to a merchant with its biz id.
CREATE TABLE registration (
    id          text PRIMARY KEY,
    seq         bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    kind        text        NOT NULL CHECK (kind IN ('enterprise', 'personal', 'personal_upgrade', 'trial', 'trial_enterprise', 'trial_upgrade')),
    biz_id      text        NOT NULL,
    labels      text[]      NOT NULL DEFAULT '{}',
    request     jsonb       NOT NULL, -- the fields as WeChat gets them
    subject     text        NOT NULL, -- whose registration it is: WeChat lets one run at a time
    appid       text        NOT NULL DEFAULT '',
    -- sent is committed before the call leaves for WeChat.
    state       text        NOT NULL CHECK (state IN ('pending', 'sent', 'waiting', 'created', 'completed', 'failed', 'expired', 'canceled')),
    task        text        NOT NULL DEFAULT '', -- taskid or unique_id
    url         text        NOT NULL DEFAULT '', -- where the owner confirms
    status      int, -- of the task, as WeChat numbers it
    result      int, -- of the event
    msg         text        NOT NULL DEFAULT '', -- WeChat's words
    refusal     jsonb       NOT NULL DEFAULT '{}', -- see authorize/refusal
    attempts    int         NOT NULL DEFAULT 0,
    created_by  text        NOT NULL,
    created_at  timestamptz NOT NULL,
    next_at     timestamptz NOT NULL,
    expires_at  timestamptz, -- of the url
    finished_at timestamptz
);
CREATE UNIQUE INDEX registration_open ON registration (kind, subject) WHERE state IN ('pending', 'sent', 'waiting', 'created');
-- A mini program is registered once; it may be made a formal one later.
CREATE UNIQUE INDEX registration_born ON registration (appid) WHERE appid <> '' AND kind IN ('enterprise', 'personal', 'personal_upgrade', 'trial');
CREATE INDEX registration_due ON registration (next_at) WHERE state IN ('pending', 'sent', 'waiting', 'created');
CREATE INDEX registration_subject ON registration (subject, seq DESC);
CREATE INDEX registration_task ON registration (task) WHERE task <> '';
CREATE INDEX registration_appid ON registration (appid) WHERE appid <> '';

-- +goose Down
DROP TABLE registration, profile_change, authorizer_tester;
DROP TABLE authorizer_import_error, authorizer_import_part, authorizer_import, authorizer_sync_item, authorizer_sync, authorization_exchange, pre_auth_code,
    authorization_link, authorizer_tally, authorizer_history, authorizer_note, authorizer_label, authorizer_biz_id, authorizer;
DROP FUNCTION authorizer_begun, authorizer_changed, authorizer_counted, authorizer_label_of, authorizer_label_counted, authorizer_grams, authorizer_pairs;
