-- +goose Up
CREATE TABLE setting (
    key        text PRIMARY KEY,
    value      text,
    sealed     bytea,
    updated_at timestamptz NOT NULL DEFAULT now(),
    updated_by text        NOT NULL DEFAULT '',
    CHECK ((value IS NULL) <> (sealed IS NULL))
);

CREATE TABLE admin_user (
    id                  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    username            text        NOT NULL,
    password_hash       text        NOT NULL,
    role                text        NOT NULL CHECK (role IN ('admin', 'operator', 'viewer')),
    created_at          timestamptz NOT NULL DEFAULT now(),
    password_changed_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX admin_user_username ON admin_user (lower(username));

CREATE TABLE admin_session (
    id         text PRIMARY KEY,
    user_id    bigint      NOT NULL REFERENCES admin_user ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    ip         text        NOT NULL DEFAULT '',
    user_agent text        NOT NULL DEFAULT ''
);
CREATE INDEX admin_session_user ON admin_session (user_id);
CREATE INDEX admin_session_expiry ON admin_session (expires_at);

-- Only the SHA-256 of a key is kept: keys are random, so nothing slower is needed.
CREATE TABLE api_key (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name         text        NOT NULL,
    role         text        NOT NULL CHECK (role IN ('admin', 'operator', 'viewer')),
    hash         bytea       NOT NULL UNIQUE,
    created_by   text        NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz,
    last_used_at timestamptz
);

-- One row for each wrong (or not yet judged) sign-in, under the user name and under the address.
CREATE TABLE login_attempt (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    subject text        NOT NULL,
    at      timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX login_attempt_subject ON login_attempt (subject, at);

CREATE TABLE audit_log (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at       timestamptz NOT NULL DEFAULT now(),
    username text        NOT NULL,
    method   text        NOT NULL,
    path     text        NOT NULL,
    action   text        NOT NULL,
    target   text        NOT NULL DEFAULT '',
    status   int         NOT NULL,
    outcome  text        NOT NULL,
    ip       text        NOT NULL DEFAULT ''
);
-- What was done to one thing; a target may have parts, as in appid/category.
CREATE INDEX audit_log_target ON audit_log (split_part(target, '/', 1), at DESC, id DESC) WHERE outcome = 'ok' AND method <> 'GET';

-- response is sealed: it may show a fresh key. username is the user's id, or key: and the API key's.
CREATE TABLE idempotency_key (
    username     text        NOT NULL,
    route        text        NOT NULL,
    key          text        NOT NULL,
    body_hash    bytea       NOT NULL,
    status       int,
    content_type text        NOT NULL DEFAULT '',
    response     bytea,
    created_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (username, route, key)
);
CREATE INDEX idempotency_key_age ON idempotency_key (created_at);

-- +goose Down
DROP TABLE idempotency_key, audit_log, login_attempt, api_key, admin_session, admin_user, setting;
