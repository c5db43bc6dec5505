-- By which policy a call was decided.

-- Every policy that was ever in force, whole, so that the digest in a record of the ledger leads to
-- the text that decided. Never changed and never deleted.
CREATE TABLE policies (
    digest   TEXT   NOT NULL PRIMARY KEY, -- 16 hexadecimal digits
    text     TEXT   NOT NULL,             -- Cedar: what is built in, grants, an operator's own
    first_at BIGINT NOT NULL              -- since when; it may have come back later
);
