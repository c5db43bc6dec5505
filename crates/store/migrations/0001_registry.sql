-- Who is registered: vendors, the company's own programs, operators; and loose settings.
--
-- The SQL of this folder is the common subset of SQLite and PostgreSQL: TEXT, BIGINT, BLOB; times
-- are BIGINT microseconds since 1970 in UTC; booleans are BIGINT 0 or 1; ids and names are TEXT as
-- people see them (`vnd_01J…`). A `document` is the JSON of a type of `model` or of the crate
-- that owns the noun; what a query finds rows by stands in columns of its own beside it.

-- A third party that gets personal data. The three secrets are sealed before they come here: this
-- file and its backups open nothing without the root key.
CREATE TABLE vendors (
    id                 TEXT   NOT NULL PRIMARY KEY,
    name               TEXT   NOT NULL UNIQUE,
    document           TEXT   NOT NULL, -- model::Vendor
    credential         BLOB,            -- sealed; NULL until one is given
    revoked_credential BLOB,            -- sealed; the one before, kept to prove that it is refused
    webhook_secret     BLOB             -- sealed; what its webhooks are signed with
);

-- One of the company's own programs, with what it may give to whom.
CREATE TABLE workloads (
    id       TEXT NOT NULL PRIMARY KEY,
    name     TEXT NOT NULL UNIQUE,
    document TEXT NOT NULL -- model::Workload
);

-- What a workload shows to the gateway in place of the vendor's own key. Only a keyed hash is here:
-- who reads this table cannot call with it. A revoked token stays, so that its use is recognised.
CREATE TABLE tokens (
    hash       BLOB   NOT NULL PRIMARY KEY, -- 32 bytes
    workload   TEXT   NOT NULL REFERENCES workloads (name),
    vendor     TEXT   NOT NULL REFERENCES vendors (name),
    created_at BIGINT NOT NULL,
    revoked_at BIGINT
);
CREATE INDEX tokens_by_workload ON tokens (workload, vendor);

-- A person who acts through the API. Disabled, never deleted: the audit log names them.
CREATE TABLE operators (
    id          TEXT   NOT NULL PRIMARY KEY,
    name        TEXT   NOT NULL UNIQUE,
    token_hash  BLOB   NOT NULL UNIQUE, -- 32 bytes
    roles       TEXT   NOT NULL,        -- words parted by commas
    created_at  BIGINT NOT NULL,
    disabled_at BIGINT
);

-- What is set once and read by name: the company's profile, public keys, where a job stands.
CREATE TABLE settings (
    name     TEXT NOT NULL PRIMARY KEY,
    document TEXT NOT NULL
);
