//! The documented keys of a body as a tree: what stands where, and what it says of whom.
//!
//! A path has its steps parted by dots: `to[]` steps into a list, `data~` into a text that is JSON
//! itself, `*` is every other key, `v:*` every key that begins so, `{email}` a key that is an
//! identifier itself. Its words are a scope, a role, or both.

use model::{Field, FieldSet};

/// What a value says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Nothing of anybody.
    Silent,
    /// Who sends: the company's own address.
    Sender,
    /// Nothing of anybody by its purpose; personal data in it deserves a warning.
    Tag,
    /// A field, at any depth.
    Field(Field),
    /// A field whose value names the person. One that is not strict may be another text as well.
    Names {
        /// `email`, `phone` or `username`.
        field: Field,
        /// Whether a value that names nobody is refused.
        strict: bool,
        /// Whose ids these are, where they are not the company's own; empty if they are.
        space: &'static str,
    },
    /// The vendor's own id of somebody, which says nothing else.
    Id {
        /// Whose ids these are.
        space: &'static str,
        /// How each one begins.
        begins: &'static str,
    },
    /// The first of these that fits.
    Either(&'static [Role]),
    /// Addresses with display names, as in a mail's header (RFC 5322 §3.4).
    Mailboxes,
    /// The name or id of one of the vendor's lists.
    List,
    /// The MD5 of an address in lower case, or the address itself.
    Digest,
    /// The caller's token.
    Token,
    /// A whole message (RFC 5322).
    Message,
    /// A whole message in base64.
    EncodedMessage,
    /// What to look for; every address in it is somebody's.
    Search,
    /// Another call of this vendor's, as an object with `method`, `path`, `params` and `body`.
    Call,
}

/// Whom the values below a place are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// Each identifier is another person, and what is said is said of all of them.
    Message,
    /// All identifiers are of one person, of whom it is said.
    Person,
    /// A person of whom nothing is said but what stands here, whatever message it is in.
    Apart,
}

/// One place of a body.
#[derive(Debug, Default)]
pub(super) struct Node {
    pub role: Option<Role>,
    pub scope: Option<Scope>,
    /// Whether no other message stands below this one, so that a reference goes here.
    pub innermost: bool,
    /// What is inside of a text that is JSON itself.
    pub inside: Option<Box<Node>>,
    pub items: Option<Box<Node>>,
    keys: Vec<(String, Node)>,
    prefixes: Vec<(String, Node)>,
    named: Option<(Role, Box<Node>)>,
    /// What stands here instead when a key has this value.
    cases: Vec<(String, String, Node)>,
    any: Option<Box<Node>>,
}

impl Node {
    /// Adds what the words say of this path.
    pub fn add(&mut self, path: &str, words: &str) -> Result<(), String> {
        let mut place = self;
        for step in steps(path)? {
            place = place.enter(step)?;
        }
        for word in words.split_whitespace() {
            let twice = match scope(word) {
                Some(scope) => place.scope.replace(scope).is_some(),
                None => place.role.replace(role(word)?).is_some(),
            };
            if twice {
                return Err(format!("`{path}` is described twice"));
            }
        }
        Ok(())
    }

    /// Marks the innermost messages below, and says whether there are any.
    pub fn mark(&mut self) -> bool {
        let mut below = false;
        self.each_child(&mut |child| below |= child.mark());
        self.innermost = self.scope == Some(Scope::Message) && !below;
        below || self.innermost
    }

    /// Every field that a value here or below can carry.
    pub fn carries(&mut self) -> FieldSet {
        let mut all = self.role.map_or(FieldSet::EMPTY, Role::carries);
        if let Some((role, _)) = &self.named {
            all = all.union(role.carries());
        }
        self.each_child(&mut |child| all = all.union(child.carries()));
        all
    }

    /// What is documented of this key, and whether the key itself names somebody.
    pub fn key(&self, key: &str) -> Option<(&Self, Option<Role>)> {
        if let Some((_, node)) = self.keys.iter().find(|(name, _)| name == key) {
            return Some((node, None));
        }
        if let Some((_, node)) = self.prefixes.iter().find(|(begin, _)| key.starts_with(begin)) {
            return Some((node, None));
        }
        if let Some((role, node)) = &self.named {
            return Some((node, Some(*role)));
        }
        self.any.as_deref().map(|node| (node, None))
    }

    /// What stands here for an object with these values.
    pub fn case<T: AsRef<str>>(&self, value: impl Fn(&str) -> Option<T>) -> &Self {
        let fits = |(key, expected, _): &&(String, String, Self)| {
            value(key).is_some_and(|value| value.as_ref() == expected)
        };
        self.cases.iter().find(fits).map_or(self, |(.., node)| node)
    }

