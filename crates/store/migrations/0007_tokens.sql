-- How long a workload's token opens something, from where, and how it is recognised elsewhere; and
-- where vendors' credentials come from that are not kept here.

-- Since `rotated_at` another token stands in its place, and it opens until `expires_at`, which may
-- also have been set when it was made. Uses are written in batches: counts may lag by a minute.
ALTER TABLE tokens ADD COLUMN expires_at BIGINT;
ALTER TABLE tokens ADD COLUMN rotated_at BIGINT;
ALTER TABLE tokens ADD COLUMN networks TEXT NOT NULL DEFAULT ''; -- parted by spaces; '' is anywhere
ALTER TABLE tokens ADD COLUMN last_used_at BIGINT; -- to the minute
ALTER TABLE tokens ADD COLUMN uses BIGINT NOT NULL DEFAULT 0;

-- By what a token is recognised wherever it turns up, without a vendor's name: keyed hashes of it,
-- of the halves of a pair, and of the form that Basic puts it in.
CREATE TABLE token_marks (
    mark  BLOB NOT NULL PRIMARY KEY, -- 32 bytes
    token BLOB NOT NULL REFERENCES tokens (hash)
);

-- From which networks a token has come, /24 or /48 each; bounded per token by the one who writes.
CREATE TABLE token_origins (
    token         BLOB   NOT NULL REFERENCES tokens (hash),
    network       TEXT   NOT NULL,
    first_used_at BIGINT NOT NULL,
    PRIMARY KEY (token, network)
);

-- Where a vendor's credential is read from when it is not sealed in `vendors`. The source is no
-- secret; what it gives is kept in memory alone.
CREATE TABLE credential_sources (
    vendor TEXT   NOT NULL PRIMARY KEY REFERENCES vendors (name),
    source TEXT   NOT NULL, -- file:…, env:… or vault:…
    set_at BIGINT NOT NULL
);
