//! Scope: the question to the ledger, its answers as versions, and what the vendor says beside it.
//! A vendor's statement changes no window: a person who weighs it does.

use model::{Confidence, Reach, Timestamp, Window, limits};

use crate::clocks::Decision;
use crate::command::{Effect, Question, Refused, Said, ScopeAnswer};
use crate::incident::{Asked, Reversal, ScopeVersion, Statement};
use crate::regime::{self, StartEvent};
use crate::step::{Turn, required};

impl Turn<'_> {
    /// Asks the ledger with the inputs as they stand. A question that is still open is replaced.
    pub(crate) fn ask(&mut self, reason: String) {
        let incident = &mut self.incident;
        incident.questions += 1;
        let asked = Asked {
            number: incident.questions,
            upper: Question { window: incident.window, reach: incident.reach.clone() },
            lower: incident.certain.clone(),
            reason,
        };
        incident.asked = Some(asked.clone());
        self.effects.push(Effect::ComputeScope { asked: Box::new(asked) });
    }

    pub(crate) fn set_window(&mut self, window: Window, why: &str) -> Result<(), Refused> {
        let why = required("why", why)?;
        filled(window)?;
        self.incident.window = window;
        self.note("scope", format!("the window of access is now {}: {why}", written(window)));
        self.ask(why);
        Ok(())
    }

    pub(crate) fn set_reach(&mut self, reach: Reach, why: &str) -> Result<(), Refused> {
        let why = required("why", why)?;
        self.note("scope", format!("the reach of access is now {}: {why}", within(&reach)));
        self.incident.reach = reach;
        self.ask(why);
        Ok(())
    }

    pub(crate) fn set_certain(
        &mut self,
        certain: Option<Question>,
        why: &str,
    ) -> Result<(), Refused> {
        let why = required("why", why)?;
        let known = match &certain {
            None => "nothing is known to have been taken".to_owned(),
            Some(Question { window, reach }) => {
                filled(*window)?;
                format!("certainly taken is {} of {}", within(reach), written(*window))
            }
        };
        self.note("scope", format!("{known}: {why}"));
        self.incident.certain = certain;
        self.ask(why);
        Ok(())
    }

    pub(crate) fn rescope(&mut self, why: &str) -> Result<(), Refused> {
        let why = required("why", why)?;
        self.ask(why);
        Ok(())
    }

    pub(crate) fn scope_computed(&mut self, answer: ScopeAnswer) -> Result<(), Refused> {
        let Some(asked) = self.incident.asked.take_if(|asked| asked.number == answer.question)
        else {
            return Err(Refused::ScopeOutdated);
        };
        if answer.lower.persons > answer.upper.persons {
            return Err(Refused::BoundsCrossed);
        }
        if self.incident.scopes.len() >= limits::INCIDENT_ENTRIES {
            return Err(Refused::TooMany("scopes"));
        }
        let version = self.incident.scopes.last().map_or(1, |last| last.version + 1);
        let (lower, upper) = (answer.lower.persons, answer.upper.persons);
        let persons = match lower == upper {
            true => format!("exactly {upper} persons"),
            false => format!("at least {lower} and at most {upper} persons"),
        };
        self.note("scope", format!("scope version {version}: {persons} ({})", asked.reason));
        self.incident.scopes.push(ScopeVersion {
            version,
            at: self.now,
            window: asked.upper.window,
            reach: asked.upper.reach,
            certain: asked.lower,
            upper: answer.upper,
            lower: answer.lower,
            not_exposed: answer.not_exposed,
            reason: asked.reason,
            ledger: answer.ledger,
        });
        Ok(())
    }

    pub(crate) fn record_statement(&mut self, said: Said) -> Result<(), Refused> {
        let text = required("text", &said.text)?;
        let source = required("source", &said.source)?;
        filled(said.window)?;
        let incident = &mut self.incident;
        let count = incident.statements.len();
        if count >= limits::INCIDENT_ENTRIES {
            return Err(Refused::TooMany("statements"));
        }
        let number = count as u32 + 1;
        let told = incident.vendor_told_at.map_or(said.said_at, |told| told.min(said.said_at));
        incident.vendor_told_at = Some(told);
        incident.vendor_aware_at = said.vendor_aware_at.or(incident.vendor_aware_at);
        incident.statements.push(Statement {
            number,
            said_at: said.said_at,
            recorded_at: self.now,
            author: self.by.author.clone(),
            source,
            fields_exposed: said.fields_exposed,
            fields_denied: said.fields_denied,
            window: said.window,
            text: text.clone(),
            reversed: None,
        });
        let entry = format!("statement {number}, the vendor's word: {text}");
        self.entry(said.said_at, "vendor".to_owned(), Confidence::Stated, entry);
        Ok(())
    }

    pub(crate) fn reverse_statement(&mut self, number: u32, text: &str) -> Result<(), Refused> {
        let text = required("text", text)?;
        let (at, author) = (self.now, self.by.author.clone());
        let statement = self
            .incident
            .statements
            .iter_mut()
            .find(|statement| statement.number == number)
            .ok_or(Refused::UnknownStatement(number))?;
        if statement.reversed.is_some() {
            return Err(Refused::StatementReversed(number));
        }
        statement.reversed = Some(Reversal { at, author, text: text.clone() });
        let entry = format!("statement {number} was taken back: {text}");
        self.entry(at, "vendor".to_owned(), Confidence::Stated, entry);
        Ok(())
    }

    pub(crate) fn determine(&mut self, event: StartEvent, at: Timestamp) -> Result<(), Refused> {
        self.incident.moments.insert(event, at);
        self.entry(
            at,
            "clocks".to_owned(),
            Confidence::Certain,
            format!("a clock may start: {}", event.name()),
        );
        Ok(())
    }

    pub(crate) fn decide(
        &mut self,
        regime: String,
        applies: bool,
        why: &str,
    ) -> Result<(), Refused> {
        let why = required("why", why)?;
        if !regime::regimes().iter().any(|known| known.id == regime) {
            return Err(Refused::UnknownRegime(regime));
        }
        let judged = if applies { "applies" } else { "does not apply" };
        self.note("clocks", format!("{regime} {judged}: {why}"));
        let decision = Decision { applies, by: self.by.author.clone(), at: self.now, why };
        self.incident.decisions.insert(regime, decision);
        Ok(())
    }
}

fn filled(window: Window) -> Result<(), Refused> {
    if window.interval().is_empty() { Err(Refused::WindowEmpty) } else { Ok(()) }
}

/// A window as people read it.
pub(crate) fn written(window: Window) -> String {
    let from = window.from.map_or("the beginning".to_owned(), |from| from.to_string());
    let to = window.to.map_or("now and on".to_owned(), |to| to.to_string());
    format!("from {from} until {to}")
}

/// A reach as people read it.
pub(crate) fn within(reach: &Reach) -> String {
    let mut parts = Vec::new();
    if let Some(lists) = &reach.lists {
        let names: Vec<_> = lists.iter().map(|list| format!("`{list}`")).collect();
        parts.push(format!("lists {}", names.join(", ")));
    }
    if let Some(operations) = &reach.operations {
        let names: Vec<_> = operations.iter().map(|name| format!("`{name}`")).collect();
        parts.push(format!("operations {}", names.join(", ")));
    }
    if let Some(fields) = reach.fields {
        parts.push(format!("fields {fields}"));
    }
    if parts.is_empty() { "everything".to_owned() } else { parts.join("; ") }
}
