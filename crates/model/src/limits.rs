//! Every limit, its unit last, and why it is that number.

/// Names go into URLs, file names and log lines.
pub const NAME_BYTES: usize = 64;
/// Vendors' list names are people's words; the longest seen is 100 characters.
pub const LIST_NAME_BYTES: usize = 128;
/// RFC 1035 §2.3.4, without the final dot.
pub const DNS_NAME_BYTES: usize = 253;
/// The SPIFFE ID specification, §2.3: implementations take up to 2048 bytes.
pub const IDENTITY_BYTES: usize = 2_048;
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
/// How long a call waits for its place among them.
pub const VENDOR_BUSY_SECONDS: u64 = 10;
/// Connections of callers to the gateway at once; further ones wait to be accepted. Ten thousand
/// idle ones of a large fleet fit; each takes a file descriptor and some kilobytes.
pub const GATEWAY_CONNECTIONS: usize = 16_384;
/// A caller's TLS handshake, or its `CONNECT`, must be whole by then.
pub const HANDSHAKE_SECONDS: u64 = 10;
/// Calls under way at once on one HTTP/2 connection; SDKs have a handful.
pub const HTTP2_STREAMS: u32 = 100;
/// Streams that a caller resets before they are looked at; beyond it the connection ends.
pub const HTTP2_RESETS: usize = 20;
/// What a caller may send on all streams of one HTTP/2 connection before we have read it.
pub const HTTP2_CONNECTION_WINDOW_BYTES: u32 = 1024 * 1024;
/// The same for one stream.
pub const HTTP2_STREAM_WINDOW_BYTES: u32 = 256 * 1024;
/// An authority that callers of `CONNECT` believe: it is constrained to one host, and a new one has
/// to reach every machine.
pub const AUTHORITY_DAYS: i64 = 1_095;
/// So long before its end the next one is made, so that both are handed out together.
pub const AUTHORITY_RENEWAL_DAYS: i64 = 120;
/// A leaf that such an authority signs; a stolen one is of use no longer.
pub const LEAF_HOURS: i64 = 24;
/// How often files of certificates and keys are looked at for changes.
pub const TLS_FILES_SECONDS: u64 = 5;
/// A file of certificates or a key; a bundle of two hundred authorities fits.
pub const TLS_FILE_BYTES: u64 = 1024 * 1024;
/// Bodies that the gateway holds at once, all callers together; seventeen of the largest.
pub const GATEWAY_BODIES_BYTES: usize = 512 * 1024 * 1024;
/// After the last reply a caller's remaining bytes are read and thrown away for so long, so that
/// the reply is not lost to a reset connection.
pub const GATEWAY_LINGER_SECONDS: u64 = 2;
/// How often a file with a credential is looked at: a rotation shows within this time.
pub const CREDENTIAL_FILE_SECONDS: u64 = 5;
/// How often a vault is asked for a credential unless set otherwise; vaults count requests.
pub const CREDENTIAL_REFRESH_SECONDS: u32 = 300;
/// How long a credential is used when its source is silent, unless set otherwise: a vault's restart
/// or upgrade takes minutes, and what was revoked there should not live on for a day.
pub const CREDENTIAL_STALE_SECONDS: u32 = 3_600;
/// How long a vault may take to answer; starting waits for it.
pub const VAULT_SECONDS: u64 = 5;
/// Shorter pieces of a token are not looked for where it may have turned up: they occur by chance.
pub const TOKEN_PIECE_BYTES: usize = 16;
/// Pieces of one request that are looked at; a stranger must not make us hash for long.
pub const TOKEN_PIECES: usize = 256;
/// No vendor's token or key is longer; JWTs of some come near.
pub const TOKEN_BYTES: usize = 4_096;
/// A token with so many uses has a history: before that, a network that is new says nothing.
pub const TOKEN_HISTORY_USES: u64 = 100;
/// The same in time: a week has its nights, its batch jobs and its week-end.
pub const TOKEN_HISTORY_SECONDS: i64 = 7 * 24 * 60 * 60;
/// A token that has come from more networks than this comes from anywhere: one more says nothing.
/// No further ones are kept.
pub const TOKEN_HISTORY_NETWORKS: usize = 16;
/// How often uses of tokens are written; a crash loses the counts of this time.
pub const TOKEN_USES_SECONDS: u64 = 60;
/// Networks from which one token is told of within an hour; the rest tells nothing new.
pub const TOKEN_SIGHTINGS_PER_HOUR: usize = 64;
/// A token that another replaces goes on for at most a month: longer is no rotation.
pub const TOKEN_GRACE_SECONDS: u32 = 30 * 24 * 60 * 60;
/// Sightings of tokens that wait to be recorded; further ones are dropped and counted in the log.
pub const TOKEN_SIGHTINGS: usize = 1_024;
/// What `Retry-After` tells callers of a vendor on hold.
pub const HOLD_RETRY_SECONDS: u64 = 30;
/// Entries that wait in the gateway's spool, all vendors together; each is a file.
pub const SPOOL_ENTRIES: usize = 100_000;
/// Bytes that wait there: hours of a large sender's mail; a vendor's outage fills no disk.
pub const SPOOL_BYTES: u64 = 8 * 1024 * 1024 * 1024;
/// Entries that wait for one vendor: half, so that one outage leaves room for the others.
pub const SPOOL_VENDOR_ENTRIES: usize = 50_000;
/// Bytes that wait for one vendor.
pub const SPOOL_VENDOR_BYTES: u64 = 4 * 1024 * 1024 * 1024;
/// One text in an entry: the largest body, and what is said of it.
pub const SPOOL_ENTRY_BYTES: usize = REQUEST_BODY_BYTES + 1024 * 1024;
/// The gateway's registry holds for so long after it was last confirmed, unless set otherwise:
/// many times the watcher's interval, few enough that a cut elsewhere is not missed for long.
pub const SWITCH_STALE_SECONDS: u64 = 5;
/// How often the store is looked at for changes that another process made: a tenth of the second
/// within which a cut must hold.
pub const SWITCH_WATCH_MS: u64 = 100;
/// How long a question about the switches waits for a change: less than they hold unconfirmed.
pub const SWITCH_WAIT_SECONDS: u64 = 2;
/// How long anything waits there: mail and messages that are a day late help nobody, and Cordon is
/// to keep as little of anybody as it can.
pub const SPOOL_AGE_SECONDS: i64 = 24 * 60 * 60;
/// Waits between attempts at one entry; the last one holds for all that follow.
pub const SPOOL_RETRY_SECONDS: [i64; 5] = [30, 120, 300, 900, 1_800];
/// A vendor at which nobody answers is asked again after 1, 2, 4, … seconds, at most this many.
pub const SPOOL_PAUSE_SECONDS: i64 = 60;
/// Sessions with one vendor's SMTP host at once; big ones take dozens, small relays about ten.
pub const SUBMISSION_CONNECTIONS: usize = 8;
/// Hours of a workload's history by which its usual hour is known: two weeks have every weekday
/// twice.
pub const HISTORY_HOURS: usize = 14 * 24;
/// Below so many hours since a workload's first call its history says nothing.
pub const HISTORY_LEAST_HOURS: i64 = 24;
/// Nor do fewer hours in which it called at all.
pub const HISTORY_LEAST_ACTIVE: usize = 4;
/// Beyond so many times the usual hour a workload's hour is reported as a burst, unless set
/// otherwise: months' ends and holidays stay below.
pub const BURST_FACTOR: u32 = 10;
/// Up to so many calls or people an hour nothing is a burst, however little is usual.
pub const BURST_LEAST: u64 = 100;
/// A burst that nobody approved within so many hours no longer counts as waiting.
pub const BURST_WAITS_HOURS: i64 = 24;
/// The longest approval of a burst: a week; what goes on for longer is usual by then.
pub const BURST_APPROVAL_HOURS: u32 = 7 * 24;
/// Refusals of callers that are not known, or that come too fast, which are recorded one by one
/// for each vendor before further ones are only counted: a mistake in a deployment stays whole.
pub const REFUSALS_AT_ONCE: u32 = 60;
/// After that one more is recorded every so often: under a megabyte a day, whoever knocks.
pub const REFUSAL_RECORD_SECONDS: u64 = 10;
/// Calls that are kept for those who follow them live, a few hundred bytes each.
pub const TAIL_KEPT: usize = 8_192;
/// Calls in one answer to a follower.
pub const TAIL_ROWS: usize = 1_000;
/// How long a follower waits for the next call before it asks again.
pub const TAIL_WAIT_SECONDS: u64 = 20;
/// Calls whose traces wait for a collector; further ones are not exported, and counted.
pub const TRACES_WAITING: usize = 4_096;
/// Calls in one post to a collector: some hundred kilobytes.
pub const TRACES_AT_ONCE: usize = 256;
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
/// Mail that a receiver holds in memory at once, all sessions together.
pub const SMTP_HELD_BYTES: usize = 512 * 1024 * 1024;
/// A silent SMTP session is closed after this long (RFC 5321 §4.5.3.2 asks for 5 minutes).
pub const SMTP_IDLE_SECONDS: u64 = 300;
/// A whole SMTP session: the largest mail over a slow line takes minutes; longer holds a place.
pub const SMTP_SESSION_SECONDS: u64 = 1_800;
/// Refused commands and recipients in one session; somebody who goes on is guessing.
pub const SMTP_REFUSALS: usize = 20;
/// How long a connection to a relay may take to open.
pub const SMTP_CONNECT_SECONDS: u64 = 30;
/// One reply of a relay with all its lines; 512 octets a line, RFC 5321 §4.5.3.1.5.
pub const SMTP_REPLY_BYTES: usize = 16 * 1024;
/// What is kept of a relay's reply: enough to see why, too little to be a body.
pub const SMTP_REPLY_TEXT_BYTES: usize = 300;
/// Of a mail that is read, so much is looked at: text stands before what is attached, and a mail of
/// nothing but headers takes twenty times its size in memory.
pub const MAIL_READ_BYTES: usize = 1024 * 1024;
/// MIME parts of a mail that is read; people's mail has a handful.
pub const MAIL_PARTS: usize = 200;
/// Lines of a mail that may separate parts; patches and tables have lines that look like it.
pub const MAIL_SEPARATORS: usize = 2_000;
/// The header of a mail that is handed in; vendors take about as much.
pub const MAIL_HEADER_BYTES: usize = 128 * 1024;
/// Lines that we write ourselves into a mail's header, RFC 5322 §2.1.1.
pub const MAIL_LINE_BYTES: usize = 900;
/// Headers of a mail that are kept; relays add dozens, not hundreds.
pub const MAIL_HEADERS: usize = 300;
/// `Received` lines of a mail that are read; RFC 5321 §6.3 takes 100 for a loop.
pub const MAIL_RECEIVED: usize = 100;
/// Distinct hosts that are taken from the links of one mail.
pub const MAIL_LINKS: usize = 100;
/// DKIM signatures of one mail that are looked at; forwarded mail has two or three.
pub const DKIM_SIGNATURES: usize = 16;
/// An operator's summary of what a vendor said.
pub const NOTICE_SUMMARY_BYTES: usize = 2_000;

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
/// Waits between these tries: greylisting ends within minutes, a full queue within hours.
pub const NOTICE_RETRY_SECONDS: [i64; 4] = [60, 300, 900, 3_600];
/// Deferred recipients that a courier holds at once; beyond it no new ones are taken.
pub const NOTICE_WAITING: usize = 10_000;
/// A relay that is down is asked again after 1, 2, 4, … seconds, at most this many.
pub const NOTICE_RECONNECT_SECONDS: u64 = 60;
/// A connection to a relay without work is closed after this long, well before the relay does.
pub const NOTICE_IDLE_SECONDS: u64 = 10;
/// So many final refusals in a row are the relay's verdict on the notice, not on its recipients.
pub const NOTICE_REFUSALS_IN_A_ROW: u32 = 100;
/// Subjects are cut on phones well before this; longer ones hide what they say.
pub const NOTICE_SUBJECT_CHARS: usize = 100;
/// Lines of a notice's text, RFC 5322 §2.1.1.
pub const NOTICE_LINE_CHARS: usize = 78;
/// A relay's answer to a whole message may take this long (RFC 5321 §4.5.3.2.6: 10 minutes).
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
/// What the command line takes as one answer of the API: an export of every person.
pub const API_ANSWER_BYTES: usize = 4 * 1024 * 1024 * 1024;
/// A file that an operator uploads to the API: a vendor's export or data set.
pub const UPLOAD_BYTES: usize = 2 * 1024 * 1024 * 1024;
/// SendGrid's bound on one upsert of contacts, in bytes.
pub const CONTACTS_BODY_BYTES: usize = 6 * 1024 * 1024;
/// SendGrid's bound on the custom arguments of one message, merged, as JSON.
pub const CUSTOM_ARGS_BYTES: usize = 10_000;
/// A text message as a form: 1,600 characters, ten URLs and variables fit many times over.
pub const MESSAGE_FORM_BYTES: usize = 256 * 1024;
/// Pairs of one form; a text message has a dozen, a status callback two dozen.
pub const FORM_PAIRS: usize = 512;
/// Undocumented keys of one call that are named; all of them are dropped where that is asked.
pub const UNKNOWN_KEYS: usize = 100;
/// Pages of one list that a containment step reads; a longer list is not shown to be empty.
pub const VENDOR_LIST_PAGES: usize = 100;
/// Times that a containment step lists again and acts on what is new.
pub const SWEEP_ROUNDS: usize = 4;

