//! Amazon S3: objects that programs put into buckets. What is in one is the program's to declare,
//! but for tables, which are read. It does not rewrite objects, nor sees what others put there.
//!
//! `X-Cordon-Fields` names the fields in an object. `X-Cordon-People: none` says that it is about
//! nobody; the people in a table (`text/csv`) are found by its header; of any other object the
//! people are unknown and stand in the record as one entry, `s3:<bucket>/<key>`.

use model::error::Malformed;
use model::{
    Action, Contact, Field, FieldAction, FieldSet, Identifier, ListName, Secret, crypto, limits,
};

use crate::call::{Body, Call, Changes, Operation, Outbound, OwnedOutbound, Party, Unreadable};
use crate::connector::{
    Asking, Authorised, Connector, Host, Leaving, Minted, Presented, Refusal, RefusalBody,
    SecretOf, Unidentified, sigv4,
};
use crate::described::{plain_columns, plain_guide};
use crate::export::{Export, ExportError};
use crate::form;
use crate::routine::{Guide, Routine, RoutineInput};
use crate::webhook::{Event, Webhook, WebhookRefused};

/// Amazon S3 with bucket and key in the path.
pub struct S3;

const EVERY_FIELD: FieldSet = FieldSet::from_bits((1 << Field::ALL.len()) - 1);

static OPERATIONS: [Operation; 4] = [
    Operation::new("objects.put", EVERY_FIELD, limits::REQUEST_BODY_BYTES),
    Operation::new("objects.multipart", FieldSet::EMPTY, limits::API_BODY_BYTES),
    Operation::new("objects.delete", FieldSet::EMPTY, limits::API_BODY_BYTES),
    Operation::new("objects.get", FieldSet::EMPTY, limits::API_BODY_BYTES),
];

/// Keys that the SDKs put into a query for these calls.
const QUERY: [&str; 9] = [
    "x-id",
    "partNumber",
    "uploadId",
    "uploads",
    "delete",
    "list-type",
    "prefix",
    "continuation-token",
    "max-keys",
];

impl Connector for S3 {
    fn name(&self) -> &'static str {
        "s3"
    }

    fn hosts(&self) -> &'static [Host] {
        &[
            Host { region: "us-east-1", url: "https://s3.us-east-1.amazonaws.com" },
            Host { region: "us-west-2", url: "https://s3.us-west-2.amazonaws.com" },
            Host { region: "eu-west-1", url: "https://s3.eu-west-1.amazonaws.com" },
            Host { region: "eu-central-1", url: "https://s3.eu-central-1.amazonaws.com" },
            Host { region: "ap-southeast-1", url: "https://s3.ap-southeast-1.amazonaws.com" },
        ]
    }

    fn base_url(&self, _: &Secret<String>) -> Option<String> {
        Some(self.hosts()[0].url.to_owned())
    }

    /// Metadata (`x-amz-meta-…`) is not among them: nobody reads it for personal data.
    fn headers(&self) -> &'static [&'static str] {
        &[
            "cache-control",
            "content-disposition",
            "content-md5",
            "x-amz-acl",
            "x-amz-checksum-algorithm",
            "x-amz-checksum-crc32",
            "x-amz-checksum-crc32c",
            "x-amz-checksum-crc64nvme",
            "x-amz-checksum-sha1",
            "x-amz-checksum-sha256",
            "x-amz-expected-bucket-owner",
            "x-amz-sdk-checksum-algorithm",
            "x-amz-server-side-encryption",
            "x-amz-server-side-encryption-aws-kms-key-id",
            "x-amz-storage-class",
            "x-amz-tagging",
        ]
    }

    fn mail_domains(&self) -> &'static [&'static str] {
        &[]
    }

    fn operations(&self) -> &'static [Operation] {
        &OPERATIONS
    }

    fn check_credential(&self, credential: &str) -> Result<(), Malformed> {
        sigv4::check(credential)
    }

    fn mint(&self, random: [u8; 48], secret_of: SecretOf<'_>) -> Minted {
        sigv4::mint(random, secret_of)
    }

    fn token_in_body(&self) -> bool {
        true
    }

    fn presented(&self, asking: &Asking<'_>) -> Result<Presented, Unidentified> {
        let token = sigv4::signer("s3", asking).ok_or(Unidentified)?;
        Ok(Presented { token: Secret::new(token) })
    }

    fn authorise(
        &self,
        credential: &Secret<String>,
        leaving: &Leaving<'_>,
    ) -> Result<Authorised, Malformed> {
        sigv4::authorise("s3", credential, leaving, self.headers())
    }

    fn operation(&self, method: &str, path: &str) -> Option<&'static Operation> {
        object(path)?;
        match method {
            "PUT" => Some(&OPERATIONS[0]),
            "POST" => Some(&OPERATIONS[1]),
            "DELETE" => Some(&OPERATIONS[2]),
            "GET" | "HEAD" => Some(&OPERATIONS[3]),
            _ => None,
        }
    }

    fn read(&self, request: &Outbound<'_>) -> Result<Call, Unreadable> {
        let operation =
            self.operation(request.method, request.path).ok_or(Unreadable::UnknownOperation)?;
        if request.body.len() > operation.body_bytes {
            return Err(Unreadable::TooMany { what: "bytes", limit: operation.body_bytes });
        }
        let query = form::parse(request.query.unwrap_or_default().as_bytes())?;
        if !query.iter().all(|(key, _)| QUERY.contains(&key.as_str())) {
            let at = "the query".to_owned();
            return Err(Unreadable::Body { at, why: "no such call of S3 is read" });
        }
        let (parties, warnings) = match operation.name {
            "objects.put" => put(request)?,
            _ => (Vec::new(), Vec::new()),
        };
        let disclosed = parties.iter().fold(FieldSet::EMPTY, |all, party| all.union(party.fields));
        let body = Box::new(Object { bytes: request.body.to_vec(), disclosed });
        Ok(Call { operation, parties, unknown: Vec::new(), warnings, body })
    }

    fn refusal(&self, refusal: &Refusal) -> RefusalBody {
        let word = match refusal.status {
            401 => "InvalidAccessKeyId",
            403 => "AccessDenied",
            413 => "EntityTooLarge",
            429 | 503 => "SlowDown",
            500 | 502 | 504 => "InternalError",
            _ => "InvalidRequest",
        };
        let message = refusal.message.replace('&', "&amp;").replace('<', "&lt;");
        let body = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{word}</Code>\
             <Message>{message}</Message><Resource>{}</Resource></Error>",
            refusal.code
        );
        RefusalBody { content_type: "application/xml", body: body.into_bytes() }
    }

    fn message_id(&self, headers: &dyn Fn(&str) -> Option<String>, _: &[u8]) -> Option<String> {
        headers("x-amz-request-id").filter(|id| !id.is_empty())
    }

    fn webhook(&self, _: &Webhook<'_>) -> Result<Vec<Event>, WebhookRefused> {
        Err(WebhookRefused::Unsupported)
    }

    fn upsert_contact(&self, _: &Contact, _: Option<&ListName>) -> Option<OwnedOutbound> {
        None
    }

    fn read_export<'a>(&self, csv: &'a [u8]) -> Result<Export<'a>, ExportError> {
        plain_columns(csv)
    }

    fn routine(&self, _: Action, _: RoutineInput) -> Option<Box<dyn Routine>> {
        None
    }

    fn guide(&self, action: Action) -> Guide {
        plain_guide("Amazon S3", action)
    }
}

