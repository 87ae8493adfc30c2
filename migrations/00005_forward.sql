-- +goose Up
CREATE TABLE forward_rule (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name            text        NOT NULL,
    enabled         boolean     NOT NULL,
    channel         text        NOT NULL CHECK (channel IN ('component', 'biz')),
    info_type       text        NOT NULL DEFAULT '',
    msg_type        text        NOT NULL DEFAULT '',
    event           text        NOT NULL DEFAULT '',
    appids          text[]      NOT NULL DEFAULT '{}',
    target_url      text        NOT NULL,
    mode            text        NOT NULL CHECK (mode IN ('deliver', 'relay')),
    format          text        NOT NULL CHECK (format IN ('json', 'xml')),
    timeout_ms      int         NOT NULL,
    -- Both sealed; the previous one signs too until previous_until.
    secret          bytea       NOT NULL,
    previous_secret bytea,
    previous_until  timestamptz,
    -- Failures in a row, over all deliveries of the rule, and when the first and the last of them were.
    failing_since   timestamptz,
    failed_at       timestamptz,
    failures        int         NOT NULL DEFAULT 0,
    last_error      text        NOT NULL DEFAULT '', -- see component/forward/failure.go
    -- Paused by itself: messages are still taken down for it and wait.
    paused_at       timestamptz,
    deleted_at      timestamptz, -- hidden; removed when its deliveries are
    created_by      text        NOT NULL DEFAULT '',
    created_at      timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL
);

-- One message for one rule. No foreign keys: messages are dropped by the day, and a rule's row would be locked by every push.
CREATE TABLE delivery (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    message_id  bigint      NOT NULL,
    rule_id     bigint      NOT NULL,
    state       text        NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'delivered', 'dead')),
    tries       int         NOT NULL DEFAULT 0, -- since it was made or last retried by hand
    next_at     timestamptz NOT NULL,
    -- A worker has it until then, by the clock of the database. In no index, so that taking it is cheap.
    lease       timestamptz,
    created_at  timestamptz NOT NULL,
    finished_at timestamptz
) WITH (fillfactor = 85, autovacuum_vacuum_scale_factor = 0.05);
CREATE UNIQUE INDEX delivery_message ON delivery (message_id, rule_id);
CREATE INDEX delivery_due ON delivery (rule_id, next_at, id) WHERE state = 'pending';
CREATE INDEX delivery_rule ON delivery (rule_id, state, id);

CREATE TABLE delivery_attempt (
    delivery_id bigint      NOT NULL,
    at          timestamptz NOT NULL,
    status      int         NOT NULL DEFAULT 0, -- 0: no answer
    duration_ms int         NOT NULL,
    error       text        NOT NULL DEFAULT '', -- see component/forward/failure.go
    response    text        NOT NULL DEFAULT '' -- the beginning of the answer
);
CREATE INDEX delivery_attempt_delivery ON delivery_attempt (delivery_id, at);

-- What became of a rule's calls in each five minutes, for its chart.
CREATE TABLE forward_stat (
    rule_id  bigint      NOT NULL,
    at       timestamptz NOT NULL,
    ok       int         NOT NULL,
    failed   int         NOT NULL,
    dead     int         NOT NULL, -- of the failed: those that were the last try
    total_ms bigint      NOT NULL,
    max_ms   int         NOT NULL,
    PRIMARY KEY (rule_id, at)
) WITH (fillfactor = 70);

-- Where staff are told: a robot of a group chat, or a webhook.
CREATE TABLE notice_channel (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name          text        NOT NULL,
    kind          text        NOT NULL CHECK (kind IN ('wecom', 'dingtalk', 'feishu', 'webhook')),
    enabled       boolean     NOT NULL,
    language      text        NOT NULL CHECK (language IN ('zh-CN', 'en')),
    events        text[]      NOT NULL,
    url           bytea       NOT NULL, -- sealed: it holds the robot's key
    secret        bytea, -- sealed; NULL: none
    address       text        NOT NULL, -- what may be shown of the URL
    -- Nothing is sent before: the robot's rate, and pauses after failures. One worker at a time has the channel, until its
    -- lease ends by the clock of the database.
    next_at       timestamptz NOT NULL,
    lease         timestamptz,
    tried_at      timestamptz,
    last_sent_at  timestamptz,
    -- Failures in a row.
    failing_since timestamptz,
    failures      int         NOT NULL DEFAULT 0,
    last_error    text        NOT NULL DEFAULT '', -- see component/notice/failure.go
    created_by    text        NOT NULL DEFAULT '',
    created_at    timestamptz NOT NULL,
    updated_at    timestamptz NOT NULL
);

-- One piece of news for one channel.
CREATE TABLE notice (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    channel_id bigint      NOT NULL REFERENCES notice_channel ON DELETE CASCADE,
    event      text        NOT NULL,
    key        text        NOT NULL, -- what it is about, within event
    facts      jsonb       NOT NULL, -- see component/notice/facts.go
    state      text        NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'sent', 'dead')),
    tries      int         NOT NULL DEFAULT 0, -- since it was made or last retried by hand; above 0 nothing is folded into it
    next_at    timestamptz NOT NULL,
    queued_at  timestamptz NOT NULL, -- when it was made or last retried by hand
    error      text        NOT NULL DEFAULT '', -- of the last try; see component/notice/failure.go
    created_at timestamptz NOT NULL,
    sent_at    timestamptz
);
CREATE INDEX notice_due ON notice (channel_id, next_at, id) WHERE state = 'pending';
CREATE INDEX notice_key ON notice (channel_id, event, key, id);
CREATE INDEX notice_state ON notice (channel_id, state, id);
CREATE INDEX notice_created ON notice (created_at);

-- +goose Down
DROP TABLE notice, notice_channel, forward_stat, delivery_attempt, delivery, forward_rule;
