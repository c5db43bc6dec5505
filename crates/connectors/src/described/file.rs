//! The file that describes a vendor's API, read into a connector. Whatever is wrong in it is said
//! with its line.

use std::collections::BTreeMap;
use std::ops::Range;

use model::{Field, FieldSet, Secret, limits};
use serde::Deserialize;
use toml::Spanned;

use super::Described;
use super::contact::Template;
use super::credential::{Credential, Piece, Shape, User};
use super::dialect::{Dialect, MessageId};
use super::document::Kind;
use super::keys::{Node, Role, Scope, role};
use super::operation::{Plan, Route};
use super::pattern::Pattern;
use super::writing::Place;
use crate::call::Operation;
use crate::connector::Host;

/// Why a file describes no connector.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {why}")]
pub struct FileError {
    /// Line of the file, from 1.
    pub line: usize,
    /// What is wrong there.
    pub why: String,
}

impl model::Coded for FileError {
    fn code(&self) -> &'static str {
        "connector-file"
    }
}

type Keys = BTreeMap<Spanned<String>, Spanned<String>>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: Spanned<String>,
    title: String,
    hosts: Spanned<Vec<HostLine>>,
    #[serde(default)]
    mail_domains: Vec<String>,
    #[serde(default)]
    headers: Vec<Spanned<String>>,
    credential: Spanned<CredentialLine>,
    errors: Spanned<Dialect>,
    #[serde(default)]
    message_id: Vec<Spanned<String>>,
    #[serde(default)]
    groups: BTreeMap<String, Keys>,
    #[serde(default)]
    export: Keys,
    contact: Option<Spanned<Template>>,
    operation: Vec<Spanned<OperationLine>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HostLine {
    #[serde(default)]
    region: String,
    url: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CredentialLine {
    scheme: String,
    word: Option<String>,
    header: Option<String>,
    user: Option<String>,
    key: Option<String>,
    service: Option<String>,
    also_under: Option<String>,
    #[serde(default)]
    begins: String,
    form: Option<String>,
    #[serde(default)]
    environment: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OperationLine {
    name: Spanned<String>,
    calls: Vec<Spanned<String>>,
    #[serde(default)]
    body: Vec<String>,
    bytes: Option<usize>,
    #[serde(default)]
    needs: Vec<String>,
    base: Option<String>,
    retention_days: Option<u32>,
    idempotency: Option<String>,
    #[serde(default)]
    include: Vec<Spanned<String>>,
    #[serde(default)]
    reference: Vec<ReferenceLine>,
    #[serde(default)]
    keys: Keys,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReferenceLine {
    #[serde(default, rename = "in")]
    within: String,
    key: Option<String>,
    header: Option<String>,
    pair: Option<[String; 2]>,
    #[serde(default = "unbounded")]
    characters: usize,
}

const fn unbounded() -> usize {
    usize::MAX
}

/// Reads a file. What it describes stays for as long as the program runs.
pub(super) fn read(text: &str) -> Result<Described, FileError> {
    let at = |span: Range<usize>| 1 + text[..span.start.min(text.len())].matches('\n').count();
    let file: File = toml::from_str(text).map_err(|error| FileError {
        line: error.span().map_or(1, at),
        why: error.message().to_owned(),
    })?;
    let fail = |span: Range<usize>| move |why: String| FileError { line: at(span), why };
    Reader { file: &file }.described().map_err(|(span, why)| fail(span)(why))
}

type Wrong = (Range<usize>, String);

struct Reader<'a> {
    file: &'a File,
}

impl Reader<'_> {
    fn described(&self) -> Result<Described, Wrong> {
        let file = self.file;
        let name = check_name(&file.name)?;
        let hosts: Vec<Host> = file.hosts.get_ref().iter().map(HostLine::host).collect();
        if hosts.is_empty() || hosts.iter().any(|host| !host.url.starts_with("https://")) {
            let why = "each host is `{ url = \"https://…\" }`, and there is at least one";
            return Err((file.hosts.span(), why.to_owned()));
        }
        let plans = file.operation.iter().map(|line| self.plan(line));
        let (operations, plans): (Vec<_>, Vec<_>) =
            plans.collect::<Result<Vec<_>, _>>()?.into_iter().unzip();
        unique(&file.operation)?;
        let headers =
            file.headers.iter().map(|name| header(name)).collect::<Result<Vec<_>, _>>()?;
        let message_id = file
            .message_id
            .iter()
            .map(|place| MessageId::parse(place.get_ref()).map_err(|why| (place.span(), why)));
        file.errors.get_ref().check().map_err(|why| (file.errors.span(), why))?;
        Ok(Described {
            name,
            title: file.title.clone(),
            hosts: leak(hosts),
            mail_domains: leak(file.mail_domains.iter().map(|domain| text(domain)).collect()),
            headers: leak(headers),
            credential: self.credential()?,
            dialect: file.errors.get_ref().clone(),
            message_id: message_id.collect::<Result<_, _>>()?,
            operations: leak(operations),
            plans: leak(plans),
            export: roles(&file.export)?,
            contact: file.contact.as_ref().map(|template| template.get_ref().clone()),
        })
    }

    fn credential(&self) -> Result<Credential, Wrong> {
        let line = self.file.credential.get_ref();
        let wrong = |why: &str| (self.file.credential.span(), why.to_owned());
        let shape = match line.scheme.as_str() {
            "bearer" => Shape::Bearer(text(line.word.as_deref().unwrap_or("Bearer"))),
            "basic-or-bearer" => Shape::BasicOrBearer,
            "signature" => {
                let service = line.service.as_deref().ok_or_else(|| wrong("it needs `service`"))?;
                Shape::Signature(text(service))
            }
            "header" => {
                let name = line.header.as_deref().ok_or_else(|| wrong("it needs `header`"))?;
                Shape::Header(text(&name.to_ascii_lowercase()))
            }
            "basic" => Shape::Basic(match line.user.as_deref() {
                None => User::Paired,
                Some("{credential}") => User::Credential,
                Some(user) => User::Fixed(text(user)),
            }),
            "body" => {
                Shape::Body(text(line.key.as_deref().ok_or_else(|| wrong("it needs `key`"))?))
            }
            _ => {
                let known =
                    "`bearer`, `header`, `basic`, `basic-or-bearer`, `body` and `signature`";
                return Err(wrong(&format!("`scheme` is none of {known}")));
            }
        };
        let piece = |value: &str| match value {
            "{token}" => Ok(Piece::Token),
            "{user}" => Ok(Piece::User),
            "{password}" => Ok(Piece::Password),
            _ => Err(wrong("a variable is `{token}`, `{user}` or `{password}`")),
        };
        let environment = line.environment.iter();
        let environment = environment.map(|(name, value)| Ok((text(name), piece(value)?)));
        let credential = Credential {
            shape,
            also_under: line.also_under.as_deref().map(text),
            begins: text(&line.begins),
            form: match (&line.form, line.scheme.as_str()) {
                (None, "signature") => Pattern::default(),
                (None, _) => return Err(wrong("it needs `form`")),
                (Some(form), _) => Pattern::parse(form).map_err(|why| wrong(&why))?,
            },
            environment: leak(environment.collect::<Result<_, Wrong>>()?),
        };
        if line.form.is_some() {
            let made = credential.mint([7; 48], &|_| Secret::new(String::new()));
            let fits = credential.check(made.token.expose());
            fits.map_err(|why| wrong(&format!("a token of this `form` is none: {why}")))?;
        }
        Ok(credential)
    }

    fn plan(&self, line: &Spanned<OperationLine>) -> Result<(Operation, Plan), Wrong> {
        let (span, line) = (line.span(), line.get_ref());
        let wrong = |why: &str| (span.clone(), why.to_owned());
        let kinds = line.body.iter().map(|word| {
            kind(word).ok_or_else(|| {
                wrong(&format!("`{word}` is none of `json`, `form`, `multipart` and `none`"))
            })
        });
        let mut kinds = kinds.collect::<Result<Vec<_>, _>>()?;
        if kinds.is_empty() {
            kinds.push(Kind::Empty);
        }
        let routes = line
            .calls
            .iter()
            .map(|call| Route::parse(call.get_ref()).map_err(|why| (call.span(), why)));
        let routes = routes.collect::<Result<Vec<_>, _>>()?;
        if routes.is_empty() {
            return Err(wrong("`calls` names no call, such as `POST /v1/messages`"));
        }
        let (mut root, query) = self.tree(line)?;
        root.scope.get_or_insert(Scope::Message);
        root.mark();
        let beside =
            routes.iter().flat_map(Route::roles).chain(query.iter().map(|(_, role)| *role));
        let beside = beside.fold(FieldSet::EMPTY, |all, role| all.union(role.carries()));
        let needs = line.needs.iter().map(|name| Field::parse(name));
        let needs =
            needs.collect::<Result<FieldSet, _>>().map_err(|why| wrong(&why.to_string()))?;
        let places = line.reference.iter().map(|place| place.place().map_err(&wrong));
        let operation = Operation {
            base: line.base.as_deref().map(text),
            retention_days: line.retention_days,
            idempotency: line.idempotency.as_deref().map(|name| text(&name.to_ascii_lowercase())),
            ..Operation::new(
                check_name(&line.name)?,
                root.carries().union(beside),
                line.bytes.unwrap_or(limits::API_BODY_BYTES).min(limits::REQUEST_BODY_BYTES),
            )
        };
        let plan = Plan {
            routes,
            kinds,
            root: Box::leak(Box::new(root)),
            query,
            needs,
            places: leak(places.collect::<Result<_, _>>()?),
        };
        Ok((operation, plan))
    }

    /// The tree of the body's keys, and the keys of the query.
    fn tree(&self, line: &OperationLine) -> Result<(Node, Vec<(String, Role)>), Wrong> {
        let (mut root, mut query) = (Node::default(), Vec::new());
        let mut add = |at: &str, keys: &Keys| {
            for (key, words) in keys {
                let path = match at {
                    "" => key.get_ref().clone(),
                    at => format!("{at}.{}", key.get_ref()),
                };
                if let Some(name) = path.strip_prefix('?') {
                    let role = role(words.get_ref()).map_err(|why| (words.span(), why))?;
                    query.push((name.to_owned(), role));
                    continue;
                }
                root.add(&path, words.get_ref()).map_err(|why| (key.span(), why))?;
            }
            Ok(())
        };
        for include in &line.include {
            let (group, at) =
                include.get_ref().split_once(" at ").unwrap_or((include.get_ref(), ""));
            let keys = self.file.groups.get(group);
            let unknown = || (include.span(), format!("there is no group `{group}`"));
            add(at, keys.ok_or_else(unknown)?)?;
        }
        add("", &line.keys)?;
        Ok((root, query))
    }
}

impl HostLine {
    fn host(&self) -> Host {
        Host { region: text(&self.region), url: text(self.url.trim_end_matches('/')) }
    }
}

impl ReferenceLine {
    fn place(&self) -> Result<Place, &'static str> {
        let (key, is_header) = match (&self.key, &self.header) {
            (Some(key), None) => (key.clone(), false),
            (None, Some(header)) => (header.clone(), true),
            _ => return Err("a reference has either a `key` or a `header`"),
        };
        let within = self.within.split('.').filter(|step| !step.is_empty()).map(str::to_owned);
        Ok(Place {
            within: within.collect(),
            key,
            pair: self.pair.clone().map(|[name, value]| (name, value)),
            is_header,
            characters: self.characters,
        })
    }
}

