//! Bulletins and notices: drafted by one person, approved by another. Texts and recipients of
//! notices are not here, and neither is how anything is sent.

use model::{NoticeId, limits};

use crate::command::{Effect, Refused};
use crate::incident::{
    Bulletin, BulletinState, BulletinText, BulletinVersion, Notice, NoticeState,
};
use crate::regime::StartEvent;
use crate::step::{Turn, required};

impl Turn<'_> {
    pub(crate) fn draft_bulletin(
        &mut self,
        bulletin: Option<u32>,
        texts: Vec<BulletinText>,
    ) -> Result<(), Refused> {
        if texts.is_empty() {
            return Err(Refused::TextMissing("bulletin"));
        }
        for text in &texts {
            required("title", &text.title)?;
            required("body", &text.body)?;
        }
        let versions: usize = self.incident.bulletins.iter().map(|b| b.versions.len()).sum();
        if versions >= limits::INCIDENT_ENTRIES {
            return Err(Refused::TooMany("bulletins"));
        }
        let number = bulletin.unwrap_or(self.incident.bulletins.len() as u32 + 1);
        if bulletin.is_none() {
            self.incident.bulletins.push(Bulletin { number, versions: Vec::new() });
        }
        let (at, author) = (self.now, self.by.author.clone());
        let versions = &mut self.bulletin(number)?.versions;
        let version = versions.len() as u32 + 1;
        let state = BulletinState::Draft;
        versions.push(BulletinVersion { version, at, author, texts, state });
        self.note(source(number), format!("version {version} drafted"));
        Ok(())
    }

    pub(crate) fn approve_bulletin(&mut self, number: u32, version: u32) -> Result<(), Refused> {
        let (at, approver) = (self.now, self.by.author.clone());
        let newest = self.newest(number)?;
        if newest.version != version {
            return Err(Refused::BulletinChanged(newest.version));
        }
        if newest.state != BulletinState::Draft {
            return Err(Refused::BulletinNotDraft);
        }
        let author = newest.author.clone();
        self.second_pair_of_eyes(&[author])?;
        self.newest(number)?.state = BulletinState::Published { at, approver };
        self.note(source(number), format!("version {version} published"));
        self.effects.push(Effect::Publish { bulletin: number, version });
        Ok(())
    }

    pub(crate) fn withdraw_bulletin(&mut self, number: u32, why: &str) -> Result<(), Refused> {
        let why = required("why", why)?;
        let (at, by) = (self.now, self.by.author.clone());
        let newest = self.newest(number)?;
        if newest.state != BulletinState::Draft {
            return Err(Refused::BulletinNotDraft);
        }
        newest.state = BulletinState::Withdrawn { at, by, why: why.clone() };
        let version = newest.version;
        self.note(source(number), format!("version {version} withdrawn: {why}"));
        Ok(())
    }

    fn bulletin(&mut self, number: u32) -> Result<&mut Bulletin, Refused> {
        let mut bulletins = self.incident.bulletins.iter_mut();
        bulletins.find(|known| known.number == number).ok_or(Refused::UnknownBulletin(number))
    }

    fn newest(&mut self, number: u32) -> Result<&mut BulletinVersion, Refused> {
        self.bulletin(number)?.versions.last_mut().ok_or(Refused::UnknownBulletin(number))
    }

    pub(crate) fn notice_drafted(
        &mut self,
        id: NoticeId,
        scope: Option<u32>,
    ) -> Result<(), Refused> {
        let (at, author) = (self.now, self.by.author.clone());
        if let Some(version) = scope
            && !self.incident.scopes.iter().any(|known| known.version == version)
        {
            return Err(Refused::UnknownScope(version));
        }
        let full = self.incident.notices.len() >= limits::INCIDENT_ENTRIES;
        let known = self.incident.notices.iter_mut().find(|known| known.notice == id);
        match known {
            Some(notice) if notice.state == NoticeState::Draft => {
                notice.at = at;
                notice.scope = scope;
                if !notice.authors.contains(&author) {
                    notice.authors.push(author);
                }
            }
            Some(_) => return Err(Refused::NoticeNotDraft),
            None if full => return Err(Refused::TooMany("notices")),
            None => {
                let (authors, state) = (vec![author], NoticeState::Draft);
                self.incident.notices.push(Notice { notice: id, authors, at, scope, state });
            }
        }
        self.note(format!("notice/{id}"), "drafted".to_owned());
        Ok(())
    }

    pub(crate) fn approve_notice(&mut self, id: NoticeId) -> Result<(), Refused> {
        let (at, approver) = (self.now, self.by.author.clone());
        let notice = self.notice(id)?;
        if notice.state != NoticeState::Draft {
            return Err(Refused::NoticeNotDraft);
        }
        let authors = notice.authors.clone();
        self.second_pair_of_eyes(&authors)?;
        self.notice(id)?.state = NoticeState::Approved { at, approver };
        // From the first one on its way, which is the earliest that a law can count from.
        self.incident.moments.entry(StartEvent::IndividualsNotified).or_insert(at);
        self.note(format!("notice/{id}"), "approved; it is on its way".to_owned());
        self.effects.push(Effect::Notify { notice: id });
        Ok(())
    }

    pub(crate) fn reject_notice(&mut self, id: NoticeId, why: &str) -> Result<(), Refused> {
        let why = required("why", why)?;
        let (at, by) = (self.now, self.by.author.clone());
        let notice = self.notice(id)?;
        if notice.state != NoticeState::Draft {
            return Err(Refused::NoticeNotDraft);
        }
        notice.state = NoticeState::Rejected { at, by, why: why.clone() };
        self.note(format!("notice/{id}"), format!("rejected: {why}"));
        Ok(())
    }

    pub(crate) fn notice_ended(&mut self, id: NoticeId) -> Result<(), Refused> {
        let now = self.now;
        let notice = self.notice(id)?;
        let NoticeState::Approved { at, approver } = notice.state.clone() else {
            return Err(Refused::NoticeNotSending);
        };
        notice.state = NoticeState::Ended { approved_at: at, approver, at: now };
        self.note(format!("notice/{id}"), "every recipient's row has ended".to_owned());
        Ok(())
    }

    fn notice(&mut self, id: NoticeId) -> Result<&mut Notice, Refused> {
        let mut notices = self.incident.notices.iter_mut();
        notices.find(|known| known.notice == id).ok_or(Refused::UnknownNotice(id))
    }
}

/// Where entries on a bulletin come from.
fn source(number: u32) -> String {
    format!("bulletin/{number}")
}
