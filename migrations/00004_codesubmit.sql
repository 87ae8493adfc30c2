-- +goose Up
CREATE TABLE rollout (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name         text        NOT NULL,
    state        text        NOT NULL CHECK (state IN ('scheduled', 'running', 'paused', 'completed', 'canceled')),
    template_id  bigint      NOT NULL,
    user_version text        NOT NULL,
    user_desc    text        NOT NULL DEFAULT '',
    spec         jsonb       NOT NULL, -- without targets
    targets      jsonb       NOT NULL,
    total        int         NOT NULL,
    pause_reason jsonb       NOT NULL DEFAULT '{}', -- {"en":…,"zh":…}
    created_by   text        NOT NULL DEFAULT '',
    created_at   timestamptz NOT NULL DEFAULT now(),
    start_at     timestamptz,
    finished_at  timestamptz,
    -- paced: merchants get their turn step by step; resumed_at: failures before it no longer count.
    paced        boolean     NOT NULL DEFAULT false,
    resumed_at   timestamptz
);
CREATE INDEX rollout_open ON rollout (id) WHERE finished_at IS NULL;

CREATE TABLE submission (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    rollout_id    bigint      NOT NULL REFERENCES rollout ON DELETE CASCADE,
    appid         text        NOT NULL REFERENCES authorizer,
    state         text        NOT NULL,
    template_id   bigint      NOT NULL,
    user_version  text        NOT NULL,
    -- admitted: it has had its turn.
    admitted      boolean     NOT NULL DEFAULT false,
    -- marker is written into user_desc, so that our own commit, audit and release are recognised again.
    marker        text        NOT NULL UNIQUE,
    ext_json      text        NOT NULL DEFAULT '',
    -- sent_at is set before a call that changes something at WeChat and cleared with its outcome: set means outcome unknown.
    sent_at       timestamptz,
    -- attempts counts failures of the present step in a row.
    attempts      int         NOT NULL DEFAULT 0,
    audit_id      bigint,
    -- ended_audit_id is the audit that ended last; another id is a new audit.
    ended_audit_id bigint,
    audit_status  int,
    reason        text        NOT NULL DEFAULT '',
    -- go_submit and go_release: an operator has said yes. wish is what an operator asked for while a call was under way.
    go_submit     boolean     NOT NULL DEFAULT false,
    go_release    boolean     NOT NULL DEFAULT false,
    wish          text        NOT NULL DEFAULT '' CHECK (wish IN ('', 'cancel', 'withdraw', 'cancel_withdraw')),
    -- sleeper is the River job that will wake this submission; any other finds it asleep and ends.
    sleeper       bigint      NOT NULL DEFAULT 0,
    -- look: an event or an operator wants it looked at now, whatever wait_until says.
    look          boolean     NOT NULL DEFAULT false,
    -- resume_state is where retry goes on.
    resume_state  text        NOT NULL DEFAULT '',
    wait_until    timestamptz,
    error         jsonb,
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now(),
    finished_at   timestamptz,
    UNIQUE (rollout_id, appid)
);
CREATE INDEX submission_appid ON submission (appid, id DESC);
CREATE INDEX submission_state ON submission (state, id DESC);
CREATE INDEX submission_rollout_state ON submission (rollout_id, state);
CREATE INDEX submission_waiting ON submission (rollout_id, id) WHERE NOT admitted AND finished_at IS NULL;
CREATE INDEX submission_due ON submission (wait_until) WHERE finished_at IS NULL;

CREATE TABLE submission_step (
    submission_id bigint      NOT NULL REFERENCES submission ON DELETE CASCADE,
    seq           int         NOT NULL,
    name          text        NOT NULL,
    state         text        NOT NULL CHECK (state IN ('pending', 'running', 'done', 'failed', 'skipped')),
    started_at    timestamptz,
    finished_at   timestamptz,
    attempts      int         NOT NULL DEFAULT 0,
    op            text        NOT NULL DEFAULT '',
    errcode       int         NOT NULL DEFAULT 0,
    errmsg        text        NOT NULL DEFAULT '',
    rid           text        NOT NULL DEFAULT '',
    -- code is our own word for a failure that has no errcode; detail are its facts: {"en":…,"zh":…}.
    code          text        NOT NULL DEFAULT '',
    detail        jsonb       NOT NULL DEFAULT '{}',
    PRIMARY KEY (submission_id, seq)
);

CREATE TABLE submission_screenshot (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    submission_id bigint NOT NULL REFERENCES submission ON DELETE CASCADE,
    audit_id      bigint NOT NULL,
    media_id      text   NOT NULL,
    content_type  text   NOT NULL DEFAULT '',
    image         bytea, -- null until fetched
    error         text   NOT NULL DEFAULT '',
    UNIQUE (submission_id, audit_id, media_id)
);

-- +goose Down
DROP TABLE submission_screenshot, submission_step, submission, rollout;
