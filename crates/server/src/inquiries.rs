//! «Was I affected?»: asked on the portal, looked up later, answered only by mail to that address.

use std::time::Duration;

use anyhow::{Context as _, Result};
use mail::{Letter, Session};
use model::{Email, FieldSet, Identifier, PersonKey, crypto};
use notify::Translation;
use notify::words;
use store::Inquiry;

use crate::app::App;
use crate::notices;

/// How long an answer waits at most when nothing wakes the worker.
const PAUSE: Duration = Duration::from_secs(2);
/// A relay that does not take an answer is asked again after this, and given up after a few tries.
const AGAIN_SECONDS: i64 = 300;
const TRIES: u32 = 5;
/// Answers that are looked up at once.
const AT_ONCE: usize = 50;

/// Takes a question down, whoever it is about and whether it is an address at all.
///
/// # Errors
/// Faults of the store.
pub async fn ask(app: &App, address: &str) -> Result<()> {
    let sealed = app.seal("inquiry", address.as_bytes());
    app.store.write(move |tx| tx.insert_inquiry(&sealed)).await.map(drop)
}

/// Answers what is asked, until the program stops.
pub async fn work(app: App) {
    let stopping = app.tasks.stopping();
    tokio::pin!(stopping);
    loop {
        let due = app.store.read(|tx| tx.due_inquiries(AT_ONCE)).await.unwrap_or_default();
        let idle = due.is_empty();
        for inquiry in due {
            if let Err(error) = answer(&app, inquiry).await {
                tracing::error!(error = format!("{error:#}"), "an inquiry was not answered");
            }
        }
        let pause = if idle { PAUSE } else { Duration::ZERO };
        tokio::select! {
            () = &mut stopping => return,
            () = tokio::time::sleep(pause) => {}
        }
    }
}

async fn answer(app: &App, inquiry: Inquiry) -> Result<()> {
    let address = app.unseal("inquiry", &inquiry.address.0)?;
    let known = Email::parse(address.expose()).ok().and_then(|email| {
        let hash = Identifier::Email(email.clone()).hash(app.ledger.identifier_key());
        Some((email, app.ledger.person(hash)?))
    });
    let id = inquiry.id;
    let Some((email, person)) = known else {
        return app.store.write(move |tx| tx.answer_inquiry(id)).await;
    };
    match send(app, &email, person).await {
        Ok(()) => app.store.write(move |tx| tx.answer_inquiry(id)).await,
        Err(error) => {
            tracing::warn!(error = format!("{error:#}"), "the relay did not take an answer");
            let later = app.world.now().plus_seconds(AGAIN_SECONDS);
            let given_up = inquiry.attempt + 1 >= TRIES;
            app.store
                .write(move |tx| match given_up {
                    true => tx.give_up_inquiry(id),
                    false => tx.defer_inquiry(id, later),
                })
                .await
        }
    }
}

async fn send(app: &App, to: &Email, person: PersonKey) -> Result<()> {
    let exposed = exposed(app, person).await?;
    let company = &app.config.company;
    let from = Email::parse(&company.notice_from)?;
    let reply_to = Email::parse(&company.privacy_contact)?;
    let text = text(&company.name, &company.site, &company.privacy_contact, exposed);
    let id = crypto::to_hex(&app.world.bytes::<16>());
    let letter = Letter {
        from_name: &company.name,
        from: &from,
        to,
        reply_to: Some(&reply_to),
        subject: &format!("{}: your question about the security incident", company.name),
        text: &text,
        html: None,
        message_id: &format!("{id}@{}", from.domain()),
        date: app.world.now(),
        headers: &[],
    };
    let message = app.keys.dkim.sign(letter.build(), app.world.now());
    let mut session = Session::open(&notices::relay(app)?).await.context("reaching the relay")?;
    session.send(from.as_str(), to.as_str(), &message).await.context("sending an answer")?;
    session.quit().await;
    Ok(())
}

/// What the newest scopes of all incidents say of a person.
async fn exposed(app: &App, person: PersonKey) -> Result<FieldSet> {
    app.store
        .read(move |tx| {
            let mut fields = FieldSet::EMPTY;
            for incident in tx.incidents(model::limits::PAGE_ROWS)? {
                if let Some(version) = tx.newest_scope(incident.id)?
                    && let Some(member) = tx.scope_member(incident.id, version, person)?
                {
                    fields = fields.union(member.fields);
                }
            }
            Ok(fields)
        })
        .await
}

fn text(company: &str, site: &str, contact: &str, exposed: FieldSet) -> String {
    let list: String = exposed
        .iter()
        .map(|field| format!("- {}\n", words::field_entry(Translation::English, field)))
        .collect();
    let finding = if exposed.is_empty() {
        "By what we know today, this address is not among those whose data was exposed. If that \
         changes, we write to you.\n"
            .to_owned()
    } else {
        format!("Your data is among what was exposed. In your case it is this:\n\n{list}")
    };
    format!(
        "Hello,\n\nsomebody, probably you, asked {company} whether the account of this address was \
         affected by a security incident.\n\n{finding}\nThis mail has no links, on purpose. To reach \
         us, type {site} into your browser yourself. Tell nobody your password or a log-in code; we \
         never ask for them.\n\nIf you did not ask, you need not do anything.\n\nQuestions: {contact}\n\n\
         {company}\n"
    )
}

#[cfg(test)]
mod tests {
    use model::Field;

    use super::*;

    #[test]
    fn an_answer_lists_what_was_exposed_and_has_no_link() {
        let exposed = FieldSet::EMPTY.with(Field::Email).with(Field::Name);
        let yes = text("Flickr", "flickr.com", "privacy@flickr.com", exposed);
        let no = text("Flickr", "flickr.com", "privacy@flickr.com", FieldSet::EMPTY);
        assert!(yes.contains("- ") && yes.contains("Your data is among what was exposed"));
        assert!(no.contains("not among those") && !no.contains("- your"));
        assert!(!yes.contains("http") && !no.contains("http"));
    }
}
