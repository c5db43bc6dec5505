//! Who asks: a bearer token, checked against the permission of the route before a handler runs.

use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use model::{Coded as _, OperatorName, Secret};
use policy::{Act, OperatorDenied, OperatorQuestion};
use serde::{Deserialize, Serialize};

use super::error::ApiError;
use crate::app::App;

/// What a route asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Permission {
    /// Read what the program measures: names, counts and codes, nothing of any person.
    Measure,
    /// See everything that is no secret.
    View,
    /// Register vendors, workloads, people, canaries.
    Configure,
    /// Work on incidents.
    Respond,
    /// Be the second pair of eyes.
    Approve,
    /// Make operators, set the policy.
    Administer,
    /// Turn what stands at a vendor back into what it stands for.
    Reveal,
    /// What the policy in force says; the handler asks it through [`Asking`].
    Policy,
}

/// What an operator is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// A machine that measures, or that follows the kill switches.
    Monitor,
    /// Sees.
    Viewer,
    /// Sees and configures.
    Engineer,
    /// Sees and responds.
    Responder,
    /// Sees, responds and approves what another wrote.
    Approver,
    /// Sees, responds and leads.
    Lead,
    /// Sees, judges duties and deadlines.
    Legal,
    /// May do everything but approve what they wrote themselves.
    Admin,
}

impl Role {
    /// Every role, by its name.
    pub const ALL: [(&'static str, Self); 8] = [
        ("monitor", Self::Monitor),
        ("viewer", Self::Viewer),
        ("engineer", Self::Engineer),
        ("responder", Self::Responder),
        ("approver", Self::Approver),
        ("lead", Self::Lead),
        ("legal", Self::Legal),
        ("admin", Self::Admin),
    ];

    /// The role of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, role)| *role)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        let known = Self::ALL.iter().find(|(_, role)| *role == self);
        known.expect("every role is in the list").0
    }

    /// What this role is in every incident.
    pub const fn in_incidents(self) -> &'static [incident::Role] {
        use incident::Role as In;
        match self {
            Self::Monitor | Self::Viewer | Self::Engineer => &[],
            Self::Responder => &[In::Responder],
            Self::Approver => &[In::Responder, In::Approver],
            Self::Lead => &[In::Lead],
            Self::Legal => &[In::Legal],
            Self::Admin => &[In::Lead, In::Responder, In::Approver, In::Legal],
        }
    }

    /// Whether this role may do it.
    pub const fn may(self, permission: Permission) -> bool {
        use Permission::{Approve, Configure, Measure, Policy, Respond, Reveal, View};
        match self {
            Self::Monitor => matches!(permission, Measure),
            Self::Viewer => matches!(permission, Measure | View | Policy),
            Self::Engineer => matches!(permission, Measure | View | Policy | Configure),
            Self::Responder => matches!(permission, Measure | View | Policy | Respond),
            Self::Lead | Self::Legal => {
                matches!(permission, Measure | View | Policy | Respond | Reveal)
            }
            Self::Approver => matches!(permission, Measure | View | Policy | Respond | Approve),
            Self::Admin => true,
        }
    }
}

/// The permission and the audit verb of the route that was matched.
#[derive(Debug, Clone, Copy)]
pub struct Gate {
    /// What it asks for.
    pub permission: Permission,
    /// Under which verb its change is recorded; none for a route that changes nothing.
    pub verb: Option<&'static str>,
}

/// An operator whose permission for this route was checked. There is no other way to one.
#[derive(Debug, Clone)]
pub struct Operator {
    /// Who.
    pub name: OperatorName,
    /// What they are there for.
    pub roles: Vec<Role>,
    verb: Option<&'static str>,
}

impl Operator {
    /// Records the change of this request, in the transaction that makes it.
    ///
    /// # Errors
    /// When the record cannot be written.
    pub fn audit(
        &self,
        tx: &store::Tx<'_>,
        subject: &str,
        detail: serde_json::Value,
    ) -> anyhow::Result<()> {
        let verb = self.verb.expect("a route that changes something has an audit verb");
        tx.audit(&format!("operator/{}", self.name), verb, subject, &detail)
    }

    /// Asks the policy in force whether they may do this.
    ///
    /// # Errors
    /// When they may not; a policy that forbids it is named.
    pub fn may(&self, app: &App, act: Act<'_>) -> Result<(), ApiError> {
        let roles: Vec<&str> = self.roles.iter().map(|role| role.name()).collect();
        let question =
            OperatorQuestion { operator: &self.name, roles: &roles, act, at: app.world.now() };
        match app.gateway.registry().policy.allow(&question) {
            Ok(()) => Ok(()),
            Err(OperatorDenied::NotPermitted) => Err(not_permitted(&self.name)),
            Err(denied) => {
                let (code, message) = (denied.code(), denied.to_string());
                Err(ApiError::refused(StatusCode::FORBIDDEN, code, message).hint(
                    "`cordon policy show` prints it; an admin changes it with `cordon policy set`",
                ))
            }
        }
    }

    /// The same person as an incident sees them.
    pub fn actor(&self) -> incident::Actor {
        let roles = self.roles.iter().flat_map(|role| role.in_incidents().iter().copied());
        incident::Actor::operator(self.name.clone(), roles)
    }
}

