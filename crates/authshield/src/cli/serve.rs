//! `authshield serve`: everything that runs until it is told to stop.

use std::io::{IsTerminal, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::preflight::overrides;
use super::reload::Reloader;
use super::{Failure, Global, context};
use crate::accounts;
use crate::app::{App, Ctx};
use crate::assemble::{assemble, ready_store};
use crate::checks::{self, Overrides, Subject};
use crate::config::{Environment, Fingerprints, ProxyProtocol};
use crate::installation::{self, history};
use crate::kernel::is_trusted;
use crate::links::{self, Purpose};
use crate::server::Bounds;
use crate::supervise::Keeper;
use crate::telemetry::{self, Metrics};
use crate::world::{Real, SharedWorld};
use crate::{chores, exports, mail, revocations, router, seals, second_factor, server, shutdown};

/// How long the link to make the first administrator works.
const SETUP_LASTS: Duration = Duration::from_hours(24);

/// Fails if the policy on second factors names a role that does not exist.
async fn second_factor_policy(app: &App) -> Result<(), Failure> {
    let required = &app.config.second_factor.required_for;
    if let Some(role) = second_factor::unknown_role(&app.store, required).await? {
        return Err(Failure::Failed(format!(
            "second_factor.required_for names the role {role:?}, which does not exist, so nobody would \
             need a second factor; correct it, or run `authshield role create {role}`"
        )));
    }
    let except = &app.config.second_factor.trusted_device_except;
    if let Some(role) = second_factor::unknown_role(&app.store, except).await? {
        return Err(Failure::Failed(format!(
            "second_factor.trusted_device_except names the role {role:?}, which does not exist, so nobody would \
             be excepted; correct it, or run `authshield role create {role}`"
        )));
    }
    Ok(())
}

pub(super) async fn run(global: &Global) -> Result<(), Failure> {
    let loaded = context::configuration(global)?;
    let config = loaded.config.clone();
    let overrides = overrides(&config)?;
    let world: SharedWorld = Arc::new(Real);
    let metrics = Metrics::new(&*world);
    let terminal = std::io::stdout().is_terminal();
    let logs = telemetry::init(&config, std::io::stdout(), terminal, Arc::clone(&world), &metrics)?;
    for finding in &loaded.warnings {
        tracing::warn!(finding = finding.id, "{finding}");
    }

    // Addresses and certificate first: they are what goes wrong most, and nothing is begun yet.
    let listener = server::bind(config.listen, "AUTHSHIELD_LISTEN")?;
    let operators = match config.admin_listen {
        Some(address) => Some(server::bind(address, "AUTHSHIELD_ADMIN_LISTEN")?),
        None => None,
    };
    let tls = server::certificate(&config).await?;
    let development = config.environment == Environment::Development;
    let store = ready_store(&config, development).await?;
    // First of all: whether the rest is well is of no interest on another one's database.
    let accepted = installation::accept(&store, &config, &*world).await;
    accepted.map_err(|error| context::not_started(error.into()))?;
    let subject = Subject::new(&loaded, Arc::clone(&world)).with_store(store.clone());
    checks::at_start(&checks::all(), &Arc::new(subject), &overrides).await?;
    let bounds = Bounds::from(&config);
    let (app, post) =
        assemble(config, Arc::clone(&world), store, metrics).await.map_err(context::not_started)?;
    second_factor_policy(&app).await?;
    banner(&app, tls.is_some());
    let ctx = Ctx::command(world);
    welcome(&app, &ctx).await?;
    let standing = Fingerprints::of(&loaded.effective, &app.secrets.fingerprint);
    history::note(&app, &ctx, "start", standing.clone()).await?;

    // Before anybody is served: a large file takes seconds, and no hash should wait for it.
    chores::look_at_files(&app).await;
    // Development is reached by nobody else.
    app.opening.store(app.config.is_production(), Ordering::Relaxed);
    let drain = CancellationToken::new();
    let stop = CancellationToken::new();
    let mut tasks = tokio::task::JoinSet::new();
    if let Some(operators) = operators {
        let served =
            server::serve(operators, router::operator(&app), None, None, stop.clone(), bounds);
        tasks.spawn(async move {
            if let Err(error) = served.await {
                tracing::error!(%error, "the operator listener ended");
            }
        });
    }
    if let (Some(tls), Some(chain), Some(key)) =
        (&tls, &app.config.tls.certificate_file, &app.config.tls.private_key_file)
    {
        tasks.spawn(server::watch_certificate(
            tls.clone(),
            chain.clone(),
            key.clone(),
            server::CERTIFICATE_EVERY,
            stop.clone(),
        ));
    }
    let reloader = Reloader {
        app: app.clone(),
        file: global.config.clone(),
        set: global.set.clone(),
        log: logs.log_filter(),
        standing,
    };
    tasks.spawn(reloader.run(stop.clone()));
    let subject = Subject::new(&loaded, Arc::clone(&app.world)).with_app(app.clone());
    let subject = Arc::new(subject);
    let watched = (Arc::clone(&subject), overrides.clone());
    keep_going(Keeper { app: &app, stop: &stop, tasks: &mut tasks }, post, watched);
    tokio::spawn({
        let drain = drain.clone();
        async move {
            if shutdown::told().await.is_ok() {
                tracing::info!("told to stop: finishing what was begun");
                shutdown::begin();
                drain.cancel();
            }
        }
    });

    let (announcers, router) = (announcers(&app), router::public(&app));
    let served = server::serve(listener, router, announcers, tls, drain.clone(), bounds);
    let opened = async {
        let opened = checks::once_listening(&checks::all(), &subject, &overrides).await;
        match &opened {
            Ok(()) => app.opening.store(false, Ordering::Relaxed),
            // Never ready: nobody is sent here any more.
            Err(_) => drain.cancel(),
        }
        opened
    };
    let (served, opened) = tokio::join!(served, opened);
    stop.cancel();
    while tasks.join_next().await.is_some() {}
    app.passwords.shutdown();
    served?;
    opened?;
    tracing::info!("stopped");
    tokio::task::spawn_blocking(move || drop(logs)).await?;
    Ok(())
}

/// Returns the proxies that announce clients, if any do.
fn announcers(app: &App) -> Option<server::Announcers> {
    let of = app.clone();
    let is_one = move |ip| is_trusted(ip, &of.live.load().trusted_proxies);
    (app.config.proxy_protocol == ProxyProtocol::V2)
        .then(|| server::Announcers::new(is_one, app.metrics.clients_unannounced.clone()))
}

/// Begins what the service does by itself.
fn keep_going(mut keep: Keeper<'_>, post: mail::Post, watched: (Arc<Subject>, Overrides)) {
    let nodes = keep.app.config.data_dir.join("nodes");
    let presence = match mail::Presence::begin(&nodes, keep.app.checks.node) {
        Ok(presence) => Some(Arc::new(presence)),
        Err(error) => {
            tracing::warn!(
                %error,
                "others will not know when this process is gone: what it has in hand waits"
            );
            None
        }
    };
    keep.going("mail", move |_, stop| mail::run(post.clone(), presence.clone(), stop));
    keep.going("checks", move |app, stop| {
        checks::watch(app, Arc::clone(&watched.0), watched.1.clone(), stop)
    });
    keep.going("mail_faults", mail::watch);
    keep.going("mail_reports", mail::poll);
    keep.going("canary", mail::canary::run);
    keep.going("outcome", mail::outcome::run);
    keep.going("seals", seals::run);
    keep.going("exports", exports::run);
    keep.going("revocations", revocations::run);
    keep.going("chores", chores::run);
}

/// Says where it listens, and what it is not fit for.
fn banner(app: &App, tls: bool) {
    let config = &app.config;
    let scheme = if tls { "https" } else { "http" };
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        listen = %config.listen,
        scheme,
        public_url = %config.public_url,
        installation = %app.installation.id,
        "serving"
    );
    if config.is_production() && config.installation_id.is_none() {
        tracing::warn!(
            "no installation is expected: keep AUTHSHIELD_INSTALLATION_ID={} with the configuration, \
             and a database that is another one's is noticed",
            app.installation.id
        );
    }
    if config.environment == Environment::Development {
        tracing::warn!(
            data_dir = %config.data_dir.display(),
            "development mode: only this machine can connect, keys are made in the data folder, and \
             mail is kept there instead of sent (`authshield mail list`). Set \
             AUTHSHIELD_ENVIRONMENT=production for real use"
        );
    }
}

