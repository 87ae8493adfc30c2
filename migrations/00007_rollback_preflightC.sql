-- +goose Up
-- A preflight of a rollback looks at the merchants that a rollout has released, and finds out where each would go back to.
ALTER TABLE preflight ADD COLUMN of_rollout_id bigint REFERENCES rollout;
ALTER TABLE preflight_item ADD COLUMN rollback jsonb;

-- +goose Down
ALTER TABLE preflight_item DROP COLUMN rollback;
ALTER TABLE preflight DROP COLUMN of_rollout_id;
