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
    resumed_at   timestamptz,
    -- turns_due: a job that gives turns is on its way. turns_at: when turns were given last. turns_job: the River job that
    -- comes back by itself because merchants wait for audit quota; 0: none has to.
    turns_due    boolean     NOT NULL DEFAULT false,
    turns_at     timestamptz NOT NULL DEFAULT 'epoch',
    turns_job    bigint      NOT NULL DEFAULT 0,
    -- kind: a rollback takes the merchants of another rollout back to the version they had before.
    kind         text        NOT NULL DEFAULT 'release' CHECK (kind IN ('release', 'rollback')),
    of_rollout_id bigint     REFERENCES rollout ON DELETE SET NULL
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
    -- reason_group is the reason without what is the merchant's own: equal for those rejected for the same.
    reason_group  text        NOT NULL DEFAULT '',
    -- audit is what goes to the reviewers instead of the rollout's; null: the rollout's.
    audit         jsonb,
    -- of the present audit: when WeChat took it, when we read its end, and whether it is to be sped up.
    submitted_at  timestamptz,
    audit_ended_at timestamptz,
    speed_up      text        NOT NULL DEFAULT '' CHECK (speed_up IN ('', 'wanted', 'done', 'refused')),
    sped_up_at    timestamptz,
    speed_up_error jsonb,
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
    -- wait_until is what it waits for, next_look when it is looked at again: the same, or sooner.
    wait_until    timestamptz,
    next_look     timestamptz,
    -- gray is how far a gray release has come; null: everybody at once, or not begun.
    gray          jsonb,
    -- rollback is from where to where a rollback goes, once that is known.
    rollback      jsonb,
    error         jsonb,
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now(),
    finished_at   timestamptz,
    UNIQUE (rollout_id, appid)
);
CREATE INDEX submission_appid ON submission (appid, id DESC);
CREATE INDEX submission_state ON submission (state, id DESC);
CREATE INDEX submission_rollout ON submission (rollout_id, id DESC);
CREATE INDEX submission_rollout_state ON submission (rollout_id, state, id DESC);
CREATE INDEX submission_waiting ON submission (rollout_id, id) WHERE NOT admitted AND finished_at IS NULL;
CREATE INDEX submission_desk ON submission (state, submitted_at, id) WHERE state IN ('auditing', 'approved', 'rejected', 'withdrawn');
CREATE INDEX submission_audit_time ON submission (audit_ended_at DESC) WHERE audit_status IN (0, 1) AND sped_up_at IS NULL;
CREATE INDEX submission_due ON submission (next_look) WHERE finished_at IS NULL;
CREATE INDEX submission_open ON submission (rollout_id) WHERE finished_at IS NULL;
-- Merchants that wait for a quota; the words are those of package codesubmit.
CREATE INDEX submission_held ON submission (rollout_id, wait_until) WHERE finished_at IS NULL AND error ->> 'code' IN ('quota_exhausted', 'rate_limited');

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

-- audit_quota is the provider's quota of submissions as it was read last, less what went out since. One row.
CREATE TABLE audit_quota (
    one           boolean     PRIMARY KEY DEFAULT true CHECK (one),
    rest          int         NOT NULL DEFAULT 0,
    quota         int         NOT NULL DEFAULT 0,
    speedup_rest  int         NOT NULL DEFAULT 0,
    speedup_quota int         NOT NULL DEFAULT 0,
    read_at       timestamptz NOT NULL DEFAULT '-infinity', -- -infinity: never, or not to be relied on
    asked_at      timestamptz NOT NULL DEFAULT '-infinity', -- when somebody last set out to read it
    submitted     bigint      NOT NULL DEFAULT 0 -- counts what went out, so that a reading under way can tell what came meanwhile
);
INSERT INTO audit_quota DEFAULT VALUES;

