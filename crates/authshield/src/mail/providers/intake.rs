//! Taking reports of providers in: proved, read, kept, and written into timelines once.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use axum::http::HeaderMap;
use onesql::Tx;
use reqwest::Client;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::report::{Proof, Refused, Report};
use super::signature::hex;
use super::{Reporter, api, reporter, sql};
use crate::app::App;
use crate::config::{Config, MailProvider};
use crate::kernel::{Timestamp, WebhookId};
use crate::mail::events::{self, News};
use crate::mail::reply::Class;
use crate::mail::setup::SetupError;
use crate::mail::sql::Detail;
use crate::telemetry::metrics::{MailProvider as ProviderLabel, MailRejected};
use crate::vault::WEBHOOK_PAYLOAD;

/// The largest body that is read, in bytes: SendGrid sends batches of up to 768 KiB.
pub const PAYLOAD_AT_MOST: usize = 1024 * 1024;

/// How long a payload is kept.
const KEPT: Duration = Duration::from_hours(30 * 24);

/// How many reports one transaction writes down: others wait for it.
const PIECE: usize = 100;

/// How long fetching something from a provider may take.
const FETCH: Duration = Duration::from_secs(5);

/// How many certificates are remembered.
const CERTIFICATES: usize = 8;

/// How far from now a report may say that something happened; what says otherwise is taken as of now.
const PAST: Duration = Duration::from_hours(30 * 24);

/// Why a delivery was not taken in.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    /// Nothing is configured by which it could be believed.
    #[error("no reports of this provider are expected")]
    NotExpected,
    /// It was not believed, or not understood.
    #[error("the report was refused: {}", .0.as_str())]
    Refused(Refused),
    /// What would prove it could not be fetched now.
    #[error("the certificate of the report cannot be fetched")]
    Unreachable,
    /// It could not be written down: it has to come again.
    #[error("the store failed")]
    Store(#[from] onesql::Error),
}

impl From<Refused> for WebhookError {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

/// Who may report, and what proves it.
pub struct Webhooks {
    reporters: BTreeMap<&'static str, Box<dyn Reporter>>,
    certificates: Mutex<BTreeMap<String, CertificateDer<'static>>>,
    client: Client,
}

impl std::fmt::Debug for Webhooks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Webhooks").field(&self.reporters.keys()).finish()
    }
}

impl Webhooks {
    /// Returns who may report by `config`.
    pub fn from_config(config: &Config) -> Result<Self, SetupError> {
        let of = |provider: &MailProvider| Some((provider.as_str(), reporter(config, *provider)?));
        let reporters = MailProvider::ALL.iter().filter_map(of).collect();
        let client = api::client(FETCH)?;
        Ok(Self { reporters, certificates: Mutex::default(), client })
    }

    /// Returns whether reports of a provider are expected.
    #[must_use]
    pub fn expects(&self, provider: MailProvider) -> bool {
        self.reporters.contains_key(provider.as_str())
    }

    /// Returns the certificate at an address of the provider, fetched once.
    async fn certificate(&self, url: &str) -> Result<CertificateDer<'static>, WebhookError> {
        let remembered = |known: &mut BTreeMap<_, _>| known.get(url).cloned();
        if let Some(known) = self.with_certificates(remembered) {
            return Ok(known);
        }
        let answer = self.client.get(url).send().await.map_err(|_| WebhookError::Unreachable)?;
        if answer.status().is_server_error() {
            return Err(WebhookError::Unreachable);
        }
        let is_there = answer.status().is_success();
        let body = api::bounded(answer).await.map_err(|_| WebhookError::Unreachable)?;
        let certificate = CertificateDer::from_pem_slice(&body).ok().filter(|_| is_there);
        let certificate = certificate.ok_or(Refused::Forged)?;
        self.with_certificates(|known| {
            if known.len() >= CERTIFICATES {
                known.clear();
            }
            known.insert(url.to_owned(), certificate.clone());
        });
        Ok(certificate)
    }

    fn with_certificates<T>(
        &self,
        look: impl FnOnce(&mut BTreeMap<String, CertificateDer<'static>>) -> T,
    ) -> T {
        look(&mut self.certificates.lock().expect("nobody panics while looking at them"))
    }
}

/// Returns whether `signature` over `signed` was made by the owner of a certificate (RSA, SHA-256).
fn is_signed_by(certificate: &CertificateDer<'_>, signed: &[u8], signature: &[u8]) -> bool {
    let Ok(certificate) = webpki::EndEntityCert::try_from(certificate) else { return false };
    let algorithm = webpki::aws_lc_rs::RSA_PKCS1_2048_8192_SHA256;
    certificate.verify_signature(algorithm, signed, signature).is_ok()
}

