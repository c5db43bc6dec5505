-- The gateway's doors: whom certificates stand for, and what callers of `CONNECT` believe.

-- What a certificate proves (`spiffe://…`, or `dns:` and a DNS name), and the one workload that it
-- stands for.
CREATE TABLE identities (
    identity TEXT NOT NULL PRIMARY KEY,
    workload TEXT NOT NULL REFERENCES workloads (name)
);
CREATE INDEX identities_by_workload ON identities (workload);

-- A private authority for one vendor's host. Its root's certificate is handed out; its root's key
-- is kept nowhere, and the issuing key is sealed before it comes here. A successor is made before
-- it ends, and both stay until then.
CREATE TABLE authorities (
    fingerprint TEXT   NOT NULL PRIMARY KEY, -- SHA-256 of the root's certificate, hexadecimal
    host        TEXT   NOT NULL,
    root        TEXT   NOT NULL, -- PEM
    issuing     TEXT   NOT NULL, -- PEM
    issuing_key BLOB   NOT NULL, -- sealed
    expires_at  BIGINT NOT NULL
);
