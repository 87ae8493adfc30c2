-- +goose Up
-- Messages of one commit that still have to become deliveries of one rule, which is behind. The ids ascend; there is at least one.
CREATE TABLE delivery_backlog (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    rule_id     bigint      NOT NULL,
    message_ids bigint[]    NOT NULL,
    created_at  timestamptz NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0.05);
CREATE INDEX delivery_backlog_rule ON delivery_backlog (rule_id, id);
-- Finds a message. The ids of a commit lie close together, so that few ranges hold one id.
CREATE INDEX delivery_backlog_message ON delivery_backlog USING gist (int8range(message_ids[1], message_ids[cardinality(message_ids)], '[]'));

-- +goose Down
DROP TABLE delivery_backlog;
