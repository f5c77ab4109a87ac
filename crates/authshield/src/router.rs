//! Every route.
//!
//! Mounting a route and describing it are one act, so the description cannot fall behind. What
//! stands in `public` needs no access token; everything else takes a `Caller` or a `Can<…>`.

use std::sync::LazyLock;

use axum::Router;
use axum::body::Bytes;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::response::Html;
use axum::routing::{any, get};
use tower::util::option_layer;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::{Modify, OpenApi};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::{App, BODY_AT_MOST};
use crate::limits::{Rule, rules};
use crate::problem::{Invalid, ProblemBody};
use crate::telemetry::request_line;
use crate::{
    accounts, activity, admin, captcha, checks, exports, federation, frame, health, lockdown,
    login, magic_link, own_data, passkeys, recovery, registration, revocations, screens, seals,
    second_factor, sessions, tokens, trusted_devices, vault, verification, webhooks,
};

/// The description of the API.
pub type Document = utoipa::openapi::OpenApi;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "AuthShield",
        description = "Sign-in for any number of applications. Errors are problems (RFC 9457): compare \
                       `code`, show `detail`.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    components(schemas(ProblemBody, Invalid)),
    modifiers(&AccessToken),
    tags(
        (name = "registration", description = "Open an account and prove its address."),
        (name = "sign-in", description = "Get tokens, keep them fresh, give them back."),
        (name = "second factor", description = "Codes of an authenticator app, asked for at sign-in."),
        (name = "passkeys", description = "Signing in without a password."),
        (name = "federation", description = "Signing in with an account somewhere else."),
        (name = "recovery", description = "A forgotten password."),
        (name = "account", description = "The own account."),
        (name = "sessions", description = "Where one is signed in."),
        (name = "administration", description = "Other people's accounts."),
        (name = "webhooks", description = "What other servers tell by themselves."),
        (name = "keys", description = "For services that verify access tokens by themselves."),
        (name = "health", description = "For load balancers and operators."),
    ),
)]
struct Base;

struct AccessToken;

impl Modify for AccessToken {
    fn modify(&self, document: &mut Document) {
        let mut scheme = Http::new(HttpAuthScheme::Bearer);
        scheme.bearer_format = Some("JWT".to_owned());
        document
            .components
            .get_or_insert_default()
            .add_security_scheme("access_token", SecurityScheme::Http(scheme));
    }
}

/// Routes that share a budget.
macro_rules! group {
    ($($handler:path),+) => { OpenApiRouter::new()$(.routes(routes!($handler)))+ };
}

/// Returns every route with its description; `limited` puts a group behind a budget of the client's
/// network.
#[expect(clippy::too_many_lines, reason = "one page: every route")]
fn mount(
    limited: &dyn Fn(&'static Rule, OpenApiRouter<App>) -> OpenApiRouter<App>,
) -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(Base::openapi())
        .merge(limited(&rules::REGISTER_PER_CLIENT, group!(registration::http::register)))
        .merge(limited(
            &rules::REDEEM_PER_CLIENT,
            group!(verification::http::verify, recovery::http::reset, lockdown::http::not_me),
        ))
        .merge(limited(&rules::PROGRESS_PER_CLIENT, group!(registration::http::progress)))
        .merge(limited(
            &rules::MAIL_PER_CLIENT,
            group!(
                verification::http::resend,
                recovery::http::forgot,
                magic_link::http::ask_for_magic_link
            ),
        ))
        .merge(limited(
            &rules::LOGIN_PER_CLIENT,
            group!(login::http::log_in, magic_link::http::redeem_magic_link),
        ))
        .merge(limited(
            &rules::SECOND_FACTOR_PER_CLIENT,
            group!(
                second_factor::http::verify_second_factor,
                second_factor::http::ask_for_second_passkey,
                second_factor::http::ask_for_mail_code,
                second_factor::http::enrol_second_factor,
                second_factor::http::confirm_enrolment
            ),
        ))
        .merge(limited(
            &rules::PASSKEY_PER_CLIENT,
            group!(passkeys::http::ask_for_passkey, passkeys::http::sign_in_with_passkey),
        ))
        .merge(limited(
            &rules::FEDERATION_PER_CLIENT,
            group!(
                federation::http::begin_federation,
                federation::http::return_from_provider,
                federation::http::return_by_form,
                federation::http::redeem_federation
            ),
        ))
        .routes(routes!(federation::http::list_identities, federation::http::link_identity))
        .routes(routes!(federation::http::remove_identity))
        .routes(routes!(passkeys::http::begin_passkey))
        .routes(routes!(passkeys::http::list_passkeys, passkeys::http::add_passkey))
        .routes(routes!(passkeys::http::rename_passkey, passkeys::http::remove_passkey))
        .routes(routes!(second_factor::http::see_second_factor))
        .routes(routes!(second_factor::http::enable_second_factor))
        .routes(routes!(second_factor::http::confirm_second_factor))
        .routes(routes!(second_factor::http::disable_second_factor))
        .routes(routes!(second_factor::http::renew_recovery_codes))
        .routes(routes!(trusted_devices::http::list_trusted_devices))
        .routes(routes!(trusted_devices::http::remove_trusted_device))
        .routes(routes!(second_factor::http::again::step_up))
        .routes(routes!(second_factor::http::again::ask_for_passkey_again))
        .routes(routes!(second_factor::http::again::ask_for_mail_code_again))
        .routes(routes!(captcha::http::captcha_challenge))
        .routes(routes!(tokens::http::refresh))
        .routes(routes!(sessions::http::log_out))
        .routes(routes!(sessions::http::log_out_all))
        .routes(routes!(accounts::http::change_password))
        .routes(routes!(
            accounts::http::me,
            accounts::http::change_profile,
            own_data::http::request_deletion
        ))
        .routes(routes!(lockdown::http::lock_own))
        .routes(routes!(own_data::http::withdraw_deletion))
        .routes(routes!(own_data::http::export_own_data))
        .routes(routes!(accounts::http::change_email))
        .routes(routes!(activity::http::list_activity))
        .routes(routes!(sessions::http::list))
        .routes(routes!(sessions::http::end))
        .routes(routes!(admin::list_users))
        .routes(routes!(admin::see_user))
        .routes(routes!(admin::set_roles))
        .routes(routes!(admin::set_status))
        .routes(routes!(lockdown::http::lock_user))
        .routes(routes!(second_factor::http::reset_second_factor))
        .routes(routes!(admin::list_sessions, admin::end_sessions))
        .routes(routes!(
            trusted_devices::http::list_devices_of,
            trusted_devices::http::remove_devices_of
        ))
        .routes(routes!(admin::events::list_events))
        .routes(routes!(exports::http::see_exports))
        .routes(routes!(exports::http::list_dead_letters, exports::http::drop_dead_letters))
        .routes(routes!(exports::http::replay))
        .routes(routes!(checks::http::see_checks))
        .routes(routes!(admin::mail::http::list_mail))
        .routes(routes!(admin::mail::canaries::see_canaries))
        .routes(routes!(admin::mail::cells::see_cells))
        .routes(routes!(admin::mail::cells::see_digest))
        .routes(routes!(
            admin::mail::suppressions::http::list_suppressions,
            admin::mail::suppressions::http::add_suppression
        ))
        .routes(routes!(admin::mail::suppressions::http::lift_suppression))
        .routes(routes!(admin::mail::suppressions::http::import_suppressions))
        .routes(routes!(admin::mail::suppressions::http::export_suppressions))
        .routes(routes!(admin::mail::http::see_mail))
        .routes(routes!(admin::mail::http::resend_mail))
        .merge(group!(webhooks::inbound).layer(DefaultBodyLimit::max(crate::mail::REPORT_AT_MOST)))
        .merge(
            group!(webhooks::provider).layer(DefaultBodyLimit::max(crate::mail::PAYLOAD_AT_MOST)),
        )
        .routes(routes!(passkeys::http::related_origins))
        .routes(routes!(vault::http::jwks))
        .merge(limited(&rules::REVOCATIONS_PER_CLIENT, group!(revocations::http::revocations)))
        .routes(routes!(seals::http::audit_jwks))
        .routes(routes!(health::health))
        .routes(routes!(health::live))
        .routes(routes!(health::ready))
}

