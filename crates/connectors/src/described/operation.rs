//! One operation: by which method and path it is known, and how what it says is read.

use model::FieldSet;
use percent_encoding::percent_decode_str;

use super::document::{Document, Kind};
use super::keys::{Node, Role, role};
use super::reading::{ReadCall, Reader};
use super::writing::{Place, Written};
use crate::call::{Call, Operation, Outbound, Unreadable};
use crate::form;

/// A method and a path with what stands in its segments.
#[derive(Debug)]
pub(super) struct Route {
    method: String,
    segments: Vec<Segment>,
}

#[derive(Debug)]
enum Segment {
    Text(String),
    /// Any one segment that ends so, which says this.
    Says(Role, String),
}

impl Route {
    /// Reads `PUT /lists/{list}/members/{digest}`; `{-}` is a segment that says nothing.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no method and path");
        let (method, path) = text.split_once(' ').ok_or_else(wrong)?;
        let known = ["GET", "POST", "PUT", "PATCH", "DELETE"].contains(&method);
        let path = path.strip_prefix('/').filter(|_| known).ok_or_else(wrong)?;
        let segments = path.split('/').map(|segment| match said(segment) {
            Some((word, ending)) => Ok(Segment::Says(role(word)?, ending.to_owned())),
            None if segment.contains(['{', '}', '?', '#']) => Err(wrong()),
            None => Ok(Segment::Text(segment.to_owned())),
        });
        Ok(Self { method: method.to_owned(), segments: segments.collect::<Result<_, _>>()? })
    }

    /// What its segments say.
    pub fn roles(&self) -> impl Iterator<Item = Role> {
        self.segments.iter().filter_map(|segment| match segment {
            Segment::Says(role, _) => Some(*role),
            Segment::Text(_) => None,
        })
    }

    /// The values of a path's segments, with what each says, if it is one of this route.
    pub fn take(&self, method: &str, path: &str) -> Option<Vec<(Role, String)>> {
        let mut given = path.strip_prefix('/').filter(|_| method == self.method)?.split('/');
        let mut values = Vec::new();
        for segment in &self.segments {
            let text = given.next()?;
            match segment {
                Segment::Text(expected) if expected == text => {}
                Segment::Text(_) => return None,
                Segment::Says(role, ending) => {
                    values.push((*role, decoded(text.strip_suffix(&**ending)?)?));
                }
            }
        }
        given.next().is_none().then_some(values)
    }

    fn open_segments(&self) -> usize {
        self.roles().count()
    }
}

/// The word in `{word}` and what follows it.
fn said(segment: &str) -> Option<(&str, &str)> {
    let (word, ending) = segment.strip_prefix('{')?.split_once('}')?;
    (!ending.contains(['{', '}'])).then_some((word, ending))
}

/// A segment's value; `None` for what a server could take for another path.
fn decoded(segment: &str) -> Option<String> {
    let text = percent_decode_str(segment).decode_utf8().ok()?;
    let is_another =
        text.is_empty() || text == "." || text == ".." || text.contains(['/', '\\', '%']);
    (!is_another && !text.contains(char::is_control)).then(|| text.into_owned())
}

/// How an operation is known, read and written.
#[derive(Debug)]
pub(super) struct Plan {
    pub routes: Vec<Route>,
    pub kinds: Vec<Kind>,
    pub root: &'static Node,
    pub query: Vec<(String, Role)>,
    /// Fields that it cannot do without.
    pub needs: FieldSet,
    pub places: &'static [Place],
}

impl Plan {
    /// The values in the path, and how few segments of the route are open, if it is one of these.
    pub fn take(&self, method: &str, path: &str) -> Option<(usize, Vec<(Role, String)>)> {
        let taken = self.routes.iter().filter_map(|route| {
            route.take(method, path).map(|values| (route.open_segments(), values))
        });
        taken.min_by_key(|(open, _)| *open)
    }

    /// Reads a request.
    pub fn read(
        &'static self,
        operation: &'static Operation,
        request: &Outbound<'_>,
        path: Vec<(Role, String)>,
        read_call: ReadCall<'_>,
    ) -> Result<Call, Unreadable> {
        if request.body.len() > operation.body_bytes {
            return Err(Unreadable::TooMany { what: "bytes", limit: operation.body_bytes });
        }
        let document = Document::read(request, &self.kinds)?;
        let mut reader = Reader::new(&document, self.root, read_call);
        let (mut beside, mut named_beside) = (FieldSet::EMPTY, false);
        for (role, value) in path {
            beside = beside.union(role.carries());
            named_beside |= role != Role::Silent && role != Role::List;
            reader.beside("the path", role, &value)?;
        }
        for (key, value) in form::parse(request.query.unwrap_or_default().as_bytes())? {
            let Some((_, role)) = self.query.iter().find(|(name, _)| *name == key) else {
                let at = "the query".to_owned();
                return Err(Unreadable::Body {
                    at,
                    why: "the vendor does not document a key in it",
                });
            };
            beside = beside.union(role.carries());
            reader.beside("the query", *role, &value)?;
        }
        reader.body(self.root)?;
        let found = reader.end()?;
        let disclosed =
            found.parties.iter().fold(FieldSet::EMPTY, |all, party| all.union(party.fields));
        let body = Box::new(Written {
            document,
            root: self.root,
            places: self.places,
            needs: self.needs,
            beside,
            named_beside,
            disclosed,
            recipients: found.recipients,
            calls: found.calls,
        });
        let (parties, unknown, warnings) = (found.parties, found.unknown, found.warnings);
        Ok(Call { operation, parties, unknown, warnings, body })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_takes_its_own_paths_and_no_others() {
        let route = Route::parse("PUT /lists/{list}/members/{digest}").expect("a route");
        let take = |path| {
            let values = route.take("PUT", path)?;
            Some(values.into_iter().map(|(_, value)| value).collect::<Vec<_>>())
        };
        assert_eq!(
            take("/lists/a1/members/ann%40example.com"),
            Some(vec!["a1".to_owned(), "ann@example.com".to_owned()])
        );
        for other in [
            "/lists/a1/members",
            "/lists/a1/members/x/y",
            "/lists/../members/x",
            "/lists/%2e%2e/members/x",
            "/lists/a%2fb/members/x",
            "/lists/a%252fb/members/x",
            "//lists/a1/members/x",
            "/lists//members/x",
        ] {
            assert_eq!(take(other), None, "{other}");
        }
        assert!(route.take("PATCH", "/lists/a1/members/x").is_none());
    }

    #[test]
    fn a_route_that_cannot_be_is_refused() {
        for bad in ["/a", "FETCH /a", "GET a", "GET /{shoe}", "GET /a?b", "GET /a{b}"] {
            assert!(Route::parse(bad).is_err(), "{bad}");
        }
    }
}