/// Offers the first administrator of an empty installation. In production only `init` does: whoever
/// comes first to a database that was wiped must not become its administrator.
async fn welcome(app: &App, ctx: &Ctx) -> Result<(), Failure> {
    if !app.config.is_production() {
        return offer_setup(app, ctx).await;
    }
    if accounts::no_users(&mut app.store.glance().await?).await? {
        tracing::warn!(
            "nobody has an account here: run `authshield user create EMAIL --password-stdin --role \
             admin --verified`"
        );
    }
    Ok(())
}

/// On an empty database, prints the link with which the first administrator is made.
pub(super) async fn offer_setup(app: &App, ctx: &Ctx) -> Result<(), Failure> {
    let mut tx = app.store.write().await?;
    if !accounts::no_users(&mut tx).await? {
        return Ok(());
    }
    let (purpose, lasts) = (Purpose::Setup, SETUP_LASTS);
    let new = links::New { purpose, user: None, email: None, mail: None, lasts };
    let token = links::issue(&mut tx, app, ctx, new).await?;
    tx.commit().await?;
    // To the terminal and not to the log: a log is kept and sent around, and this opens everything.
    let link = format!("{}/setup?token={}", app.issuer(), token.reveal());
    let words = format!(
        "\nNobody has an account here yet. This link makes the first administrator; it works once, \
         for 24 hours:\n\n    {link}\n\nOr run: authshield user create EMAIL --password-stdin --role \
         admin --verified\n\n"
    );
    if let Err(error) = std::io::stderr().write_all(words.as_bytes()) {
        tracing::warn!(%error, "the link that makes the first administrator could not be shown");
    }
    Ok(())
}

