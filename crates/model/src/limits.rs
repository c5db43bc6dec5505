//! Every limit, its unit last, and why it is that number.

/// Names go into URLs, file names and log lines.
pub const NAME_BYTES: usize = 64;
/// Vendors' list names are people's words; the longest seen is 100 characters.
pub const LIST_NAME_BYTES: usize = 128;
/// RFC 5321 §4.5.3.1.3: a path is 256 octets with its brackets.
pub const EMAIL_BYTES: usize = 254;
/// RFC 5321 §4.5.3.1.1.
pub const EMAIL_LOCAL_BYTES: usize = 64;

/// SendGrid takes 30 MB with attachments; nothing that a workload sends may be larger.
pub const REQUEST_BODY_BYTES: usize = 30 * 1024 * 1024;
/// A gzip body may grow to this many times its size before it counts as a bomb.
pub const DECOMPRESSION_RATIO: usize = 100;
/// A vendor's answer that is larger is cut off and counts as unknown.
pub const VENDOR_RESPONSE_BYTES: usize = 8 * 1024 * 1024;
/// Headers of one request; SDKs send about a dozen.
pub const HEADER_COUNT: usize = 64;
/// All headers of one request together.
pub const HEADER_BYTES: usize = 16 * 1024;
/// How long a caller may take to send its headers and body.
pub const REQUEST_READ_SECONDS: u64 = 30;
/// How long a vendor may take to answer; after this the outcome is unknown.
pub const VENDOR_REPLY_SECONDS: u64 = 60;
/// How long a connection to a vendor may take to open.
pub const VENDOR_CONNECT_SECONDS: u64 = 10;
/// Below the idle close of the big APIs, so that a dead connection is not written to.
pub const VENDOR_POOL_IDLE_SECONDS: u64 = 8;
/// Calls to one vendor under way at once; one slow vendor must not starve the others.
pub const VENDOR_CONCURRENCY: usize = 256;
/// SendGrid's own bounds: personalizations per call, and recipients in one.
pub const PERSONALIZATIONS: usize = 1_000;
/// SendGrid's bound on contacts per upsert.
pub const CONTACTS_PER_CALL: usize = 30_000;
/// JSON nested deeper than this is no vendor's documented shape.
pub const JSON_DEPTH: usize = 32;

/// Rows of disclosure in one frame of the write-ahead record.
pub const LEDGER_ROWS_PER_FRAME: usize = 65_536;
/// A frame of the write-ahead record; larger lengths are damage.
pub const LEDGER_FRAME_BYTES: usize = 8 * 1024 * 1024;
/// A write-ahead segment is sealed beyond this size.
pub const LEDGER_SEGMENT_BYTES: u64 = 64 * 1024 * 1024;
/// Frames waiting for one `fdatasync`; callers beyond it wait, memory does not grow.
pub const LEDGER_QUEUE_FRAMES: usize = 4_096;
/// Rows in one uploaded file of an import or of the directory.
pub const IMPORT_ROWS: usize = 50_000_000;
/// One row of an import.
pub const IMPORT_ROW_BYTES: usize = 64 * 1024;

/// A vendor's webhook: SendGrid batches to about 768 KB.
pub const WEBHOOK_BODY_BYTES: usize = 4 * 1024 * 1024;
/// A signed webhook older or newer than this is refused as a replay.
pub const WEBHOOK_AGE_SECONDS: i64 = 600;
/// Events in one webhook.
pub const WEBHOOK_EVENTS: usize = 10_000;
/// A suspicious mail that a person uploads.
pub const REPORTED_MAIL_BYTES: usize = 5 * 1024 * 1024;
/// Mail to a canary; larger is refused with 552.
pub const CANARY_MAIL_BYTES: usize = 10 * 1024 * 1024;
/// SMTP command line with its end, RFC 5321 §4.5.3.1.4.
pub const SMTP_COMMAND_BYTES: usize = 512;
/// Recipients of one mail that the receiver takes.
pub const SMTP_RECIPIENTS: usize = 100;
/// Sessions with the receiver at once.
pub const SMTP_SESSIONS: usize = 200;
/// A silent SMTP session is closed after this long (RFC 5321 §4.5.3.2 asks for 5 minutes).
pub const SMTP_IDLE_SECONDS: u64 = 300;

/// Facts that a finding names; the rest are counted.
pub const FINDING_FACTS: usize = 100;
/// A body that an operator or a script sends to the API.
pub const API_BODY_BYTES: usize = 1024 * 1024;
/// Rows on one page of a list.
pub const PAGE_ROWS: usize = 200;
/// Mail per second to one relay unless set otherwise.
pub const NOTICE_RATE_PER_SECOND: u32 = 500;
/// Connections to one relay at once unless set otherwise.
pub const NOTICE_CONNECTIONS: usize = 16;
/// Messages over one connection before it is made anew; relays close at 100 to 1,000.
pub const NOTICE_MESSAGES_PER_CONNECTION: usize = 500;
/// Tries for one recipient when a relay defers.
pub const NOTICE_ATTEMPTS: u32 = 5;
/// A relay's answer to a whole message may take this long (RFC 5321 §4.5.3.2.6 asks for 10 minutes).
pub const SMTP_REPLY_SECONDS: u64 = 600;
/// Requests per minute that one address may make to the portal's forms.
pub const PORTAL_REQUESTS_PER_MINUTE: u32 = 60;

/// Changes waiting for the store's writer; callers beyond it wait, memory does not grow.
pub const STORE_QUEUE_CHANGES: usize = 1_024;
/// Changes that share one commit; more would make the first one wait for the last too long.
pub const STORE_GROUP_CHANGES: usize = 256;
/// Reads of the store at once; each has its own connection and blocks a thread.
pub const STORE_READERS: usize = 4;
/// How long a connection waits for another one's lock; only a checkpoint holds one for long.
pub const STORE_BUSY_MS: u64 = 10_000;
/// The store's write-ahead file shrinks to this after a checkpoint.
pub const STORE_WAL_BYTES: usize = 64 * 1024 * 1024;
/// Pages that each connection to the store keeps in memory.
pub const STORE_CACHE_KIB: usize = 32 * 1024;
/// Prepared statements that each connection keeps: more than there are questions.
pub const STORE_STATEMENTS: usize = 256;