/// An operator on a route of [`Permission::Policy`]: known, and not yet permitted anything.
#[derive(Debug, Clone)]
pub struct Asking(Operator);

impl Asking {
    /// The operator, if [`Operator::may`] says so.
    ///
    /// # Errors
    /// As [`Operator::may`].
    pub fn may(self, app: &App, act: Act<'_>) -> Result<Operator, ApiError> {
        self.0.may(app, act).map(|()| self.0)
    }
}

fn not_permitted(operator: &OperatorName) -> ApiError {
    let message = format!("`{operator}` may not do this");
    ApiError::refused(StatusCode::FORBIDDEN, "not-permitted", message)
}

impl FromRequestParts<App> for Operator {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, ApiError> {
        parts.extensions.get::<Self>().cloned().ok_or_else(unauthorised)
    }
}

impl FromRequestParts<App> for Asking {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, ApiError> {
        parts.extensions.get::<Self>().cloned().ok_or_else(unauthorised)
    }
}

/// Lets a request through whose token belongs to an operator with the route's permission.
pub async fn check(
    State((app, gate)): State<(App, Gate)>,
    mut request: axum::extract::Request,
    next: Next,
) -> Response {
    match operator(gate, &app, request.headers()).await {
        Ok(operator) => {
            match gate.permission {
                Permission::Policy => request.extensions_mut().insert(Asking(operator)).is_some(),
                _ => request.extensions_mut().insert(operator).is_some(),
            };
            next.run(request).await
        }
        Err(refused) => refused.into_response(),
    }
}

async fn operator(
    gate: Gate,
    app: &App,
    headers: &header::HeaderMap,
) -> Result<Operator, ApiError> {
    let token = bearer(headers).ok_or_else(unauthorised)?;
    let record = by_token(app, &token).await?.ok_or_else(unauthorised)?;
    let roles: Vec<Role> = record.roles.iter().filter_map(|name| Role::named(name)).collect();
    if !roles.iter().any(|role| role.may(gate.permission)) {
        return Err(not_permitted(&record.name));
    }
    Ok(Operator { name: record.name, roles, verb: gate.verb })
}

async fn by_token(app: &App, token: &Secret<String>) -> anyhow::Result<Option<store::Operator>> {
    let hash = app.keys.operator_token.mac(&[token.expose().as_bytes()]);
    app.store.read(move |tx| tx.operator_by_token(&hash)).await
}

/// Whether a token is that of an operator who may see.
///
/// # Errors
/// Faults of the store.
pub async fn may_view(app: &App, token: &Secret<String>) -> Result<bool, ApiError> {
    let record = by_token(app, token).await?;
    Ok(record.is_some_and(|record| {
        let mut roles = record.roles.iter().filter_map(|name| Role::named(name));
        roles.any(|role| role.may(Permission::View))
    }))
}

/// Lets a browser through whose cookie holds the token of an operator who may see; sends others to
/// log in. For the console's pages alone: they change nothing, so no other site can make a browser
/// change anything.
pub async fn check_console(
    State(app): State<App>,
    request: axum::extract::Request,
    next: Next,
) -> Response {
    let token = cookie(request.headers()).or_else(|| bearer(request.headers()));
    let known = match token {
        Some(token) => may_view(&app, &token).await,
        None => Ok(false),
    };
    match known {
        Ok(true) => next.run(request).await,
        Ok(false) => Redirect::to("/console/login").into_response(),
        Err(error) => error.into_response(),
    }
}

fn bearer(headers: &header::HeaderMap) -> Option<Secret<String>> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    value.strip_prefix("Bearer ").map(|token| Secret::new(token.trim().to_owned()))
}

/// The console's cookie, which holds the same token for a browser (`HttpOnly`, `SameSite=Strict`).
fn cookie(headers: &header::HeaderMap) -> Option<Secret<String>> {
    let value = headers.get(header::COOKIE)?.to_str().ok()?;
    value
        .split(';')
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| *name == crate::console::COOKIE)
        .map(|(_, token)| Secret::new(token.to_owned()))
}

fn unauthorised() -> ApiError {
    ApiError::refused(StatusCode::UNAUTHORIZED, "unauthorised", "a valid operator token is needed")
        .hint("send `Authorization: Bearer …`; the first token is in keys/operator.token of the data folder")
}

#[cfg(test)]
mod tests {
    use model::{Switch, Timestamp, VendorName};
    use policy::Policy;

    use super::*;

    #[test]
    fn the_built_in_policy_permits_what_the_table_of_roles_does() {
        let policy = Policy::default();
        let vendor = VendorName::parse("sendgrid").expect("a vendor");
        for (name, role) in Role::ALL {
            let ask = |act| {
                let question = OperatorQuestion {
                    operator: &OperatorName::parse("ann").expect("an operator"),
                    roles: &[name],
                    act,
                    at: Timestamp::from_seconds(0),
                };
                policy.allow(&question).is_ok()
            };
            for switch in Switch::ALL {
                let contain = Act::Contain { vendor: &vendor, switch: *switch };
                assert_eq!(ask(contain), role.may(Permission::Respond), "{name}");
            }
            let change = Act::Vendor { vendor: &vendor, operation: "change_vendor" };
            assert_eq!(ask(change), role.may(Permission::Configure), "{name}");
        }
    }
}