/// Mails and events that wait inside the drill's sandbox vendor; callers beyond it wait.
pub const SANDBOX_QUEUE: usize = 16_384;
/// Events in one post of the sandbox's webhook: about what SendGrid puts into 768 KB.
pub const SANDBOX_EVENTS_PER_POST: usize = 500;
/// People that one drill makes; ids and numbers of people have room for no more.
pub const DRILL_PEOPLE: u64 = 50_000_000;
/// Whole mails that the drill's inbox keeps to look at.
pub const DRILL_SAMPLE_MAILS: usize = 12;

/// One text that an operator adds to an incident: a fact, a reason, a proof, a bulletin.
pub const INCIDENT_TEXT_BYTES: usize = 32 * 1024;
/// Facts, statements, scopes, notices or versions of bulletins in one incident; it is one document.
pub const INCIDENT_ENTRIES: usize = 2_000;
/// Rows that an import or the index hands to the ledger at once.
pub const IMPORT_ROWS_PER_RECORD: usize = 10_000;
/// Members of a scope that one change of the store takes.
pub const SCOPE_MEMBERS_PER_CHANGE: usize = 10_000;
/// More recipients of one message make the header with its reference longer than servers like;
/// such a mail has none.
pub const REFERENCE_HEADER_RECIPIENTS: usize = 40;
/// Addresses and numbers in the free text of one call that are compared with its recipients.
pub const NET_NAMES: usize = 100;
/// What the second net catches in a day that becomes a fact: kinds of calls, not calls.
pub const STRAYS_PER_DAY: usize = 1_000;

/// Answers of a policy that are kept; beyond it all are asked anew. Each is some 200 bytes.
pub const POLICY_ANSWERS: usize = 8_192;
/// A question with more lists than fit here is asked anew each time.
pub const POLICY_ANSWER_KEY_BYTES: usize = 1_024;
/// An operator's own policy text.
pub const POLICY_TEXT_BYTES: usize = 1024 * 1024;
/// Consent flags that one call states.
pub const CONSENT_FLAGS: usize = 16;
/// Persons that a replay tells apart; beyond it its figure is a lower bound, and says so.
pub const REPLAY_PERSONS: usize = 5_000_000;
/// Kinds of calls that a replay tells apart; a person reads no more.
pub const REPLAY_GROUPS: usize = 1_000;
/// Calls that a replay names for each kind.
pub const REPLAY_EXAMPLES: usize = 5;
/// Replays of which the outcome is kept; the oldest makes room.
pub const REPLAYS_KEPT: usize = 16;
/// Tokens that one request turns back into values.
pub const DETOKENISE_TOKENS: usize = 1_000;
