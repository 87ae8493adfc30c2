-- +goose Up

-- Two more kinds begin on a page of WeChat's that an administrator opens by way of a page of ours: a mini program made with an
-- official account's principal, and a change of administrator. See authorize/register.
ALTER TABLE registration
    ADD COLUMN voucher       bytea,                   -- what the administrator brought back, sealed, until its call is answered
    ADD COLUMN round         int NOT NULL DEFAULT 0,  -- vouchers so far
    ADD COLUMN sent_at       timestamptz,             -- when the last call left
    ADD COLUMN verify_copied boolean,                 -- the official account's verification holds for the mini program
    ADD COLUMN linked        boolean,                 -- the two accounts are linked
    DROP CONSTRAINT registration_kind_check,
    ADD CONSTRAINT registration_kind_check CHECK (kind IN ('enterprise', 'personal', 'personal_upgrade', 'trial', 'trial_enterprise', 'trial_upgrade',
        'official_account', 'admin_change'));

DROP INDEX registration_born;
CREATE UNIQUE INDEX registration_born ON registration (appid)
    WHERE appid <> '' AND kind IN ('enterprise', 'personal', 'personal_upgrade', 'trial', 'official_account');

-- Who went to WeChat's page comes back with a state that only this visit knows; it works once.
CREATE TABLE registration_visit (
    state           text PRIMARY KEY, -- its fingerprint
    registration_id text        NOT NULL REFERENCES registration ON DELETE CASCADE,
    expires_at      timestamptz NOT NULL
);
CREATE INDEX registration_visit_registration ON registration_visit (registration_id, expires_at);

-- +goose Down
DROP TABLE registration_visit;
DELETE FROM registration WHERE kind IN ('official_account', 'admin_change');
DROP INDEX registration_born;
CREATE UNIQUE INDEX registration_born ON registration (appid) WHERE appid <> '' AND kind IN ('enterprise', 'personal', 'personal_upgrade', 'trial');
ALTER TABLE registration
    DROP CONSTRAINT registration_kind_check,
    ADD CONSTRAINT registration_kind_check CHECK (kind IN ('enterprise', 'personal', 'personal_upgrade', 'trial', 'trial_enterprise', 'trial_upgrade')),
    DROP COLUMN linked, DROP COLUMN verify_copied, DROP COLUMN sent_at, DROP COLUMN round, DROP COLUMN voucher;
