//! Why a policy text is not taken: every problem with its place.

use std::fmt;

use model::Coded;
use serde::Serialize;

/// One thing about a text, with its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Which text: a file's name, `stored`, `grants` or `built-in`.
    pub origin: String,
    /// Counted from 1; 0 when it is about the text as a whole.
    pub line: usize,
    /// Counted from 1, in characters.
    pub column: usize,
    /// Which policy, when it is about one.
    pub policy: Option<String>,
    /// What is wrong.
    pub message: String,
    /// What may help.
    pub help: Option<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.origin, self.message),
            line => write!(f, "{}:{line}:{}: {}", self.origin, self.column, self.message),
        }
    }
}

/// A policy that does not validate; nothing of it is taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rejected {
    /// At least one, in the order of the text.
    pub problems: Vec<Problem>,
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the policy does not validate")?;
        let mut problems = self.problems.iter();
        if let Some(first) = problems.next() {
            write!(f, ": {first}")?;
        }
        match problems.len() {
            0 => Ok(()),
            more => write!(f, " (and {more} more)"),
        }
    }
}

impl std::error::Error for Rejected {}

impl Coded for Rejected {
    fn code(&self) -> &'static str {
        "policy-invalid"
    }

    fn hint(&self) -> Option<String> {
        Some("`cordon policy check FILE` shows every problem, `cordon policy schema` what policies speak of".into())
    }
}

/// Line and column of a place in a text, counted from 1, the column in characters.
pub(crate) fn place(text: &str, offset: usize) -> (usize, usize) {
    let before = &text[..text.floor_char_boundary(offset)];
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (line, column)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_counted_in_characters_from_one() {
        let text = "permit\n  ä b";
        assert_eq!(place(text, 0), (1, 1));
        assert_eq!(place(text, text.find('b').expect("b")), (2, 5));
        assert_eq!(place(text, 1_000), (2, 6));
    }
}
