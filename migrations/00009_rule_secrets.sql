-- +goose Up
-- Secrets of a rule older than its previous one, replaced less than a day ago: each signs until its own day is over.
CREATE TABLE forward_rule_secret (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    rule_id bigint      NOT NULL REFERENCES forward_rule ON DELETE CASCADE,
    secret  bytea       NOT NULL, -- sealed
    until   timestamptz NOT NULL
);
CREATE INDEX forward_rule_secret_rule ON forward_rule_secret (rule_id, until);

-- +goose Down
DROP TABLE forward_rule_secret;
