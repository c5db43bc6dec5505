//! What a policy looks at: which parts of the context, which words. Read from its JSON form, which
//! Cedar documents.

use model::Field;
use serde_json::Value;

/// What decides whether an answer may be kept for the next call of the same kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Looks {
    /// At the number of people.
    pub people: bool,
    /// At the time.
    pub time: bool,
}

impl Looks {
    pub fn and(self, other: Self) -> Self {
        Self { people: self.people || other.people, time: self.time || other.time }
    }
}

/// What one policy reads.
#[derive(Debug, Default)]
pub(crate) struct Reads {
    pub looks: Looks,
    /// Every string in its conditions.
    pub words: Vec<String>,
    /// Strings that it compares with fields and that name none: such a condition never holds, and
    /// a `forbid` with it would forbid nothing.
    pub no_fields: Vec<String>,
}

impl Reads {
    /// What a policy's JSON form reads.
    pub fn of(policy: &Value) -> Self {
        let mut reads = Self::default();
        reads.walk(policy.get("conditions").unwrap_or(&Value::Null));
        reads
    }

    fn walk(&mut self, node: &Value) {
        match node {
            Value::Array(items) => items.iter().for_each(|item| self.walk(item)),
            Value::Object(pairs) => {
                for (operator, operands) in pairs {
                    self.enter(operator, operands);
                }
            }
            _ => {}
        }
    }

    fn enter(&mut self, operator: &str, operands: &Value) {
        match operator {
            "Var" if operands == "context" => self.looks = Looks { people: true, time: true },
            "Value" => self.words.extend(operands.as_str().map(str::to_owned)),
            "." | "has" => match context_attribute(operands) {
                Some(attribute) => {
                    self.looks.people |= attribute == "people";
                    self.looks.time |= attribute == "time";
                }
                None => self.walk(operands),
            },
            _ => {
                self.compare_fields(operands);
                self.walk(operands);
            }
        }
    }

    /// Where one side is `context.fields`, the words of the other have to be fields.
    fn compare_fields(&mut self, operands: &Value) {
        let (Some(left), Some(right)) = (operands.get("left"), operands.get("right")) else {
            return;
        };
        for (one, other) in [(left, right), (right, left)] {
            if one.get(".").and_then(context_attribute) == Some("fields") {
                let unknown = words(other).filter(|word| Field::parse(word).is_err());
                self.no_fields.extend(unknown.map(str::to_owned));
            }
        }
    }
}

/// The attribute, when it is one of the context itself.
fn context_attribute(operands: &Value) -> Option<&str> {
    let of_context = operands.get("left")?.get("Var")? == "context";
    operands.get("attr")?.as_str().filter(|_| of_context)
}

/// The strings of a literal, or of a set of them.
fn words(literal: &Value) -> impl Iterator<Item = &str> {
    let items = literal.get("Set").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let all = std::iter::once(literal).chain(items);
    all.filter_map(|item| item.get("Value")?.as_str())
}
