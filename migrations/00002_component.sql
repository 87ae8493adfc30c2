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

-- key is "component:<appid>" or "authorizer:<appid>"; both tokens are sealed.
CREATE TABLE token (
    key           text PRIMARY KEY,
    access_token  bytea,
    obtained_at   timestamptz,
    expires_at    timestamptz,
    refresh_token bytea,
    updated_at    timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE message (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    channel     text        NOT NULL CHECK (channel IN ('component', 'biz')),
    appid       text        NOT NULL DEFAULT '',
    info_type   text        NOT NULL DEFAULT '',
    msg_type    text        NOT NULL DEFAULT '',
    event       text        NOT NULL DEFAULT '',
    from_user   text        NOT NULL DEFAULT '',
    to_user     text        NOT NULL DEFAULT '',
    msg_id      text        NOT NULL DEFAULT '',
    created_at  timestamptz,
    received_at timestamptz NOT NULL DEFAULT now(),
    dedupe_key  bytea       NOT NULL,
    -- body is the plain message with secrets (ticket, authorization code) replaced; secret_body is the whole, sealed, only where something was replaced.
    body        text        NOT NULL,
    secret_body bytea,
    state       text        NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'handled', 'failed')),
    error       text        NOT NULL DEFAULT '',
    handled_at  timestamptz
);
CREATE UNIQUE INDEX message_dedupe ON message (dedupe_key);
CREATE INDEX message_received ON message (received_at);
CREATE INDEX message_appid ON message (appid, id DESC);
CREATE INDEX message_info_type ON message (info_type, id DESC) WHERE info_type <> '';
CREATE INDEX message_event ON message (event, id DESC) WHERE event <> '';
CREATE INDEX message_not_handled ON message (state, id DESC) WHERE state <> 'handled';

-- +goose Down
DROP TABLE message, token, ticket_restart, component_ticket;
