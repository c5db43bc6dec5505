//! Every route of the API in one place: method, path, operation, permission, audit verb.

use axum::Router;
use axum::middleware::from_fn_with_state;
use serde::Serialize;

use super::auth::{self, Gate, Permission};
use super::extract;
use crate::app::App;

/// A route as documentation, tests and `GET /api/v1/routes` see it.
#[derive(Debug, Serialize)]
pub struct Route {
    /// `get`, `post`, …
    pub method: &'static str,
    /// The path with its parameters.
    pub path: &'static str,
    /// The operation id, which is the handler's name.
    pub operation: &'static str,
    /// What it asks for.
    pub permission: Permission,
    /// Under which verb its change is recorded.
    pub verb: Option<&'static str>,
}

macro_rules! verb {
    () => {
        None
    };
    ($verb:literal) => {
        Some($verb)
    };
}

macro_rules! routes {
    ($($method:ident $path:literal $module:ident::$operation:ident
        $permission:ident $($verb:literal)?;)*) => {
        /// Every route, in the order of the documentation.
        pub static ROUTES: &[Route] = &[$(Route {
            method: stringify!($method),
            path: $path,
            operation: stringify!($operation),
            permission: Permission::$permission,
            verb: verb!($($verb)?),
        }),*];

        /// The router, each handler behind the check of its own gate: no body is read before, but
        /// on a route that policy decides, which has to know about what it is asked.
        pub fn router(app: &App) -> Router<App> {
            Router::new()
                $(.route($path, {
                    let gate = Gate { permission: Permission::$permission, verb: verb!($($verb)?) };
                    axum::routing::$method(super::$module::$operation)
                        .layer(from_fn_with_state((app.clone(), gate), auth::check))
                }))*
                .method_not_allowed_fallback(extract::no_method)
                .fallback(extract::no_route)
        }
    };
}

