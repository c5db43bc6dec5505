//! Exports of contacts: the jobs that the account shows, and the CSV that SendGrid writes.

use axum::body::Bytes;
use axum::extract::{Path, State as Cx};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use model::{Timestamp, World, crypto};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Sandbox;
use super::caller::Caller;
use super::reply::{self, Reply, answer, no_such};
use super::state::{COLUMNS, Contact, State};

/// How long an export can be fetched, as SendGrid documents it.
const EXPIRY_SECONDS: i64 = 72 * 60 * 60;
/// Columns of the export before the three that SendGrid writes between known and custom ones.
const BEFORE_DATES: usize = 15;

/// One export.
#[derive(Debug, Clone)]
pub(super) struct ExportJob {
    pub id: String,
    pub at: Timestamp,
    pub list_ids: Vec<String>,
    pub user_id: String,
    pub count: usize,
}

impl ExportJob {
    fn row(&self, state: &State) -> Value {
        let name = |id: &String| state.lists.iter().find(|list| list.id == *id);
        let lists = self.list_ids.iter().filter_map(name);
        let lists: Vec<_> = lists.map(|list| json!({"ID": list.id, "Name": list.name})).collect();
        let kind = if lists.is_empty() { "contacts_export" } else { "list_export" };
        json!({
            "id": self.id, "status": "ready", "created_at": self.at, "completed_at": self.at,
            "expires_at": self.at.plus_seconds(EXPIRY_SECONDS), "urls": [],
            "user_id": self.user_id, "export_type": kind, "segments": [], "lists": lists,
            "_metadata": self.metadata(None),
        })
    }

    fn metadata(&self, count: Option<usize>) -> Value {
        reply::metadata(&format!("/v3/marketing/contacts/exports/{}", self.id), count)
    }
}

#[derive(Deserialize)]
struct NewExport {
    #[serde(default)]
    list_ids: Vec<String>,
    file_type: Option<String>,
}

/// `POST /v3/marketing/contacts/exports`.
pub(super) async fn post_export(Cx(sandbox): Cx<Sandbox>, caller: Caller, body: Bytes) -> Reply {
    caller.may("marketing.read")?;
    let wrong = |field, message| reply::refuse_marketing(StatusCode::BAD_REQUEST, message, field);
    let new: NewExport =
        serde_json::from_slice(&body).map_err(|_| wrong("body", "invalid JSON body"))?;
    if new.file_type.is_some_and(|kind| kind != "csv") {
        return Err(wrong("file_type", "the sandbox exports csv only"));
    }
    let mut state = sandbox.state();
    if new.list_ids.iter().any(|id| state.list_place(id).is_none()) {
        return Err(wrong("list_ids", "a list does not exist"));
    }
    let user_id = caller.key_id;
    let job = state.export_job(&sandbox.0.world, new.list_ids, user_id);
    answer(StatusCode::ACCEPTED, json!({"id": job.id, "_metadata": job.metadata(Some(job.count))}))
}

/// `GET /v3/marketing/contacts/exports`.
pub(super) async fn get_exports(Cx(sandbox): Cx<Sandbox>, caller: Caller) -> Reply {
    caller.may("marketing.read")?;
    let state = sandbox.state();
    let rows: Vec<_> = state.exports.iter().map(|job| job.row(&state)).collect();
    let metadata = reply::metadata("/v3/marketing/contacts/exports", None);
    answer(StatusCode::OK, json!({"result": rows, "_metadata": metadata}))
}

