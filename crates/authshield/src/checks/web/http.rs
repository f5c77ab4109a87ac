//! Where the service answers the questions that it asks itself. To everybody else there is no such route.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::Extension;
use axum::extract::{ConnectInfo, Request, State};
use axum::response::{IntoResponse, Response};
use secrecy::ExposeSecret;

use super::probe::{Asked, Key};
use crate::app::App;
use crate::frame;
use crate::server::Announced;

/// Answers a question that somebody asked who has one of our keys.
pub(crate) async fn probe(
    State(app): State<App>,
    peer: Option<Extension<ConnectInfo<SocketAddr>>>,
    request: Request,
) -> Response {
    let here = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let peer = peer.map_or(here, |Extension(ConnectInfo(peer))| peer.ip());
    let announced = request.extensions().get::<Announced>().is_some();
    let (uri, headers) = (request.uri(), request.headers());
    let answer = asked(&app).answer(app.world.now(), peer, announced, uri, headers);
    match answer {
        Some(answer) => answer,
        None => frame::no_route(request.uri().clone()).await.into_response(),
    }
}

fn asked(app: &App) -> Asked {
    let live = app.live.load();
    let mut keys = vec![Key::new(&*app.secrets.probe)];
    // For who asks from outside and has no database.
    let operator = live.operator_token.as_ref();
    keys.extend(operator.map(|token| Key::new(token.expose_secret().as_bytes())));
    Asked {
        keys,
        installation: Some(app.installation.id),
        public_url: app.issuer().to_owned(),
        tls: app.config.tls.certificate_file.is_some(),
        trusted: live.trusted_proxies.clone(),
    }
}
