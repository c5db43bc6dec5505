-- How much a workload may give a vendor within a time, and bursts that waited for an operator.

-- The limits of one workload towards one vendor. No row: none.
CREATE TABLE workload_limits (
    workload TEXT NOT NULL REFERENCES workloads (name),
    vendor   TEXT NOT NULL REFERENCES vendors (name),
    document TEXT NOT NULL, -- model::Limits
    PRIMARY KEY (workload, vendor)
);

-- An hour in which calls of a workload were held, since it gave a vendor far more than it usually
-- does. Kept for as long as an hour counts as its history.
CREATE TABLE bursts (
    workload     TEXT   NOT NULL REFERENCES workloads (name),
    vendor       TEXT   NOT NULL REFERENCES vendors (name),
    hour         BIGINT NOT NULL, -- its first instant
    usual_calls  BIGINT NOT NULL, -- what an hour of it usually has
    usual_people BIGINT NOT NULL,
    held_calls   BIGINT NOT NULL, -- what was held in this hour, each call as often as it was tried
    held_people  BIGINT NOT NULL,
    PRIMARY KEY (workload, vendor, hour)
);

-- The last approval of a burst: until then, this workload's calls to this vendor are not held.
CREATE TABLE burst_approvals (
    workload    TEXT   NOT NULL REFERENCES workloads (name),
    vendor      TEXT   NOT NULL REFERENCES vendors (name),
    approved_by TEXT   NOT NULL, -- an operator's name
    approved_at BIGINT NOT NULL,
    until       BIGINT NOT NULL,
    PRIMARY KEY (workload, vendor)
);
