//! What every request goes through, whatever route it is for.
//!
//! ```text
//! identify      who is it from, what is it called           (Ctx, Asked);
//!               the headers of every answer                 (also of what CORS answers)
//! request_line  one line in the log, one tick of metrics    (telemetry)
//! finish        time limit, panics, problems
//! ```

use std::net::{IpAddr, SocketAddr};
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, LazyLock};

use axum::Extension;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::request::Parts;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::app::{App, Ctx};
use crate::kernel::{ClientAddress, RequestId, is_trusted, request_id_from};
use crate::limits::{self, Rule, Standing};
use crate::problem::{Code, Problem};
use crate::screens::Reader;
use crate::server::Ambiguous;
use crate::telemetry::{Asked, metrics};

/// Where the request id travels.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Finds out whom the request is from, names it, and dresses the answer.
pub async fn identify(
    State(app): State<App>,
    peer: Option<Extension<ConnectInfo<SocketAddr>>>,
    mut request: Request,
    next: Next,
) -> Response {
    let peer = peer
        .map_or(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), |Extension(ConnectInfo(peer))| {
            peer.ip()
        });
    let live = app.live.load();
    let trusted = &live.trusted_proxies;
    let peer = peer.to_canonical();
    let client = ClientAddress::resolve(peer, request.headers(), trusted);
    let tag = request_id_from(peer, request.headers(), trusted)
        .unwrap_or_else(|| RequestId::new(&*app.world).to_string());
    let tag: Arc<str> = tag.into();
    let ctx = Ctx::new(Arc::clone(&app.world), Arc::clone(&tag), client, request.headers());
    let by_proxy = is_trusted(peer, trusted);
    drop(live);
    let extensions = request.extensions_mut();
    extensions.insert(ctx);
    extensions.insert(Asked { tag: Arc::clone(&tag), client_ip: client.ip, by_proxy });
    let mut response = next.run(request).await;
    set_headers(response.headers_mut(), &tag, app.config.public_url.scheme() == "https");
    response
}

/// Lets nobody ask the operators' listener by a name that could be a stranger's: a web page that lets its
/// own name lead to us (DNS rebinding) could read what we say to whoever looks at it.
pub async fn known_host(State(app): State<App>, request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let host = host.or_else(|| request.uri().authority().map(Authority::as_str));
    let names = &app.config.admin_hosts;
    if host.is_some_and(|host| is_ours(host, names)) {
        return next.run(request).await;
    }
    Problem::from(Code::RequestMalformed)
        .detail("This listener is asked by its address, by a name without a dot, or by one of `admin_hosts`.")
        .because("unknown_host")
        .into_response()
}

/// Whether a `Host` names an address, a name that no stranger can have, or one of `names`.
fn is_ours(host: &str, names: &[String]) -> bool {
    let Ok(host) = host.parse::<Authority>() else { return false };
    let host = host.host();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let is_local = !host.is_empty() && !host.contains('.') && !host.contains(':');
    bare.parse::<IpAddr>().is_ok()
        || is_local
        || names.iter().any(|name| name.eq_ignore_ascii_case(host.trim_end_matches('.')))
}

/// Bounds the time, survives panics, and writes problems.
pub async fn finish(State(app): State<App>, request: Request, next: Next) -> Response {
    let tag = request.extensions().get::<Asked>().map(|asked| Arc::clone(&asked.tag));
    let tag = tag.unwrap_or_default();
    if let Some(Ambiguous(words)) = request.extensions().get() {
        return Problem::from(Code::RequestMalformed).detail(*words).render(app.issuer(), &tag);
    }
    let reader = Reader::of(&app, &request);
    let work = AssertUnwindSafe(next.run(request)).catch_unwind();
    let mut response = match tokio::time::timeout(app.config.request_timeout, work).await {
        Ok(Ok(response)) => response,
        Ok(Err(panic)) => {
            let words = panic
                .downcast_ref::<&str>()
                .map(|words| (*words).to_owned())
                .or_else(|| panic.downcast_ref::<String>().cloned())
                .unwrap_or_default();
            Problem::from(Code::InternalError).because(format!("panic: {words}")).into_response()
        }
        Err(_) => Problem::from(Code::RequestTimeout)
            .detail("The request was not complete in time.")
            .into_response(),
    };
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        let mut headers = std::mem::take(response.headers_mut());
        headers.remove(header::CONTENT_LENGTH);
        headers.remove(header::CONTENT_TYPE);
        count(&app, &problem, &mut headers);
        let code = problem.code;
        response = problem.render(app.issuer(), &tag);
        if let Some(reader) = reader {
            response = reader.dress(&app, code, &tag, response);
        }
        response.headers_mut().extend(headers);
    }
    response
}