/// Names of connectors and operations go into file names, records and commands.
fn check_name(name: &Spanned<String>) -> Result<&'static str, Wrong> {
    let plain =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte);
    let given = name.get_ref();
    if given.is_empty() || given.len() > limits::NAME_BYTES || !given.bytes().all(plain) {
        let why = "a name is of lower-case letters, digits, dots and hyphens, at most 64";
        return Err((name.span(), why.to_owned()));
    }
    Ok(text(given))
}

fn unique(operations: &[Spanned<OperationLine>]) -> Result<(), Wrong> {
    for (index, operation) in operations.iter().enumerate() {
        let name = &operation.get_ref().name;
        let same = |other: &Spanned<OperationLine>| other.get_ref().name == *name;
        if operations[..index].iter().any(same) {
            return Err((name.span(), format!("`{}` is there twice", name.get_ref())));
        }
    }
    Ok(())
}

/// Headers that a caller may not have passed on, whatever a file says.
const OURS: [&str; 7] =
    ["authorization", "connection", "content-length", "cookie", "host", "te", "transfer-encoding"];

fn header(name: &Spanned<String>) -> Result<&'static str, Wrong> {
    let lower = name.get_ref().to_ascii_lowercase();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    let ours = OURS.contains(&lower.as_str()) || lower.starts_with("x-cordon-");
    if lower.is_empty() || ours || !lower.bytes().all(plain) {
        return Err((name.span(), "no such header of a caller's is passed on".to_owned()));
    }
    Ok(text(&lower))
}

fn roles(keys: &Keys) -> Result<Vec<(String, Role)>, Wrong> {
    let column = |(name, word): (&Spanned<String>, &Spanned<String>)| {
        let role = role(word.get_ref()).map_err(|why| (word.span(), why))?;
        Ok((name.get_ref().clone(), role))
    };
    keys.iter().map(column).collect()
}

fn kind(word: &str) -> Option<Kind> {
    match word {
        "json" => Some(Kind::Json),
        "form" => Some(Kind::Form),
        "multipart" => Some(Kind::Multipart),
        "none" => Some(Kind::Empty),
        _ => None,
    }
}

fn text(text: &str) -> &'static str {
    Box::leak(text.to_owned().into_boxed_str())
}

fn leak<T>(items: Vec<T>) -> &'static [T] {
    Box::leak(items.into_boxed_slice())
}