/// Returns the description of every route; the same whatever the configuration.
#[must_use]
pub fn document() -> Document {
    mount(&|_, routes| routes).into_openapi()
}

/// Returns the public service: every route behind the frame.
pub fn public(app: &App) -> Router {
    let limited = |rule: &'static Rule, routes: OpenApiRouter<App>| {
        routes.route_layer(from_fn_with_state((app.clone(), rule), frame::limited))
    };
    let mut routes = Router::from(mount(&limited)).merge(screens::routes(app));
    // Only for who has a key; to all others there is no such route, whatever the method.
    routes = routes.route(checks::PROBE, any(checks::probe));
    if app.config.docs.enabled {
        routes = routes.route("/openapi.json", get(openapi));
    }
    routes = routes.fallback(frame::no_route).method_not_allowed_fallback(frame::no_method);
    // Where there is nobody at the start, `OPTIONS` is answered like any other method.
    let cors = (!app.config.cors.origins.is_empty()).then(|| frame::cors(app));
    let finish = from_fn_with_state(app.clone(), frame::finish);
    framed(routes.layer((option_layer(cors), finish, DefaultBodyLimit::max(BODY_AT_MOST))), app)
}

/// Returns what operators see on their own listener.
pub fn operator(app: &App) -> Router {
    let routes = Router::new()
        .route("/metrics", get(metrics))
        .route("/", get(|| std::future::ready(Html("<a href=\"/metrics\">metrics</a>"))))
        .route("/api/v1/health", get(health::health))
        .route("/api/v1/health/live", get(health::live))
        .route("/api/v1/health/ready", get(health::ready))
        .fallback(frame::no_route)
        .method_not_allowed_fallback(frame::no_method)
        .layer((
            from_fn_with_state(app.clone(), frame::finish),
            from_fn_with_state(app.clone(), frame::known_host),
        ));
    framed(routes, app)
}

/// Puts around `routes` what every answer has, whoever gives it.
///
/// Layers that are given together, the outermost first, cost less than one by one: each time, every route is put into a
/// box of its own, which is copied for each request.
fn framed(routes: Router<App>, app: &App) -> Router {
    routes
        .layer((
            from_fn_with_state(app.clone(), frame::identify),
            from_fn_with_state(app.metrics.clone(), request_line),
        ))
        .with_state(app.clone())
}

/// The document in JSON, from the first time that somebody asks for it.
async fn openapi() -> impl axum::response::IntoResponse {
    static JSON: LazyLock<Bytes> = LazyLock::new(|| {
        serde_json::to_vec(&document()).expect("a document of ours can be written").into()
    });
    ([(axum::http::header::CONTENT_TYPE, "application/json")], JSON.clone())
}

async fn metrics(
    axum::extract::State(app): axum::extract::State<App>,
) -> impl axum::response::IntoResponse {
    crate::chores::measure(&app).await;
    (
        [(axum::http::header::CONTENT_TYPE, crate::telemetry::metrics::CONTENT_TYPE)],
        app.metrics.encode(),
    )
}
