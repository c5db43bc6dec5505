-- What comes back from vendors and the world, and what was concluded from it.

-- A planted contact: a person who does not exist, known to one vendor and one list only. The
-- receiver recognises it by the keyed hash of its address; the address itself is sealed. A list has
-- several of one epoch; an export after the first one of a later epoch has that one too.
CREATE TABLE canaries (
    id            TEXT   NOT NULL PRIMARY KEY,
    vendor        TEXT   NOT NULL REFERENCES vendors (name),
    list          TEXT   NOT NULL, -- empty when it is in no list
    epoch         BIGINT NOT NULL, -- the week or other period that it was made for
    address_hash  BLOB   NOT NULL UNIQUE, -- model::IdentifierHash, 16 bytes
    address       BLOB   NOT NULL, -- sealed
    call_id       TEXT,            -- the call that planted it, once there was one
    planted_at    BIGINT NOT NULL  -- an export before this cannot have it
);

CREATE INDEX canaries_of_list ON canaries (vendor, list, epoch);

-- Something observed: a webhook's event, mail to a canary, a vendor's notice, a reported mail.
-- Never changed. A source that says the same thing twice, by its own id of it, is heard once.
CREATE TABLE facts (
    id          TEXT   NOT NULL PRIMARY KEY, -- sorts by the time at which it was seen
    source      TEXT   NOT NULL,
    external_id TEXT,                        -- the source's own id; NULL when it has none
    vendor      TEXT,                        -- NULL when it is not known
    kind        TEXT   NOT NULL,             -- model::FactBody::kind
    at          BIGINT NOT NULL,
    document    TEXT   NOT NULL,             -- model::Fact
    UNIQUE (source, external_id)
);
CREATE INDEX facts_by_vendor ON facts (vendor, id);
CREATE INDEX facts_by_vendor_and_kind ON facts (vendor, kind, id);
CREATE INDEX facts_by_kind ON facts (kind, id);

-- What a detector concluded. One row per key; more evidence strengthens the row.
CREATE TABLE findings (
    key             TEXT   NOT NULL PRIMARY KEY,
    id              TEXT   NOT NULL UNIQUE,
    vendor          TEXT,
    document        TEXT   NOT NULL, -- model::Finding
    found_at        BIGINT NOT NULL, -- when it was first concluded
    strengthened_at BIGINT NOT NULL, -- when evidence was last added
    incident        TEXT,            -- the incident that it led to or belongs to
    acknowledged_by TEXT,            -- an operator looked at it and left it at that
    acknowledged_at BIGINT
);
CREATE INDEX findings_by_incident ON findings (incident);
