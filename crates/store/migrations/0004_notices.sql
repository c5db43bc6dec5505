-- Telling people: one row per notice, one row per recipient. No address is here: it is read from
-- the company's own directory at the moment of sending.

-- One text to one audience. `number` stands for the id in the big table below.
CREATE TABLE notices (
    number              BIGINT NOT NULL PRIMARY KEY,
    id                  TEXT   NOT NULL UNIQUE,
    incident            TEXT   NOT NULL REFERENCES incidents (id),
    kind                TEXT   NOT NULL, -- notice, correction
    scope_version       BIGINT NOT NULL,
    state               TEXT   NOT NULL, -- draft, approved, sending, paused, done, cancelled
    author              TEXT   NOT NULL,
    approver            TEXT,
    document            TEXT   NOT NULL,
    possible_duplicates BIGINT NOT NULL, -- of all its deliveries together
    created_at          BIGINT NOT NULL
);
CREATE INDEX notices_by_incident ON notices (incident, number);
CREATE INDEX notices_by_state ON notices (state, number);

-- What became of a notice for one person.
--
--   pending ──► handing ──► delivered ──► bounced      (a bounce may come after acceptance)
--      │ ▲         ├──────► bounced, failed
--      │ └─────────┤        (deferred: again, not before)
--      ▼           └──────► unknown ──► delivered, bounced
--   suppressed, failed
--
-- `handing` is written before the message goes to the relay. One that is found so after a crash may
-- or may not have gone: it becomes pending again, and a possible second copy is counted.
CREATE TABLE deliveries (
    notice              BIGINT NOT NULL REFERENCES notices (number),
    person              BLOB   NOT NULL, -- model::PersonKey, 16 bytes
    state               TEXT   NOT NULL,
    attempt             BIGINT NOT NULL, -- tries; one that a crash cut off does not count
    language            TEXT,
    message_id          TEXT,
    not_before          BIGINT NOT NULL, -- 0: at once
    reply_code          BIGINT,          -- the relay's last answer, RFC 5321 §4.2
    reply_enhanced      TEXT,            -- the same, RFC 3463
    possible_duplicates BIGINT NOT NULL, -- second copies that cannot be ruled out
    handed_at           BIGINT,
    settled_at          BIGINT,
    PRIMARY KEY (notice, person)
);
-- What is still to be sent is found without walking over what is done.
CREATE INDEX deliveries_pending ON deliveries (notice, person, not_before)
    WHERE state = 'pending';
CREATE INDEX deliveries_handing ON deliveries (notice, person) WHERE state = 'handing';

-- How many deliveries of a notice are in a state: kept in the transaction that moves them, so that
-- progress over millions of rows costs nothing.
CREATE TABLE delivery_totals (
    notice     BIGINT NOT NULL REFERENCES notices (number),
    state      TEXT   NOT NULL,
    deliveries BIGINT NOT NULL,
    PRIMARY KEY (notice, state)
);
