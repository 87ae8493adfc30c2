-- +goose Up
CREATE TABLE component_ticket (
    appid       text PRIMARY KEY,
    ticket      bytea       NOT NULL,
    created_at  timestamptz NOT NULL,
    received_at timestamptz NOT NULL
);

-- Tries to restart the ticket push; the pauses between them grow. Those for a stale ticket count until a ticket comes, those for
-- a refused one until WeChat takes a ticket.
CREATE TABLE ticket_restart (
    appid   text        NOT NULL,
    reason  text        NOT NULL CHECK (reason IN ('stale', 'refused')),
    tries   int         NOT NULL,
    last_at timestamptz NOT NULL,
    PRIMARY KEY (appid, reason)
);

-- How the ticket is, as last told, and since when; waiting_since is when tickets were first waited for. See
-- component/tickethealth.go.
CREATE TABLE ticket_health (
    appid         text PRIMARY KEY,
    level         text        NOT NULL CHECK (level IN ('ok', 'warn', 'stale', 'alarm')),
    since         timestamptz NOT NULL,
    waiting_since timestamptz NOT NULL
);

-- Addresses of ours that WeChat refused lately and has not taken since.
CREATE TABLE refused_address (
    appid   text        NOT NULL,
    address text        NOT NULL,
    errcode int         NOT NULL,
    path    text        NOT NULL,
    at      timestamptz NOT NULL,
    PRIMARY KEY (appid, address)
);

-- key is "component:<appid>" or "authorizer:<appid>"; both tokens are sealed.
CREATE TABLE token (
    key           text PRIMARY KEY,
    access_token  bytea,
    obtained_at   timestamptz,
    expires_at    timestamptz,
    refresh_token bytea,
    updated_at    timestamptz NOT NULL DEFAULT now()
);

-- When a token was last asked for, to the hour; those in use are refreshed ahead of their end.
CREATE TABLE token_use (
    key     text PRIMARY KEY,
    used_at timestamptz NOT NULL
);
CREATE INDEX token_expiry ON token (expires_at);

-- An id is the milliseconds of received_at since 1970, shifted left by 20 bits, and 20 bits of message_number, so that ids, times and
-- partitions have one order. Partitions hold one day (UTC) each, are named message_YYYYMMDD and made by the program.
CREATE SEQUENCE message_number CACHE 32;

CREATE TABLE message (
    id          bigint      NOT NULL PRIMARY KEY,
    channel     text        NOT NULL CHECK (channel IN ('component', 'biz')),
    appid       text        NOT NULL DEFAULT '',
    info_type   text        NOT NULL DEFAULT '',
    msg_type    text        NOT NULL DEFAULT '',
    event       text        NOT NULL DEFAULT '',
    from_user   text        NOT NULL DEFAULT '',
    to_user     text        NOT NULL DEFAULT '',
    msg_id      text        NOT NULL DEFAULT '',
    created_at  timestamptz,
    received_at timestamptz NOT NULL,
    dedupe_key  bytea       NOT NULL,
    -- body is the plain message with secrets (ticket, authorization code) replaced; secret_body is the whole, sealed, only where something was replaced.
    body        text        NOT NULL,
    secret_body bytea,
    state       text        NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'handled', 'failed')),
    error       text        NOT NULL DEFAULT '',
    handled_at  timestamptz
) PARTITION BY RANGE (id);
CREATE INDEX ON message (appid, id);
CREATE INDEX ON message (msg_type, id) WHERE msg_type <> '';
CREATE INDEX ON message (event, id) WHERE event <> '';
CREATE INDEX ON message (info_type, id) WHERE info_type <> '';
CREATE INDEX ON message (id) WHERE channel = 'component';
CREATE INDEX ON message (state, id) WHERE state <> 'handled';

-- The keys of all messages that are kept. They are not in the partitions, because a copy counts as one on every later day too. A key
-- begins with MsgId or CreateTime, so that those of one time lie together.
CREATE TABLE message_dedupe (
    dedupe_key bytea PRIMARY KEY
);

-- How many new messages came in each minute; see component/rate.go.
CREATE TABLE message_rate (
    minute  timestamptz NOT NULL,
    channel text        NOT NULL,
    n       bigint      NOT NULL,
    PRIMARY KEY (minute, channel)
) WITH (fillfactor = 70);

-- +goose Down
DROP TABLE message_rate, message_dedupe, message, token_use, token, refused_address, ticket_health, ticket_restart, component_ticket;
DROP SEQUENCE message_number;
