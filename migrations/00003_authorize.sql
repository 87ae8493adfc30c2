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
    ext             jsonb       NOT NULL DEFAULT '{}',
    authorized_at   timestamptz,
    unauthorized_at timestamptz,
    info_at         timestamptz,
    -- What went wrong with the last read of the details: word, errcode and rid, see authorize/trouble.go.
    info_error      text        NOT NULL DEFAULT '',
    -- Set while WeChat takes no refresh token of ours: only the merchant can repair that, by authorizing again.
    reauth_at       timestamptz,
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX authorizer_list ON authorizer (created_at DESC, appid);
CREATE INDEX authorizer_status ON authorizer (status, created_at DESC, appid);
CREATE INDEX authorizer_scopes ON authorizer USING gin (func_scopes);
CREATE INDEX authorizer_user_name ON authorizer (user_name) WHERE user_name <> '';

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
    appid text   NOT NULL REFERENCES authorizer ON DELETE CASCADE,
    label text   NOT NULL,
    seq   bigint GENERATED ALWAYS AS IDENTITY,
    PRIMARY KEY (appid, label)
);
CREATE INDEX authorizer_label_lookup ON authorizer_label (label, appid);

CREATE TABLE authorization_link (
    id               text PRIMARY KEY,
    seq              bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    biz_id           text        NOT NULL,
    kind             text        NOT NULL CHECK (kind IN ('miniprogram', 'official', 'any')),
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
    errors      text[]      NOT NULL DEFAULT '{}', -- see syncProblem in authorize/sync.go
    started_by  text        NOT NULL DEFAULT '',
    started_at  timestamptz NOT NULL,
    finished_at timestamptz
);
CREATE UNIQUE INDEX authorizer_sync_running ON authorizer_sync (state) WHERE state = 'running';

-- +goose Down
DROP TABLE authorizer_sync, authorization_exchange, pre_auth_code, authorization_link, authorizer_label, authorizer_biz_id, authorizer;