/// Takes a delivery in; a second time it changes nothing.
pub async fn take_webhook(
    app: &App,
    provider: MailProvider,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<(), WebhookError> {
    let taken = take(app, provider, headers, body).await;
    match &taken {
        Ok(()) => {
            #[expect(clippy::cast_precision_loss, reason = "microseconds fit until the year 2255")]
            let now = app.world.now().as_microsecond() as f64 / 1e6;
            let label = ProviderLabel { provider: provider.as_str() };
            app.metrics.mail_feedback_last_event_timestamp.get_or_create(&label).set(now);
        }
        Err(WebhookError::Refused(refused)) => reject(app, provider, refused.as_str()),
        Err(WebhookError::Unreachable) => reject(app, provider, "no_certificate"),
        Err(WebhookError::NotExpected | WebhookError::Store(_)) => {}
    }
    taken
}

fn reject(app: &App, provider: MailProvider, reason: &'static str) {
    let provider = provider.as_str();
    app.metrics.mail_webhook_rejected.get_or_create(&MailRejected { provider, reason }).inc();
    tracing::info!(provider, reason, "a report about mail was not believed");
}

async fn take(
    app: &App,
    provider: MailProvider,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<(), WebhookError> {
    let webhooks = &app.webhooks;
    let reporter = webhooks.reporters.get(provider.as_str()).ok_or(WebhookError::NotExpected)?;
    if body.len() > PAYLOAD_AT_MOST {
        return Err(Refused::TooLarge.into());
    }
    let once = match reporter.proof(headers, body, app.world.now())? {
        Proof::Shown { once } => once,
        Proof::Certificate { url, signed, signature, once, confirm } => {
            let certificate = webhooks.certificate(&url).await?;
            if !is_signed_by(&certificate, &signed, &signature) {
                return Err(Refused::Forged.into());
            }
            if let Some(url) = confirm {
                return confirm_subscription(webhooks, provider, &url).await;
            }
            Some(once)
        }
    };
    let reports = reporter.read(headers, body)?;
    write_down(app, provider, once, body, reports).await
}

/// Agrees to be told more by a topic of ours.
async fn confirm_subscription(
    webhooks: &Webhooks,
    provider: MailProvider,
    url: &str,
) -> Result<(), WebhookError> {
    let answer = webhooks.client.get(url).send().await.map_err(|_| WebhookError::Unreachable)?;
    if !answer.status().is_success() {
        return Err(WebhookError::Unreachable);
    }
    tracing::info!(provider = provider.as_str(), "a subscription to reports was confirmed");
    Ok(())
}

/// Writes down what is reported, and keeps the payload; of two deliveries by one name that differ, the
/// second changes nothing.
async fn write_down(
    app: &App,
    provider: MailProvider,
    once: Option<String>,
    body: &[u8],
    reports: Vec<Report>,
) -> Result<(), WebhookError> {
    let now = app.world.now();
    let body_hash = digest(&SHA256, body).as_ref().to_vec();
    let external_id = once.unwrap_or_else(|| hex(&body_hash));
    let known = sql::known(&mut app.store.glance().await?, provider.as_str(), &external_id).await?;
    if let Some(known) = known {
        return if known == body_hash { Ok(()) } else { Err(Refused::Replayed.into()) };
    }
    let mut pieces = reports.chunks(PIECE).peekable();
    loop {
        let piece = pieces.next().unwrap_or_default();
        let is_last = pieces.peek().is_none();
        let mut tx = app.store.write().await?;
        if is_last {
            let new = sql::New {
                id: WebhookId::new(&*app.world),
                provider: provider.as_str(),
                external_id: external_id.clone(),
                body_hash: body_hash.clone(),
                payload: app.outbox.seal(WEBHOOK_PAYLOAD, body),
                received_at: now,
                expires_at: now + KEPT,
            };
            // Of two at once, one is the first.
            if !sql::insert(&mut tx, new).await? {
                let known = sql::known(&mut tx, provider.as_str(), &external_id).await?;
                let same = known.is_some_and(|known| known == body_hash);
                return if same { Ok(()) } else { Err(Refused::Replayed.into()) };
            }
        }
        for report in piece {
            note(&mut tx, app, provider, report, now).await?;
        }
        tx.commit().await?;
        if is_last {
            return Ok(());
        }
    }
}

/// Writes one report into the timeline of its mail.
async fn note(
    tx: &mut Tx,
    app: &App,
    provider: MailProvider,
    report: &Report,
    now: Timestamp,
) -> onesql::Result<()> {
    let mail = match (report.mail, &report.provider_id) {
        (Some(mail), _) => Some(mail),
        (None, Some(id)) => sql::by_provider_id(tx, provider.as_str(), id).await?,
        (None, None) => None,
    };
    let known = match mail {
        Some(mail) => crate::mail::sql::hold(tx, mail).await?.is_some(),
        None => false,
    };
    let Some(mail) = mail.filter(|_| known) else {
        reject(app, provider, "no_such_mail");
        return Ok(());
    };
    let at = report.at.filter(|at| now < *at + PAST && *at <= now).unwrap_or(now);
    let cause = &report.cause;
    let news = News {
        mail,
        at,
        source: "webhook",
        external_id: format!("{}/{}/{mail}", provider.as_str(), report.event_id),
        kind: report.kind,
        detail: Detail {
            class: cause.class.map(Class::as_str),
            smtp_code: cause.smtp_code,
            enhanced_code: cause.enhanced_code.clone(),
            reply: cause.reply.clone(),
            remote_mta: cause.remote_mta.clone(),
        },
    };
    events::append(tx, &app.outbox, news).await.map(drop)
}

/// Returns when each provider reported last, on whatever node.
pub async fn last_feedback(tx: &mut Tx) -> onesql::Result<Vec<(String, Timestamp)>> {
    sql::last_by_provider(tx).await
}

/// Counts what a provider took since `since`.
pub async fn with_provider(
    tx: &mut Tx,
    provider: MailProvider,
    since: Timestamp,
) -> onesql::Result<i64> {
    sql::taken_since(tx, provider.as_str(), since).await
}