struct Object {
    bytes: Vec<u8>,
    disclosed: FieldSet,
}

impl Body for Object {
    fn write(&self, changes: &Changes<'_>) -> Result<Vec<u8>, Unreadable> {
        let changed = |field: &Field| (changes.action)(*field) != FieldAction::Allow;
        match self.disclosed.iter().find(changed) {
            Some(field) => Err(Unreadable::Needed(field)),
            None => Ok(self.bytes.clone()),
        }
    }
}

/// The people in an object and what it says of them.
fn put(request: &Outbound<'_>) -> Result<(Vec<Party>, Vec<&'static str>), Unreadable> {
    let wrong = |at: &str, why| Unreadable::Body { at: at.to_owned(), why };
    let fields = (request.header)("x-cordon-fields");
    let fields = fields.ok_or_else(|| wrong("x-cordon-fields", "it is not said what is in it"))?;
    let fields = FieldSet::parse(fields)
        .map_err(|_| wrong("x-cordon-fields", "it names something that is no field"))?;
    match (request.header)("x-cordon-people") {
        Some("none") if fields.is_empty() => return Ok((Vec::new(), Vec::new())),
        Some("none") => return Err(wrong("x-cordon-people", "fields are somebody's")),
        Some(_) => return Err(wrong("x-cordon-people", "it can only be `none`")),
        None => {}
    }
    let bucket = object(request.path).and_then(|(bucket, _)| ListName::parse(bucket).ok());
    let lists: Vec<ListName> = bucket.into_iter().collect();
    let is_part = request.query.is_some_and(|query| query.contains("partNumber="));
    let kind = request.content_type.unwrap_or_default().split(';').next().unwrap_or_default();
    if kind.trim().eq_ignore_ascii_case("text/csv") && !is_part {
        return Ok((table(request.body, fields, &lists)?, Vec::new()));
    }
    // A key may be personal data itself; what it is hashed to is still one entry for one object.
    let name = crypto::sha256(request.path.as_bytes());
    let identifiers =
        vec![Identifier::UserId(format!("s3:{}", crypto::to_hex(&name[..16])).into())];
    Ok((vec![Party { identifiers, fields, lists }], vec!["people-undeclared"]))
}

fn table(csv: &[u8], declared: FieldSet, lists: &[ListName]) -> Result<Vec<Party>, Unreadable> {
    let wrong = |why| Unreadable::Body { at: "the table".to_owned(), why };
    let export = plain_columns(csv).map_err(|_| wrong("no column of its header names a person"))?;
    let mut parties = Vec::new();
    for row in export.rows {
        let row = row.map_err(|_| wrong("a row cannot be read or names nobody"))?;
        if !row.fields.minus(declared).is_empty() {
            return Err(wrong("a field in it is not declared"));
        }
        if parties.len() == limits::LEDGER_ROWS_PER_FRAME {
            let limit = limits::LEDGER_ROWS_PER_FRAME;
            return Err(Unreadable::TooMany { what: "rows", limit });
        }
        let (identifiers, fields) = (row.identifiers, row.fields);
        parties.push(Party { identifiers, fields, lists: lists.to_vec() });
    }
    Ok(parties)
}

/// The bucket and the key in a path. A key that a server could take for another is none.
fn object(path: &str) -> Option<(&str, &str)> {
    let (bucket, key) = path.strip_prefix('/')?.split_once('/')?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-".contains(&byte);
    let is_bucket = (3..=63).contains(&bucket.len()) && bucket.bytes().all(plain);
    let is_other = key.split('/').any(|part| matches!(part, "." | ".."));
    let is_hidden = key.to_ascii_lowercase().contains("%2e");
    (is_bucket && !is_other && !is_hidden).then_some((bucket, key))
}