/// `GET /v3/marketing/contacts/exports/{id}`.
pub(super) async fn get_export(
    Cx(sandbox): Cx<Sandbox>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Reply {
    caller.may("marketing.read")?;
    let state = sandbox.state();
    let job = state.exports.iter().find(|job| job.id == id).ok_or_else(reply::not_found)?;
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    answer(
        StatusCode::OK,
        json!({
            "id": job.id, "status": "ready", "created_at": job.at, "updated_at": job.at,
            "completed_at": job.at, "expires_at": job.at.plus_seconds(EXPIRY_SECONDS),
            "urls": [format!("http://{host}/files/exports/{id}")],
            "contact_count": job.count, "_metadata": job.metadata(Some(job.count)),
        }),
    )
}

/// The file of an export: whoever has the address has the file, as with SendGrid's signed links.
pub(super) async fn download(Cx(sandbox): Cx<Sandbox>, Path(id): Path<String>) -> Reply {
    let state = sandbox.state();
    let job = state.exports.iter().find(|job| job.id == id).ok_or_else(|| no_such("id"))?;
    let csv = write_csv(&state.columns, state.reached(&job.list_ids));
    Ok(([(header::CONTENT_TYPE, "text/csv")], csv).into_response())
}

impl State {
    /// Notes an export of these lists, or of everything.
    pub(super) fn export_job(
        &mut self,
        world: &World,
        list_ids: Vec<String>,
        user_id: String,
    ) -> ExportJob {
        let count = self.reached(&list_ids).count();
        let job = ExportJob { id: uuid(world), at: world.now(), list_ids, user_id, count };
        self.exports.push(job.clone());
        job
    }

    /// Contacts in any of these lists; all contacts where none is named.
    pub(super) fn reached(&self, list_ids: &[String]) -> impl Iterator<Item = &Contact> {
        let lists: Vec<_> = list_ids.iter().filter_map(|id| self.list_place(id)).collect();
        let all = list_ids.is_empty();
        self.contacts.iter().filter(move |contact| {
            !contact.values.is_empty()
                && (all || lists.iter().any(|list| contact.lists.contains(list)))
        })
    }
}

impl Sandbox {
    /// What the vendor holds, in the format of SendGrid's export; of one list, or of all.
    ///
    /// The format has no column for lists: an export is of a list, and does not name it.
    pub fn dataset_csv(&self, list: Option<&str>) -> Vec<u8> {
        let state = self.state();
        let lists: Vec<_> = list.into_iter().map(str::to_owned).collect();
        write_csv(&state.columns, state.reached(&lists))
    }

    /// What the intruder took, in the same format.
    pub fn exported_csv(&self) -> Vec<u8> {
        let state = self.state();
        write_csv(&state.columns, state.taken.iter())
    }
}

/// Writes contacts under SendGrid's header: capital letters, dates and id after the known
/// columns, then custom fields, then the other identifiers.
fn write_csv<'a>(columns: &[String], contacts: impl Iterator<Item = &'a Contact>) -> Vec<u8> {
    let order: Vec<usize> = (0..BEFORE_DATES).collect();
    let rest: Vec<usize> =
        (COLUMNS.len()..columns.len()).chain(BEFORE_DATES..COLUMNS.len()).collect();
    let mut csv = csv::Writer::from_writer(Vec::new());
    let name = |&column: &usize| columns[column].to_uppercase();
    let dates = ["CREATED_AT", "UPDATED_AT", "CONTACT_ID"].map(str::to_owned);
    let header: Vec<_> = order.iter().map(name).chain(dates).chain(rest.iter().map(name)).collect();
    let written = "a buffer in memory takes every row";
    csv.write_record(&header).expect(written);
    for contact in contacts {
        let value = |&column: &usize| contact.value(column as u16).unwrap_or_default().to_owned();
        let dates = [contact.created_at.to_string(), contact.updated_at.to_string()];
        let dates = dates.into_iter().chain([contact.id.clone()]);
        let row = order.iter().map(value).chain(dates).chain(rest.iter().map(value));
        csv.write_record(row).expect(written);
    }
    csv.into_inner().expect(written)
}

/// A version 4 UUID.
pub(super) fn uuid(world: &World) -> String {
    let mut bytes = world.bytes::<16>();
    bytes[6] = bytes[6] & 0x0F | 0x40;
    bytes[8] = bytes[8] & 0x3F | 0x80;
    let hex = crypto::to_hex(&bytes);
    let parts = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]];
    parts.join("-")
}