    /// Whether an object may stand here.
    pub fn has_keys(&self) -> bool {
        let named = self.named.is_some() || self.any.is_some();
        let keyed = !self.keys.is_empty() || !self.prefixes.is_empty();
        named || keyed || !self.cases.is_empty()
    }

    fn enter(&mut self, step: Step) -> Result<&mut Self, String> {
        let keyed = |keys: &mut Vec<(String, Self)>, name: String| {
            let found = keys.iter().position(|(known, _)| *known == name);
            found.unwrap_or_else(|| {
                keys.push((name, Self::default()));
                keys.len() - 1
            })
        };
        Ok(match step {
            Step::Key(name) => {
                let at = keyed(&mut self.keys, name);
                &mut self.keys[at].1
            }
            Step::Prefix(name) => {
                let at = keyed(&mut self.prefixes, name);
                &mut self.prefixes[at].1
            }
            Step::Any => self.any.get_or_insert_default(),
            Step::Case(key, value) => {
                let fits = |(k, v, _): &(String, String, Self)| *k == key && *v == value;
                let at = self.cases.iter().position(fits).unwrap_or_else(|| {
                    self.cases.push((key, value, Self::default()));
                    self.cases.len() - 1
                });
                &mut self.cases[at].2
            }
            Step::Items => self.items.get_or_insert_default(),
            Step::Inside => self.inside.get_or_insert_default(),
            Step::Named(role) => {
                let (known, node) = self.named.get_or_insert_with(|| (role, Box::default()));
                if *known != role {
                    return Err("a key names somebody in two ways".to_owned());
                }
                node
            }
        })
    }

    fn each_child(&mut self, see: &mut dyn FnMut(&mut Self)) {
        let keyed = self.keys.iter_mut().chain(&mut self.prefixes).map(|(_, node)| node);
        keyed.for_each(&mut *see);
        self.cases.iter_mut().for_each(|(.., node)| see(node));
        let named = self.named.as_mut().map(|(_, node)| node);
        for node in [&mut self.any, &mut self.items, &mut self.inside] {
            node.as_deref_mut().into_iter().for_each(&mut *see);
        }
        named.map(Box::as_mut).into_iter().for_each(see);
    }
}

impl Role {
    /// Fields that such a value can carry.
    pub fn carries(self) -> FieldSet {
        match self {
            Self::Silent | Self::Sender | Self::Tag | Self::List | Self::Token | Self::Call => {
                FieldSet::EMPTY
            }
            Self::Id { .. } => FieldSet::EMPTY,
            Self::Either(roles) => {
                roles.iter().fold(FieldSet::EMPTY, |all, role| all.union(role.carries()))
            }
            Self::Field(field) | Self::Names { field, .. } => FieldSet::EMPTY.with(field),
            Self::Digest | Self::Search => FieldSet::EMPTY.with(Field::Email),
            Self::Mailboxes => FieldSet::EMPTY.with(Field::Email).with(Field::Name),
            Self::Message | Self::EncodedMessage => FieldSet::EMPTY
                .with(Field::Email)
                .with(Field::Name)
                .with(Field::Content)
                .with(Field::Attachment),
        }
    }
}

enum Step {
    Key(String),
    Prefix(String),
    Named(Role),
    Case(String, String),
    Any,
    Items,
    Inside,
}

fn steps(path: &str) -> Result<Vec<Step>, String> {
    let mut steps = Vec::new();
    if path == "." {
        return Ok(steps);
    }
    for part in path.split('.') {
        let name = &part[..part.find(['[', '~', '(']).unwrap_or(part.len())];
        match name {
            "" => {}
            "*" => steps.push(Step::Any),
            _ => steps.push(match (name.strip_suffix('*'), braced(name)) {
                (Some(begin), _) => Step::Prefix(begin.to_owned()),
                (_, Some(word)) => Step::Named(role(word)?),
                _ => Step::Key(name.to_owned()),
            }),
        }
        let mut rest = &part[name.len()..];
        while !rest.is_empty() {
            let wrong = || format!("`{path}`: a step ends with `[]`, `~` or `(key=value)`");
            let (step, after) = match (rest.strip_prefix("[]"), rest.strip_prefix('~')) {
                (Some(after), _) => (Step::Items, after),
                (_, Some(after)) => (Step::Inside, after),
                _ => {
                    let case = rest.strip_prefix('(').and_then(|rest| rest.split_once(')'));
                    let (case, after) = case.ok_or_else(wrong)?;
                    let (key, value) = case.split_once('=').ok_or_else(wrong)?;
                    (Step::Case(key.to_owned(), value.to_owned()), after)
                }
            };
            steps.push(step);
            rest = after;
        }
        if part.is_empty() {
            return Err(format!("`{path}` has an empty step"));
        }
    }
    Ok(steps)
}

