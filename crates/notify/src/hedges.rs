//! Phrases that sound like comfort and say nothing, per language: no notice may hold one.
//!
//! They are taken from real notices. Each is looked for in lower case with single spaces; none of
//! them is needed to say what is known, what is not known, and what is only said.

use crate::words::Translation;

/// The phrases that a notice in this language may not hold.
pub const fn hedges(translation: Translation) -> &'static [&'static str] {
    match translation {
        Translation::English => ENGLISH,
        Translation::German => GERMAN,
        Translation::Portuguese => PORTUGUESE,
    }
}

const ENGLISH: &[&str] = &[
    "no evidence",
    "no indication",
    "no reason to believe",
    "not aware of any",
    "abundance of caution",
    "security seriously",
    "privacy seriously",
    "protection seriously",
    "security of your data very seriously",
    "may have",
    "might have",
    "could have been",
    "may potentially",
    "potentially",
    "possibly",
    "a small number of",
    "a limited number of",
    "any inconvenience",
];

const GERMAN: &[&str] = &[
    "keine hinweise",
    "keinen hinweis",
    "keine anhaltspunkte",
    "keinen anhaltspunkt",
    "keine anzeichen",
    "keine belege",
    "kein grund zur annahme",
    "reiner vorsicht",
    "rein vorsorglich",
    "rein vorsichtshalber",
    "sehr ernst",
    "hat für uns höchste priorität",
    "haben für uns höchste priorität",
    "möglicherweise",
    "womöglich",
    "unter umständen",
    "eventuell",
    "könnten betroffen",
    "könnte betroffen",
    "eine kleine anzahl",
    "eine begrenzte anzahl",
    "unannehmlichkeiten",
];

const PORTUGUESE: &[&str] = &[
    "não há evidência",
    "não há indício",
    "não há indicação",
    "não temos evidência",
    "não encontramos evidência",
    "nenhuma evidência",
    "nenhum indício",
    "nenhuma indicação",
    "sem evidência",
    "excesso de cautela",
    "mera precaução",
    "por precaução",
    "muito a sério",
    "levamos a sério",
    "levamos a segurança",
    "é nossa prioridade",
    "pode ter sido",
    "podem ter sido",
    "pode ter havido",
    "possivelmente",
    "eventualmente",
    "um pequeno número de",
    "um número limitado de",
    "transtorno",
    "inconveniente",
];
