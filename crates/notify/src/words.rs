//! The words that a notice needs beside its prose: fields, lists and dates, in three languages.
//!
//! Prose lives in `templates/`. Here stands only what grammar makes a table of. Does not choose
//! what a person is told.

use std::fmt;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use model::{Field, Language, Timestamp};
use serde::{Deserialize, Serialize};

/// A language in which notices are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Translation {
    /// English; everybody whose language is not among the others gets it.
    #[serde(rename = "en")]
    English,
    /// German.
    #[serde(rename = "de")]
    German,
    /// Brazilian Portuguese.
    #[serde(rename = "pt-BR")]
    Portuguese,
}

impl Translation {
    /// Every translation, English first.
    pub const ALL: &[Self] = &[Self::English, Self::German, Self::Portuguese];

    /// Its BCP 47 tag, which is also the folder of its templates.
    pub const fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::German => "de",
            Self::Portuguese => "pt-BR",
        }
    }

    /// The translation for a reader of `language`, by its primary subtag, if there is one.
    pub fn of(language: &Language) -> Option<Self> {
        let primary = language.as_str().split('-').next().unwrap_or_default();
        Self::ALL.iter().copied().find(|translation| {
            translation.tag().split('-').next().is_some_and(|tag| tag.eq_ignore_ascii_case(primary))
        })
    }

    const fn pick(self, words: [&'static str; 3]) -> &'static str {
        words[self as usize]
    }
}

impl fmt::Display for Translation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.tag())
    }
}

/// What a field is called as an entry of a list.
pub fn field_entry(translation: Translation, field: Field) -> &'static str {
    translation.pick(entries(field))
}

/// What a field of the reader's is called as the object of a sentence: `your name`, `Ihren Namen`.
pub fn field_object(translation: Translation, field: Field) -> &'static str {
    translation.pick(objects(field))
}

/// English, German, Portuguese, in this order, here and below.
const fn entries(field: Field) -> [&'static str; 3] {
    match field {
        Field::Email => ["E-mail address", "E-Mail-Adresse", "Endereço de e-mail"],
        Field::Phone => ["Phone number", "Telefonnummer", "Número de telefone"],
        Field::Name => ["Name", "Name", "Nome"],
        Field::Username => ["User name", "Benutzername", "Nome de usuário"],
        Field::Address => ["Postal address", "Postanschrift", "Endereço postal"],
        Field::Ip => ["IP address", "IP-Adresse", "Endereço IP"],
        Field::Location => {
            ["Approximate location", "Ungefährer Standort", "Localização aproximada"]
        }
        Field::Birthdate => ["Date of birth", "Geburtsdatum", "Data de nascimento"],
        Field::Activity => [
            "What you have done on our service",
            "Was Sie bei uns getan haben (Aktivitätsdaten)",
            "O que você fez em nosso serviço (dados de atividade)",
        ],
        Field::AccountType => ["Type of account", "Art des Kontos", "Tipo de conta"],
        Field::Language => ["Language setting", "Spracheinstellung", "Idioma preferido"],
        Field::Content => [
            "Text of messages we sent you",
            "Text von Nachrichten, die wir Ihnen geschickt haben",
            "Texto de mensagens que enviamos a você",
        ],
        Field::Attachment => [
            "Files we sent you",
            "Dateien, die wir Ihnen geschickt haben",
            "Arquivos que enviamos a você",
        ],
        Field::Custom => [
            "Further details from your profile",
            "Weitere Angaben aus Ihrem Profil",
            "Outras informações do seu perfil",
        ],
        Field::Password => {
            ["Password or log-in code", "Passwort oder Anmeldecode", "Senha ou código de acesso"]
        }
        Field::Payment => [
            "Payment details (card or account number)",
            "Zahlungsdaten (Karten- oder Kontonummer)",
            "Dados de pagamento (número do cartão ou da conta)",
        ],
        Field::GovernmentId => [
            "Number of an identity document",
            "Nummer eines Ausweisdokuments",
            "Número de documento de identidade",
        ],
        Field::Health => ["Health data", "Gesundheitsdaten", "Dados de saúde"],
    }
}

