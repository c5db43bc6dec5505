-- The response: the incident, who is exposed, what is kept as proof, what the public was told.

-- One breach of one vendor, as one document whose rules the `incident` crate knows. `version` goes
-- up with every change; who changes it must have read the version before.
CREATE TABLE incidents (
    id         TEXT   NOT NULL PRIMARY KEY,
    vendor     TEXT   NOT NULL REFERENCES vendors (name),
    state      TEXT   NOT NULL,
    is_open    BIGINT NOT NULL, -- whether anything is still to be done
    version    BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    document   TEXT   NOT NULL
);
CREATE INDEX incidents_by_vendor ON incidents (vendor, is_open);

-- A version of «who is exposed». `members` is NULL until all of them are in: a scope that is
-- being written is never read as if it were whole. `number` stands for (incident, version) in the
-- big table below, where 30 bytes of id in each row would be most of it.
CREATE TABLE scopes (
    number   BIGINT NOT NULL PRIMARY KEY,
    incident TEXT   NOT NULL REFERENCES incidents (id),
    version  BIGINT NOT NULL,
    members  BIGINT,
    lower    BIGINT,            -- of these, how many are surely exposed
    UNIQUE (incident, version)
);

-- One exposed person. The key is random: it leads to a person only through the ledger's index.
CREATE TABLE scope_members (
    scope  BIGINT NOT NULL REFERENCES scopes (number),
    person BLOB   NOT NULL, -- model::PersonKey, 16 bytes, so that rows sort as keys do
    fields BIGINT NOT NULL, -- model::FieldSet, one bit per field
    lower  BIGINT NOT NULL, -- 1: surely exposed; 0: not known to be outside
    PRIMARY KEY (scope, person)
);

-- A mail, a log or a snapshot as it was, sealed; SHA-256 of the plain bytes proves that it is
-- whole. It may be kept before there is an incident.
CREATE TABLE evidence (
    id       TEXT   NOT NULL PRIMARY KEY,
    incident TEXT   REFERENCES incidents (id),
    name     TEXT   NOT NULL,
    sha256   BLOB   NOT NULL, -- 32 bytes
    size     BIGINT NOT NULL, -- bytes before sealing
    sealed   BLOB   NOT NULL,
    taken_by TEXT   NOT NULL,
    taken_at BIGINT NOT NULL
);
CREATE INDEX evidence_by_incident ON evidence (incident, taken_at);
CREATE INDEX evidence_by_sha256 ON evidence (sha256);

-- What the public was told, every version as it was shown. The engine forbids change.
CREATE TABLE bulletins (
    incident     TEXT   NOT NULL REFERENCES incidents (id),
    number       BIGINT NOT NULL, -- the first, the second, … of this incident
    version      BIGINT NOT NULL, -- a correction of the same bulletin is its next version
    title        TEXT   NOT NULL,
    text         TEXT   NOT NULL,
    published_at BIGINT NOT NULL,
    PRIMARY KEY (incident, number, version)
);
