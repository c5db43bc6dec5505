-- What operators and the system did, and proof that this was not changed afterwards.

-- One act. Append-only: the engine forbids change, and each entry carries the hash of the one
-- before, so that a change around the engine shows. `src/audit.rs` says what is hashed, and how.
CREATE TABLE audit_log (
    seq       BIGINT NOT NULL PRIMARY KEY, -- 1, 2, 3, … without a gap
    at        BIGINT NOT NULL,
    actor     TEXT   NOT NULL, -- an operator's name, or `system`
    verb      TEXT   NOT NULL, -- what was done, in the past tense
    subject   TEXT   NOT NULL, -- the id or name of what it was done to
    detail    TEXT   NOT NULL, -- JSON without personal data
    prev_hash BLOB   NOT NULL, -- 32 bytes; zeros for the first entry
    hash      BLOB   NOT NULL  -- 32 bytes: SHA-256
);
CREATE INDEX audit_log_by_subject ON audit_log (subject, seq);

-- The head of the log, signed now and then. Who holds one outside can tell that the log up to it
-- was neither changed nor cut off.
CREATE TABLE audit_checkpoints (
    seq       BIGINT NOT NULL PRIMARY KEY,
    head      BLOB   NOT NULL, -- hash of the entry `seq`
    signature BLOB   NOT NULL,
    at        BIGINT NOT NULL
);