/// Objects, so that no verb has to agree with them; in German the accusative.
const fn objects(field: Field) -> [&'static str; 3] {
    match field {
        Field::Email => ["your e-mail address", "Ihre E-Mail-Adresse", "seu endereço de e-mail"],
        Field::Phone => ["your phone number", "Ihre Telefonnummer", "seu número de telefone"],
        Field::Name => ["your name", "Ihren Namen", "seu nome"],
        Field::Username => ["your user name", "Ihren Benutzernamen", "seu nome de usuário"],
        Field::Address => ["your postal address", "Ihre Postanschrift", "seu endereço postal"],
        Field::Ip => ["your IP address", "Ihre IP-Adresse", "seu endereço IP"],
        Field::Location => {
            ["your approximate location", "Ihren ungefähren Standort", "sua localização aproximada"]
        }
        Field::Birthdate => ["your date of birth", "Ihr Geburtsdatum", "sua data de nascimento"],
        Field::Activity => {
            ["what you have done on our service", "Ihre Aktivitätsdaten", "seus dados de atividade"]
        }
        Field::AccountType => {
            ["the type of your account", "die Art Ihres Kontos", "o tipo da sua conta"]
        }
        Field::Language => {
            ["your language setting", "Ihre Spracheinstellung", "seu idioma preferido"]
        }
        Field::Content => [
            "the text of messages we sent you",
            "den Text unserer Nachrichten an Sie",
            "o texto de mensagens que enviamos a você",
        ],
        Field::Attachment => {
            ["files we sent you", "unsere Dateien an Sie", "arquivos que enviamos a você"]
        }
        Field::Custom => [
            "further details from your profile",
            "weitere Angaben aus Ihrem Profil",
            "outras informações do seu perfil",
        ],
        Field::Password => ["your password", "Ihr Passwort", "sua senha"],
        Field::Payment => ["your payment details", "Ihre Zahlungsdaten", "seus dados de pagamento"],
        Field::GovernmentId => [
            "the number of your identity document",
            "die Nummer Ihres Ausweisdokuments",
            "o número do seu documento de identidade",
        ],
        Field::Health => ["your health data", "Ihre Gesundheitsdaten", "seus dados de saúde"],
    }
}

/// Joins entries as a sentence does: `a`, `a and b`, `a, b and c`. No entries give no text.
pub fn all_of(translation: Translation, entries: &[&str]) -> String {
    join(translation.pick([" and ", " und ", " e "]), entries)
}

/// As [`all_of`], with `or`: what follows a `never` or a `nobody`.
pub fn any_of(translation: Translation, entries: &[&str]) -> String {
    join(translation.pick([" or ", " oder ", " ou "]), entries)
}

fn join(between_last: &str, entries: &[&str]) -> String {
    match entries {
        [] => String::new(),
        [only] => (*only).to_owned(),
        [most @ .., last] => format!("{}{between_last}{last}", most.join(", ")),
    }
}

/// The day of an instant in UTC, as the language writes it: `5 February 2026`.
pub fn day(translation: Translation, at: Timestamp) -> String {
    let date: Date = TimeZone::UTC.to_datetime(at.to_jiff()).date();
    let (day, year) = (date.day(), date.year());
    let month = translation.pick(MONTHS[usize::from(date.month().unsigned_abs()) - 1]);
    match translation {
        Translation::English => format!("{day} {month} {year}"),
        Translation::German => format!("{day}. {month} {year}"),
        Translation::Portuguese if day == 1 => format!("1º de {month} de {year}"),
        Translation::Portuguese => format!("{day} de {month} de {year}"),
    }
}

const MONTHS: [[&str; 3]; 12] = [
    ["January", "Januar", "janeiro"],
    ["February", "Februar", "fevereiro"],
    ["March", "März", "março"],
    ["April", "April", "abril"],
    ["May", "Mai", "maio"],
    ["June", "Juni", "junho"],
    ["July", "Juli", "julho"],
    ["August", "August", "agosto"],
    ["September", "September", "setembro"],
    ["October", "Oktober", "outubro"],
    ["November", "November", "novembro"],
    ["December", "Dezember", "dezembro"],
];

#[cfg(test)]
mod tests {
    use super::*;

    fn language(tag: &str) -> Option<Translation> {
        Translation::of(&Language::parse(tag).expect(tag))
    }

    #[test]
    fn a_language_is_matched_by_its_primary_subtag_and_never_guessed() {
        assert_eq!(language("de-AT"), Some(Translation::German));
        assert_eq!(language("PT-pt"), Some(Translation::Portuguese));
        assert_eq!(language("en"), Some(Translation::English));
        assert_eq!(language("den"), None, "Slave is not German");
        assert_eq!(language("ja"), None);
    }

    #[test]
    fn a_list_is_joined_as_a_sentence_does() {
        let join = |entries: &[&str]| all_of(Translation::German, entries);
        assert_eq!(join(&[]), "");
        assert_eq!(join(&["a"]), "a");
        assert_eq!(join(&["a", "b"]), "a und b");
        assert_eq!(join(&["a", "b", "c"]), "a, b und c");
        assert_eq!(any_of(Translation::Portuguese, &["a", "b"]), "a ou b");
    }

    #[test]
    fn a_day_is_written_as_its_language_writes_it() {
        let at = Timestamp::parse("2026-03-01T23:59:59Z").expect("a time");
        assert_eq!(day(Translation::English, at), "1 March 2026");
        assert_eq!(day(Translation::German, at), "1. März 2026");
        assert_eq!(day(Translation::Portuguese, at), "1º de março de 2026");
    }

    #[test]
    fn no_two_fields_share_their_words() {
        for &translation in Translation::ALL {
            for words in [field_entry, field_object] {
                let mut all: Vec<_> =
                    Field::ALL.iter().map(|&field| words(translation, field)).collect();
                all.sort_unstable();
                all.dedup();
                assert_eq!(all.len(), Field::ALL.len(), "{translation}");
            }
        }
    }
}
