-- What strangers ask on the portal.

-- «Was I affected?», which is answered by mail only. The address is sealed, and taken out as soon
-- as the answer is out or given up; the row stays to be counted.
CREATE TABLE inquiries (
    id          TEXT   NOT NULL PRIMARY KEY,
    address     BLOB,            -- sealed; NULL once it is answered or given up
    asked_at    BIGINT NOT NULL,
    attempt     BIGINT NOT NULL, -- how often an answer was tried
    not_before  BIGINT NOT NULL, -- 0: at once
    answered_at BIGINT,
    given_up_at BIGINT
);
CREATE INDEX inquiries_open ON inquiries (id) WHERE address IS NOT NULL;