/// Counts what a limit refused, and tells the client how it stands.
pub(crate) fn count(app: &App, problem: &Problem, headers: &mut HeaderMap) {
    if let Some(exceeded) = problem.exceeded() {
        let rule = exceeded.rule.name;
        app.metrics.limiter_refused.get_or_create(&metrics::Rule { rule }).inc();
        show(headers, &exceeded.standing());
    }
}

/// What the OWASP secure headers project asks for.
static ALWAYS: LazyLock<HeaderMap> = LazyLock::new(|| {
    [
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        ),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("x-permitted-cross-domain-policies"), "none"),
        (
            HeaderName::from_static("permissions-policy"),
            "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
        ),
    ]
    .map(|(name, value)| (name, HeaderValue::from_static(value)))
    .into_iter()
    .collect()
});

/// Dresses an answer; a handler that knows better said so already.
fn set_headers(headers: &mut HeaderMap, tag: &str, https: bool) {
    let known_better = std::mem::replace(headers, ALWAYS.clone());
    headers.extend(known_better);
    if https {
        headers.insert(
            header::STRICT_TRANSPORT_SECURITY,
            HeaderValue::from_static("max-age=31536000; includeSubDomains"),
        );
    }
    if let Ok(tag) = HeaderValue::from_str(tag) {
        headers.insert(REQUEST_ID, tag);
    }
}

/// Browsers of these origins, and no others, may call the API; never with cookies.
pub fn cors(app: &App) -> CorsLayer {
    let app = app.clone();
    let may = move |origin: &HeaderValue, _: &Parts| {
        app.live.load().cors.origins.iter().any(|known| known.as_bytes() == origin.as_bytes())
    };
    CorsLayer::new()
        .allow_origin(AllowOrigin::predicate(may))
        .allow_methods([Method::GET, Method::POST, Method::PATCH, Method::DELETE])
        .allow_headers([header::AUTHORIZATION, header::CONTENT_TYPE])
        .expose_headers([
            REQUEST_ID,
            header::RETRY_AFTER,
            HeaderName::from_static("ratelimit"),
            HeaderName::from_static("ratelimit-policy"),
        ])
        .max_age(std::time::Duration::from_mins(10))
}

/// There is no such route.
pub async fn no_route(uri: Uri) -> Problem {
    Problem::from(Code::RouteNotFound).detail(format!(
        "There is nothing at {}.",
        uri.path().chars().take(200).collect::<String>()
    ))
}

/// There is such a route, with other methods.
pub async fn no_method(method: Method) -> Problem {
    Problem::from(Code::MethodNotAllowed)
        .detail(format!("{method} does not work here; the header Allow lists what does."))
}

/// Spends from the budget of the client's network before anything else is done.
pub async fn limited(
    State((app, rule)): State<(App, &'static Rule)>,
    ctx: Ctx,
    request: Request,
    next: Next,
) -> Response {
    match app.limits.spend(rule, &ctx.client.network(), ctx.now).await {
        Ok(standing) => {
            let mut response = next.run(request).await;
            if app.limits.enabled() {
                show(response.headers_mut(), &standing);
            }
            response
        }
        Err(exceeded) => Problem::from(exceeded).into_response(),
    }
}

/// Tells the client how much is left (IETF draft on `RateLimit` fields).
fn show(headers: &mut HeaderMap, standing: &Standing) {
    for (name, value) in limits::fields(std::slice::from_ref(standing)).into_iter().flatten() {
        headers.append(name, value);
    }
}