/// Asks the service on this machine whether it is ready; the image needs no shell and no curl.
pub(super) async fn healthcheck(global: &Global) -> Result<(), Failure> {
    let config = context::configuration(global)?.config;
    let mut address = config.admin_listen.unwrap_or(config.listen);
    if config.admin_listen.is_none() && config.tls.certificate_file.is_some() {
        return Err(Failure::Failed(
            "with TLS on the public listener, set AUTHSHIELD_ADMIN_LISTEN for health checks".into(),
        ));
    }
    if address.ip().is_unspecified() {
        address = SocketAddr::from(([127, 0, 0, 1], address.port()));
    }
    let status = tokio::task::spawn_blocking(move || ask(address)).await?.map_err(|error| {
        Failure::Failed(format!(
            "nothing answers at {address} ({error}): is the service running, and is AUTHSHIELD_LISTEN \
             the same as there?"
        ))
    })?;
    if status.contains(" 200 ") {
        if global.json {
            println!("{}", serde_json::json!({ "status": "ready" }));
        } else {
            println!("ready");
        }
        return Ok(());
    }
    Err(Failure::Failed(format!("not ready: {}", status.trim())))
}

fn ask(address: SocketAddr) -> std::io::Result<String> {
    let limit = Duration::from_secs(3);
    let mut stream = TcpStream::connect_timeout(&address, limit)?;
    stream.set_read_timeout(Some(limit))?;
    stream.set_write_timeout(Some(limit))?;
    let request = format!(
        "GET /api/v1/health/ready HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.take(4096).read_to_string(&mut answer)?;
    Ok(answer.lines().next().unwrap_or_default().to_owned())
}
