-- +goose Up
-- The second factor: a sealed secret, on once it is confirmed. totp_step is the last time step whose code was taken.
ALTER TABLE admin_user
    ADD COLUMN last_sign_in_at timestamptz,
    ADD COLUMN totp_secret     bytea,
    ADD COLUMN totp_at         timestamptz,
    ADD COLUMN totp_step       bigint NOT NULL DEFAULT 0,
    ADD CHECK (totp_at IS NULL OR totp_secret IS NOT NULL);

-- A code that was used has no row any more.
CREATE TABLE recovery_code (
    user_id bigint NOT NULL REFERENCES admin_user ON DELETE CASCADE,
    hash    bytea  NOT NULL,
    salt    bytea  NOT NULL,
    PRIMARY KEY (user_id, hash)
);

ALTER TABLE admin_session ADD COLUMN last_seen_at timestamptz NOT NULL DEFAULT now(); -- to the minute
DROP INDEX admin_session_user;
CREATE INDEX admin_session_user ON admin_session (user_id, created_at DESC, id);

-- A key's first letters, to tell keys apart; empty for those made before.
ALTER TABLE api_key ADD COLUMN prefix text NOT NULL DEFAULT '';

-- search holds the words of an entry; a word is what stands between ASCII punctuation.
ALTER TABLE audit_log ADD COLUMN search tsvector NOT NULL GENERATED ALWAYS AS (to_tsvector('simple'::regconfig, translate(username || ' ' || action || ' ' || target || ' ' || path || ' ' || ip, '!"#$%&''()*+,-./:;<=>?@[\]^_`{|}~', repeat(' ', 32)))) STORED;
CREATE INDEX audit_log_at ON audit_log (at DESC, id DESC);
CREATE INDEX audit_log_username ON audit_log (username, at DESC, id DESC);
CREATE INDEX audit_log_action ON audit_log (action, at DESC, id DESC);
CREATE INDEX audit_log_trouble ON audit_log (outcome, at DESC, id DESC) WHERE outcome <> 'ok';
DROP INDEX audit_log_target;
-- What was done to one thing; a target may have parts, as in appid/category.
CREATE INDEX audit_log_target ON audit_log (split_part(target, '/', 1), at DESC, id DESC);
CREATE INDEX audit_log_search ON audit_log USING gin (search);

-- Every process that serves, by its own words: it writes seen_at every few seconds. keys are the ids of the master keys it can
-- open secrets with, the first is the one it seals with. public_key is for handing it another master key while it runs: sealed,
-- so that only somebody who has the present key can have put it here; offer is that other key, which only this process can open.
CREATE TABLE replica (
    id         text PRIMARY KEY,
    host       text        NOT NULL,
    version    text        NOT NULL,
    commit     text        NOT NULL DEFAULT '',
    started_at timestamptz NOT NULL,
    seen_at    timestamptz NOT NULL,
    keys       text[]      NOT NULL,
    public_key bytea       NOT NULL,
    offer      bytea
);

-- The change of the master key that is under way; there is at most one. switched_at: the secrets are sealed with the new one,
-- and previous is the old one, sealed with the new, until nothing is left that needs it.
CREATE TABLE rekey (
    only_one    boolean     NOT NULL PRIMARY KEY DEFAULT true CHECK (only_one),
    from_key    text        NOT NULL,
    to_key      text        NOT NULL,
    started_at  timestamptz NOT NULL DEFAULT now(),
    switched_at timestamptz,
    previous    bytea
);

-- An environment offered to a mini program; there is one row for each pair. See authorize/cloudenv.
CREATE TABLE cloud_share (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    env          text        NOT NULL,
    kind         text        NOT NULL CHECK (kind IN ('cloudbase', 'cloudrun')),
    appid        text        NOT NULL REFERENCES authorizer ON DELETE CASCADE,
    -- sent is committed before the call leaves for WeChat.
    state        text        NOT NULL CHECK (state IN ('pending', 'sent', 'waiting', 'confirmed', 'failed', 'expired', 'ended')),
    url          text        NOT NULL DEFAULT '', -- where the mini program's administrator confirms
    reason       text        NOT NULL DEFAULT '', -- WeChat's words
    refusal      jsonb       NOT NULL DEFAULT '{}', -- see authorize/refusal
    attempts     int         NOT NULL DEFAULT 0, -- calls in a row that gave no answer
    created_by   text        NOT NULL,
    created_at   timestamptz NOT NULL,
    asked_at     timestamptz, -- when url was made
    confirmed_at timestamptz,
    next_at      timestamptz NOT NULL, -- when an open one is looked at again
    UNIQUE (env, appid)
);
CREATE INDEX cloud_share_due ON cloud_share (next_at) WHERE state IN ('pending', 'sent', 'waiting');
CREATE INDEX cloud_share_appid ON cloud_share (appid);

-- +goose Down
DROP TABLE cloud_share, rekey, replica, recovery_code;
DROP INDEX audit_log_target, audit_log_trouble, audit_log_action, audit_log_username, audit_log_at;
ALTER TABLE audit_log DROP COLUMN search;
CREATE INDEX audit_log_target ON audit_log (split_part(target, '/', 1), at DESC, id DESC) WHERE outcome = 'ok' AND method <> 'GET';
ALTER TABLE api_key DROP COLUMN prefix;
ALTER TABLE admin_session DROP COLUMN last_seen_at;
ALTER TABLE admin_user DROP COLUMN totp_secret, DROP COLUMN totp_at, DROP COLUMN totp_step, DROP COLUMN last_sign_in_at;
