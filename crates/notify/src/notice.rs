//! The nouns of a notice: what is known in general, who is told, and the finished text.
//!
//! Plain values; they do not say how they are written, checked or sent.

use std::collections::BTreeMap;
use std::fmt;

use model::{Field, FieldSet, Language, NotExposedGrade, Residence, Timestamp, Window};
use serde::{Deserialize, Serialize};

use crate::words::Translation;

/// What every copy of one notice has in common. Two operators have approved it before it is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoticeFacts {
    /// The company, as its users know it.
    pub company: String,
    /// Its site, a bare domain such as `flickr.com`: shown as text, to be typed by the reader.
    pub site: String,
    /// What happened, in sentences that were approved, per language. English is always there:
    /// whoever reads another language that is not there gets the whole notice in English.
    pub what_happened: BTreeMap<Translation, String>,
    /// What the company has done about it (GDPR Art. 34(2) with 33(3)(d)), per language.
    #[serde(default)]
    pub measures: BTreeMap<Translation, String>,
    /// When it happened, as far as that is known.
    #[serde(default)]
    pub happened: Window,
    /// When the company learned of it.
    pub learned_at: Timestamp,
    /// The vendor's name, if it is to be named.
    #[serde(default)]
    pub vendor_disclosed: Option<String>,
    /// The privacy office's mail address or postal address.
    pub contact: String,
    /// The name of the authority that a reader may complain to, per language.
    #[serde(default)]
    pub authority: BTreeMap<Translation, String>,
    /// Where on the site the bulletins stand: a path such as `/security/2026-02`.
    pub bulletin_path: String,
    /// When the notice that this one corrects was sent. Corrections need it.
    #[serde(default)]
    pub corrects: Option<Timestamp>,
}

/// What a corrected scope means for one person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum Change {
    /// Not told before, and exposed.
    NewlyExposed,
    /// Told before, and not exposed after all.
    NoLongerExposed {
        /// What they had been told.
        before: FieldSet,
    },
    /// Told before, of other fields.
    FieldsChanged {
        /// What they had been told.
        before: FieldSet,
    },
}

impl Change {
    /// The fields of which the person had been told.
    pub const fn before(self) -> FieldSet {
        match self {
            Self::NewlyExposed => FieldSet::EMPTY,
            Self::NoLongerExposed { before } | Self::FieldsChanged { before } => before,
        }
    }

    /// Its name in templates.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NewlyExposed => "newly-exposed",
            Self::NoLongerExposed { .. } => "no-longer-exposed",
            Self::FieldsChanged { .. } => "fields-changed",
        }
    }
}

/// One person, as far as the text of their notice depends on it. Made when writing, never kept.
#[derive(Clone, PartialEq, Eq)]
pub struct Addressee {
    /// How they are called, if known. Left out of the text if it could pass for something else.
    pub name: Option<String>,
    /// Their fields that were exposed.
    pub exposed: FieldSet,
    /// Their fields that were not, each with what stands behind that.
    pub not_exposed: Vec<(Field, NotExposedGrade)>,
    /// Whether log-in takes a second factor; `None` when not known.
    pub two_factor: Option<bool>,
    /// What they read, if known.
    pub language: Option<Language>,
    /// Where they live, as far as it is known.
    pub residence: Residence,
    /// Their verification code; see [`crate::code`].
    pub code: String,
    /// What a corrected scope means for them; `None` in a first notice.
    pub change: Option<Change>,
}

impl fmt::Debug for Addressee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<addressee>")
    }
}

macro_rules! parts {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// A part of a notice, in the order in which it is read.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        pub enum Part { $($(#[$doc])* #[serde(rename = $name)] $variant,)* }

        impl Part {
            /// Every part.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// Its marker in templates and in the HTML.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

parts! {
    /// The greeting and why this mail comes.
    Opening = "opening",
    /// What differs from the notice that is corrected.
    Change = "change",
    /// What happened, when, where.
    WhatHappened = "what-happened",
    /// What the company has done about it.
    Measures = "measures",
    /// Which of this person's data was exposed.
    Exposed = "exposed",
    /// Which was not, and what proves it.
    NotExposed = "not-exposed",
    /// What is only said or not known.
    Uncertain = "uncertain",
    /// What to expect and to do.
    WhatToDo = "what-to-do",
    /// How to check that this mail is genuine; holds the code.
    Genuine = "genuine",
    /// The rights that Massachusetts has its residents told of.
    RightsMassachusetts = "rights-massachusetts",
    /// Whom to ask and where more is published.
    Ask = "ask",
}

impl Part {
    /// Reads its marker.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|part| part.name() == text)
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A run of text inside a part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Block {
    /// Sentences.
    Paragraph(String),
    /// Entries in no order.
    List(Vec<String>),
    /// Steps, one after the other.
    Steps(Vec<String>),
    /// The verification code, set apart.
    Code(String),
}

/// One part as it was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Section {
    /// Which part it is.
    pub part: Part,
    /// Its heading; empty for the opening.
    pub heading: String,
    /// What it says.
    pub blocks: Vec<Block>,
}

/// A finished notice to one person.
#[derive(Clone, PartialEq, Eq)]
pub struct Notice {
    /// The language that it is written in.
    pub translation: Translation,
    /// Whether it is English only because there is none in the reader's own language.
    pub fell_back: bool,
    /// The name of the variant that their residence asks for.
    pub variant: Option<&'static str>,
    /// The subject line.
    pub subject: String,
    /// Its parts, from which text and HTML are laid out.
    pub sections: Vec<Section>,
    /// The plain text, lines of at most 72 characters, ending in one line feed.
    pub text: String,
    /// The HTML: one file, nothing loaded from anywhere.
    pub html: String,
}

impl fmt::Debug for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<notice in {}>", self.translation)
    }
}