routes! {
    get  "/api/v1/status"                    status::show_status          View;
    get  "/api/v1/routes"                    status::list_routes          View;
    get  "/api/v1/operators"                 operators::list_operators    View;
    post "/api/v1/operators"                 operators::add_operator      Administer "operator.added";

    post "/api/v1/doctor"                    status::examine              View;
    get  "/api/v1/connectors"                vendors::list_connectors     View;
    get  "/api/v1/vendors"                   vendors::list_vendors        View;
    post "/api/v1/vendors"                   vendors::add_vendor          Policy "vendor.added";
    get  "/api/v1/vendors/{vendor}"          vendors::show_vendor         View;
    patch "/api/v1/vendors/{vendor}"         vendors::change_vendor       Policy "vendor.changed";
    get  "/api/v1/vendors/{vendor}/credential" vendors::show_credential   View;
    put  "/api/v1/vendors/{vendor}/credential" vendors::put_credential    Policy "vendor.credential-replaced";
    put  "/api/v1/vendors/{vendor}/webhook"  vendors::put_webhook_secret  Policy "vendor.webhook-secret-set";
    post "/api/v1/vendors/{vendor}/switch"   vendors::set_switch          Policy "vendor.switched";
    get  "/api/v1/vendors/{vendor}/held"     vendors::show_held           View;
    post "/api/v1/vendors/{vendor}/detokenise" policy::detokenise         Reveal "values.detokenised";
    get  "/api/v1/workloads"                 workloads::list_workloads    View;
    post "/api/v1/workloads"                 workloads::add_workload      Policy "workload.added";
    put  "/api/v1/workloads/{workload}/grants/{vendor}" workloads::put_grant Policy "workload.granted";
    delete "/api/v1/workloads/{workload}/grants/{vendor}" workloads::revoke_grant Policy "workload.grant-revoked";
    get  "/api/v1/workloads/{workload}/tokens" tokens::list_tokens        View;
    post "/api/v1/workloads/{workload}/tokens" tokens::rotate_token       Policy "workload.token-rotated";
    delete "/api/v1/workloads/{workload}/tokens/{token}" tokens::revoke_token Policy "workload.token-revoked";
    post "/api/v1/tokens/seen"               tokens::report_token         Respond "token.reported";
    put  "/api/v1/workloads/{workload}/identities" workloads::put_identities Policy "workload.identities-set";
    get  "/api/v1/gateway/authorities"       authorities::list_authorities View;

    get  "/api/v1/policy"                    policy::show_policy          View;
    put  "/api/v1/policy"                    policy::set_policy           Administer "policy.set";
    post "/api/v1/policy/reload"             policy::reload_policy        Administer "policy.reloaded";
    get  "/api/v1/policy/{digest}"           policy::show_kept_policy     View;
    post "/api/v1/policy/check"              policy::check_policy         View;
    post "/api/v1/policy/explain"            policy::explain_policy       View;
    post "/api/v1/policy/replays"            policy::start_replay         View "policy.replayed";
    get  "/api/v1/policy/replays/{replay}"   policy::show_replay          View;
    delete "/api/v1/policy/replays/{replay}" policy::cancel_replay        View "policy.replay-cancelled";

    put  "/api/v1/workloads/{workload}/limits/{vendor}" workloads::put_limits Policy "workload.limited";
    post "/api/v1/workloads/{workload}/bursts/{vendor}/approve" workloads::approve_burst Respond "workload.burst-approved";
    get  "/api/v1/gateway"                   gateway::show_gateway        View;
    get  "/api/v1/gateway/calls"             gateway::follow_calls        View;
    get  "/api/v1/gateway/bursts"            gateway::list_bursts         View;
    get  "/api/v1/gateway/switches"          gateway::list_switches       Measure;

    post "/api/v1/people/index"              people::index_people         Configure "people.indexed";
    post "/api/v1/people/erasures"           people::request_erasure      Respond "erasure.requested";
    get  "/api/v1/people/erasures"           people::list_erasures        View;
    post "/api/v1/people/erasures/{erasure}/approve" people::approve_erasure Approve "erasure.approved";
    post "/api/v1/imports/{vendor}"          imports::import_export       Configure "holdings.imported";
    post "/api/v1/holdings"                  holdings::show_holdings      View "holdings.read";
    post "/api/v1/scope"                     holdings::show_scope         View;
    get  "/api/v1/canaries"                  canaries::list_canaries      View;
    post "/api/v1/canaries"                  canaries::plant_canaries     Configure "canaries.planted";

    post "/api/v1/facts/vendor-notice"       facts::record_vendor_notice  Respond "fact.vendor-notice";
    post "/api/v1/facts/mail"                facts::upload_mail           Respond "fact.reported-mail";
    get  "/api/v1/facts"                     facts::list_facts            View;
    get  "/api/v1/findings"                  facts::list_findings         View;

    get  "/api/v1/incidents"                 incidents::list_incidents    View;
    post "/api/v1/incidents"                 incidents::declare_incident  Respond "incident.declared";
    get  "/api/v1/incidents/{incident}"      incidents::show_incident     View;
    post "/api/v1/incidents/{incident}/commands" incidents::command_incident Respond "incident.commanded";
    get  "/api/v1/incidents/{incident}/clocks" incidents::show_clocks     View;
    get  "/api/v1/incidents/{incident}/evidence" incidents::list_evidence View;

    post "/api/v1/incidents/{incident}/scopes" scopes::ask_scope          Respond "scope.asked";
    post "/api/v1/incidents/{incident}/dataset" scopes::match_dataset     Respond "scope.dataset-matched";
    get  "/api/v1/incidents/{incident}/scopes/{version}/persons.csv" scopes::export_persons View;
    get  "/api/v1/incidents/{incident}/scopes/{version}/diff/{other}" scopes::diff_scopes View;

    post "/api/v1/incidents/{incident}/notices" notices::draft_notice     Respond "notice.drafted";
    get  "/api/v1/notices/{notice}"          notices::show_notice         View;
    post "/api/v1/notices/{notice}/preview"  notices::preview_notice      View;
    post "/api/v1/notices/{notice}/test"     notices::send_test           Respond "notice.test-sent";
    post "/api/v1/notices/{notice}/pause"    notices::pause_notice        Respond "notice.paused";
    post "/api/v1/notices/{notice}/resume"   notices::resume_notice       Respond "notice.resumed";
    get  "/api/v1/notices/{notice}/deliveries.csv" notices::export_deliveries View;

    get  "/metrics"                          gateway::show_metrics        Measure;

    get  "/api/v1/audit"                     audit::list_audit            View;
    get  "/api/v1/audit/verify"              audit::verify_audit          View;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_change_has_an_audit_verb_and_every_operation_its_own_name() {
        let questions =
            ["show_scope", "preview_notice", "examine", "check_policy", "explain_policy"];
        let mut operations: Vec<&str> = ROUTES.iter().map(|route| route.operation).collect();
        for route in ROUTES {
            let changes = route.method != "get" && !questions.contains(&route.operation);
            assert!(!changes || route.verb.is_some(), "{} has no audit verb", route.operation);
        }
        operations.sort_unstable();
        operations.dedup();
        assert_eq!(operations.len(), ROUTES.len());
    }
}