-- submission_hold is a step that WeChat takes no more calls of until a window turns (45009, 45011). appid is the account
-- that was refused; everybody: it holds for all merchants.
CREATE TABLE submission_hold (
    state     text        PRIMARY KEY,
    until     timestamptz NOT NULL,
    errcode   int         NOT NULL,
    appid     text        NOT NULL,
    everybody boolean     NOT NULL
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

-- audit_withdrawal counts audits taken back, of which WeChat allows a mini program few a day and a month.
CREATE TABLE audit_withdrawal (
    appid    text        NOT NULL REFERENCES authorizer,
    audit_id bigint      NOT NULL,
    at       timestamptz NOT NULL,
    refused  boolean     NOT NULL, -- WeChat said that there are none left (87013)
    PRIMARY KEY (appid, audit_id)
);

-- audit_media are pictures and videos for WeChat's reviewers; each merchant that needs one gets an upload of its own.
CREATE TABLE audit_media (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name         text        NOT NULL,
    type         text        NOT NULL CHECK (type IN ('image', 'video')),
    content_type text        NOT NULL,
    bytes        bytea       NOT NULL,
    created_by   text        NOT NULL,
    created_at   timestamptz NOT NULL,
    used_at      timestamptz NOT NULL
);
CREATE TABLE audit_media_upload (
    media_id    bigint      NOT NULL REFERENCES audit_media ON DELETE CASCADE,
    appid       text        NOT NULL REFERENCES authorizer,
    use         text        NOT NULL CHECK (use IN ('preview', 'feedback')),
    wechat_id   text        NOT NULL,
    uploaded_at timestamptz NOT NULL, -- WeChat keeps it for three days
    PRIMARY KEY (media_id, appid, use)
);

-- A look at every target of a rollout that is not made yet. Kept for a day.
CREATE TABLE preflight (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    spec        jsonb       NOT NULL, -- without targets
    state       text        NOT NULL CHECK (state IN ('running', 'done')),
    total       int         NOT NULL,
    done        int         NOT NULL DEFAULT 0,
    ready       int         NOT NULL DEFAULT 0,
    blocked     int         NOT NULL DEFAULT 0,
    quota_rest  int, -- the provider's submissions of this month
    quota_limit int,
    created_at  timestamptz NOT NULL,
    finished_at timestamptz
);
CREATE INDEX preflight_age ON preflight (created_at);
CREATE TABLE preflight_item (
    preflight_id bigint NOT NULL REFERENCES preflight ON DELETE CASCADE,
    appid        text   NOT NULL,
    content      bytea  NOT NULL, -- fingerprint of all that decides what is found, besides what WeChat knows
    found        jsonb, -- a list of blockers; null: not looked at yet
    looked_at    timestamptz, -- null: of no use for others
    tries        int    NOT NULL DEFAULT 0,
    PRIMARY KEY (preflight_id, appid)
);
CREATE INDEX preflight_item_open ON preflight_item (preflight_id, tries, appid) WHERE found IS NULL;
CREATE INDEX preflight_item_blocked ON preflight_item (preflight_id, appid) WHERE found <> '[]';
CREATE INDEX preflight_item_known ON preflight_item (appid, content, looked_at) WHERE looked_at IS NOT NULL;

-- The pages of templates, as far as a merchant has shown them: WeChat does not list them for templates, which never change.
CREATE TABLE template_pages (
    template_id bigint PRIMARY KEY,
    pages       text[] NOT NULL
);

-- Domains and privacy guidelines to choose from by name; a rollout takes a copy.
CREATE TABLE rollout_profile (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind       text        NOT NULL CHECK (kind IN ('domain', 'privacy')),
    name       text        NOT NULL,
    content    jsonb       NOT NULL,
    created_by text        NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    UNIQUE (kind, name)
);
CREATE INDEX rollout_template_open ON rollout (template_id) WHERE finished_at IS NULL;

-- +goose Down
DROP TABLE rollout_profile, template_pages, preflight_item, preflight, audit_media_upload, audit_media, audit_withdrawal, submission_hold, audit_quota, submission_screenshot, submission_step, submission, rollout;