/// What stands between braces.
fn braced(text: &str) -> Option<&str> {
    text.strip_prefix('{')?.strip_suffix('}')
}

fn scope(word: &str) -> Option<Scope> {
    match word {
        "message" => Some(Scope::Message),
        "person" => Some(Scope::Person),
        "apart" => Some(Scope::Apart),
        _ => None,
    }
}

/// The role of this name. A `?` after `email` or `phone` says that it may be another text as well;
/// `=` before a field, that it names nobody.
pub(super) fn role(word: &str) -> Result<Role, String> {
    if word.contains('|') {
        let roles = word.split('|').map(role).collect::<Result<Vec<_>, _>>()?;
        return Ok(Role::Either(roles.leak()));
    }
    if let Some(field) = word.strip_prefix('=').and_then(|name| Field::parse(name).ok()) {
        return Ok(Role::Field(field));
    }
    let (name, strict) = word.strip_suffix('?').map_or((word, true), |name| (name, false));
    let (name, space) = name.split_once(':').unwrap_or((name, ""));
    let (space, begins) = space.split_once(':').unwrap_or((space, ""));
    let leak = |text: &str| -> &'static str { text.to_owned().leak() };
    let named = match name {
        "email" => Some(Role::Names { field: Field::Email, strict, space: "" }),
        "phone" => Some(Role::Names { field: Field::Phone, strict, space: "" }),
        "username" => {
            Some(Role::Names { field: Field::Username, strict: false, space: leak(space) })
        }
        "id" if !space.is_empty() => Some(Role::Id { space: leak(space), begins: leak(begins) }),
        _ => None,
    };
    match (named, word) {
        (Some(role), _) => Ok(role),
        (_, "-") => Ok(Role::Silent),
        (_, "sender") => Ok(Role::Sender),
        (_, "tag") => Ok(Role::Tag),
        (_, "mailboxes") => Ok(Role::Mailboxes),
        (_, "list") => Ok(Role::List),
        (_, "digest") => Ok(Role::Digest),
        (_, "token") => Ok(Role::Token),
        (_, "mime") => Ok(Role::Message),
        (_, "search") => Ok(Role::Search),
        (_, "call") => Ok(Role::Call),
        (_, "mime-base64") => Ok(Role::EncodedMessage),
        _ => Field::parse(word).map(Role::Field).map_err(|_| {
            format!("`{word}` is no scope, no role and no field; `-` is for what says nothing")
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_leads_to_its_place_and_nowhere_else() {
        let mut root = Node::default();
        root.add("data~.{email}.*", "custom").expect("a path");
        root.add("to[]", "person mailboxes").expect("a path");
        root.add("to[].email", "email").expect("a path");
        root.add("v:*", "custom").expect("a path");
        let (to, _) = root.key("to").expect("a list");
        let item = to.items.as_ref().expect("items");
        assert_eq!((item.role, item.scope), (Some(Role::Mailboxes), Some(Scope::Person)));
        assert!(item.key("email").is_some() && item.key("name").is_none());
        assert_eq!(root.key("v:x").map(|(node, _)| node.role), Some(Some(CUSTOM)));
        assert!(root.key("h:x").is_none());
        let inside = root.key("data").and_then(|(node, _)| node.inside.as_ref()).expect("JSON");
        let (person, named) = inside.key("ann@example.com").expect("an address");
        assert_eq!(named, Some(Role::Names { field: Field::Email, strict: true, space: "" }));
        assert_eq!(person.key("any").map(|(node, _)| node.role), Some(Some(CUSTOM)));
        assert_eq!(root.carries().to_string(), "email,name,custom");
    }

    const CUSTOM: Role = Role::Field(Field::Custom);

    #[test]
    fn a_word_or_path_that_means_nothing_is_refused() {
        let mut root = Node::default();
        for (path, words) in [("a", "shoe"), ("a..b", "-"), ("a[", "-"), ("", "-"), ("x", "- -")] {
            assert!(root.add(path, words).is_err(), "{path} = {words}");
        }
    }

    #[test]
    fn a_reference_goes_into_the_innermost_messages() {
        let mut root = Node { scope: Some(Scope::Message), ..Node::default() };
        root.add("Messages[]", "message").expect("a path");
        root.mark();
        assert!(!root.innermost);
        let (messages, _) = root.key("Messages").expect("a list");
        assert!(messages.items.as_ref().expect("items").innermost);
    }
}
