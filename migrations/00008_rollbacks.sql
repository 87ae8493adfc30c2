-- +goose Up
-- A preflight of a rollback looks at the merchants that a rollout has released, and finds out where each would go back to.
ALTER TABLE preflight ADD COLUMN of_rollout_id bigint REFERENCES rollout;
ALTER TABLE preflight_item ADD COLUMN rollback jsonb;

-- A rollback by hand that has gone out and whose outcome is not known yet: asked for again, it goes to the same version.
CREATE TABLE rollback_by_hand (
    appid       text        PRIMARY KEY REFERENCES authorizer,
    from_at     bigint      NOT NULL, -- WeChat's time of the version that was live
    app_version bigint      NOT NULL, -- WeChat's number of the version it goes to
    to_version  text        NOT NULL,
    at          timestamptz NOT NULL
);

-- +goose Down
DROP TABLE rollback_by_hand;
ALTER TABLE preflight_item DROP COLUMN rollback;
ALTER TABLE preflight DROP COLUMN of_rollout_id;
